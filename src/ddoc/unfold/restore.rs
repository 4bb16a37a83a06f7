//! The sources of expanded functions.
//!
//! A source is put back only if expanding it over the cloned folder gives exactly the stored text; a clone that pushes
//! something else than it got would rebuild indexes, or worse. As every source may include files that are sources
//! themselves, all are put back first and taken away again, one after the other, until the rest is right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::fold::{lookup, lookup_mut};
use super::super::macros::{Expander, Files, places};
use super::super::names::is_json;
use super::super::{KeyPath, UnfoldOptions, Unfolded, text};
use super::Document;
use crate::json::Object;
use crate::name::DocId;
use crate::path::RelPath;

/// Of up to so many includes, all combinations of their ends are tried.
const MAX_TRIED: usize = 5;

/// One function that was expanded when it was pushed.
struct Function {
    keys: KeyPath,
    path: RelPath,
    stored: String,
    /// Further texts that the source may have been.
    others: Vec<String>,
    source: String,
}

/// The functions whose source is recorded, if macros are expanded at all.
pub(super) fn known_sources(document: &Document<'_>) -> BTreeSet<KeyPath> {
    if !document.id.is_design() || document.recorded.objects.is_empty() {
        return BTreeSet::new();
    }
    let is_recorded = |keys: &KeyPath| {
        let stored = lookup(&document.content, keys).and_then(Value::as_str);
        stored.is_some_and(|stored| !recorded(document, stored).is_empty())
    };
    places(&document.content).into_iter().filter(is_recorded).collect()
}

/// The texts that `stored` may have been before it was expanded, the best one last.
fn recorded(document: &Document<'_>, stored: &str) -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for source in document.recorded.sources_of(stored) {
        // Text that was taken over from a stripped deployment has a stripped source.
        sources.push(text::trimmed(&source).to_owned());
        sources.push(source);
    }
    sources.retain(|source| source != stored);
    sources.dedup();
    sources
}

/// Puts the recorded sources into the files of `out`; returns the functions for which that is wrong, and why.
pub(super) fn sources(
    out: &mut Unfolded,
    document: &Document<'_>,
    options: &UnfoldOptions<'_>,
) -> BTreeMap<KeyPath, String> {
    let mut functions = functions(out, document);
    let contents = loaded(out, options);
    for function in &functions {
        out.files.insert(function.path.clone(), text::to_bytes(&function.source, false));
    }
    // Every round but the last changes something, and nothing is changed twice.
    let mut restoring = Restoring { contents, changed: BTreeSet::new(), given_up: BTreeMap::new() };
    while restoring.round(out, document, &mut functions) {}
    restoring.given_up
}

