//! Bringing an earlier clone up to date: a three-way merge, file by file.

use std::collections::{BTreeMap, BTreeSet};

use similar::TextMerge;

use crate::path::RelPath;

/// A file on one side of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// A file that becomes a member of the document; its bytes are at hand.
    Field(Vec<u8>),
    /// An attachment, by a text that is equal exactly when the bytes are.
    Attachment(String),
}

/// The files of one side of a merge, by path.
pub type Files = BTreeMap<RelPath, File>;

/// Whether two contents of the field file at a path mean the same.
pub type SameField<'a> = &'a dyn Fn(&RelPath, &[u8], &[u8]) -> bool;

/// The three sides of a merge.
pub struct MergeInput<'a> {
    /// The folder.
    pub ours: &'a Files,
    /// The folder as it was cloned or last pushed; `None` when nothing is known.
    pub base: Option<&'a Files>,
    /// The folder as a fresh clone would write it.
    pub theirs: &'a Files,
    /// Whether two fields mean the same to a push (a reformatted `.json` file, a final line feed).
    pub same: SameField<'a>,
    /// Take their version of everything that both sides have or that the base knows.
    pub force: bool,
}

/// What to do with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Fetch the attachment that this path stands for.
    Fetch,
    /// Remove the file.
    Remove,
}

/// The result of a merge. Files in none of the lists are the same on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// What has to be done, by path.
    pub actions: BTreeMap<RelPath, Merge>,
    /// Files with changes of ours that stay.
    pub kept: Vec<RelPath>,
    /// Files that both sides changed, in different places; the merged text is among the actions.
    pub combined: Vec<RelPath>,
    /// Files that both sides changed in a way that nobody can merge: nothing is done about them.
    pub clashes: Vec<RelPath>,
}

/// Merges file by file.
pub fn merge(input: &MergeInput<'_>) -> Merged {
    let nothing = BTreeMap::new();
    let base = input.base.unwrap_or(&nothing);
    let paths: BTreeSet<&RelPath> = input.ours.keys().chain(input.theirs.keys()).collect();
    let mut merged = Merged::default();
    for path in paths {
        let (ours, base, theirs) = (input.ours.get(path), base.get(path), input.theirs.get(path));
        let same = |left, right| same(input, path, left, right);
        if same(ours, theirs) {
            continue;
        }
        let take_theirs = same(ours, base) || (input.force && (theirs.is_some() || base.is_some()));
        if take_theirs {
            merged.actions.insert(path.clone(), take(theirs));
        } else if same(theirs, base) {
            merged.kept.push(path.clone());
        } else if let Some(text) = combine(ours, base, theirs) {
            merged.actions.insert(path.clone(), Merge::Write(text));
            merged.combined.push(path.clone());
        } else {
            merged.clashes.push(path.clone());
        }
    }
    merged
}

fn same(input: &MergeInput<'_>, path: &RelPath, left: Option<&File>, right: Option<&File>) -> bool {
    match (left, right) {
        (Some(File::Field(left)), Some(File::Field(right))) => left == right || (input.same)(path, left, right),
        (left, right) => left == right,
    }
}

fn take(theirs: Option<&File>) -> Merge {
    match theirs {
        Some(File::Field(bytes)) => Merge::Write(bytes.clone()),
        Some(File::Attachment(_)) => Merge::Fetch,
        None => Merge::Remove,
    }
}

