//! The log of `-vv`, `RUST_LOG` and `--log-file`: for people who look for a fault, kept apart from messages.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::printer::{Printer, clean, lock};
use crate::secret::redact;
use crate::settings::Verbosity;

/// What is logged when nobody says more: our own requests.
const OURS: &str = "couchapp=debug";

/// Starts writing `tracing` events: to stderr with `-vv` or `RUST_LOG`, and to `file`. Does nothing without any of
/// them, or the second time.
pub fn start(printer: &Printer, file: Option<Box<dyn Write + Send>>) {
    let settings = printer.settings();
    let asked = settings.log_filter.as_deref();
    let filter = || EnvFilter::try_new(asked.unwrap_or(OURS)).unwrap_or_else(|_| EnvFilter::new(OURS));
    let to_terminal = asked.is_some() || settings.verbosity >= Verbosity::Requests;
    if !to_terminal && file.is_none() {
        return;
    }
    let terminal = to_terminal.then(|| {
        let writer = ToPrinter { printer: printer.clone() };
        let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).without_time();
        lines.with_target(false).with_level(asked.is_some()).with_filter(filter())
    });
    let file = file.map(|file| {
        let writer = ToFile { file: Arc::new(Mutex::new(file)) };
        tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).with_filter(filter())
    });
    // An error means that a subscriber is there already.
    let _ = tracing_subscriber::registry().with(terminal).with(file).try_init();
}

/// Writes each event as a line of the printer.
#[derive(Clone)]
struct ToPrinter {
    printer: Printer,
}

impl Write for ToPrinter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(bytes).lines() {
            self.printer.err_line(&clean(line));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for ToPrinter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Writes each event to a file, without passwords.
#[derive(Clone)]
struct ToFile {
    file: Arc<Mutex<Box<dyn Write + Send>>>,
}

impl Write for ToFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.file).write_all(redact(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        lock(&self.file).flush()
    }
}

impl<'a> MakeWriter<'a> for ToFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::captured;

    #[test]
    fn events_become_clean_lines() {
        let (printer, captured) = captured(|_| {});
        let writer = ToPrinter { printer };
        let subscriber = tracing_subscriber::fmt().with_writer(writer).with_ansi(false).without_time().finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("GET http://a:c4n4ry@h/db\u{202e} 200");
        });
        assert!(captured.err().contains("GET http://a:****@h/db\\u{202e} 200\n"), "{}", captured.err());
    }

    #[test]
    fn the_file_gets_no_password() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ToFile { file: Arc::new(Mutex::new(Box::new(path.reopen().unwrap()))) };
        writer.write_all(b"PUT https://a:c4n4ry@h/db\n").unwrap();
        assert_eq!(std::fs::read_to_string(path.path()).unwrap(), "PUT https://a:****@h/db\n");
    }
}
