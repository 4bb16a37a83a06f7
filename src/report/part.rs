//! Commands within a command: each has a clock of its own, and says nothing while there is nothing to do, or one line
//! about what it did.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::listing::{Listing, PlanLine, marked};
use super::printer::{Printer, clean, lock};
use crate::mark::Mark;

/// What a printer knows of the command it prints for.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) started: Instant,
    /// Whether it is within another one.
    within: bool,
    /// Whether its answer is left out.
    terse: bool,
    /// What was said while it was not known whether there is anything to do.
    kept: Mutex<Option<Vec<String>>>,
    /// What changes, where all that is said is one line of it.
    line: Option<Mutex<Vec<PlanLine>>>,
    /// It has done something.
    did: AtomicBool,
}

impl Default for Part {
    /// The program itself.
    fn default() -> Self {
        Self {
            started: Instant::now(),
            within: false,
            terse: false,
            kept: Mutex::default(),
            line: None,
            did: AtomicBool::new(false),
        }
    }
}

impl Part {
    /// From the first line on it waits for something to do.
    pub(super) fn began(&self) {
        if self.within {
            lock(&self.kept).get_or_insert_default();
        }
    }

    /// Whether all that it says is one line.
    pub(super) fn is_line(&self) -> bool {
        self.line.is_some()
    }

    /// Something was done.
    pub(super) fn does(&self) {
        self.did.store(true, Ordering::Relaxed);
    }

    /// Takes a line, if it is not to be said yet.
    pub(super) fn keeps(&self, line: &str) -> bool {
        lock(&self.kept).as_mut().map(|kept| kept.push(line.to_owned())).is_some()
    }

    /// Whether nothing to do has been found yet.
    pub(super) fn is_waiting(&self) -> bool {
        lock(&self.kept).is_some()
    }

    /// At the end: whether there was nothing to do. What was said until then is forgotten.
    pub(super) fn ends_idle(&self) -> bool {
        lock(&self.kept).take().is_some()
    }

    /// Whether it is a command within another that speaks for itself.
    pub(super) fn is_within(&self) -> bool {
        self.within
    }

    /// Whether the answer is left out.
    pub(super) fn is_terse(&self) -> bool {
        self.terse
    }
}

impl Printer {
    /// A printer for a command within this one. Its times are its own, long lists are cut shorter, and when it finds nothing
    /// to do people read nothing of it. `terse` leaves out the answer as well, which is known from an earlier time.
    pub fn part(&self, terse: bool) -> Self {
        let part = Part { within: true, terse, ..Part::default() };
        Self { shared: Arc::clone(&self.shared), part: Arc::new(part) }
    }

    /// A printer for a command that is carried out again and again: each time one line says when, what changed and what
    /// came of it, or nothing when there was nothing to do. Warnings are told once. It can ask questions.
    pub fn line(&self) -> Self {
        let part = Part { terse: true, line: Some(Mutex::default()), ..Part::default() };
        Self { shared: Arc::clone(&self.shared), part: Arc::new(part) }
    }

    /// Whether its command has done anything.
    pub fn has_done(&self) -> bool {
        self.part.did.load(Ordering::Relaxed)
    }

    /// Keeps the plan for the line. Whether there is a line.
    pub(super) fn keep_for_line(&self, listing: &Listing) -> bool {
        let Some(line) = &self.part.line else { return false };
        let changes = |line: &&PlanLine| !matches!(line.mark, Mark::Same | Mark::Kept | Mark::Ignored | Mark::Conflict);
        lock(line).extend(listing.lines.iter().filter(changes).cloned());
        true
    }

    /// Says the line, where there is one. Whether there is.
    pub(super) fn say_line(&self, outcome: &str) -> bool {
        let Some(line) = &self.part.line else { return false };
        let lines = std::mem::take(&mut *lock(line));
        if self.talks() {
            let what = shortened(&lines, self.settings().color_err);
            self.err_line(&format!("{}  {what}  {}", time_of_day(), clean(outcome)));
        }
        true
    }

    /// There is something to do: says what was kept until now.
    pub(super) fn release(&self) {
        let kept = lock(&self.part.kept).take();
        for line in kept.into_iter().flatten() {
            self.err_line(&clean(&line));
        }
    }
}

/// So many changes are named on a line.
const NAMED: usize = 3;
/// What comes of it stands below each other, where the names are not longer than this.
const WIDTH: usize = 36;

/// `~ a, + b, - c and 4 more`, filled up with spaces.
fn shortened(lines: &[PlanLine], color: bool) -> String {
    let named = &lines[..lines.len().min(if lines.len() == NAMED + 1 { NAMED + 1 } else { NAMED })];
    let more = lines.len() - named.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = |color: bool| named.iter().map(|line| marked(line, color)).collect::<Vec<_>>().join(", ") + &rest;
    let width = text(false).chars().count();
    text(color) + &" ".repeat(WIDTH.saturating_sub(width))
}

