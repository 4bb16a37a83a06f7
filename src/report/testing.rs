//! Printers that print into memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::Printer;
use super::printer::lock;
use crate::settings::{OutputSettings, ProgressStyle, Verbosity};

/// What was printed.
#[derive(Clone, Default)]
pub(crate) struct Captured {
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
}

impl Captured {
    pub(crate) fn out(&self) -> String {
        String::from_utf8(lock(&self.out).clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(lock(&self.err).clone()).unwrap()
    }
}

struct Into(Arc<Mutex<Vec<u8>>>);

impl Write for Into {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plain output settings: normal, no terminal, no colours.
pub(crate) fn plain() -> OutputSettings {
    OutputSettings {
        verbosity: Verbosity::Normal,
        json: false,
        progress: ProgressStyle::None,
        color_out: false,
        color_err: false,
        terminal_out: false,
        interactive: false,
        log_file: None,
        log_filter: None,
        backtrace: false,
    }
}

/// A printer with changed settings, and what it prints.
pub(crate) fn captured(change: impl FnOnce(&mut OutputSettings)) -> (Printer, Captured) {
    captured_with(change, || Ok(String::new()))
}

/// The same, with somebody who answers.
pub(crate) fn captured_with(
    change: impl FnOnce(&mut OutputSettings),
    read_line: fn() -> io::Result<String>,
) -> (Printer, Captured) {
    let mut settings = plain();
    change(&mut settings);
    let captured = Captured::default();
    let (out, err) = (Into(captured.out.clone()), Into(captured.err.clone()));
    (Printer::with_streams(settings, Box::new(out), Box::new(err), read_line), captured)
}
