//! The pure mapping between a document and a folder: no file is read and no request is made here.
//!
//! * [`layout`] looks at names only and says what each local file is: a field, an attachment, a special, none of ours.
//! * [`fold`](fn@fold) builds the document from loaded fields and hashed attachments, [`unfold`](fn@unfold) does the
//!   opposite, and the two are inverse: `fold(unfold(document))` is the document, whatever a server may hold in it.
//! * Whatever the original couchapp lost silently is an error [`Finding`]; `lenient` turns it into a warning and keeps
//!   the original's result.
//!
//! Two files of our own carry what no file name can: `_fields.json` is an object merged into the document's root (keys
//! that cannot be file names, and an `_id` that does not survive trimming), and `_names.json` maps a local path to the
//! true name of the attachment stored there. Neither is ever a field.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::Object;
use crate::name::{AttName, DocId};
use crate::path::RelPath;
use crate::path::portable::for_display;

pub mod adopt;
pub mod documents;
mod finding;
mod fold;
pub mod layout;
pub mod macros;
pub mod metadata;
mod names;
pub mod text;
mod unfold;

pub use finding::{Finding, Severity};
pub use fold::fold;
pub use layout::{Layout, Names, Sorted, detect, sort};
pub use unfold::unfold;

/// The object keys that lead from a document's root to a value.
pub type KeyPath = Vec<String>;

/// Which file a value came from (or would go to), for the smallest values that have a file of their own.
///
/// A `.json` file owns a whole subtree; `couchapp.json` and `_fields.json` own each of their members. An empty folder
/// owns its empty object.
pub type Origins = BTreeMap<KeyPath, RelPath>;

/// The bytes of an attachment, as far as the mapping needs to know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The local file.
    pub path: RelPath,
    /// MD5 of the bytes.
    pub md5: [u8; 16],
    /// How many bytes there are.
    pub length: u64,
}

/// A folder in memory: what [`fold`](fn@fold) needs to build its document. All paths start at the app's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The folder that holds the fields, when it is not the app's own: `_ddoc` (web layout), `_docs/<name>`.
    pub root: Option<RelPath>,
    /// Contents of the field files and of the specials `_id` and `_fields.json` ([`Sorted::fields`]).
    pub fields: BTreeMap<RelPath, Vec<u8>>,
    /// Folders that become objects, empty ones too ([`Sorted::directories`]).
    pub directories: BTreeSet<RelPath>,
    /// The attachments by their true name.
    pub attachments: BTreeMap<AttName, Fingerprint>,
    /// Contents of files that are not fields but that macros include ([`macros::missing`] says which).
    pub includes: BTreeMap<RelPath, Vec<u8>>,
    /// The name of the app's folder (links resolved); the document is named after it when nothing else names it.
    pub folder_name: String,
}

/// How to build a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldOptions {
    /// Overrides the `_id` of the folder.
    pub id: Option<DocId>,
    /// What the original lost silently is a warning instead of an error.
    pub lenient: bool,
    /// Expand `!code` and `!json`.
    pub macros: bool,
    /// The default id is `_design/<folder>` instead of `<folder>`.
    pub design: bool,
}

impl Default for FoldOptions {
    fn default() -> Self {
        Self { id: None, lenient: false, macros: true, design: true }
    }
}

/// A document built from a folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// Its id.
    pub id: DocId,
    /// Its members without `_id`, `_rev` and `_attachments`, with `couchapp.manifest`, `.signatures` and `.objects`.
    pub body: Object,
    /// Which file each value came from.
    pub origins: Origins,
    /// Warnings, in the order of their files.
    pub findings: Vec<Finding>,
}

/// How to write a document as a folder.
#[derive(Clone, Copy, Default)]
pub struct UnfoldOptions<'a> {
    /// Attachment names that no system should get as a file name are escaped and recorded in `_names.json` instead of
    /// refused.
    pub escape_names: bool,
    /// Whether a push of the new folder would ignore a path (built-in ignore rules); such a name is not used for a
    /// field, and an attachment of such a name is escaped.
    pub ignored: Option<&'a dyn Fn(&RelPath) -> bool>,
    /// Contents of attachments that macros include, as far as known ([`Unfolded::wanted`]).
    pub contents: Option<&'a BTreeMap<AttName, Vec<u8>>>,
}

/// A folder built from a document. No path leaves the folder, no two paths clash on any system.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfolded {
    /// The files to write, `_id`, `_fields.json` and `_names.json` included.
    pub files: BTreeMap<RelPath, Vec<u8>>,
    /// The folders to create, empty ones included (of the fields; those of attachments follow from their paths).
    pub directories: BTreeSet<RelPath>,
    /// Where each attachment goes.
    pub attachments: BTreeMap<RelPath, AttName>,
    /// Which file holds each value.
    pub origins: Origins,
    /// Attachments whose contents, given as [`UnfoldOptions::contents`], might let more macro sources be restored.
    pub wanted: BTreeSet<AttName>,
    /// What the user should know: sources that could not be restored, members that went to `_fields.json`.
    pub findings: Vec<Finding>,
}

/// A name that cannot be written here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {reason}", for_display(name.as_str()))]
pub struct Refusal {
    /// The attachment's name.
    pub name: AttName,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests;
