//! The printer: two streams, how much is said on them, and in which form.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::event;
use crate::exit::Exit;
use crate::path::portable::for_display;
use crate::secret::redact;
use crate::settings::{OutputSettings, Verbosity};

/// `warning:`
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Prints for one run of the program. Clones share everything.
#[derive(Clone)]
pub struct Printer {
    pub(super) shared: Arc<Shared>,
}

/// What the clones of a [`Printer`] share.
pub(super) struct Shared {
    pub(super) settings: OutputSettings,
    pub(super) started: Instant,
    pub(super) read_line: fn() -> io::Result<String>,
    pub(super) asking: AtomicBool,
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
            started: Instant::now(),
            read_line,
            asking: AtomicBool::new(false),
            bar: Mutex::new(None),
            out: Stream::new(out),
            err: Stream::new(err),
        };
        Self { shared: Arc::new(shared) }
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
        self.event("start", json!({"command": command, "from": redact(from), "to": redact(to)}));
        let remark = remark.map_or(String::new(), |remark| format!(" ({remark})"));
        self.note(&format!("{doing} {from} → {to}{remark}"));
    }

    /// One line for people. Not shown with `-q` or `--json`.
    pub fn note(&self, text: &str) {
        if self.talks() {
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
        self.event("warning", json!({"code": code, "message": redact(message)}));
        if self.settings().verbosity >= Verbosity::Normal {
            self.err_line(&format!("{} {}", self.paint_err(YELLOW, "warning:"), clean(message)));
        }
    }

    /// One line of the answer, on stdout. Not shown with `--json` (put it into the summary) or `-qq`.
    pub fn answer(&self, text: &str) {
        if !self.settings().json && self.settings().verbosity > Verbosity::Silent {
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

    /// The last line of a command that did what it was asked: `text` for people, `fields` for `--json`.
    pub fn summary(&self, text: &str, fields: Map<String, Value>) {
        if self.settings().json && self.settings().verbosity > Verbosity::Silent {
            let mut all = Map::from_iter([("ok".to_owned(), Value::Bool(true))]);
            all.extend(fields);
            all.insert("elapsed_ms".to_owned(), self.elapsed_ms().into());
            self.out_bytes(redact(&event::line("summary", all)).as_bytes());
        }
        self.note(text);
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

    /// Whether the reader of stdout went away: what is still to come would be dropped.
    pub fn is_out_closed(&self) -> bool {
        lock(&self.shared.out).failure.is_some()
    }

    /// The exit code for `exit`, now that everything is printed: an answer that could not be written is a failure, a
    /// reader that went away is not.
    pub fn finish(&self, exit: Exit) -> Exit {
        self.clear();
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

    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX)
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
    match io::stdin().read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}
