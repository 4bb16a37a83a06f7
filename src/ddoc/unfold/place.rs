//! A file for every value.
//!
//! For each member the possible names are tried in turn: those of the manifest, then those that people would choose,
//! then `<key>.json`. A name must be possible on every system, clash with none beside it, and give the key back when it
//! is folded. An object with a member that no name fits is written as JSON itself; a root member has no such way out
//! and is left to `_fields.json`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::super::names::{Hint, is_function, is_json, is_macro_place, key_of};
use super::super::{KeyPath, Origins, layout, macros, text};
use crate::json::{self, Object};
use crate::path::RelPath;
use crate::path::portable::{folded, judge_component};

/// The longest name that is made up here, in bytes; manifests may have longer ones.
const MAX_NAME: usize = 200;
/// The longest path, in bytes, from the app's folder.
const MAX_PATH: usize = 1000;
/// The most components of a path.
const MAX_DEPTH: usize = 32;

/// Chooses names.
#[derive(Clone, Copy)]
pub(in super::super) struct Placer<'a> {
    pub(in super::super) ignored: Option<&'a dyn Fn(&RelPath) -> bool>,
    /// Macros will be expanded when the folder is pushed; the functions that may be written as text even so, because
    /// their source is known and gives this text.
    pub(in super::super) expanded: Option<&'a BTreeSet<KeyPath>>,
}

/// Files and folders.
#[derive(Default)]
pub(in super::super) struct Placed {
    pub(in super::super) files: BTreeMap<RelPath, Vec<u8>>,
    pub(in super::super) directories: BTreeSet<RelPath>,
    pub(in super::super) origins: Origins,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Folder,
    Text,
    Json,
}

/// A member that no name fits.
struct NoName;

/// A folder in the making.
struct Place<'a> {
    path: Option<&'a RelPath>,
    taken: HashSet<String>,
}

impl Placed {
    fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.directories.extend(other.directories);
        self.origins.extend(other.origins);
    }

    /// Takes a root member and its files out again.
    pub(super) fn remove_member(&mut self, key: &str) {
        let names: HashSet<String> = self
            .origins
            .iter()
            .filter(|(keys, _)| keys.first().is_some_and(|first| first == key))
            .map(|(_, path)| path.first().to_owned())
            .collect();
        self.origins.retain(|keys, _| keys.first().is_none_or(|first| first != key));
        self.files.retain(|path, _| !names.contains(path.first()));
        self.directories.retain(|path| !names.contains(path.first()));
    }
}

