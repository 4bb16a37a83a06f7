//! The sources of expanded functions.
//!
//! A source is put back only if expanding it over the cloned folder gives exactly the stored text; a clone that pushes
//! something else than it got would rebuild indexes, or worse. As every source may include files that are sources
//! themselves, all are put back first and taken away again, one after the other, until the rest is right.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::fold::{lookup, lookup_mut};
use super::super::macros::{Expander, Files, places};
use super::super::metadata::Recorded;
use super::super::names::is_json;
use super::super::{Finding, KeyPath, UnfoldOptions, Unfolded, text};
use crate::json::Object;
use crate::name::DocId;
use crate::path::RelPath;

/// One function that was expanded when it was pushed.
struct Function {
    keys: KeyPath,
    path: RelPath,
    stored: String,
    /// Further texts that the source may have been.
    others: Vec<String>,
    source: String,
}

/// Puts the recorded sources into the files of `out`.
pub(super) fn sources(
    out: &mut Unfolded,
    content: &Object,
    id: &DocId,
    recorded: &Recorded,
    options: &UnfoldOptions<'_>,
) {
    if !id.is_design() || recorded.objects.is_empty() {
        return;
    }
    let mut functions = functions(out, content, recorded);
    let contents = loaded(out, options);
    for function in &functions {
        out.files.insert(function.path.clone(), text::to_bytes(&function.source, false));
    }
    // Every round but the last changes something, and nothing is changed twice.
    let mut toggled = BTreeSet::new();
    while round(out, content, id, &mut functions, &contents, &mut toggled) {}
}

/// The functions with a recorded source, in the order of expansion.
fn functions(out: &Unfolded, content: &Object, recorded: &Recorded) -> Vec<Function> {
    let mut functions = Vec::new();
    for keys in places(content) {
        let (Some(Value::String(stored)), Some(path)) = (lookup(content, &keys), out.origins.get(&keys)) else {
            continue;
        };
        let mut others: Vec<String> = Vec::new();
        for source in recorded.sources_of(stored) {
            // Text that was taken over from a stripped deployment has a stripped source.
            others.push(text::trimmed(&source).to_owned());
            others.push(source);
        }
        others.retain(|source| source != stored);
        if let (Some(source), false) = (others.pop(), is_json(path.name())) {
            others.dedup();
            functions.push(Function { keys, path: path.clone(), stored: stored.clone(), others, source });
        }
    }
    functions
}

/// The known contents of attachments, by path.
fn loaded(out: &Unfolded, options: &UnfoldOptions<'_>) -> BTreeMap<RelPath, Vec<u8>> {
    let Some(contents) = options.contents else { return BTreeMap::new() };
    let known = |name| contents.get(name).cloned();
    out.attachments.iter().filter_map(|(path, name)| Some((path.clone(), known(name)?))).collect()
}

/// Checks every source in the order of expansion; whether anything was changed, so that all must be checked again.
fn round(
    out: &mut Unfolded,
    content: &Object,
    id: &DocId,
    functions: &mut Vec<Function>,
    contents: &BTreeMap<RelPath, Vec<u8>>,
    toggled: &mut BTreeSet<RelPath>,
) -> bool {
    let mut body = content.clone();
    for function in &*functions {
        set(&mut body, function, &function.source);
    }
    let mut changed = false;
    functions.retain_mut(|function| {
        loop {
            set(&mut body, function, &function.source);
            let (expanded, used) = expand(out, contents, function, &body, id);
            if expanded.as_ref() == Ok(&function.stored) {
                set(&mut body, function, &function.stored);
                return true;
            }
            changed = true;
            if toggle_newlines(out, contents, function, &body, id, &used, toggled) {
                continue;
            }
            set(&mut body, function, &function.stored);
            let Some(other) = function.others.pop() else {
                give_up(out, function, expanded.err(), contents);
                return false;
            };
            out.files.insert(function.path.clone(), text::to_bytes(&other, false));
            function.source = other;
        }
    });
    changed
}

/// The function's source as the folder would expand it, and the files it includes; or why it cannot be expanded.
fn expand(
    out: &Unfolded,
    contents: &BTreeMap<RelPath, Vec<u8>>,
    function: &Function,
    body: &Object,
    id: &DocId,
) -> (Result<String, String>, BTreeSet<RelPath>) {
    let files = Files::from_maps(&out.files, contents);
    let mut expander = Expander::new(&files);
    let expanded = expander.function(&function.source, &function.path, body, id);
    match expander.errors.first() {
        None => (Ok(expanded), expander.used),
        Some(error) => (Err(error.message.clone()), expander.used),
    }
}

/// A field does not tell whether its file ended with a line feed, but an expansion does. Changes the first include
/// without which the expansion agrees longer with the stored text.
fn toggle_newlines(
    out: &mut Unfolded,
    contents: &BTreeMap<RelPath, Vec<u8>>,
    function: &Function,
    body: &Object,
    id: &DocId,
    used: &BTreeSet<RelPath>,
    toggled: &mut BTreeSet<RelPath>,
) -> bool {
    let agreement = |out: &Unfolded| match expand(out, contents, function, body, id).0 {
        Ok(expanded) => {
            let surplus = expanded.len().abs_diff(function.stored.len());
            (common_prefix(&expanded, &function.stored), Reverse(surplus))
        }
        Err(_) => (0, Reverse(usize::MAX)),
    };
    let before = agreement(out);
    for path in used {
        let Some(bytes) = out.files.get(path).filter(|bytes| bytes.ends_with(b"\n") && bytes.len() > 1).cloned() else {
            continue;
        };
        if is_json(path.name()) || toggled.contains(path) {
            continue;
        }
        out.files.insert(path.clone(), bytes[..bytes.len() - 1].to_vec());
        if agreement(out) > before {
            toggled.insert(path.clone());
            return true;
        }
        out.files.insert(path.clone(), bytes);
    }
    false
}

fn common_prefix(left: &str, right: &str) -> usize {
    left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count()
}

/// Writes the expanded text instead of the source, and says why.
fn give_up(out: &mut Unfolded, function: &Function, error: Option<String>, contents: &BTreeMap<RelPath, Vec<u8>>) {
    let reason = error.unwrap_or_else(|| "the files it includes give another text now".to_owned());
    out.files.insert(function.path.clone(), text::to_bytes(&function.stored, false));
    let message = format!("written with its includes expanded: {reason}");
    out.findings.push(Finding::warning(&function.path, message));
    let listing: BTreeSet<RelPath> = out.attachments.keys().cloned().collect();
    let files = Files::from_maps(&out.files, contents).with_listing(&listing);
    let mut expander = Expander::new(&files);
    expander.code(&function.source, &function.path);
    let unread = expander.unread;
    out.wanted.extend(unread.iter().filter_map(|path| out.attachments.get(path).cloned()));
}

fn set(body: &mut Object, function: &Function, text: &str) {
    if let Some(place) = lookup_mut(body, &function.keys) {
        *place = Value::String(text.to_owned());
    }
}
