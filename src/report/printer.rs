//! The printer: two streams, how much is said on them, and in which form.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::event;
use super::keyboard::Keyboard;
use super::part::{Part, time_of_day};
use crate::exit::Exit;
use crate::name::Revision;
use crate::path::portable::for_display;
use crate::secret::redact;
use crate::settings::{OutputSettings, Verbosity};

/// `warning:`
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Prints for one run of the program, or for a command within it ([`Printer::part`]). Clones share everything.
#[derive(Clone)]
pub struct Printer {
    pub(super) shared: Arc<Shared>,
    pub(super) part: Arc<Part>,
}

/// What the clones of a [`Printer`] share.
pub(super) struct Shared {
    pub(super) settings: OutputSettings,
    pub(super) read_line: fn() -> io::Result<String>,
    pub(super) asking: AtomicBool,
    pub(super) keyboard: Keyboard,
    /// Warnings that have been told.
    warned: Mutex<BTreeSet<String>>,
    /// The bar on the screen; text is written with it out of the way.
    pub(super) bar: Mutex<Option<ProgressBar>>,
    out: Mutex<Stream>,
    err: Mutex<Stream>,
}

/// A stream that remembers how it ended.
struct Stream {
    writer: Box<dyn Write + Send>,
    failure: Option<io::Error>,
}

impl Stream {
    fn new(writer: Box<dyn Write + Send>) -> Mutex<Self> {
        Mutex::new(Self { writer, failure: None })
    }

    /// A reader that went away (`| head`) is no reason to stop a push: what it would have read is dropped.
    fn write(&mut self, bytes: &[u8]) {
        if self.failure.is_none() {
            self.failure = self.writer.write_all(bytes).and_then(|()| self.writer.flush()).err();
        }
    }
}

/// The first line of a command that moves data.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The command's name (`push`).
    pub command: &'a str,
    /// The word people read (`Pushing`).
    pub doing: &'a str,
    /// Where the data comes from, as people know it.
    pub from: &'a str,
    /// Where the data goes.
    pub to: &'a str,
    /// What follows in brackets: the target's name, `dry run`.
    pub remark: Option<&'a str>,
}

impl Printer {
    /// A printer for this process's streams.
    pub fn new(settings: OutputSettings) -> Self {
        // Styles are only written where `settings` wants them; the wrapper translates them for old Windows consoles.
        let choice = if settings.color_err { anstream::ColorChoice::Always } else { anstream::ColorChoice::Never };
        let err = Box::new(anstream::AutoStream::new(io::stderr(), choice));
        Self::with_streams(settings, Box::new(io::stdout()), err, read_stdin)
    }

    /// A printer for other streams; `read_line` answers questions.
    pub fn with_streams(
        settings: OutputSettings,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        read_line: fn() -> io::Result<String>,
    ) -> Self {
        let shared = Shared {
            settings,
            read_line,
            asking: AtomicBool::new(false),
            keyboard: Keyboard::default(),
            warned: Mutex::default(),
            bar: Mutex::new(None),
            out: Stream::new(out),
            err: Stream::new(err),
        };
        Self { shared: Arc::new(shared), part: Arc::default() }
    }

    /// What was asked for.
    pub fn settings(&self) -> &OutputSettings {
        &self.shared.settings
    }

    /// Whether `-v` or more was given.
    pub fn is_verbose(&self) -> bool {
        self.settings().verbosity >= Verbosity::Verbose
    }

    /// Says what begins, and in which direction data will move.
    pub fn start(&self, start: &Start<'_>) {
        let Start { command, doing, from, to, remark } = *start;
        if self.part.is_line() {
            return;
        }
        self.event("start", json!({"command": command, "from": redact(from), "to": redact(to)}));
        let remark = remark.map_or(String::new(), |remark| format!(" ({remark})"));
        self.part.began();
        self.note(&format!("{doing} {from} → {to}{remark}"));
    }

    /// One line for people. Not shown with `-q` or `--json`.
    pub fn note(&self, text: &str) {
        if self.part.is_line() {
            self.detail(text);
        } else if self.talks() && !self.part.keeps(text) {
            self.err_line(&clean(text));
        }
    }

    /// One line that only `-v` shows.
    pub fn detail(&self, text: &str) {
        if self.is_verbose() {
            self.err_line(&clean(text));
        }
    }

    /// Something to know that does not stop the command. `code` is a stable word.
    pub fn warning(&self, code: &str, message: &str) {
        let is_new = lock(&self.shared.warned).insert(message.to_owned());
        if self.part.is_line() && !is_new {
            return;
        }
        self.event("warning", json!({"code": code, "message": redact(message)}));
        if self.settings().verbosity >= Verbosity::Normal {
            self.release();
            let time = self.time();
            self.err_line(&format!("{time}{} {}", self.paint_err(YELLOW, "warning:"), clean(message)));
        }
    }

