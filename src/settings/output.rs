//! What is printed, and how.

use std::path::PathBuf;

use super::environment::Environment;
use crate::cli::Cli;

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// `-qq`: nothing at all.
    Silent,
    /// `-q`: errors, and the answer.
    Quiet,
    /// What is done and what came of it.
    #[default]
    Normal,
    /// `-v`: every item.
    Verbose,
    /// `-vv`: every HTTP request.
    Requests,
}

/// How progress is shown, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressStyle {
    /// A bar on stderr.
    Bar,
    /// A line on stderr every ten seconds.
    Lines,
    /// JSON events on stdout.
    Json,
    /// Nothing.
    None,
}

/// What is printed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSettings {
    /// How much is said.
    pub verbosity: Verbosity,
    /// JSON on stdout.
    pub json: bool,
    /// How progress is shown.
    pub progress: ProgressStyle,
    /// Colours on stdout.
    pub color_out: bool,
    /// Colours on stderr.
    pub color_err: bool,
    /// stdout is a terminal: names are escaped there.
    pub terminal_out: bool,
    /// A question may be asked.
    pub interactive: bool,
    /// `--log-file`, absolute.
    pub log_file: Option<PathBuf>,
    /// `RUST_LOG`.
    pub log_filter: Option<String>,
    /// `RUST_BACKTRACE`: errors are printed with where they arose.
    pub backtrace: bool,
}

pub(super) fn early(cli: Option<&Cli>, environment: &Environment) -> OutputSettings {
    let _ = (cli, environment);
    unimplemented!()
}
