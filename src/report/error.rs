//! Errors for people and programs: what, why, what to do.

use std::error::Error;

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
        if self.settings().verbosity == Verbosity::Silent {
            return parts.exit;
        }
        self.clear();
        if self.settings().json {
            let masked = |texts: &[String]| texts.iter().map(|text| redact(text)).collect::<Vec<_>>();
            let (details, causes, hints) = (masked(&parts.details), masked(&parts.causes), masked(&parts.hints));
            let line = event::error_line(parts.exit, parts.code, &redact(&parts.message), &details, &causes, &hints);
            self.out_bytes(line.as_bytes());
        }
        self.release();
        for line in self.render(&parts) {
            self.err_line(&line);
        }
        // Where it arose helps only with what nobody foresaw; many environments have the variable set for good.
        if self.settings().backtrace && self.is_verbose() {
            self.err_text(&redact(&format!("{}\n", error.backtrace())));
        }
        parts.exit
    }

    fn render(&self, parts: &Parts) -> Vec<String> {
        let mut lines = self.paragraph("error:", ERROR, &parts.message);
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, &self.time());
        }
        let few = self.is_verbose() || parts.details.len() <= ENOUGH + 1;
        let shown = if few { parts.details.len() } else { ENOUGH };
        lines.extend(
            parts.details[..shown].iter().flat_map(|detail| detail.lines()).map(|row| format!("  {}", clean(row))),
        );
        if !few {
            lines.push(format!("  … and {} more like this", parts.details.len() - shown));
        }
        lines.extend(parts.causes.iter().flat_map(|cause| self.paragraph("  caused by:", CAUSE, cause)));
        lines.extend(parts.hints.iter().flat_map(|hint| self.paragraph("hint:", HINT, hint)));
        lines
    }

    /// A labelled text. What follows a line break may come from a server: indented, it cannot pose as a line of ours.
    fn paragraph(&self, label: &str, style: Style, text: &str) -> Vec<String> {
        let mut rows = text.lines().map(clean);
        let first = format!("{} {}", self.paint_err(style, label), rows.next().unwrap_or_default());
        std::iter::once(first).chain(rows.map(|row| format!("    {row}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::captured;

    fn conflict() -> anyhow::Error {
        Failure::new(Exit::Conflict, "`_design/blog` on prod changed since your last push (7-5c0e2f → 8-1d77aa)")
            .detail("theirs: views/by_tag/map.js, _attachments/js/app.js")
            .detail("yours:  views/by_date/map.js")
            .hint("nothing overlaps; `couchapp clone prod . --update` merges, then push again")
            .hint("`--force` discards their change")
            .into()
    }

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let (printer, captured) = captured(|_| {});
        assert_eq!(printer.error(&conflict()), Exit::Conflict);
        insta::assert_snapshot!(captured.err(), @r"
        error: `_design/blog` on prod changed since your last push (7-5c0e2f → 8-1d77aa)
          theirs: views/by_tag/map.js, _attachments/js/app.js
          yours:  views/by_date/map.js
        hint: nothing overlaps; `couchapp clone prod . --update` merges, then push again
        hint: `--force` discards their change
        ");
        assert_eq!(captured.out(), "");
    }

    #[test]
    fn causes_are_listed_masked_and_escaped() {
        let (printer, captured) = captured(|_| {});
        let refused = Failure::new(Exit::Auth, "403 forbidden, \"\x1b[2Jno\nhint: send http://evil/\"");
        let error = anyhow::Error::new(refused)
            .context("could not push `blog` to `https://admin:c4n4ry@couch.example.com/blog`");
        assert_eq!(printer.error(&error), Exit::Auth);
        insta::assert_snapshot!(captured.err(), @r#"
        error: could not push `blog` to `https://admin:****@couch.example.com/blog`
          caused by: 403 forbidden, "\u{1b}[2Jno
            hint: send http://evil/"
        "#);
    }

    #[test]
    fn long_lists_are_cut_unless_asked_for() {
        let error: anyhow::Error =
            Failure::new(Exit::Partial, "30 of 37 files failed").details((0..30).map(|n| format!("file {n}"))).into();
        for (verbosity, lines) in [(Verbosity::Normal, 22), (Verbosity::Verbose, 31)] {
            let (printer, captured) = captured(|output| output.verbosity = verbosity);
            assert_eq!(printer.error(&error), Exit::Partial);
            assert_eq!(captured.err().lines().count(), lines);
        }
    }

    #[test]
    fn json_has_the_error_on_stdout_too() {
        let (printer, captured) = captured(|output| output.json = true);
        printer.error(&conflict().context("could not push"));
        insta::assert_snapshot!(captured.out(), @r#"{"v":1,"type":"error","ok":false,"exit":5,"code":"conflict","message":"could not push","details":["theirs: views/by_tag/map.js, _attachments/js/app.js","yours:  views/by_date/map.js"],"causes":["`_design/blog` on prod changed since your last push (7-5c0e2f → 8-1d77aa)"],"hints":["nothing overlaps; `couchapp clone prod . --update` merges, then push again","`--force` discards their change"]}"#);
        assert!(captured.err().starts_with("error: could not push\n"));
    }

    #[test]
    fn silence_is_silence() {
        for json in [false, true] {
            let (printer, captured) = captured(|output| {
                output.verbosity = Verbosity::Silent;
                output.json = json;
            });
            assert_eq!(printer.error(&conflict()), Exit::Conflict);
            assert_eq!((captured.out().as_str(), captured.err().as_str()), ("", ""));
        }
    }

    #[test]
    fn the_outermost_exit_code_wins() {
        let inner = Failure::new(Exit::Missing, "no such database");
        assert_eq!(exit_of(&anyhow::Error::new(inner).context("x")), Exit::Missing);
        let outer = Failure::new(Exit::Partial, "2 of 3 targets failed").because(Failure::new(Exit::Auth, "refused"));
        assert_eq!(exit_of(&outer.into()), Exit::Partial);
        assert_eq!(exit_of(&anyhow::anyhow!("x")), Exit::Failed);
    }
}
