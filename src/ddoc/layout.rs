//! What each file of an app folder is, judged by its name alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::finding::Findings;
use super::{Finding, names};
use crate::json;
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
        let value = json::parse(text)
            .map_err(|error| Finding::error(file, error.message).at(text, error.line, error.column))?;
        let Value::Object(members) = value else {
            return Err(Finding::error(file, "expected an object of local paths and attachment names"));
        };
        for (local, name) in members {
            let path = match file.parent() {
                Some(parent) => parent.join(&local),
                None => RelPath::new(local.clone()),
            };
            let path = path.map_err(|error| Finding::error(file, format!("the path `{local}` {error}")))?;
            let name = name.as_str().and_then(|name| AttName::new(name).ok());
            let name = name.ok_or_else(|| Finding::error(file, format!("`{local}` needs an attachment name")))?;
            self.names.insert(path, name);
        }
        Ok(())
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
    /// Files to hash, each with the name it is stored under; ordered by name.
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
    const MARKS: [&str; 7] = ["_attachments", "views", "shows", "lists", "_id", "couchapp.json", ".couchapprc"];
    let (mut page, mut mark) = (false, false);
    for path in paths {
        match path.first() {
            "_ddoc" => return Layout::Web,
            "index.html" => page = true,
            name => mark |= MARKS.contains(&name),
        }
    }
    if page && !mark { Layout::Web } else { Layout::Couchapp }
}

/// Sorts the files and folders (`true`) of an app. Ignored files should be left out of `listing` before.
/// `lenient`: what the original lost silently is a warning instead of an error.
pub fn sort(
    listing: impl IntoIterator<Item = (RelPath, bool)>,
    layout: Layout,
    names: &Names,
    lenient: bool,
) -> Sorted {
    let mut sorter = Sorter::new(names, lenient, None);
    let mut beside = Vec::new();
    let mut fields = Vec::new();
    let mut reported = BTreeSet::new();
    for (path, is_folder) in listing {
        match (path.first(), layout) {
            (name, _) if is_own(name) => {}
            ("_docs" | "_design", _) => beside.push((path, is_folder)),
            ("_ddoc", Layout::Web) => fields.push((path, is_folder)),
            (_, Layout::Couchapp) => sorter.take(path, is_folder),
            (_, Layout::Web) => sorter.take_web(path, is_folder, &mut reported),
        }
    }
    let mut sorted = sorter.finish();
    if layout == Layout::Web {
        let mut inner = Sorter::new(names, lenient, RelPath::new("_ddoc").ok());
        for (path, is_folder) in fields {
            inner.take(path, is_folder);
        }
        sorted = merge_web(sorted, inner.finish(), lenient);
    }
    sort_beside(&mut sorted, beside, names, lenient);
    sorted
}

/// Whether a file or folder of this name at an app's root is ours (configuration, state) and never part of the app.
pub fn is_own(root_name: &str) -> bool {
    matches!(root_name, "couchapp.toml" | ".couchapp" | ".couchapprc" | ".couchappignore" | ".ericaignore")
}

/// Sorts one tree of the couchapp layout.
struct Sorter<'a> {
    names: &'a Names,
    root: Option<RelPath>,
    sorted: Sorted,
    attachments: BTreeMap<AttName, RelPath>,
    specials_seen: BTreeSet<String>,
    lost: BTreeMap<RelPath, usize>,
    findings: Findings,
}

impl<'a> Sorter<'a> {
    fn new(names: &'a Names, lenient: bool, root: Option<RelPath>) -> Self {
        Self {
            names,
            sorted: Sorted { root: root.clone(), ..Sorted::default() },
            root,
            attachments: BTreeMap::new(),
            specials_seen: BTreeSet::new(),
            lost: BTreeMap::new(),
            findings: Findings::new(lenient),
        }
    }