impl Placer<'_> {
    /// Places the root's members, all but an object `couchapp`. The second part is what has no name.
    pub(in super::super) fn document(&self, content: &Object, hints: &Hint) -> (Placed, Object) {
        let mut placed = Placed::default();
        let mut left = Object::new();
        // These are ours or have a meaning of their own.
        let taken = ["couchapp", "couchapp.json", "couchapp.toml"].map(str::to_owned);
        let mut place = Place { path: None, taken: HashSet::from(taken) };
        let from_fields_file = |key: &str| hints.member("_fields").is_some() && hints.member(key).is_none();
        let mut keys = Vec::new();
        for (key, value) in in_order(content, Some(hints)) {
            if key == "couchapp" && value.is_object() {
                continue;
            }
            let member = if key.starts_with('_') || key == "couchapp" || from_fields_file(key) {
                Err(NoName)
            } else {
                self.member(&mut place, &mut keys, key, value, hints.member(key))
            };
            match member {
                Ok(member) => placed.add(member),
                Err(NoName) => {
                    left.insert(key.clone(), value.clone());
                }
            }
        }
        (placed, left)
    }

    /// Places members of `couchapp` in its folder; returns the keys that have a place there.
    pub(super) fn metadata_folder(&self, members: &Object, hint: &Hint, placed: &mut Placed) -> Vec<String> {
        let Ok(path) = RelPath::new("couchapp") else { return Vec::new() };
        let mut place = Place { path: Some(&path), taken: HashSet::new() };
        let mut keys = vec!["couchapp".to_owned()];
        let mut done = Vec::new();
        for (key, value) in in_order(members, Some(hint)) {
            if let Ok(member) = self.member(&mut place, &mut keys, key, value, hint.member(key)) {
                placed.add(member);
                done.push(key.clone());
            }
        }
        placed.directories.insert(path);
        done
    }

    /// Places one member of the folder `place`.
    fn member(
        &self,
        place: &mut Place<'_>,
        keys: &mut KeyPath,
        key: &str,
        value: &Value,
        hint: Option<&Hint>,
    ) -> Result<Placed, NoName> {
        keys.push(key.to_owned());
        let placed = self.named(place, keys, key, value, hint);
        keys.pop();
        placed
    }

    fn named(
        &self,
        place: &mut Place<'_>,
        keys: &mut KeyPath,
        key: &str,
        value: &Value,
        hint: Option<&Hint>,
    ) -> Result<Placed, NoName> {
        for (name, form) in self.candidates(keys, key, value, hint) {
            let remembered = hint.is_some_and(|hint| hint.files.contains(&name) || hint.folder);
            let Some(path) = self.path(place, key, &name, form, remembered) else { continue };
            let mut placed = Placed::default();
            match (form, value) {
                (Form::Folder, Value::Object(members)) => match self.folder(&path, keys, members, hint) {
                    Ok(members) => placed = members,
                    Err(NoName) => continue,
                },
                (Form::Text, Value::String(string)) => {
                    let decode = !is_function(keys) && !is_language(keys);
                    placed.files.insert(path.clone(), text::to_bytes(string, decode));
                    placed.origins.insert(keys.clone(), path);
                }
                _ => {
                    placed.files.insert(path.clone(), json::to_pretty(value).into_bytes());
                    placed.origins.insert(keys.clone(), path);
                }
            }
            place.taken.insert(folded(&name));
            return Ok(placed);
        }
        Err(NoName)
    }

    /// Places an object as a folder, with all its members.
    fn folder(
        &self,
        path: &RelPath,
        keys: &mut KeyPath,
        members: &Object,
        hint: Option<&Hint>,
    ) -> Result<Placed, NoName> {
        let mut placed = Placed::default();
        placed.directories.insert(path.clone());
        if members.is_empty() {
            placed.origins.insert(keys.clone(), path.clone());
        }
        let mut place = Place { path: Some(path), taken: HashSet::new() };
        for (key, value) in in_order(members, hint) {
            placed.add(self.member(&mut place, keys, key, value, hint.and_then(|hint| hint.member(key)))?);
        }
        Ok(placed)
    }

    /// The path of `name`, if it can be used.
    fn path(&self, place: &Place<'_>, key: &str, name: &str, form: Form, remembered: bool) -> Option<RelPath> {
        let gives_key = form == Form::Folder || (key_of(name) == key && is_json(name) == (form == Form::Json));
        let same = folded(name);
        if !gives_key
            || judge_component(name).is_err()
            || name.starts_with('.')
            || (name.len() > MAX_NAME && !remembered)
            || same == "_attachments"
            || place.taken.contains(&same)
        {
            return None;
        }
        let path = match place.path {
            Some(folder) => folder.join(name).ok()?,
            None if name.starts_with('_') || layout::is_own(name) => return None,
            None => RelPath::new(name).ok()?,
        };
        let fits = path.as_str().len() <= MAX_PATH && path.depth() <= MAX_DEPTH;
        (fits && !self.ignored.is_some_and(|ignored| ignored(&path))).then_some(path)
    }

    /// The names that a member may have, best first.
    fn candidates(&self, keys: &KeyPath, key: &str, value: &Value, hint: Option<&Hint>) -> Vec<(String, Form)> {
        let mut names = Vec::new();
        let remembered = hint.map_or(&[][..], |hint| &hint.files);
        let is_folder = hint.is_some_and(|hint| hint.folder);
        match value {
            Value::Object(_) if is_folder => names.push((key.to_owned(), Form::Folder)),
            Value::String(string) if self.survives_as_text(keys, string) => {
                let form = |name: &String| if is_json(name) { Form::Json } else { Form::Text };
                names.extend(remembered.iter().map(|name| (name.clone(), form(name))));
                names.extend(usual_names(keys, key, string).into_iter().map(|name| (name, Form::Text)));
            }
            _ => {}
        }
        names.extend(remembered.iter().filter(|name| is_json(name)).map(|name| (name.clone(), Form::Json)));
        if !is_folder && is_usual_folder(keys, value) {
            names.push((key.to_owned(), Form::Folder));
        }
        names.push((format!("{key}.json"), Form::Json));
        names
    }

    /// Whether a push would read the string from a text file as it is. A language is trimmed, and a macro that stands
    /// in an already expanded function would be expanded once more.
    fn survives_as_text(&self, keys: &KeyPath, string: &str) -> bool {
        let is_trimmed = is_language(keys) && string != text::trimmed(string);
        let is_expanded = self
            .expanded
            .is_some_and(|known| is_macro_place(keys) && macros::has_macro(string) && !known.contains(keys));
        !is_trimmed && !is_expanded
    }
}

/// Members whose names are remembered choose first.
fn in_order<'a>(members: &'a Object, hint: Option<&Hint>) -> Vec<(&'a String, &'a Value)> {
    let is_known = |key: &String| hint.is_some_and(|hint| hint.members.contains_key(key));
    let (known, new): (Vec<_>, Vec<_>) = members.iter().partition(|(key, _)| is_known(key));
    let sorted = |mut members: Vec<(&'a String, &'a Value)>| {
        members.sort_by_key(|(key, _)| *key);
        members
    };
    sorted(known).into_iter().chain(sorted(new)).collect()
}

fn is_language(keys: &[String]) -> bool {
    matches!(keys, [root] if root == "language")
}

/// The names that people give to the file of a string.
fn usual_names(keys: &[String], key: &str, string: &str) -> Vec<String> {
    let is_builtin = string.starts_with('_') && matches!(keys, [views, _, _] if views == "views");
    let is_module = string.contains("module.exports") || string.contains("exports.");
    let is_analyzer = matches!(keys, [fulltext, _, part] if fulltext == "fulltext" && part != "index");
    let is_code = (is_function(keys) && !is_analyzer) || is_module;
    let mut names = Vec::new();
    if is_code && !is_builtin {
        names.push(format!("{key}.js"));
    }
    names.push(key.to_owned());
    names.push(format!("{key}.txt"));
    names
}

/// Whether people would write an object as a folder: when it holds text, and is neither part of a Mango index nor the
/// metadata of npm couchapp.
fn is_usual_folder(keys: &[String], value: &Value) -> bool {
    let is_mango =
        matches!(keys, [views, _, part] if views == "views" && matches!(part.as_str(), "map" | "reduce" | "options"));
    let is_metadata = matches!(keys, [root] if root == "attachments_md5");
    value.is_object() && !is_mango && !is_metadata && holds_text(value)
}

fn holds_text(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Object(members) => members.values().any(holds_text),
        _ => false,
    }
}
