//! Files and folders → members, without a look at what they mean.

use std::collections::{BTreeMap, btree_map};

use serde_json::Value;

use super::super::finding::Findings;
use super::super::names::{self, FIELDS_FILE, is_json, key_of};
use super::super::{Finding, KeyPath, Origins, Sources, metadata, text};
use super::json;
use crate::json::Object;
use crate::path::RelPath;

/// The deepest nesting that [`crate::json::parse`] reads back from a server.
const MAX_DEPTH: usize = 127;

/// The members of a document, before anything was checked or expanded.
#[derive(Debug, Default)]
pub(in super::super) struct Built {
    /// All members; `couchapp` without what is generated.
    pub(in super::super) body: Object,
    /// Where they came from.
    pub(in super::super) origins: Origins,
    /// Field files and folders in the order of the walk; folders with a final `/`, before their files.
    pub(in super::super) manifest: Vec<String>,
    /// The id that the folder gives itself, and the file that says so.
    pub(in super::super) id: Option<(String, RelPath)>,
}

/// Builds the members of `sources`.
pub(in super::super) fn build(sources: &Sources, findings: &mut Findings) -> Built {
    let paths = sources.fields.keys().chain(&sources.directories);
    for path in paths.filter(|path| path.depth() > MAX_DEPTH) {
        findings.push(Finding::error(path, format!("is more than {MAX_DEPTH} levels deep")));
    }
    let root = Folder::of(sources);
    let mut builder = Builder { findings, keys: Vec::new() };
    builder.document(&root)
}

#[derive(Default)]
struct Folder<'a> {
    path: Option<RelPath>,
    entries: BTreeMap<&'a str, Entry<'a>>,
}

enum Entry<'a> {
    File(&'a RelPath, &'a [u8]),
    Folder(Folder<'a>),
}

impl<'a> Folder<'a> {
    fn of(sources: &'a Sources) -> Self {
        let mut root = Self { path: sources.root.clone(), ..Self::default() };
        let skipped = sources.root.as_ref().map_or(0, RelPath::depth);
        // A web app may have its `_id` at the root, outside of `_ddoc`.
        let is_shallow = |path: &RelPath| path.depth() <= MAX_DEPTH;
        let inside = |path: &RelPath| match &sources.root {
            Some(root) => path.below(root.as_str()).is_some(),
            None => true,
        };
        for path in sources.directories.iter().filter(|path| inside(path) && is_shallow(path)) {
            root.folder(path, skipped, path.depth());
        }
        for (path, bytes) in sources.fields.iter().filter(|(path, _)| is_shallow(path)) {
            let skipped = if inside(path) { skipped } else { 0 };
            if let Some(folder) = root.folder(path, skipped, path.depth() - 1) {
                folder.entries.entry(path.name()).or_insert(Entry::File(path, bytes));
            }
        }
        root
    }

    /// The folder of the components `skipped..depth` of `path`.
    fn folder(&mut self, path: &'a RelPath, skipped: usize, depth: usize) -> Option<&mut Self> {
        let mut folder = self;
        for (index, name) in path.components().enumerate().take(depth).skip(skipped) {
            let here = path.components().take(index + 1).collect::<Vec<_>>().join("/");
            let new = || Entry::Folder(Self { path: RelPath::new(here).ok(), ..Self::default() });
            match folder.entries.entry(name).or_insert_with(new) {
                Entry::Folder(inner) => folder = inner,
                Entry::File(..) => return None,
            }
        }
        Some(folder)
    }
}

/// What one entry of a folder contributes.
struct Member {
    value: Value,
    origins: Vec<(KeyPath, RelPath)>,
    manifest: Vec<String>,
    path: RelPath,
    is_folder: bool,
}

/// How many arrays and objects are in each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The member of `couchapp` that a line of the manifest is about.
fn metadata_key(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("couchapp/")?;
    Some(rest.split_once('/').map_or_else(|| key_of(rest), |(folder, _)| folder))
}

struct Builder<'a> {
    findings: &'a mut Findings,
    keys: KeyPath,
}