    fn take(&mut self, path: RelPath, is_folder: bool) {
        let Some(relative) = self.relative(&path) else { return };
        let components: Vec<&str> = relative.components().collect();
        match components.as_slice() {
            [own, ..] if is_own(own) => {}
            ["_attachments"] if !is_folder => {
                self.findings.loss(Finding::error(&path, "must be a folder; its files become attachments"));
            }
            ["_attachments", ..] => {
                if let (false, Some(rest)) = (is_folder, relative.below("_attachments")) {
                    self.attach(rest.as_str(), path);
                }
            }
            ["_names.json"] if !is_folder => {}
            ["_id" | names::FIELDS_FILE] if !is_folder => self.sorted.fields.push(path),
            [special, ..] if special.starts_with('_') => self.refuse_special(special),
            ["vendor", vendor, "_attachments", rest @ ..] if !vendor.starts_with('.') => {
                if !is_folder && !rest.is_empty() {
                    self.attach(&format!("vendor/{vendor}/{}", rest.join("/")), path);
                }
            }
            _ => self.take_field(&components, path.clone(), is_folder),
        }
    }

    fn take_field(&mut self, components: &[&str], path: RelPath, is_folder: bool) {
        if let Some(depth) = components.iter().position(|name| *name == "_attachments") {
            let depth = depth + self.root.as_ref().map_or(0, RelPath::depth);
            let folder = path.components().take(depth + 1).collect::<Vec<_>>().join("/");
            if let (false, Ok(folder)) = (is_folder, RelPath::new(folder)) {
                *self.lost.entry(folder).or_default() += 1;
            }
        } else if components.iter().any(|name| name.starts_with('.')) {
            // Files of editors and version control, as every tool has it.
        } else if is_folder {
            self.sorted.directories.push(path);
        } else {
            self.sorted.fields.push(path);
        }
    }

    /// A file of the web layout outside of `_ddoc`.
    fn take_web(&mut self, path: RelPath, is_folder: bool, reported: &mut BTreeSet<String>) {
        match path.as_str() {
            "_names.json" if !is_folder => {}
            "_id" if !is_folder => self.sorted.fields.push(path),
            text if self.names.names.contains_key(text) => self.attach("", path),
            text if text.starts_with('_') => {
                let first = path.first().to_owned();
                if reported.insert(first.clone()) {
                    self.refuse_special(&first);
                }
            }
            _ if is_folder => {}
            text => self.attach(text, path.clone()),
        }
    }

    /// Takes a file as the attachment `derived`, unless `_names.json` knows its true name.
    fn attach(&mut self, derived: &str, path: RelPath) {
        let recorded = self.names.names.get(&path).cloned();
        let Some(name) = recorded.or_else(|| AttName::new(derived).ok()) else { return };
        if name.is_prohibited() {
            let message = format!("CouchDB refuses attachment names that start with `_` (`{name}`)");
            self.findings.loss(Finding::error(&path, message));
            return;
        }
        if let Some(earlier) = self.attachments.get(&name) {
            let message = format!("is the attachment `{name}`, as `{earlier}` is");
            self.findings.loss(Finding::error(&path, message));
            // The original let the vendor's file win.
            if !derived.starts_with("vendor/") || earlier.first() == "vendor" {
                return;
            }
        }
        self.attachments.insert(name, path);
    }

    fn refuse_special(&mut self, name: &str) {
        if !self.specials_seen.insert(name.to_owned()) {
            return;
        }
        let path = match &self.root {
            Some(root) => root.join(name),
            None => RelPath::new(name),
        };
        if let Ok(path) = path {
            let message = "cannot be a document field: CouchDB keeps names that start with `_`";
            self.findings.loss(Finding::error(&path, message));
        }
    }

    fn relative(&self, path: &RelPath) -> Option<RelPath> {
        match &self.root {
            Some(root) => path.below(root.as_str()),
            None => Some(path.clone()),
        }
    }