    /// One line of the answer, on stdout. Not shown with `--json` (put it into the summary) or `-qq`.
    pub fn answer(&self, text: &str) {
        if !self.settings().json && self.settings().verbosity > Verbosity::Silent && !self.part.is_terse() {
            let text = redact(text);
            let text = if self.settings().terminal_out { for_display(&text) } else { text };
            self.out_bytes(format!("{text}\n").as_bytes());
        }
    }

    /// Bytes of the answer, unchanged: a document, an attachment, completions.
    pub fn data(&self, bytes: &[u8]) {
        if self.settings().verbosity > Verbosity::Silent {
            self.out_bytes(bytes);
        }
    }

    /// The answer of `status`, `diff` and `config` with `--json`: one object of type `kind`.
    ///
    /// Nothing is masked here: put no credentials in.
    pub fn document(&self, kind: &str, fields: Map<String, Value>) {
        if self.settings().json && self.settings().verbosity > Verbosity::Silent {
            self.out_bytes(event::line(kind, fields).as_bytes());
        }
    }

    /// Before a line that tells of one time among many: when it was.
    pub(super) fn time(&self) -> String {
        if self.part.is_line() { format!("{}  ", time_of_day()) } else { String::new() }
    }

    /// One line for people that says when it is.
    pub fn moment(&self, text: &str) {
        if self.talks() {
            self.err_line(&format!("{}  {}", time_of_day(), clean(text)));
        }
    }

    /// The last line of a command that found nothing to do. Told only once where it is carried out again and again.
    pub fn idle(&self, text: &str, fields: Map<String, Value>) {
        if !self.part.is_line() {
            self.conclude(text, fields);
        }
    }

    /// What a command did that could not do everything, before the error that lists the rest.
    pub fn did(&self, text: &str) {
        self.part.does();
        if !self.say_line(text) {
            self.note(text);
        }
    }

    /// The last line of a command that did what it was asked: `text` for people, `fields` for `--json`.
    pub fn summary(&self, text: &str, fields: Map<String, Value>) {
        self.part.does();
        if self.part.is_line() {
            let revision = fields.get("rev").and_then(Value::as_str).and_then(|text| Revision::new(text).ok());
            let milliseconds = self.elapsed_ms();
            self.say_line(
                &revision
                    .map_or_else(|| text.to_owned(), |revision| format!("→ {}   {milliseconds} ms", revision.short())),
            );
        }
        self.conclude(text, fields);
    }

    fn conclude(&self, text: &str, fields: Map<String, Value>) {
        if self.settings().json && self.settings().verbosity > Verbosity::Silent {
            let mut all = Map::from_iter([("ok".to_owned(), Value::Bool(true))]);
            all.extend(fields);
            all.insert("elapsed_ms".to_owned(), self.elapsed_ms().into());
            self.out_bytes(redact(&event::line("summary", all)).as_bytes());
        }
        if !text.is_empty() && !self.part.is_line() && !self.part.ends_idle() {
            self.note(text);
        }
    }

    /// Prints the outcome of reading the command line: help and version on stdout, errors on stderr.
    pub fn usage(&self, error: &clap::Error) -> Exit {
        let styled = error.render();
        if !error.use_stderr() {
            let text = if self.settings().color_out { styled.ansi().to_string() } else { styled.to_string() };
            self.out_bytes(text.as_bytes());
            return Exit::Ok;
        }
        if self.settings().json && self.settings().verbosity > Verbosity::Silent {
            let message = styled.to_string();
            let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
            self.out_bytes(event::error_line(Exit::Usage, "usage", &redact(first), &[], &[], &[]).as_bytes());
        }
        if self.settings().verbosity > Verbosity::Silent {
            let text = if self.settings().color_err { styled.ansi().to_string() } else { styled.to_string() };
            self.err_text(&redact(&text));
        }
        Exit::Usage
    }

    /// The exit code for `exit`, now that everything is printed: an answer that could not be written is a failure, a
    /// reader that went away is not.
    pub fn finish(&self, exit: Exit) -> Exit {
        self.clear();
        self.give_back_keyboard();
        let failure = lock(&self.shared.out).failure.take();
        match failure {
            Some(error) if exit == Exit::Ok && error.kind() != io::ErrorKind::BrokenPipe => {
                self.error(&anyhow::Error::new(error).context("could not write to stdout"))
            }
            _ => exit,
        }
    }

    /// Takes the bar off the screen: before the process ends early.
    pub fn clear(&self) {
        if let Some(bar) = lock(&self.shared.bar).take() {
            bar.finish_and_clear();
        }
    }

    /// One event of the stream that `--json` shows; `-q` leaves only summary and error.
    pub(super) fn event(&self, kind: &str, fields: Value) {
        if let (true, Value::Object(fields)) = (self.streams_events(), fields) {
            self.out_bytes(event::line(kind, fields).as_bytes());
        }
    }