/// The functions with a recorded source that have a file of their own, in the order of expansion.
fn functions(out: &Unfolded, document: &Document<'_>) -> Vec<Function> {
    let mut functions = Vec::new();
    for keys in places(&document.content).into_iter().filter(|keys| document.sources.contains(keys)) {
        let stored = lookup(&document.content, &keys).and_then(Value::as_str);
        let (Some(stored), Some(path)) = (stored, out.origins.get(&keys)) else { continue };
        let mut others = recorded(document, stored);
        if let (Some(source), false) = (others.pop(), is_json(path.name())) {
            functions.push(Function { path: path.clone(), stored: stored.to_owned(), keys, others, source });
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

/// What is known while sources are tried.
struct Restoring {
    contents: BTreeMap<RelPath, Vec<u8>>,
    /// Files whose final line feed was taken away or added.
    changed: BTreeSet<RelPath>,
    given_up: BTreeMap<KeyPath, String>,
}

impl Restoring {
    /// Checks every source in the order of expansion; whether anything was changed, so that all must be checked again.
    fn round(&mut self, out: &mut Unfolded, document: &Document<'_>, functions: &mut Vec<Function>) -> bool {
        let mut body = document.content.clone();
        for function in &*functions {
            set(&mut body, function, &function.source);
        }
        let mut changed = false;
        let mut index = 0;
        while let Some(function) = functions.get(index) {
            set(&mut body, function, &function.source);
            let (expanded, used) = self.expand(out, function, &body, document.id);
            if expanded.as_ref() == Ok(&function.stored) {
                set(&mut body, function, &function.stored);
                index += 1;
                continue;
            }
            changed = true;
            if self.change_ends(out, functions, index, &body, document.id, &used) {
                continue;
            }
            let function = &mut functions[index];
            if let Some(other) = function.others.pop() {
                out.files.insert(function.path.clone(), text::to_bytes(&other, false));
                function.source = other;
                continue;
            }
            self.give_up(out, function, expanded.err());
            set(&mut body, function, &function.stored);
            functions.remove(index);
        }
        changed
    }

    /// The function's source as the folder would expand it, and the files it includes; or why it cannot be expanded.
    fn expand(
        &self,
        out: &Unfolded,
        function: &Function,
        body: &Object,
        id: &DocId,
    ) -> (Result<String, String>, BTreeSet<RelPath>) {
        let files = Files::from_maps(&out.files, &self.contents);
        let mut expander = Expander::new(&files);
        let expanded = expander.function(&function.source, &function.path, body, id);
        match expander.errors.first() {
            None => (Ok(expanded), expander.used),
            Some(error) => (Err(error.message.clone()), expander.used),
        }
    }

    /// A field does not tell whether its file ended with a line feed, but an expansion does: changes the ends of
    /// included files so that the function gives the stored text, and as many of the others as possible give theirs.
    /// Of many includes, changes the first one that makes the expansion agree longer; `false` when nothing helps.
    fn change_ends(
        &mut self,
        out: &mut Unfolded,
        functions: &[Function],
        index: usize,
        body: &Object,
        id: &DocId,
        used: &BTreeSet<RelPath>,
    ) -> bool {
        let free = used.iter().filter(|path| !self.changed.contains(*path) && !is_json(path.name()));
        let ends: Vec<Ends> = free.filter_map(|path| Ends::of(path, out.files.get(path)?)).collect();
        let few = ends.len() <= MAX_TRIED;
        let choices = if few { subsets(ends.len()) } else { (0..ends.len()).map(|end| vec![end]).collect() };
        let before = self.agreement(out, &functions[index], body, id);
        let mut best: Option<(usize, Vec<usize>)> = None;
        for choice in choices {
            apply(out, &ends, &choice, |end| &end.other);
            let after = self.agreement(out, &functions[index], body, id);
            if after == Agreement::Whole || (!few && after > before) {
                let whole = |function: &&Function| self.agreement(out, function, body, id) == Agreement::Whole;
                let served = functions.iter().filter(whole).count();
                if best.as_ref().is_none_or(|(most, _)| served > *most) {
                    best = Some((served, choice.clone()));
                }
            }
            apply(out, &ends, &choice, |end| &end.now);
        }
        let Some((_, choice)) = best else { return false };
        apply(out, &ends, &choice, |end| &end.other);
        self.changed.extend(choice.iter().map(|end| ends[*end].path.clone()));
        true
    }

    fn agreement(&self, out: &Unfolded, function: &Function, body: &Object, id: &DocId) -> Agreement {
        let Ok(expanded) = self.expand(out, function, body, id).0 else { return Agreement::None };
        if expanded == function.stored {
            return Agreement::Whole;
        }
        let pairs = expanded.bytes().zip(function.stored.bytes());
        Agreement::Start(pairs.take_while(|(left, right)| left == right).count())
    }

    /// Writes the expanded text instead of the source.
    fn give_up(&mut self, out: &mut Unfolded, function: &Function, error: Option<String>) {
        let reason = error.unwrap_or_else(|| "the files it includes give another text now".to_owned());
        out.files.insert(function.path.clone(), text::to_bytes(&function.stored, false));
        self.given_up.insert(function.keys.clone(), reason);
        let listing: BTreeSet<RelPath> = out.attachments.keys().cloned().collect();
        let files = Files::from_maps(&out.files, &self.contents).with_listing(&listing);
        let mut expander = Expander::new(&files);
        expander.code(&function.source, &function.path);
        let unread = expander.unread;
        out.wanted.extend(unread.iter().filter_map(|path| out.attachments.get(path).cloned()));
    }
}

/// How far an expansion is the stored text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    None,
    Start(usize),
    Whole,
}

/// An included file as it is, and with the other end that gives the same field.
struct Ends {
    path: RelPath,
    now: Vec<u8>,
    other: Vec<u8>,
}

impl Ends {
    fn of(path: &RelPath, now: &[u8]) -> Option<Self> {
        let other = match now {
            [] => vec![b'\n'],
            // One more line feed would belong to the field.
            [text @ .., b'\n'] if !text.is_empty() && !text.ends_with(b"\n") => text.to_vec(),
            _ => return None,
        };
        Some(Self { path: path.clone(), now: now.to_vec(), other })
    }
}

/// All choices of at least one out of `count`, small ones first.
fn subsets(count: usize) -> Vec<Vec<usize>> {
    let mut subsets: Vec<Vec<usize>> =
        (1..1_usize << count).map(|mask| (0..count).filter(|index| mask >> index & 1 == 1).collect()).collect();
    subsets.sort_by_key(Vec::len);
    subsets
}

fn apply(out: &mut Unfolded, ends: &[Ends], choice: &[usize], bytes: impl Fn(&Ends) -> &Vec<u8>) {
    for end in choice.iter().map(|index| &ends[*index]) {
        out.files.insert(end.path.clone(), bytes(end).clone());
    }
}

fn set(body: &mut Object, function: &Function, text: &str) {
    if let Some(place) = lookup_mut(body, &function.keys) {
        *place = Value::String(text.to_owned());
    }
}
