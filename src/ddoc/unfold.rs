//! Document → folder.
//!
//! [`place`] gives every value a file, with the names that the manifest remembers where they fit; the result is folded
//! again and compared, and whatever should not come back as it was goes to `_fields.json`; [`restore`] then puts the
//! sources of expanded functions back, where expanding them again gives the stored text; [`attachments`] lays out the
//! attachments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::finding::Findings;
use super::fold::{lookup, lookup_mut, tree};
use super::metadata::{self, Recorded};
use super::names::{self, FIELDS_FILE, Hint, NAMES_FILE};
use super::{Finding, KeyPath, Refusal, Sources, UnfoldOptions, Unfolded, macros, text};
use crate::json::{self, Object};
use crate::name::{AttName, DocId};
use crate::path::RelPath;
use place::{Placed, Placer};

mod attachments;
pub(super) mod place;
mod restore;

/// Lays a document out as a folder. `body` is the document without `_id`, `_rev` and `_attachments` (these and other
/// members that a server adds to its answers are passed over if present).
pub fn unfold(
    body: &Object,
    id: &DocId,
    attachments: &[AttName],
    options: &UnfoldOptions<'_>,
) -> Result<Unfolded, Vec<Refusal>> {
    let recorded = Recorded::read(body);
    let content = content_of(body);
    let mut document = Document { content, recorded, id, attachments, sources: BTreeSet::new() };
    document.sources = restore::known_sources(&document);
    let mut reasons = BTreeMap::new();
    let mut wanted = BTreeSet::new();
    loop {
        let mut out = lay_out(&document, options)?;
        let given_up = restore::sources(&mut out, &document, options);
        if !document.sources.is_empty() && !document.is_proven(&out, &given_up) {
            document.sources.clear();
            continue;
        }
        let again: Vec<KeyPath> = given_up.keys().filter(|keys| document.looks_like_macro(keys)).cloned().collect();
        reasons.extend(given_up);
        wanted.append(&mut out.wanted);
        if again.is_empty() {
            out.wanted = wanted;
            for (keys, reason) in reasons {
                if let Some(path) = out.origins.get(&keys) {
                    let message = format!("written with its includes expanded: {reason}");
                    out.findings.push(Finding::warning(path, message));
                }
            }
            return Ok(out);
        }
        // Their text needs a file in which nothing is expanded.
        document.sources.retain(|keys| !again.contains(keys));
    }
}

/// What is to be laid out.
struct Document<'a> {
    content: Object,
    recorded: Recorded,
    id: &'a DocId,
    attachments: &'a [AttName],
    /// The functions that may get their recorded source back.
    sources: BTreeSet<KeyPath>,
}

impl Document<'_> {
    /// Whether everything but the restored sources is in its file as it was.
    fn is_proven(&self, out: &Unfolded, given_up: &BTreeMap<KeyPath, String>) -> bool {
        let mut back = fold_back(&out.files, &out.directories);
        for keys in self.sources.iter().filter(|keys| !given_up.contains_key(*keys)) {
            if let (Some(place), Some(stored)) = (lookup_mut(&mut back, keys), lookup(&self.content, keys)) {
                *place = stored.clone();
            }
        }
        let is_back = |(key, value): (&String, &Value)| back.get(key).is_some_and(|back| json::same(back, value));
        self.content.iter().all(|(key, value)| is_empty_metadata(key, value) || is_back((key, value)))
    }

    /// Whether the stored text of a function would be expanded as it is.
    fn looks_like_macro(&self, keys: &KeyPath) -> bool {
        lookup(&self.content, keys).and_then(Value::as_str).is_some_and(macros::has_macro)
    }
}

/// A file for everything, functions with the text that they have in the document.
fn lay_out(document: &Document<'_>, options: &UnfoldOptions<'_>) -> Result<Unfolded, Vec<Refusal>> {
    let Document { content, recorded, id, attachments, sources } = document;
    let hints = Hint::from_manifest(&recorded.manifest);
    let placer = Placer { ignored: options.ignored, expanded: id.is_design().then_some(sources) };
    let (mut placed, mut left) = placer.document(content, &hints);
    add_couchapp(&placer, content, &hints, &mut placed);
    for key in unproven(content, &placed, &left) {
        placed.remove_member(&key);
        if let Some(value) = content.get(&key) {
            left.insert(key, value.clone());
        }
    }
    let mut out = Unfolded {
        files: placed.files,
        directories: placed.directories,
        attachments: BTreeMap::new(),
        origins: placed.origins,
        wanted: BTreeSet::new(),
        findings: Vec::new(),
    };
    add_fields_file(&mut out, left, id, hints.member("_fields").is_some());
    let vendors = out.directories.iter().filter(|folder| is_vendor(folder, &recorded.manifest)).cloned().collect();
    let plan = attachments::plan(attachments, &vendors, options)?;
    out.attachments = plan.paths;
    out.findings.extend(plan.findings);
    add_names_file(&mut out, plan.renamed);
    Ok(out)
}

