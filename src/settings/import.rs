//! `init --import-rc`: the text of a couchapp.toml that says what the old files said.

use std::path::Path;

use super::Environment;
use crate::exit::Failure;

/// A new `couchapp.toml`, and what it does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The file's text.
    pub toml: String,
    /// What was left out and why, one line each (credentials, hooks, extensions, variables).
    pub left_out: Vec<String>,
}

/// Reads the `.couchapprc` and `couchapp.json` of `folder`. `None` when there is neither.
pub fn import(folder: &Path, environment: &Environment) -> Result<Option<Imported>, Failure> {
    let _ = (folder, environment);
    unimplemented!()
}
