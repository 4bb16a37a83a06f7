//! Commands within a command: each has a clock of its own, and says nothing while there is nothing to do.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::printer::{Printer, clean, lock};

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
}

impl Default for Part {
    /// The program itself.
    fn default() -> Self {
        Self { started: Instant::now(), within: false, terse: false, kept: Mutex::default() }
    }
}

impl Part {
    /// From the first line on it waits for something to do.
    pub(super) fn began(&self) {
        if self.within {
            lock(&self.kept).get_or_insert_default();
        }
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

    /// Whether it is a command within another.
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

    /// There is something to do: says what was kept until now.
    pub(super) fn release(&self) {
        let kept = lock(&self.part.kept).take();
        for line in kept.into_iter().flatten() {
            self.err_line(&clean(&line));
        }
    }
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

    #[test]
    fn long_lists_are_cut_shorter() {
        let (_, text) = told(true, |printer| printer.plan(&listing(&[Mark::New; 30])));
        assert_eq!(text.lines().count(), 9, "{text}");
        assert!(text.ends_with("  … and 24 more (`-v` lists them)\n"), "{text}");
    }
}
