//! What each file of an app folder is, judged by its name alone.

use std::collections::BTreeMap;

use super::Finding;
use crate::name::AttName;
use crate::path::RelPath;

/// How an app folder is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Fields at the root, attachments in `_attachments/` and `vendor/<name>/_attachments/`.
    Couchapp,
    /// Fields in `_ddoc/`, everything else is an attachment.
    Web,
}

/// True names of attachments whose local name had to be escaped, from `_names.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    names: BTreeMap<RelPath, AttName>,
}

impl Names {
    /// Reads the `_names.json` at `file` (path from the app's folder) with contents `text`: an object of local paths
    /// (relative to the folder of `file`) and attachment names.
    pub fn read(&mut self, file: &RelPath, text: &[u8]) -> Result<(), Finding> {
        let _ = (file, text);
        unimplemented!()
    }
}

/// The files of an app by what they are. All paths start at the app's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// The folder that holds the fields, when it is not the app's own (`_ddoc`, `_docs/<name>`): [`super::Sources::root`].
    pub root: Option<RelPath>,
    /// Files to load: fields, and the specials `_id`, `couchapp.json`, `_fields.json`.
    pub fields: Vec<RelPath>,
    /// Folders that become objects.
    pub directories: Vec<RelPath>,
    /// Files to hash, each with the name it is stored under.
    pub attachments: Vec<(AttName, RelPath)>,
    /// `_docs/*.json`: plain documents ([`super::documents::plain`]).
    pub plain_documents: Vec<RelPath>,
    /// `_docs/<name>/`: documents built like apps, each sorted by itself.
    pub folder_documents: Vec<Sorted>,
    /// `_design/<name>`: app folders of a project with several design documents.
    pub designs: Vec<RelPath>,
    /// What cannot become part of the document (also of the folder documents).
    pub findings: Vec<Finding>,
}

/// Which layout the folder with these entries has; the root's entries are enough.
pub fn detect<'a>(paths: impl IntoIterator<Item = &'a RelPath>) -> Layout {
    let _ = paths.into_iter();
    unimplemented!()
}

/// Sorts the files and folders (`true`) of an app. Ignored files should be left out of `listing` before.
/// `lenient`: what the original lost silently is a warning instead of an error.
pub fn sort(
    listing: impl IntoIterator<Item = (RelPath, bool)>,
    layout: Layout,
    names: &Names,
    lenient: bool,
) -> Sorted {
    let _ = (listing.into_iter(), layout, names, lenient);
    unimplemented!()
}

/// Whether a file or folder of this name at an app's root is ours (configuration, state) and never part of the app.
pub fn is_own(root_name: &str) -> bool {
    let _ = root_name;
    unimplemented!()
}