/// The text with both sides' changes, if all three are text and the changes do not touch.
fn combine(ours: Option<&File>, base: Option<&File>, theirs: Option<&File>) -> Option<Vec<u8>> {
    let (Some(File::Field(ours)), Some(File::Field(base)), Some(File::Field(theirs))) = (ours, base, theirs) else {
        return None;
    };
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let merge = TextMerge::from_lines(text(base)?, text(ours)?, text(theirs)?);
    (!merge.is_conflicted()).then(|| merge.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder(files: &[(&str, &str)]) -> BTreeMap<RelPath, File> {
        let file = |text: &str| match text.strip_prefix('@') {
            Some(digest) => File::Attachment(digest.into()),
            None => File::Field(text.into()),
        };
        files.iter().map(|(path, text)| (RelPath::new(*path).unwrap(), file(text))).collect()
    }

    fn run(ours: &[(&str, &str)], base: Option<&[(&str, &str)]>, theirs: &[(&str, &str)], force: bool) -> Merged {
        let (ours, base, theirs) = (folder(ours), base.map(folder), folder(theirs));
        let same = |_: &RelPath, left: &[u8], right: &[u8]| left.trim_ascii() == right.trim_ascii();
        merge(&MergeInput { ours: &ours, base: base.as_ref(), theirs: &theirs, same: &same, force })
    }

    fn names(paths: &[RelPath]) -> Vec<&str> {
        paths.iter().map(RelPath::as_str).collect()
    }

    #[test]
    fn each_side_keeps_its_own_changes() {
        let base = [("mine", "1"), ("theirs", "1"), ("gone-there", "1"), ("gone-here", "1"), ("att", "@1")];
        let ours = [("mine", "2"), ("theirs", "1"), ("gone-there", "1"), ("new-here", "1"), ("att", "@1")];
        let theirs = [("mine", "1"), ("theirs", "2"), ("gone-here", "1"), ("new-there", "1"), ("att", "@2")];
        let merged = run(&ours, Some(&base), &theirs, false);
        let actions: Vec<_> = merged.actions.iter().map(|(path, action)| (path.as_str(), action.clone())).collect();
        assert_eq!(
            actions,
            [
                ("att", Merge::Fetch),
                ("gone-there", Merge::Remove),
                ("new-there", Merge::Write(b"1".to_vec())),
                ("theirs", Merge::Write(b"2".to_vec())),
            ]
        );
        assert_eq!(names(&merged.kept), ["gone-here", "mine", "new-here"]);
        assert!(merged.clashes.is_empty());
    }

    #[test]
    fn changes_in_different_places_of_one_file_are_combined() {
        let merged = run(&[("f", "A\nb\nc\n")], Some(&[("f", "a\nb\nc\n")]), &[("f", "a\nb\nC\n")], false);
        assert_eq!(merged.actions.values().next(), Some(&Merge::Write(b"A\nb\nC\n".to_vec())));
        assert_eq!(names(&merged.combined), ["f"]);
    }

    #[test]
    fn what_nobody_can_merge_is_a_clash_and_left_alone() {
        let base: &[(&str, &str)] = &[("f", "a\n"), ("d", "1"), ("x", "@1")];
        let merged = run(&[("f", "b\n"), ("d", "2"), ("x", "@2")], Some(base), &[("f", "c\n"), ("x", "@3")], false);
        assert_eq!(names(&merged.clashes), ["d", "f", "x"]);
        assert!(merged.actions.is_empty());
        let forced = run(&[("f", "b\n"), ("own", "1")], Some(base), &[("f", "c\n")], true);
        assert_eq!(forced.actions.len(), 1);
        assert_eq!(names(&forced.kept), ["own"]);
    }

    #[test]
    fn without_a_base_every_difference_is_a_clash() {
        let merged = run(&[("f", "b"), ("own", "1"), ("same", "x\n")], None, &[("f", "c"), ("same", "x")], false);
        assert_eq!(names(&merged.clashes), ["f"]);
        assert_eq!(names(&merged.kept), ["own"]);
        assert!(merged.actions.is_empty());
    }

    proptest! {
        #[test]
        fn an_untouched_folder_becomes_theirs(base in any_folder(), theirs in any_folder()) {
            let same = |_: &RelPath, _: &[u8], _: &[u8]| false;
            let input = MergeInput { ours: &base, base: Some(&base), theirs: &theirs, same: &same, force: false };
            let merged = merge(&input);
            prop_assert!(merged.clashes.is_empty() && merged.kept.is_empty() && merged.combined.is_empty());
            let mut result = base.clone();
            for (path, action) in merged.actions {
                match action {
                    Merge::Write(bytes) => { result.insert(path, File::Field(bytes)); }
                    Merge::Fetch => { result.insert(path.clone(), theirs[&path].clone()); }
                    Merge::Remove => { result.remove(&path); }
                }
            }
            prop_assert_eq!(result, theirs);
        }
    }

    fn any_folder() -> impl Strategy<Value = BTreeMap<RelPath, File>> {
        let file =
            prop_oneof!["[ab]\n[cd]\n".prop_map(|text| File::Field(text.into())), "[12]".prop_map(File::Attachment)];
        proptest::collection::btree_map("[a-e]".prop_map(|name| RelPath::new(name).unwrap()), file, 0..5)
    }
}
