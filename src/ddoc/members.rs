//! A document as a flat list of named values, for comparing and showing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fold::lookup;
use super::names::{FIELDS_FILE, Hint};
use super::unfold::place::Placer;
use super::{KeyPath, Origins, metadata};
use crate::json::Object;
use crate::path::RelPath;

/// The values of `body` by the file they come from: one entry per file of `origins`, and for what `origins` does not
/// know one entry per file that `unfold` would write. The generated `couchapp.manifest`, `.signatures` and `.objects` are
/// left out. Give the same `origins` for all the sides of a comparison.
///
/// A file that holds members of several keys (`couchapp.json`, `_fields.json`) has an object of them as its value.
pub fn leaves(body: &Object, origins: &Origins) -> BTreeMap<String, Value> {
    let mut body = body.clone();
    if let Some(Value::Object(couchapp)) = body.get_mut("couchapp") {
        metadata::remove_generated(couchapp);
    }
    if let Some(path) = origins.get(&[][..]) {
        return BTreeMap::from([(path.to_string(), Value::Object(body))]);
    }
    let mut leaves = BTreeMap::new();
    for (keys, path) in origins {
        if let Some(value) = lookup(&body, keys) {
            add(&mut leaves, keys, path, value);
        }
    }
    let known: BTreeSet<&[String]> = origins.keys().map(Vec::as_slice).collect();
    let mut rest = Object::new();
    for (key, value) in &body {
        if let Some(value) = unknown(value, &mut vec![key.clone()], &known) {
            rest.insert(key.clone(), value);
        }
    }
    for (keys, path) in usual_origins(&rest) {
        if let Some(value) = lookup(&rest, &keys) {
            add(&mut leaves, &keys, &path, value);
        }
    }
    leaves
}

fn add(leaves: &mut BTreeMap<String, Value>, keys: &KeyPath, path: &RelPath, value: &Value) {
    let is_shared = path.name() == FIELDS_FILE || (path.name() == "couchapp.json" && keys.len() == 2);
    let Some(key) = keys.last().filter(|_| is_shared) else {
        leaves.insert(path.to_string(), value.clone());
        return;
    };
    let members = leaves.entry(path.to_string()).or_insert_with(|| Value::Object(Object::new()));
    if let Value::Object(members) = members {
        members.insert(key.clone(), value.clone());
    }
}

/// What of `value`, which is at `keys`, is not in a known file.
fn unknown(value: &Value, keys: &mut KeyPath, known: &BTreeSet<&[String]>) -> Option<Value> {
    if known.contains(keys.as_slice()) {
        return None;
    }
    let is_way = known.range(keys.as_slice()..).next().is_some_and(|next| next.starts_with(keys));
    let Value::Object(members) = value else { return Some(value.clone()) };
    // The objects on the way to known files are those files' folders.
    if !is_way {
        return Some(value.clone());
    }
    let mut rest = Object::new();
    for (key, value) in members {
        keys.push(key.clone());
        if let Some(value) = unknown(value, keys, known) {
            rest.insert(key.clone(), value);
        }
        keys.pop();
    }
    (!rest.is_empty()).then_some(Value::Object(rest))
}

/// Where `unfold` would write the members of `body`.
fn usual_origins(body: &Object) -> Origins {
    let (placed, left) = Placer { ignored: None, expanded: None }.document(body, &Hint::default());
    let mut origins = placed.origins;
    if let Ok(path) = RelPath::new(FIELDS_FILE) {
        origins.extend(left.keys().map(|key| (vec![key.clone()], path.clone())));
    }
    if let (Some(Value::Object(couchapp)), Ok(path)) = (body.get("couchapp"), RelPath::new("couchapp.json")) {
        let keys = couchapp.keys().map(|key| vec!["couchapp".to_owned(), key.clone()]);
        origins.extend(keys.map(|keys| (keys, path.clone())));
    }
    origins
}

#[cfg(test)]
mod tests;
