//! The process's environment as a value: read once, passed to whoever needs it, made up in tests.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What a process inherits.
#[derive(Clone)]
pub struct Environment {
    /// The variables; some hold passwords, so `Debug` shows only their names.
    pub variables: BTreeMap<OsString, OsString>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The current folder, absolute.
    pub directory: PathBuf,
    /// stdin is a terminal.
    pub terminal_in: bool,
    /// stdout is a terminal.
    pub terminal_out: bool,
    /// stderr is a terminal.
    pub terminal_err: bool,
    /// Reads one line of stdin, without its line end.
    pub read_line: fn() -> io::Result<String>,
}

impl Environment {
    /// The environment of this process. Fails when the current folder is gone.
    pub fn of_process() -> io::Result<Self> {
        unimplemented!()
    }

    /// A variable's text. Unset, empty and not UTF-8 are all `None`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(OsStr::new(name))?.to_str().filter(|text| !text.is_empty())
    }

    /// A variable that names a file or folder; relative to the current folder.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(OsStr::new(name)).filter(|text| !text.is_empty()).map(|path| self.directory.join(path))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("home", &self.home)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}
