//! A plan as people and programs read it: a mark and a path per line, counts, bytes.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

use super::printer::{Printer, clean, paint};
use super::size::human_size;
use crate::mark::Mark;
use crate::settings::Verbosity;

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    /// What happens.
    pub mark: Mark,
    /// To which path, with `/`.
    pub path: String,
    /// How many bytes that moves; shown after the path.
    pub bytes: Option<u64>,
    /// Why: `content`, `content type`, the rule that ignores a file. JSON always has it, people see it with `-v` and for
    /// ignored files and conflicts.
    pub reason: Option<String>,
}

/// A plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The lines, in the order to print.
    pub lines: Vec<PlanLine>,
    /// How many entries are the same, whether listed or not.
    pub same: usize,
    /// Bytes that will move.
    pub bytes: u64,
    /// Print every line. Otherwise long runs of additions and changes are cut short unless `-v` was given; removals and
    /// conflicts are always printed.
    pub whole: bool,
}

fn style(mark: Mark) -> Style {
    match mark {
        Mark::New => AnsiColor::Green.on_default(),
        Mark::Changed => AnsiColor::Cyan.on_default(),
        Mark::Removed => AnsiColor::Red.on_default(),
        Mark::Conflict => AnsiColor::Red.on_default().bold(),
        Mark::Same | Mark::Kept | Mark::Ignored => Style::new().dimmed(),
    }
}

/// So many additions and changes are printed before the rest is only counted.
const ENOUGH: usize = 40;

/// The same for a command within another.
const FEW: usize = 6;

impl Listing {
    /// How many lines have `mark`.
    pub fn count(&self, mark: Mark) -> usize {
        match mark {
            Mark::Same => self.same,
            _ => self.lines.iter().filter(|line| line.mark == mark).count(),
        }
    }

    /// `1 changed, 1 new, 1 removed, 118 same`; kinds that do not occur are left out, `same` never is.
    pub fn counts(&self) -> String {
        let kinds = [
            (Mark::Conflict, "in conflict"),
            (Mark::Changed, "changed"),
            (Mark::New, "new"),
            (Mark::Removed, "removed"),
            (Mark::Kept, "of the server's own"),
        ];
        let mut words: Vec<String> = kinds
            .into_iter()
            .map(|(mark, word)| (self.count(mark), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        words.push(format!("{} same", self.same));
        words.join(", ")
    }

    /// The counts as JSON fields: `add`, `change`, `remove`, `same`, `conflict`, `bytes`.
    pub fn fields(&self) -> Map<String, Value> {
        let mut fields: Map<String, Value> = [Mark::New, Mark::Changed, Mark::Removed, Mark::Same, Mark::Conflict]
            .into_iter()
            .map(|mark| (mark.word().to_owned(), Value::from(self.count(mark))))
            .collect();
        fields.insert("bytes".to_owned(), self.bytes.into());
        fields
    }

    /// The lines as JSON objects, for the documents of `status` and `diff`.
    pub fn items(&self) -> Vec<Value> {
        self.lines.iter().map(item).collect()
    }

    /// The lines for people. `said` is how much they want to read, `enough` how many additions and changes are printed
    /// before the rest is only counted.
    fn text(&self, said: Verbosity, color: bool, enough: usize) -> Vec<String> {
        let shown: Vec<&PlanLine> =
            self.lines.iter().filter(|line| line.mark != Mark::Same || said >= Verbosity::Requests).collect();
        let whole = self.whole || said >= Verbosity::Verbose;
        let long = |line: &PlanLine| matches!(line.mark, Mark::New | Mark::Changed);
        let cut = if whole { 0 } else { shown.iter().filter(|line| long(line)).count().saturating_sub(enough) };
        let mut left = if cut > 1 { enough } else { usize::MAX };
        let mut chosen = Vec::new();
        for line in shown {
            if long(line) {
                if left == 0 {
                    continue;
                }
                left -= 1;
            }
            chosen.push(line);
        }
        let width = chosen.iter().filter(|line| line.bytes.is_some()).map(|line| clean(&line.path).chars().count());
        let width = width.filter(|width| *width <= 60).max().unwrap_or(0);
        let mut text: Vec<String> = chosen.into_iter().map(|line| row(line, width, said, color)).collect();
        if cut > 1 {
            text.push(format!("  … and {cut} more (`-v` lists them)"));
        }
        text
    }
}

fn row(line: &PlanLine, width: usize, said: Verbosity, color: bool) -> String {
    let path = clean(&line.path);
    let mut row = format!("{} {path}", line.mark.letter());
    if let Some(bytes) = line.bytes {
        let pad = width.saturating_sub(path.chars().count());
        // Writing to a String cannot fail.
        let _ = write!(row, "{:pad$} {:>11}", "", human_size(bytes));
    }
    // These two are why there will be a question.
    let asks = matches!(line.reason.as_deref(), Some("overwrites" | "has more than the file"));
    let telling =
        matches!(line.mark, Mark::Ignored | Mark::Conflict | Mark::Kept) || asks || said >= Verbosity::Verbose;
    if let Some(reason) = line.reason.as_deref().filter(|_| telling) {
        let _ = write!(row, "  ({})", clean(reason));
    }
    format!("  {}", paint(color, style(line.mark), &row))
}

/// The mark and the path alone.
pub(super) fn marked(line: &PlanLine, color: bool) -> String {
    paint(color, style(line.mark), &format!("{} {}", line.mark.letter(), clean(&line.path)))
}

fn item(line: &PlanLine) -> Value {
    let mut item = json!({"op": line.mark.word(), "path": line.path});
    if let Some(bytes) = line.bytes {
        item["bytes"] = bytes.into();
    }
    if let Some(reason) = &line.reason {
        item["reason"] = reason.as_str().into();
    }
    item
}

impl Printer {
    /// A plan about to be carried out: to stderr, or as `plan` and `item` events.
    pub fn plan(&self, listing: &Listing) {
        let changes = |line: &PlanLine| !matches!(line.mark, Mark::Same | Mark::Kept | Mark::Ignored);
        let is_line = self.keep_for_line(listing);
        if is_line && !listing.lines.iter().any(changes) {
            return;
        }
        self.event("plan", Value::Object(listing.fields()));
        // There may be hundreds of thousands.
        for line in listing.lines.iter().filter(|_| self.settings().json) {
            self.event("item", item(line));
        }
        if self.talks() && !is_line {
            if listing.lines.iter().any(changes) {
                self.release();
            } else if self.part.is_waiting() {
                return;
            }
            let enough = if self.part.is_within() { FEW } else { ENOUGH };
            for line in listing.text(self.settings().verbosity, self.settings().color_err, enough) {
                self.err_line(&line);
            }
        }
    }

    /// A plan that is itself the answer (`status`): to stdout. With `--json` the command prints a
    /// [document](Printer::document) of [`Listing::items`] instead.
    pub fn answer_plan(&self, listing: &Listing) {
        if !self.settings().json && self.settings().verbosity > Verbosity::Silent {
            for line in listing.text(self.settings().verbosity, self.settings().color_out, ENOUGH) {
                self.out_bytes(format!("{line}\n").as_bytes());
            }
        }
    }
}
