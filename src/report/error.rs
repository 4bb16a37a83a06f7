//! Errors for people and programs: what, why, what to do.

use std::error::Error;
use std::io;

use anstyle::{AnsiColor, Style};

use super::event;
use super::printer::{Printer, clean};
use crate::exit::{Exit, Failure};
use crate::secret::redact;
use crate::settings::Verbosity;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const CAUSE: Style = Style::new().bold();

/// So many lines of a list are printed before the rest is only counted.
const ENOUGH: usize = 20;

/// The exit code an error ends with: that of the outermost error of its chain that knows one.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(known_exit).unwrap_or(Exit::Failed)
}

/// The one place that knows which errors have an exit code of their own.
fn known_exit(error: &(dyn Error + 'static)) -> Option<Exit> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(failure.exit());
    }
    None
}

/// An error taken apart. All text as it is, neither masked nor escaped.
struct Parts {
    exit: Exit,
    code: &'static str,
    message: String,
    details: Vec<String>,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Parts {
    fn of(error: &anyhow::Error) -> Self {
        let exit = exit_of(error);
        let failures = || error.chain().filter_map(|cause| cause.downcast_ref::<Failure>());
        let mut texts: Vec<String> = error.chain().map(ToString::to_string).collect();
        // A transparent wrapper says the same as what it wraps.
        texts.dedup();
        Self {
            exit,
            code: failures().next().map_or(exit.word(), Failure::code),
            message: if texts.is_empty() { String::new() } else { texts.remove(0) },
            details: failures().flat_map(|failure| failure.listed().iter().cloned()).collect(),
            causes: texts,
            hints: failures().flat_map(|failure| failure.hints().iter().cloned()).collect(),
        }
    }
}

impl Printer {
    /// Prints an error (the last thing a command does) and gives the exit code it ends with.
    pub fn error(&self, error: &anyhow::Error) -> Exit {
        let parts = Parts::of(error);
        if self.settings().verbosity == Verbosity::Silent || is_closed_pipe(error) {
            return if is_closed_pipe(error) { Exit::Ok } else { parts.exit };
        }
        self.clear();
        if self.settings().json {
            let masked = |texts: &[String]| texts.iter().map(|text| redact(text)).collect::<Vec<_>>();
            let (details, causes, hints) = (masked(&parts.details), masked(&parts.causes), masked(&parts.hints));
            let line = event::error_line(parts.exit, parts.code, &redact(&parts.message), &details, &causes, &hints);
            self.out_bytes(line.as_bytes());
        }
        for line in self.render(&parts) {
            self.err_line(&line);
        }
        if self.settings().backtrace {
            self.err_text(&redact(&format!("{}\n", error.backtrace())));
        }
        parts.exit
    }

    fn render(&self, parts: &Parts) -> Vec<String> {
        let mut lines = Vec::new();
        let mut say = |label: &str, style: Style, text: &str| {
            let mut rows = text.lines().map(clean);
            lines.push(format!("{} {}", self.paint_err(style, label), rows.next().unwrap_or_default()));
            // What follows a line break may come from a server: indented, it cannot pose as a line of ours.
            lines.extend(rows.map(|row| format!("    {row}")));
        };
        say("error:", ERROR, &parts.message);
        let details = parts.details.clone();
        let causes = parts.causes.clone();
        let hints = parts.hints.clone();
        let whole = if self.is_verbose() || details.len() <= ENOUGH + 1 { details.len() } else { ENOUGH };
        let mut tail = Vec::new();
        for detail in &details[..whole] {
            tail.extend(detail.lines().map(|row| format!("  {}", clean(row))));
        }
        if whole < details.len() {
            tail.push(format!("  … and {} more like this", details.len() - whole));
        }
        lines.append(&mut tail);
        let mut say = |label: &str, style: Style, text: &str| {
            let mut rows = text.lines().map(clean);
            lines.push(format!("{} {}", self.paint_err(style, label), rows.next().unwrap_or_default()));
            lines.extend(rows.map(|row| format!("    {row}")));
        };
        causes.iter().for_each(|cause| say("  caused by:", CAUSE, cause));
        hints.iter().for_each(|hint| say("hint:", HINT, hint));
        lines
    }
}

/// Whether the error is only that the reader of stdout went away.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
