//! One couchapp at a time in a folder.

use std::fs::TryLockError;

use cap_std::fs::OpenOptions;

use super::{Destination, LocalError};
use crate::path::RelPath;

/// Holds a folder for this process; given up when dropped, and by the system when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: std::fs::File,
}

impl Lock {
    /// Takes the lock kept in the file `path`, or says that another process has it. Does not wait.
    pub(super) fn take(destination: &Destination, path: &RelPath) -> Result<Self, LocalError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = destination.open_for_lock(path, &options)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LocalError::Locked { path: destination.root().to_owned() }),
            Err(TryLockError::Error(source)) => Err(LocalError::from_io("lock", destination.locate(path), source)),
        }
    }
}