    /// Whether events other than summary and error are shown.
    pub(super) fn streams_events(&self) -> bool {
        self.settings().json && self.settings().verbosity >= Verbosity::Normal
    }

    /// Whether people are told what goes on.
    pub(super) fn talks(&self) -> bool {
        !self.settings().json && self.settings().verbosity >= Verbosity::Normal
    }

    /// The time since the program, or the part, began.
    pub fn elapsed(&self) -> Duration {
        self.part.started.elapsed()
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn paint_err(&self, style: Style, text: &str) -> String {
        paint(self.settings().color_err, style, text)
    }

    pub(super) fn paint_out(&self, style: Style, text: &str) -> String {
        paint(self.settings().color_out, style, text)
    }

    /// A line on stderr; `line` is clean and may be styled.
    pub(super) fn err_line(&self, line: &str) {
        self.err_text(&format!("{line}\n"));
    }

    /// Text on stderr; `text` is clean and may be styled.
    pub(super) fn err_text(&self, text: &str) {
        self.beside_bar(|| lock(&self.shared.err).write(text.as_bytes()));
    }

    /// Bytes on stdout.
    pub(super) fn out_bytes(&self, bytes: &[u8]) {
        self.beside_bar(|| lock(&self.shared.out).write(bytes));
    }

    fn beside_bar(&self, write: impl FnOnce()) {
        // Cloned out of the lock: `suspend` must not hold it, the bar's own thread draws as well.
        let bar = lock(&self.shared.bar).clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    pub(super) fn set_asking(&self, asking: bool) {
        self.shared.asking.store(asking, Ordering::SeqCst);
    }

    /// Whether a question is on the screen: a Ctrl-C should then end the process at once.
    pub fn is_asking(&self) -> bool {
        self.shared.asking.load(Ordering::SeqCst)
    }
}

/// `text` without passwords and without anything that moves a terminal's cursor.
pub(super) fn clean(text: &str) -> String {
    for_display(&redact(text))
}

/// `text` in `style`, if colours are `on`.
pub(super) fn paint(on: bool, style: Style, text: &str) -> String {
    if on { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// The lock, also after a panic elsewhere: printing must go on to tell about it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_stdin() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;
    use crate::report::testing::{captured, plain};
    use crate::report::{Listing, PlanLine};

    const START: Start<'_> = Start {
        command: "push",
        doing: "Pushing",
        from: "blog",
        to: "https://admin:c4n4ry@couch.example.com/blog/_design/blog",
        remark: Some("prod"),
    };

    fn listing() -> Listing {
        let line =
            |mark, path: &str, bytes| PlanLine { mark, path: path.into(), bytes, reason: Some("content".into()) };
        Listing {
            lines: vec![
                line(Mark::Changed, "views/by_date/map.js", None),
                line(Mark::New, "_attachments/img/logo.svg", Some(4198)),
                line(Mark::Removed, "_attachments/old\x1b[2J.css", None),
                line(Mark::Same, "language", None),
            ],
            same: 118,
            bytes: 4198,
            whole: false,
        }
    }

    fn session(change: impl FnOnce(&mut OutputSettings)) -> (String, String) {
        let (printer, captured) = captured(change);
        printer.start(&START);
        printer.plan(&listing());
        printer.detail("credentials: netrc entry for couch.example.com");
        printer.warning("sandbox", "apps are sandboxed");
        printer.summary("Pushed: rev 6-9c31ab → 7-5c0e2f", Map::from_iter([("rev".to_owned(), "7-5c0e2f".into())]));
        printer.answer("https://couch.example.com/blog/_design/blog/index.html");
        let out = captured.out();
        // The only number that is not the same every time.
        let elapsed = out.find("\"elapsed_ms\":").map_or(out.clone(), |at| format!("{}…", &out[..at]));
        (elapsed, captured.err())
    }

    #[test]
    fn people_read_stderr_and_scripts_the_answer() {
        let (out, err) = session(|_| {});
        assert_eq!(out, "https://couch.example.com/blog/_design/blog/index.html\n");
        insta::assert_snapshot!(err, @r"
        Pushing blog → https://admin:****@couch.example.com/blog/_design/blog (prod)
          ~ views/by_date/map.js
          + _attachments/img/logo.svg     4.1 KiB
          - _attachments/old\u{1b}[2J.css
        warning: apps are sandboxed
        Pushed: rev 6-9c31ab → 7-5c0e2f
        ");
    }

    #[test]
    fn json_is_a_stream_of_events_and_stderr_keeps_the_warnings() {
        let (out, err) = session(|output| output.json = true);
        assert_eq!(err, "warning: apps are sandboxed\n");
        insta::assert_snapshot!(out, @r#"
        {"v":1,"type":"start","command":"push","from":"blog","to":"https://admin:****@couch.example.com/blog/_design/blog"}
        {"v":1,"type":"plan","add":1,"change":1,"remove":1,"same":118,"conflict":0,"bytes":4198}
        {"v":1,"type":"item","op":"change","path":"views/by_date/map.js","reason":"content"}
        {"v":1,"type":"item","op":"add","path":"_attachments/img/logo.svg","bytes":4198,"reason":"content"}
        {"v":1,"type":"item","op":"remove","path":"_attachments/old\u001b[2J.css","reason":"content"}
        {"v":1,"type":"item","op":"same","path":"language","reason":"content"}
        {"v":1,"type":"warning","code":"sandbox","message":"apps are sandboxed"}
        {"v":1,"type":"summary","ok":true,"rev":"7-5c0e2f",…
        "#);
    }

    #[test]
    fn quiet_leaves_the_answer_and_silent_nothing() {
        let quiet = |json| {
            session(move |output| {
                output.verbosity = Verbosity::Quiet;
                output.json = json;
            })
        };
        assert_eq!(
            quiet(false),
            ("https://couch.example.com/blog/_design/blog/index.html\n".to_owned(), String::new())
        );
        let (out, err) = quiet(true);
        assert!(
            out.starts_with("{\"v\":1,\"type\":\"summary\"") && out.lines().count() == 1 && err.is_empty(),
            "{out}"
        );
        assert_eq!(session(|output| output.verbosity = Verbosity::Silent), (String::new(), String::new()));
    }

    #[test]
    fn verbose_says_why_and_lists_what_is_the_same_at_last() {
        let (_, err) = session(|output| output.verbosity = Verbosity::Verbose);
        assert!(err.contains("  ~ views/by_date/map.js  (content)\n") && err.contains("credentials: netrc"), "{err}");
        assert!(!err.contains("= language"));
        let (_, err) = session(|output| output.verbosity = Verbosity::Requests);
        assert!(err.contains("= language"), "{err}");
    }

    #[test]
    fn colours_only_add_to_the_letters() {
        let (_, err) = session(|output| output.color_err = true);
        assert!(err.contains("\x1b["), "{err}");
        let plain = anstream::adapter::strip_str(&err).to_string();
        assert_eq!(plain, session(|_| {}).1);
    }

    #[test]
    fn long_plans_are_cut_but_never_what_is_removed() {
        let many = |mark| (0..60).map(move |n| PlanLine { mark, path: format!("{n}"), bytes: None, reason: None });
        let listing = Listing { lines: many(Mark::New).chain(many(Mark::Removed)).collect(), ..Listing::default() };
        for (whole, verbosity, lines) in
            [(false, Verbosity::Normal, 101), (true, Verbosity::Normal, 120), (false, Verbosity::Verbose, 120)]
        {
            let (printer, captured) = captured(|output| output.verbosity = verbosity);
            printer.plan(&Listing { whole, ..listing.clone() });
            assert_eq!(captured.err().lines().count(), lines);
        }
        assert_eq!(listing.counts(), "60 new, 60 removed, 0 same");
    }

    #[test]
    fn the_users_own_bytes_are_not_touched() {
        let (printer, captured) = captured(|_| {});
        printer.data(b"{\"u\":\"http://a:b@h/\x1b\"}");
        assert_eq!(captured.out(), "{\"u\":\"http://a:b@h/\x1b\"}");
    }

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
        for (kind, exit) in [(io::ErrorKind::BrokenPipe, Exit::Ok), (io::ErrorKind::StorageFull, Exit::Failed)] {
            let printer =
                Printer::with_streams(plain(), Box::new(Broken(kind)), Box::new(io::sink()), || Ok(String::new()));
            printer.answer("x");
            printer.answer("y");
            assert_eq!(printer.finish(Exit::Ok), exit);
        }
    }

    #[test]
    fn usage_errors_end_with_2_and_help_with_0() {
        let parse = |arguments: &[&str]| crate::cli::parse(arguments.iter().map(Into::into)).unwrap_err();
        let (printer, output) = captured(|output| output.json = true);
        let error = parse(&["couchapp", "status", "a", "b", "http://x:c4n4ry@h/"]);
        assert_eq!(printer.usage(&error), Exit::Usage);
        assert!(
            output.out().starts_with("{\"v\":1,\"type\":\"error\",\"ok\":false,\"exit\":2,\"code\":\"usage\""),
            "{}",
            output.out()
        );
        assert!(!output.out().contains("c4n4ry") && !output.err().contains("c4n4ry"), "{}", output.err());
        let (printer, output) = captured(|_| {});
        assert_eq!(printer.usage(&parse(&["couchapp", "--version"])), Exit::Ok);
        assert!(output.out().starts_with("couchapp ") && output.err().is_empty());
    }
}
