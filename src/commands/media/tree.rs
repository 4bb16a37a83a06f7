//! A folder of files with the rules that hold for it.

use std::path::Path;

use anyhow::Result;

use crate::exit::{Exit, Failure};
use crate::filter::{Rules, Source};
use crate::local::{Folder, Links, Listing, ProblemKind, blocking, read_optional_text, read_text};
use crate::path::RelPath;
use crate::settings::media::Selection;

/// The largest file of rules, in bytes.
const RULES_LIMIT: u64 = 1 << 20;

/// A folder and what is in it.
pub(in crate::commands) struct Tree {
    pub folder: Folder,
    pub rules: Rules,
    pub listing: Listing,
}

/// Lists the folder at `path`.
pub(in crate::commands) async fn open_tree(path: &Path, rules: Rules) -> Result<Tree> {
    let folder = Folder::open(path, Links::Inside)?;
    let (walked, with) = (folder.clone(), rules.clone());
    let listing = blocking(move || walked.walk(&with)).await??;
    Ok(Tree { folder, rules, listing })
}

/// The rules for a folder: its `.couchappignore`, then what was typed. Nothing else is left out but this tool's own files.
pub(in crate::commands) fn rules(folder: &Path, selection: &Selection) -> Result<Rules> {
    let own = read_optional_text(&folder.join(".couchappignore"), RULES_LIMIT)?;
    let mut files = Vec::new();
    for path in &selection.exclude_from {
        files.push((path.display().to_string(), read_text(path, RULES_LIMIT)?));
    }
    let mut sources = Vec::new();
    sources.extend(own.as_deref().map(|text| Source::CouchappIgnore { file: ".couchappignore", text }));
    sources.extend(files.iter().map(|(file, text)| Source::Patterns { file, text }));
    sources.extend(selection.exclude.iter().map(|pattern| Source::Exclude(pattern)));
    sources.extend(selection.include.iter().map(|pattern| Source::Include(pattern)));
    Rules::only(&sources)
        .map_err(|error| Failure::new(Exit::Usage, format!("a rule cannot be read: {error}")).because(error).into())
}

impl Tree {
    /// The deepest folders that hold nothing at all.
    pub(in crate::commands) fn empty_folders(&self) -> Vec<&RelPath> {
        let listing = &self.listing;
        let files = listing.files.iter().map(|file| &file.path);
        let inhabited: std::collections::BTreeSet<&str> = files
            .chain(listing.ignored.iter().map(|ignored| &ignored.path))
            .chain(&listing.directories)
            .flat_map(RelPath::ancestors)
            .collect();
        let unread = |folder: &&RelPath| !listing.problems.iter().any(|problem| problem.path == folder.as_str());
        listing.directories.iter().filter(|folder| !inhabited.contains(folder.as_str())).filter(unread).collect()
    }

    /// Whether something could not be looked at, so that nothing may be concluded from a file that is missing.
    pub(in crate::commands) fn is_incomplete(&self) -> bool {
        self.listing.problems.iter().any(|problem| !matches!(problem.kind, ProblemKind::Special(_)))
    }
}
