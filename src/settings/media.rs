//! `sync-dir` and `dump`: which argument is the folder, which the place on a server, and what their flags mean.

use std::path::PathBuf;

use super::Destination;
use super::destination::Endpoint;
use super::values::MaxDelete;
use crate::name::DocId;
use crate::path::RelPath;

mod meaning;
mod sides;
#[cfg(test)]
mod tests;

pub(super) use meaning::{Meaning, MediaDefaults};

/// Which side is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the folder to the server.
    Up,
    /// From the server to the folder.
    Down,
}

/// A folder of files. For [`Direction::Down`] and `dump` it need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFolder {
    /// Absolute.
    pub path: PathBuf,
    /// As the user knows it.
    pub shown: String,
}

/// Which files are meant, on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only what is below this folder.
    pub prefix: Option<RelPath>,
    /// gitignore patterns of what is kept.
    pub include: Vec<String>,
    /// gitignore patterns of what is left out.
    pub exclude: Vec<String>,
    /// Files of such patterns, absolute.
    pub exclude_from: Vec<PathBuf>,
}

/// `sync-dir`
#[derive(Clone, Debug)]
pub struct SyncDirSettings {
    /// Which side is copied.
    pub direction: Direction,
    /// The folder.
    pub folder: MediaFolder,
    /// The database or document: exactly one endpoint.
    pub place: Destination,
    /// What the URL of [`place`](Self::place) means otherwise: a document of the database before it. In
    /// `http://host/a/b`, `a` may be a path to the server or a database; only the server can tell.
    pub as_document: Option<Endpoint>,
    /// Which files.
    pub selection: Selection,
    /// Up: the tags of new documents. Down: only documents with all of them.
    pub tags: Vec<String>,
    /// New documents are tagged with the names of their folders.
    pub tags_from_folders: bool,
    /// Remove what is gone from the source.
    pub delete: bool,
    /// Remove what the selection leaves out, too.
    pub delete_excluded: bool,
    /// The most removals allowed; `None` is the built-in rule.
    pub max_delete: Option<MaxDelete>,
    /// A source without files is taken for what is meant.
    pub allow_empty: bool,
    /// Overwrite what others changed.
    pub force: bool,
    /// Create a missing database.
    pub create_database: bool,
    /// Trust no remembered sums.
    pub checksum: bool,
    /// Read metadata from the files.
    pub metadata: bool,
    /// The largest side of thumbnails in pixels; `None` for none.
    pub thumbnails: Option<u32>,
    /// A changed time alone is carried over.
    pub times: bool,
    /// Sync each file.
    pub fsync: bool,
    /// Escape names that this system cannot have.
    pub escape_names: bool,
    /// Go on with what changes.
    pub watch: bool,
}

/// Where a dump goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpInto {
    /// Files in this folder.
    Folder(MediaFolder),
    /// JSON lines on stdout.
    Stdout,
}

/// `dump`
#[derive(Clone, Debug)]
pub struct DumpSettings {
    /// The database or document: exactly one endpoint.
    pub place: Destination,
    /// As in [`SyncDirSettings::as_document`].
    pub as_document: Option<Endpoint>,
    /// Where it goes.
    pub into: DumpInto,
    /// Which files.
    pub selection: Selection,
    /// Only documents with all these tags.
    pub tags: Vec<String>,
    /// Only the documents that this view of this design document lists.
    pub view: Option<(DocId, String)>,
    /// Write the documents as JSON, too.
    pub docs: bool,
    /// Write the losing revisions, too.
    pub conflicts: bool,
    /// Only what changed after this update sequence, as it was typed: JSON, or the text itself.
    pub since: Option<String>,
    /// Remove files whose documents are gone.
    pub delete: bool,
    /// The most removals allowed; `None` is the built-in rule.
    pub max_delete: Option<MaxDelete>,
    /// Compare and write nothing.
    pub verify: bool,
    /// Overwrite files that were changed here.
    pub force: bool,
    /// Trust no remembered sums.
    pub checksum: bool,
    /// Sync each file.
    pub fsync: bool,
    /// Escape names that this system cannot have.
    pub escape_names: bool,
    /// Go on with what changes.
    pub watch: bool,
}