/// The time on the clock of who reads it: `12:04:31`.
pub(super) fn time_of_day() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use crate::exit::{Exit, Failure};
    use crate::mark::Mark;
    use crate::report::testing::captured;
    use crate::report::{Listing, PlanLine, Printer, Start};

    fn listing(marks: &[Mark]) -> Listing {
        let line =
            |(at, mark): (usize, &Mark)| PlanLine { mark: *mark, path: format!("{at}.js"), bytes: None, reason: None };
        Listing { lines: marks.iter().enumerate().map(line).collect(), ..Listing::default() }
    }

    fn told(terse: bool, work: impl Fn(&Printer)) -> (String, String) {
        let (whole, captured) = captured(|_| {});
        let printer = whole.part(terse);
        printer.start(&Start { command: "push", doing: "Pushing", from: "a", to: "b", remark: None });
        printer.note("layout: web");
        work(&printer);
        (captured.out(), captured.err())
    }

    #[test]
    fn nothing_to_do_is_not_told() {
        let idle = |marks: &[Mark]| {
            told(false, |printer| {
                printer.plan(&listing(marks));
                printer.summary("Up to date", serde_json::Map::new());
                printer.answer("http://h/");
            })
        };
        assert_eq!(idle(&[]), ("http://h/\n".to_owned(), String::new()));
        assert_eq!(idle(&[Mark::Same, Mark::Kept]).1, "");
        assert_eq!(idle(&[Mark::Same, Mark::Changed]).1, "Pushing a → b\nlayout: web\n  ~ 1.js\nUp to date\n");
    }

    #[test]
    fn warnings_and_errors_say_what_they_belong_to() {
        let warned = told(true, |printer| {
            printer.warning("code", "look");
            printer.answer("http://h/");
        });
        assert_eq!(warned, (String::new(), "Pushing a → b\nlayout: web\nwarning: look\n".to_owned()));
        let failed = told(true, |printer| {
            printer.error(&Failure::new(Exit::Usage, "no such thing").into());
        });
        assert_eq!(failed.1, "Pushing a → b\nlayout: web\nerror: no such thing\n");
    }

    /// What is said on one line, without the time.
    fn line(work: impl Fn(&Printer)) -> String {
        let (whole, captured) = captured(|_| {});
        let printer = whole.line();
        printer.start(&Start { command: "push", doing: "Pushing", from: "a", to: "b", remark: None });
        printer.note("layout: web");
        work(&printer);
        assert_eq!(captured.out(), "");
        captured.err().lines().map(|line| format!("{}\n", line.get(8..).unwrap_or(line))).collect()
    }

    #[test]
    fn one_line_tells_what_came_of_a_change() {
        let revision =
            || serde_json::Map::from_iter([("rev".into(), format!("8-{}", "77e0b1".repeat(6)).get(..34).into())]);
        let pushed = line(|printer| {
            printer.plan(&listing(&[Mark::Same, Mark::Changed]));
            printer.summary("Pushed: and so on", revision());
            printer.answer("http://h/");
        });
        let pushed = &pushed[..pushed.rfind(' ').map_or(0, |at| pushed[..at].trim_end_matches(char::is_numeric).len())];
        assert_eq!(pushed, "  ~ 1.js                                → 8-77e0b1   ");
        let sent = line(|printer| {
            printer.plan(&listing(&[Mark::New, Mark::Removed, Mark::Changed, Mark::New, Mark::New]));
            printer.summary("Sent 3 files", serde_json::Map::new());
        });
        assert_eq!(sent, "  + 0.js, - 1.js, ~ 2.js and 2 more     Sent 3 files\n");
        let idle = line(|printer| {
            printer.plan(&listing(&[Mark::Same, Mark::Kept]));
            printer.idle("Up to date", revision());
        });
        assert_eq!(idle, "");
    }

    #[test]
    fn a_warning_is_told_once() {
        let (whole, captured) = captured(|_| {});
        whole.warning("a", "look");
        for _ in 0..2 {
            whole.line().warning("a", "look");
            whole.line().warning("a", "look there");
        }
        let err = captured.err();
        let told: Vec<&str> = err.lines().map(|line| line.split("warning: ").nth(1).unwrap()).collect();
        assert_eq!(told, ["look", "look there"]);
    }

    #[test]
    fn long_lists_are_cut_shorter() {
        let (_, text) = told(true, |printer| printer.plan(&listing(&[Mark::New; 30])));
        assert_eq!(text.lines().count(), 9, "{text}");
        assert!(text.ends_with("  … and 24 more (`-v` lists them)\n"), "{text}");
    }
}
