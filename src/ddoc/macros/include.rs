//! The files that can be included, and the patterns that name them.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobBuilder;

use super::super::{Sources, layout};
use crate::path::RelPath;

/// Files of an app's folder, as far as loaded.
pub(in super::super) struct Files<'a> {
    root: Option<&'a RelPath>,
    loaded: [&'a BTreeMap<RelPath, Vec<u8>>; 2],
    listing: Option<&'a BTreeSet<RelPath>>,
}

impl<'a> Files<'a> {
    pub(in super::super) fn of(sources: &'a Sources) -> Self {
        Self { root: sources.root.as_ref(), loaded: [&sources.fields, &sources.includes], listing: None }
    }

    /// A folder without a root of its own.
    pub(in super::super) fn from_maps(
        fields: &'a BTreeMap<RelPath, Vec<u8>>,
        others: &'a BTreeMap<RelPath, Vec<u8>>,
    ) -> Self {
        Self { root: None, loaded: [fields, others], listing: None }
    }

    /// Names of further files, which are known but not loaded.
    pub(in super::super) fn with_listing(mut self, listing: &'a BTreeSet<RelPath>) -> Self {
        self.listing = Some(listing);
        self
    }

    pub(super) fn get(&self, path: &RelPath) -> Option<&'a [u8]> {
        self.loaded.iter().find_map(|files| files.get(path)).map(Vec::as_slice)
    }

    /// The files that `pattern` names, ordered by bytes: never none, never one outside of the app.
    pub(super) fn resolve(&self, pattern: &str) -> Result<Vec<RelPath>, String> {
        let normal = normal(pattern.trim())?;
        let bases = [self.root.map(RelPath::as_str), None];
        let bases = if self.root.is_some() { &bases[..] } else { &bases[1..] };
        for base in bases {
            let full = base.map_or_else(|| normal.clone(), |base| format!("{base}/{normal}"));
            if let Ok(path) = RelPath::new(full.as_str())
                && self.has(&path)
            {
                return Ok(vec![path]);
            }
            let found = self.matching(&full);
            if !found.is_empty() {
                return Ok(found);
            }
            if self.names().any(|path| path.below(&full).is_some()) {
                return Err(format!("`{normal}` is a folder"));
            }
        }
        Err(format!("no file matches `{normal}`"))
    }

    fn has(&self, path: &RelPath) -> bool {
        let is_listed = self.listing.is_some_and(|listing| listing.contains(path));
        (is_listed || self.get(path).is_some()) && !layout::is_own(path.first())
    }

    /// All names; our own configuration, which may hold passwords, is nobody's include.
    fn names(&self) -> impl Iterator<Item = &'a RelPath> {
        let listing = self.listing.into_iter().flatten();
        self.loaded.into_iter().flat_map(BTreeMap::keys).chain(listing).filter(|path| !layout::is_own(path.first()))
    }

    fn matching(&self, pattern: &str) -> Vec<RelPath> {
        if !pattern.contains(['*', '?', '[']) {
            return Vec::new();
        }
        let glob = GlobBuilder::new(&as_globset(pattern)).literal_separator(true).backslash_escape(false).build();
        let Ok(glob) = glob else { return Vec::new() };
        let matcher = glob.compile_matcher();
        let found: BTreeSet<&RelPath> =
            self.names().filter(|path| matcher.is_match(path.as_str()) && shows_hidden(pattern, path)).collect();
        found.into_iter().cloned().collect()
    }
}

/// Takes `.` and `..` away, as a file system would.
fn normal(pattern: &str) -> Result<String, String> {
    if pattern.starts_with('/') {
        return Err(format!("`{pattern}` is outside of the app"));
    }
    let mut components: Vec<&str> = Vec::new();
    for component in pattern.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                if components.pop().is_none() {
                    return Err(format!("`{pattern}` is outside of the app"));
                }
            }
            _ => components.push(component),
        }
    }
    if components.is_empty() { Err("names no file".to_owned()) } else { Ok(components.join("/")) }
}

/// The original's patterns know `*`, `?` and `[…]` only: no `**` across folders, no `{a,b}`.
fn as_globset(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut in_class = false;
    for character in pattern.chars() {
        match character {
            '{' | '}' if !in_class => {
                text.extend(['[', character, ']']);
                continue;
            }
            '*' if !in_class && text.ends_with('*') => continue,
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        text.push(character);
    }
    text
}

/// A wildcard at the start of a component does not match a leading dot.
fn shows_hidden(pattern: &str, path: &RelPath) -> bool {
    pattern.split('/').zip(path.components()).all(|(part, name)| !name.starts_with('.') || part.starts_with('.'))
}
