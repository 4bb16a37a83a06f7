//! The ledger's file.

use std::path::{Path, PathBuf};

use super::Ledger;
use crate::local::{Loaded, LocalError, Lock};

/// What a ledger is about.
#[derive(Clone, Copy, Debug)]
pub struct LedgerKey<'a> {
    /// The folder, canonical.
    pub folder: &'a Path,
    /// The address of the database or document.
    pub address: &'a str,
    /// What the database says of itself: one that was deleted and made again is another one.
    pub instance_start_time: &'a str,
    /// Which part of the folder is meant, as text.
    pub selection: &'a str,
}

/// Where a ledger is kept.
#[derive(Clone, Debug)]
pub struct LedgerFile {
    path: PathBuf,
}

impl LedgerFile {
    /// The file for `key` below the state folder. Nothing is read or made yet.
    pub fn of(state_folder: &Path, key: &LedgerKey<'_>) -> Self {
        let _ = key;
        Self { path: state_folder.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is remembered. Never fails. Blocks.
    pub fn load(&self) -> Loaded<Ledger> {
        Loaded::Absent
    }

    /// Remembers `ledger`, whole or not at all. Blocks.
    pub fn save(&self, ledger: &Ledger) -> Result<(), LocalError> {
        let _ = ledger;
        unimplemented!()
    }

    /// Keeps other runs of this tool on this machine out of `folder` (canonical), or says that one is at work there.
    pub fn lock_folder(state_folder: &Path, folder: &Path) -> Result<Lock, LocalError> {
        let _ = (state_folder, folder);
        unimplemented!()
    }
}