    fn finish(mut self) -> Sorted {
        for (folder, count) in &self.lost {
            let files = if *count == 1 { "1 file here".to_owned() } else { format!("{count} files here") };
            let message = format!(
                "only `_attachments` and `vendor/<name>/_attachments` become attachments; {files} would be lost"
            );
            self.findings.loss(Finding::error(folder, message));
        }
        self.sorted.fields.sort();
        self.sorted.directories.sort();
        self.sorted.attachments = self.attachments.into_iter().collect();
        self.sorted.findings = self.findings.into_sorted();
        self.sorted
    }
}

/// Joins what is outside of `_ddoc` with what is in it.
fn merge_web(outside: Sorted, mut inside: Sorted, lenient: bool) -> Sorted {
    let mut findings = Findings::new(lenient);
    findings.extend(outside.findings.into_iter().chain(inside.findings));
    let mut attachments: BTreeMap<AttName, RelPath> = outside.attachments.into_iter().collect();
    for (name, path) in inside.attachments {
        if let Some(earlier) = attachments.get(&name) {
            let message = format!("is the attachment `{name}`, as `{earlier}` is");
            findings.loss(Finding::error(&path, message));
        } else {
            attachments.insert(name, path);
        }
    }
    let names_itself = inside.fields.iter().any(|path| path.as_str() == "_ddoc/_id");
    if !names_itself {
        inside.fields.extend(outside.fields);
    }
    inside.attachments = attachments.into_iter().collect();
    inside.findings = findings.into_sorted();
    inside
}

/// Sorts `_docs/` and `_design/`, which lie beside the app.
fn sort_beside(sorted: &mut Sorted, listing: Vec<(RelPath, bool)>, names: &Names, lenient: bool) {
    let mut findings = Findings::new(lenient);
    findings.extend(std::mem::take(&mut sorted.findings));
    let folders: BTreeSet<RelPath> =
        listing.iter().filter_map(|(path, is_folder)| entry_folder(path, *is_folder)).collect();
    let mut documents: BTreeMap<&str, Sorter<'_>> = BTreeMap::new();
    for folder in folders.iter().filter(|folder| !folder.name().starts_with('.')) {
        if folder.first() == "_docs" {
            documents.insert(folder.as_str(), Sorter::new(names, lenient, Some(folder.clone())));
        } else {
            sorted.designs.push(folder.clone());
        }
    }
    for (path, is_folder) in listing {
        let entry: String = path.components().take(2).collect::<Vec<_>>().join("/");
        let is_root_file = path.depth() == 2 && !is_folder && !path.name().starts_with('.');
        match path.first() {
            "_docs" if is_root_file => match path.name().strip_suffix(".json") {
                Some(stem) if !stem.is_empty() => sorted.plain_documents.push(path),
                _ => findings
                    .loss(Finding::error(&path, "is no document: only `.json` files and folders become documents")),
            },
            _ if is_root_file => {
                findings.loss(Finding::error(
                    &path,
                    "is no app folder: `_design` holds one folder for each design document",
                ));
            }
            name if path.depth() == 1 && !is_folder => {
                findings.loss(Finding::error(&path, format!("`{name}` must be a folder")));
            }
            _ => {
                if let Some(sorter) = documents.get_mut(entry.as_str()) {
                    sorter.take(path, is_folder);
                }
            }
        }
    }
    for sorter in documents.into_values() {
        let mut document = sorter.finish();
        findings.extend(std::mem::take(&mut document.findings));
        sorted.folder_documents.push(document);
    }
    sorted.plain_documents.sort();
    sorted.findings = findings.into_sorted();
}

/// `_docs/x` for everything at or below the folder `_docs/x`.
fn entry_folder(path: &RelPath, is_folder: bool) -> Option<RelPath> {
    if path.depth() < 2 || (path.depth() == 2 && !is_folder) {
        return None;
    }
    RelPath::new(path.components().take(2).collect::<Vec<_>>().join("/")).ok()
}

#[cfg(test)]
mod tests;
