//! `!code` and `!json`: includes in function sources, expanded as text.
//!
//! The text of a view is the identity of its index, so an expansion is exactly that of the original couchapp: the comment
//! up to the end of its line is replaced by the file's text, nothing is added, and every `!json` comment of a function
//! becomes the whole list of its variables. Includes are confined to the app's folder, may include others but never
//! themselves, and the files of a glob are taken in the order of their bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::finding::Findings;
use super::fold::{lookup, lookup_mut, tree};
use super::{Finding, KeyPath, Origins, Sources, names};
use crate::json::Object;
use crate::name::DocId;
use crate::path::RelPath;

mod expand;
mod include;
mod python;

pub(super) use expand::{Expander, has_macro};
pub(super) use include::Files;

/// The files that the macros of `sources` include and that are not loaded yet (neither in `fields` nor in `includes`),
/// out of `listing`, all files of the app's folder. Load them into [`Sources::includes`] and ask again, as they may
/// include others, until nothing is missing.
pub fn missing(sources: &Sources, listing: &BTreeSet<RelPath>) -> BTreeSet<RelPath> {
    let built = tree::build(sources, &mut Findings::new(true));
    let files = Files::of(sources).with_listing(listing);
    let mut expander = Expander::new(&files);
    for keys in places(&built.body) {
        let path = built.origins.get(&keys);
        if let (Some(Value::String(text)), Some(path)) = (lookup(&built.body, &keys), path)
            && !names::is_json(path.name())
        {
            expander.code(text, path);
        }
    }
    expander.unread
}

/// Expands every function of a design document. Returns the changed ones: expanded text and source.
pub(super) fn expand_document(
    body: &mut Object,
    origins: &Origins,
    id: &DocId,
    sources: &Sources,
    findings: &mut Findings,
) -> Vec<(String, String)> {
    let files = Files::of(sources);
    let travelling: BTreeSet<&RelPath> = sources.attachments.values().map(|print| &print.path).collect();
    let mut changed = Vec::new();
    let mut strangers: BTreeMap<RelPath, RelPath> = BTreeMap::new();
    for keys in places(body) {
        let Some(Value::String(source)) = lookup(body, &keys).cloned() else { continue };
        if !has_macro(&source) {
            continue;
        }
        let Some(path) = origin(origins, &keys) else { continue };
        if names::is_json(path.name()) {
            // One string as JSON is how a clone keeps a function whose text only looks like a macro.
            if !origins.contains_key(&keys) {
                findings.push(Finding::warning(path, "holds macros, which are expanded in source files only"));
            }
            continue;
        }
        let mut expander = Expander::new(&files);
        let expanded = expander.function(&source, path, body, id);
        for error in expander.errors {
            findings.loss(error.into_finding(&files));
        }
        for used in expander.used {
            if !sources.fields.contains_key(&used) && !travelling.contains(&used) {
                strangers.entry(used).or_insert_with(|| path.clone());
            }
        }
        if expanded != source {
            if let Some(place) = lookup_mut(body, &keys) {
                *place = Value::String(expanded.clone());
            }
            changed.push((expanded, source));
        }
    }
    for (include, path) in strangers {
        let message =
            format!("includes `{include}`, which is neither field nor attachment; clones get the expanded text");
        findings.push(Finding::warning(&path, message));
    }
    changed
}

/// The places of all functions that may have macros, in the order of expansion.
pub(super) fn places(body: &Object) -> Vec<KeyPath> {
    let mut places = Vec::new();
    let mut section = |name: &str, depth: usize| {
        let Some(value) = body.get(name) else { return };
        collect(value, &mut vec![name.to_owned()], depth, &mut places);
    };
    for name in ["shows", "lists", "updates", "filters", "spatial"] {
        section(name, 1);
    }
    section("validate_doc_update", 0);
    section("views", 2);
    section("fulltext", 2);
    places
}

/// The strings exactly `depth` levels below `value`, by key.
fn collect(value: &Value, keys: &mut KeyPath, depth: usize, places: &mut Vec<KeyPath>) {
    match value {
        Value::String(_) if depth == 0 => places.push(keys.clone()),
        Value::Object(members) if depth > 0 => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            for (key, value) in sorted {
                keys.push(key.clone());
                collect(value, keys, depth - 1, places);
                keys.pop();
            }
        }
        _ => {}
    }
}

/// The file that the value at `keys` is in.
fn origin<'a>(origins: &'a Origins, keys: &KeyPath) -> Option<&'a RelPath> {
    (0..=keys.len()).rev().find_map(|length| origins.get(&keys[..length]))
}

#[cfg(test)]
mod tests;
