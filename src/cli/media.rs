//! The arguments of `sync-dir` and `dump`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::settings::values::{MaxDelete, MetadataChoice, ThumbnailSize};

const SELECTION: &str = "Selection";
const SAFETY: &str = "Safety";

/// Which files are meant, on both sides.
#[derive(Clone, Default, Args)]
pub struct SelectionArgs {
    /// Only what is below this folder
    #[arg(long, value_name = "PATH", help_heading = SELECTION)]
    pub prefix: Option<String>,
    /// Leave out what matches a gitignore pattern, on both sides
    #[arg(long, value_name = "PATTERN", help_heading = SELECTION)]
    pub exclude: Vec<String>,
    /// Keep what matches a gitignore pattern that another rule leaves out
    #[arg(long, value_name = "PATTERN", help_heading = SELECTION)]
    pub include: Vec<String>,
    /// Leave out what matches the patterns in a file
    #[arg(long, value_name = "FILE", help_heading = SELECTION)]
    pub exclude_from: Vec<PathBuf>,
}

/// `couchapp sync-dir`
#[derive(Clone, Default, Args)]
pub struct SyncDirArgs {
    /// What is copied: a folder, or a URL, target or :database
    #[arg(value_name = "FROM")]
    pub from: OsString,
    /// What becomes the same: a URL, target or :database, or a folder
    #[arg(value_name = "TO")]
    pub to: OsString,
    /// Tag new documents; downwards: only documents with all these tags
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Tag new documents with the names of the folders they are in
    #[arg(long)]
    pub tags_from_folders: bool,
    /// What is read from the files themselves [default: basic]
    #[arg(long, value_enum, value_name = "HOW")]
    pub metadata: Option<MetadataChoice>,
    /// Store a small picture of at most SIZE x SIZE pixels beside each picture [default: off]
    #[arg(long, value_name = "SIZE")]
    pub thumbnails: Option<ThumbnailSize>,
    /// Carry over the time of a file whose content is the same
    #[arg(long)]
    pub times: bool,
    /// Read every file, whatever is remembered of it
    #[arg(long)]
    pub checksum: bool,
    /// Wait for the disk after each file, not once at the end
    #[arg(long)]
    pub fsync: bool,
    /// Store names that this system cannot have in an escaped form
    #[arg(long)]
    pub escape_names: bool,
    /// Go on when that is done: copy what changes until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Which files.
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Remove what is gone from the source
    #[arg(long, help_heading = SAFETY)]
    pub delete: bool,
    /// With --delete: remove what is left out of the selection, too
    #[arg(long, requires = "delete", help_heading = SAFETY)]
    pub delete_excluded: bool,
    /// Remove at most this many: a number, a percentage, or all
    #[arg(long, value_name = "N", help_heading = SAFETY)]
    pub max_delete: Option<MaxDelete>,
    /// Go on with a source that holds no files
    #[arg(long, help_heading = SAFETY)]
    pub allow_empty: bool,
    /// Overwrite what others changed on the other side
    #[arg(long, help_heading = SAFETY)]
    pub force: bool,
    /// Create the database when it does not exist
    #[arg(long, help_heading = SAFETY)]
    pub create_db: bool,
}

/// `couchapp dump`
#[derive(Clone, Default, Args)]
pub struct DumpArgs {
    /// A database or document: a URL, a target, or :database
    #[arg(value_name = "SRC")]
    pub source: OsString,
    /// The folder to write, `-` for JSON lines on stdout [default: the database's name]
    #[arg(value_name = "DIR")]
    pub folder: Option<OsString>,
    /// Write the documents as JSON, too
    #[arg(long)]
    pub docs: bool,
    /// Write the revisions that lost a conflict, too, as NAME~REV
    #[arg(long)]
    pub conflicts: bool,
    /// Only what changed after this update sequence
    #[arg(long, value_name = "SEQ")]
    pub since: Option<String>,
    /// Compare the folder with the server, byte for byte, and write nothing
    #[arg(long, conflicts_with_all = ["delete", "force", "fsync"])]
    pub verify: bool,
    /// Read every file, whatever is remembered of it
    #[arg(long)]
    pub checksum: bool,
    /// Wait for the disk after each file, not once at the end
    #[arg(long)]
    pub fsync: bool,
    /// Store names that this system cannot have in an escaped form
    #[arg(long)]
    pub escape_names: bool,
    /// Go on when that is done: dump what changes until Ctrl-C
    #[arg(long, conflicts_with_all = ["verify", "since"])]
    pub watch: bool,

    /// Only documents with all these tags
    #[arg(long, value_name = "TAG", help_heading = SELECTION)]
    pub tag: Vec<String>,
    /// Only the documents that a view lists
    #[arg(long, value_name = "DDOC/VIEW", help_heading = SELECTION)]
    pub view: Option<String>,
    /// Which files.
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Remove files whose documents are gone
    #[arg(long, help_heading = SAFETY)]
    pub delete: bool,
    /// Remove at most this many: a number, a percentage, or all
    #[arg(long, value_name = "N", help_heading = SAFETY)]
    pub max_delete: Option<MaxDelete>,
    /// Overwrite files that were changed here
    #[arg(long, help_heading = SAFETY)]
    pub force: bool,
}