/// The members that make the document: without the server's own, without generated metadata.
fn content_of(body: &Object) -> Object {
    let mut content = Object::new();
    for (key, value) in body.iter().filter(|(key, _)| !names::is_of_server(key)) {
        let mut value = value.clone();
        if let ("couchapp", Value::Object(couchapp)) = (key.as_str(), &mut value) {
            metadata::remove_generated(couchapp);
        }
        content.insert(key.clone(), value);
    }
    content
}

/// Writes the `couchapp` object: the members that came from the folder `couchapp/` go back there, the others into
/// `couchapp.json`. Neither is written for nothing, as the manifest of the next push would tell of it.
fn add_couchapp(placer: &Placer<'_>, content: &Object, hints: &Hint, placed: &mut Placed) {
    let Some(Value::Object(couchapp)) = content.get("couchapp") else { return };
    let hint = hints.member("couchapp");
    let mut rest = couchapp.clone();
    if let Some(folder) = hint.filter(|hint| hint.folder) {
        let from_folder = couchapp.iter().filter(|(key, _)| folder.members.contains_key(*key));
        let from_folder: Object = from_folder.map(|(key, value)| (key.clone(), value.clone())).collect();
        for key in placer.metadata_folder(&from_folder, folder, placed) {
            rest.shift_remove(&key);
        }
    }
    let listed = hint.is_some_and(|hint| hint.files.iter().any(|name| name == "couchapp.json"));
    if let (true, Ok(path)) = (listed || !rest.is_empty(), RelPath::new("couchapp.json")) {
        for key in rest.keys() {
            placed.origins.insert(vec!["couchapp".to_owned(), key.clone()], path.clone());
        }
        placed.files.insert(path, json::to_pretty(&Value::Object(rest)).into_bytes());
    }
}

/// Folds what was placed and names the root members that do not come back as they were.
fn unproven(content: &Object, placed: &Placed, left: &Object) -> Vec<String> {
    let back = fold_back(&placed.files, &placed.directories);
    let is_back = |key: &String, value| back.get(key).is_some_and(|back| json::same(back, value));
    let members = content.iter().filter(|(key, value)| !left.contains_key(*key) && !is_empty_metadata(key, value));
    members.filter(|(key, value)| !is_back(key, value)).map(|(key, _)| key.clone()).collect()
}

/// The members that a push would make of the files, before macros and metadata.
fn fold_back(files: &BTreeMap<RelPath, Vec<u8>>, directories: &BTreeSet<RelPath>) -> Object {
    let sources = Sources { fields: files.clone(), directories: directories.clone(), ..Sources::default() };
    tree::build(&sources, &mut Findings::new(false)).body
}

/// An empty `couchapp` needs no file: it comes back with the metadata of the push.
fn is_empty_metadata(key: &str, value: &Value) -> bool {
    key == "couchapp" && value.as_object().is_some_and(Object::is_empty)
}

/// Writes `_id`, or an id that trimming would change, and `_fields.json`.
fn add_fields_file(out: &mut Unfolded, mut left: Object, id: &DocId, listed: bool) {
    let (Ok(fields_path), Ok(id_path)) = (RelPath::new(FIELDS_FILE), RelPath::new("_id")) else { return };
    if id.as_str() == text::trimmed(id.as_str()) && !id.as_str().contains('\n') {
        out.files.insert(id_path, format!("{id}\n").into_bytes());
    } else {
        left.insert("_id".to_owned(), Value::from(id.as_str()));
    }
    for key in left.keys().filter(|key| *key != "_id") {
        out.origins.insert(vec![key.clone()], fields_path.clone());
        if !listed {
            let message = format!("holds the member `{}`, which cannot be a file of its own", key.escape_debug());
            out.findings.push(Finding::warning(&fields_path, message));
        }
    }
    if listed || !left.is_empty() {
        out.files.insert(fields_path, json::to_pretty(&Value::Object(left)).into_bytes());
    }
}

fn add_names_file(out: &mut Unfolded, renamed: BTreeMap<RelPath, AttName>) {
    if renamed.is_empty() {
        return;
    }
    let names: Object =
        renamed.into_iter().map(|(path, name)| (path.to_string(), Value::from(name.as_str()))).collect();
    if let Ok(path) = RelPath::new(NAMES_FILE) {
        out.files.insert(path, json::to_pretty(&Value::Object(names)).into_bytes());
    }
}

/// Whether a folder is `vendor/<name>` and was one when the document was pushed.
fn is_vendor(folder: &RelPath, manifest: &[String]) -> bool {
    folder.depth() == 2
        && folder.first() == "vendor"
        && manifest.iter().any(|line| line.strip_suffix('/') == Some(folder.as_str()))
}

#[cfg(test)]
mod tests;