impl Builder<'_> {
    fn document(&mut self, root: &Folder<'_>) -> Built {
        let mut built = Built::default();
        let mut members: Vec<(String, Member)> = Vec::new();
        let mut metadata: Vec<Member> = Vec::new();
        let (mut id, mut fields) = (None, None);
        for (name, entry) in &root.entries {
            match (*name, entry) {
                ("_id", Entry::File(path, bytes)) => id = self.id_file(path, bytes).map(|text| (text, (*path).clone())),
                (FIELDS_FILE, Entry::File(path, bytes)) => fields = Some((*path, self.object_file(path, bytes))),
                ("couchapp.json", Entry::File(path, bytes)) => metadata.push(self.metadata_file(name, path, bytes)),
                ("couchapp", Entry::Folder(folder)) => {
                    metadata.extend(self.member("couchapp".to_owned(), name, folder));
                }
                (_, Entry::File(path, _)) if key_of(name) == "couchapp" => {
                    let message = "is the member `couchapp`, which must be `couchapp.json` or the folder `couchapp`";
                    self.findings.push(Finding::error(path, message));
                }
                (_, entry) if name.starts_with('_') => self.refuse_special(entry),
                (_, entry) => members.extend(self.entry(name, entry)),
            }
        }
        let mut whole = self.merge(members);
        let mut couchapp = self.couchapp(metadata);
        built.id = id;
        if let Some((path, object)) = fields {
            self.add_fields_file(path, object, &mut built, &mut whole, &mut couchapp);
        }
        if let Some(couchapp) = couchapp {
            whole.push(("couchapp".to_owned(), couchapp));
        }
        whole.sort_by(|left, right| left.0.cmp(&right.0));
        for (key, member) in &whole {
            if depth(&member.value) >= MAX_DEPTH {
                let message = format!("`{}` is more than {MAX_DEPTH} levels deep", key.escape_debug());
                self.findings.push(Finding::error(&member.path, message));
            }
        }
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        for (key, member) in whole {
            built.body.insert(key, member.value);
            built.origins.extend(member.origins);
            lines.push((member.path.name().to_owned(), member.manifest));
        }
        // Members of `_fields.json` share its one line.
        lines.sort();
        built.manifest.extend(lines.into_iter().flat_map(|(_, lines)| lines));
        built
    }

    /// The first line, as the original has it. An empty one says nothing.
    fn id_file(&mut self, path: &RelPath, bytes: &[u8]) -> Option<String> {
        let whole = match std::str::from_utf8(bytes) {
            Ok(whole) => whole,
            Err(error) => {
                let message = format!("is not valid UTF-8 at byte {}", error.valid_up_to() + 1);
                self.findings.push(Finding::error(path, message).at_offset(bytes, error.valid_up_to()));
                return None;
            }
        };
        let (first, rest) = whole.split_once('\n').unwrap_or((whole, ""));
        if !text::trimmed(rest).is_empty() {
            self.findings.push(Finding::warning(path, "only the first line counts").at(bytes, 2, 1));
        }
        let first = text::trimmed(first);
        (!first.is_empty()).then(|| first.to_owned())
    }

    fn object_file(&mut self, path: &RelPath, bytes: &[u8]) -> Object {
        if let Value::Object(object) = json::read(path, bytes, self.findings) {
            return object;
        }
        self.findings.push(Finding::error(path, "expected an object"));
        Object::new()
    }

    /// `couchapp.json`: any value but an object is the member `meta`.
    fn metadata_file(&mut self, name: &str, path: &RelPath, bytes: &[u8]) -> Member {
        let value = match json::read(path, bytes, self.findings) {
            Value::Object(object) => object,
            value => Object::from_iter([("meta".to_owned(), value)]),
        };
        let origins = value.keys().map(|key| (vec!["couchapp".to_owned(), key.clone()], path.clone())).collect();
        let (value, manifest) = (Value::Object(value), vec![name.to_owned()]);
        Member { value, origins, manifest, path: path.clone(), is_folder: false }
    }

    /// Joins the folder `couchapp` and `couchapp.json`; what is generated is left out.
    fn couchapp(&mut self, parts: Vec<Member>) -> Option<Member> {
        let mut whole: Option<Member> = None;
        for mut part in parts {
            if let Value::Object(object) = &mut part.value {
                metadata::remove_generated(object);
                part.origins.retain(|(keys, _)| keys.get(1).is_some_and(|key| object.contains_key(key)));
            }
            let Some(before) = &mut whole else {
                whole = Some(part);
                continue;
            };
            let (Value::Object(target), Value::Object(source)) = (&mut before.value, part.value) else { continue };
            for (key, value) in source {
                if target.shift_remove(&key).is_some() {
                    let message = format!("the member `couchapp.{key}` is in the folder `{}` as well", before.path);
                    self.findings.loss(Finding::error(&part.path, message));
                    before.origins.retain(|(keys, _)| keys.get(1) != Some(&key));
                    before.manifest.retain(|line| metadata_key(line) != Some(key.as_str()));
                }
                target.insert(key, value);
            }
            before.origins.extend(part.origins);
            before.manifest.extend(part.manifest);
        }
        whole
    }

    /// Merges `_fields.json` into the root; nothing else may give the same member.
    fn add_fields_file(
        &mut self,
        path: &RelPath,
        object: Object,
        built: &mut Built,
        whole: &mut Vec<(String, Member)>,
        couchapp: &mut Option<Member>,
    ) {
        let line = vec![FIELDS_FILE.to_owned()];
        built.manifest.extend(line);
        for (key, value) in object {
            let taken = match key.as_str() {
                "_id" => built.id.as_ref().map(|(_, path)| path.clone()),
                "couchapp" => couchapp.as_ref().map(|member| member.path.clone()),
                _ => whole.iter().find(|(other, _)| *other == key).map(|(_, member)| member.path.clone()),
            };
            let shown = key.escape_debug();
            if let Some(other) = taken {
                self.findings.push(Finding::error(path, format!("the member `{shown}` comes from `{other}` as well")));
                continue;
            }
            match (key.as_str(), value) {
                ("_id", Value::String(id)) => built.id = Some((id, path.clone())),
                (_, value) if names::is_storable(&key) => {
                    let origins = vec![(vec![key.clone()], path.clone())];
                    let mut member =
                        Member { value, origins, manifest: Vec::new(), path: path.clone(), is_folder: false };
                    if let ("couchapp", Value::Object(object)) = (key.as_str(), &mut member.value) {
                        metadata::remove_generated(object);
                    }
                    whole.push((key, member));
                }
                _ => {
                    let message =
                        format!("`{shown}` cannot be a document field: CouchDB keeps names that start with `_`");
                    self.findings.push(Finding::error(path, message));
                }
            }
        }
    }

    fn refuse_special(&mut self, entry: &Entry<'_>) {
        let path = match entry {
            Entry::File(path, _) => Some((*path).clone()),
            Entry::Folder(folder) => folder.path.clone(),
        };
        if let Some(path) = path {
            let message = "cannot be a document field: CouchDB keeps names that start with `_`";
            self.findings.loss(Finding::error(&path, message));
        }
    }

    fn entry(&mut self, name: &str, entry: &Entry<'_>) -> Option<(String, Member)> {
        match entry {
            Entry::Folder(folder) => {
                let member = self.member(name.to_owned(), name, folder)?;
                Some((name.to_owned(), member))
            }
            Entry::File(path, bytes) => {
                let key = key_of(name).to_owned();
                self.keys.push(key.clone());
                let value = self.file(path, bytes);
                let origins = vec![(self.keys.clone(), (*path).clone())];
                self.keys.pop();
                let manifest = vec![name.to_owned()];
                Some((key, Member { value, origins, manifest, path: (*path).clone(), is_folder: false }))
            }
        }
    }

    /// A folder as the member `key`.
    fn member(&mut self, key: String, name: &str, folder: &Folder<'_>) -> Option<Member> {
        let path = folder.path.clone()?;
        self.keys.push(key);
        let members = folder.entries.iter().filter_map(|(name, entry)| self.entry(name, entry)).collect();
        let mut members = self.merge(members);
        let mut origins = Vec::new();
        if members.is_empty() {
            origins.push((self.keys.clone(), path.clone()));
        }
        self.keys.pop();
        members.sort_by(|left, right| left.1.path.name().cmp(right.1.path.name()));
        let mut manifest = vec![format!("{name}/")];
        manifest.extend(members.iter().flat_map(|(_, member)| &member.manifest).map(|line| format!("{name}/{line}")));
        members.sort_by(|left, right| left.0.cmp(&right.0));
        let mut object = Object::new();
        for (key, member) in members {
            object.insert(key, member.value);
            origins.extend(member.origins);
        }
        Some(Member { value: Value::Object(object), origins, manifest, path, is_folder: true })
    }

    /// One member for each key. Where two claim one, the original let a folder win, else the first.
    fn merge(&mut self, claims: Vec<(String, Member)>) -> Vec<(String, Member)> {
        let mut chosen: BTreeMap<String, Member> = BTreeMap::new();
        for (key, member) in claims {
            match chosen.entry(key) {
                btree_map::Entry::Vacant(place) => {
                    place.insert(member);
                }
                btree_map::Entry::Occupied(mut place) => {
                    let message = format!("is the member `{}`, as `{}` is", place.key(), place.get().path);
                    self.findings.loss(Finding::error(&member.path, message));
                    if member.is_folder && !place.get().is_folder {
                        place.insert(member);
                    }
                }
            }
        }
        chosen.into_iter().collect()
    }

    /// The value of a field file at `self.keys`.
    fn file(&mut self, path: &RelPath, bytes: &[u8]) -> Value {
        let is_language = matches!(self.keys.as_slice(), [root] if root == "language");
        if is_json(path.name()) {
            let value = json::read(path, bytes, self.findings);
            if value.as_str().is_some_and(|text| is_language && text != text::trimmed(text)) {
                let message = "white space around the language; CouchDB compares it exactly and finds none";
                self.findings.push(Finding::warning(path, message));
            }
            return value;
        }
        let text = text::from_bytes(bytes);
        if let (Err(error), true) = (std::str::from_utf8(bytes), is_language || names::is_function(&self.keys)) {
            let message = format!("is not valid UTF-8 at byte {}", error.valid_up_to() + 1);
            self.findings.loss(Finding::error(path, message).at_offset(bytes, error.valid_up_to()));
        }
        Value::String(if is_language { text::trimmed(&text).to_owned() } else { text })
    }
}
