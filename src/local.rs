//! The folder's side: the only module that touches the disk.
//!
//! [`Folder`] reads: it lists, hashes and streams files, follows no link out of the tree, and waits for no FIFO.
//! [`Destination`] writes: beneath its root only, through no link at all, and a file appears under its name only when it
//! is whole. [`State`] keeps what was last pushed or cloned. All of them name paths as [`RelPath`]s below their root.
//!
//! Reading and writing block; a caller on the async runtime uses [`blocking`] where that could take long.

use std::io;
use std::path::{Path, PathBuf};

use crate::path::RelPath;
use crate::path::portable::for_display;

mod cores;
mod find;
mod folder;
mod hash;
mod ledger;
mod lock;
pub mod outside;
mod resume;
mod state;
mod walk;
mod watch;
mod write;
mod writer;

#[cfg(test)]
mod tests;

pub use cores::on_all_cores;
pub use find::{
    Child, Kind, canonical, children, current_folder, find_up, is_exposed, kind, read_optional_text, read_text,
    write_file,
};
pub use folder::{ByteStream, Folder, Links};
pub use hash::{Fingerprint, HashCache, Sums};
pub use ledger::{Entry, Held, Ledger, LedgerFile, LedgerKey, Seen, Synced};
pub use lock::Lock;
pub use resume::sync_file_system;
pub use state::{Base, BaseAttachment, Kept, Loaded, Origin, State};
pub use walk::{FileEntry, Ignored, Listing, Problem, ProblemKind, Special};
pub use watch::Watch;
pub use write::{Access, Before, Destination, Existing, WriteOptions};
pub use writer::Writer;

/// What went wrong on the disk, and where.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is nothing at that path.
    #[error("`{}` does not exist", shown(.path))]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// Something else than a regular file stands where a file is needed: a folder, FIFO, device or socket.
    #[error("`{}` is {what}, not a file", shown(.path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is, with its article.
        what: &'static str,
    },
    /// A file stands where a folder is needed.
    #[error("`{}` is not a folder", shown(.path))]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// A symbolic link stands on the way of a write, where none is followed.
    #[error("`{}` is a symbolic link, which is not followed here", shown(.path))]
    Link {
        /// The path.
        path: PathBuf,
    },
    /// A symbolic link leads out of the folder.
    #[error("`{}` leads out of the folder", shown(.path))]
    Leaves {
        /// The path.
        path: PathBuf,
    },
    /// Something stands already where only something new may be written.
    #[error("`{}` exists already", shown(.path))]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The file changed while it was read, and again when it was read once more.
    #[error("`{}` changed while it was read", shown(.path))]
    Changed {
        /// The path.
        path: PathBuf,
    },
    /// The file is larger than what is sensible for its purpose.
    #[error("`{}` is larger than {limit} bytes", shown(.path))]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file that has to be text is not UTF-8.
    #[error("`{}` is not UTF-8 text", shown(.path))]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// Another process holds the folder's lock.
    #[error("another couchapp works on `{}`", shown(.path))]
    Locked {
        /// The locked folder.
        path: PathBuf,
    },
    /// The system watches no more folders for this user.
    #[error("the system watches no more folders, not even `{}`", shown(.path))]
    Unwatched {
        /// The first folder that it would not watch.
        path: PathBuf,
    },
    /// The system refused; the source says why.
    #[error("cannot {action} `{}`", shown(.path))]
    Io {
        /// What was tried: `read`, `write`, `list`.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl LocalError {
    /// `source` at `path`, sorted into what callers tell apart.
    fn from_io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::NotADirectory => Self::NotAFolder { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::IsADirectory => Self::NotAFile { path, what: "a folder" },
            // cap-std's own refusal, which no system call gave, has no number.
            io::ErrorKind::PermissionDenied if source.raw_os_error().is_none() => Self::Leaves { path },
            _ => Self::Io { action, path, source },
        }
    }

    /// The path that the error is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::NotFound { path }
            | Self::NotAFile { path, .. }
            | Self::NotAFolder { path }
            | Self::Link { path }
            | Self::Leaves { path }
            | Self::Exists { path }
            | Self::Changed { path }
            | Self::TooLarge { path, .. }
            | Self::NotText { path }
            | Self::Locked { path }
            | Self::Unwatched { path }
            | Self::Io { path, .. } => path,
        }
    }
}

/// Runs `work`, which blocks, on a thread of its own and waits for it.
pub async fn blocking<T, F>(work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// A path for messages: names are as hostile as their authors.
fn shown(path: &Path) -> String {
    for_display(&path.to_string_lossy())
}

/// The path on this system of `path` below `root`.
fn beneath(root: &Path, path: &RelPath) -> PathBuf {
    let mut whole = root.to_owned();
    whole.extend(path.components());
    whole
}
