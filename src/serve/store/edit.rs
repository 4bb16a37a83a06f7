//! Where an edit joins the revisions of its document. Pure; the rules are those of `couch_db:prep_and_validate_*` and
//! `couch_db_updater:merge_rev_tree`.

use md5::{Digest as _, Md5};

use super::model::{Document, Edit, Upon};
use crate::couch;
use crate::hexadecimal;
use crate::name::Revision;
use crate::serve::tree::Tree;

/// What an edit is to the revisions that are there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joint {
    /// The revision is there, as CouchDB writes it.
    Known(Revision),
    /// It is not upon a leaf.
    Conflict,
    /// It can be stored once it is checked.
    New {
        /// The revision whose body it replaces.
        previous: Option<Revision>,
        /// What it is upon, newest first.
        ancestors: Vec<Revision>,
        /// It is a conflict all the same: CouchDB asks `validate_doc_update` before it sees that.
        is_late_conflict: bool,
    },
}

/// Finds the place of an edit.
pub(super) fn join(document: Option<&Document>, edit: &Edit) -> Joint {
    match &edit.upon {
        Upon::Leaf(parent) => join_leaf(document.map(|document| &document.tree), parent.as_ref(), edit),
        Upon::History(history) => join_history(document.map(|document| &document.tree), history),
    }
}

fn join_leaf(tree: Option<&Tree>, parent: Option<&Revision>, edit: &Edit) -> Joint {
    let new = |previous: Option<&Revision>, parent: Option<Revision>, is_late_conflict| Joint::New {
        previous: previous.cloned(),
        ancestors: parent.into_iter().collect(),
        is_late_conflict,
    };
    match (tree, parent) {
        (None, None) => new(None, None, false),
        (Some(tree), Some(parent)) if tree.is_leaf(parent) => {
            // What is deleted comes back as a new document only.
            new(Some(parent), Some(parent.clone()), tree.is_deleted())
        }
        // A new document, though it goes on where the tombstone stands. A tombstone upon a tombstone it cannot be.
        (Some(tree), None) if tree.is_deleted() => new(None, tree.winner().map(|leaf| leaf.revision), edit.is_deleted),
        (None, Some(parent)) if is_taken_unseen(edit) => new(None, Some(parent.clone()), false),
        _ => Joint::Conflict,
    }
}

/// CouchDB does not look at what is there when nothing is to be validated (`couch_db:before_docs_update`): then it takes a
/// document that it has never heard of upon whatever revision.
fn is_taken_unseen(edit: &Edit) -> bool {
    edit.attachments.is_empty() && !edit.id.starts_with("_design/")
}

fn join_history(tree: Option<&Tree>, history: &[Revision]) -> Joint {
    let Some((revision, ancestors)) = history.split_first() else { return Joint::Conflict };
    let known = tree.and_then(|tree| tree.history(revision)).and_then(|known| known.into_iter().next());
    // What is known by name only gets its body now.
    if let Some(known) = known.filter(|known| tree.is_some_and(|tree| tree.place(known).is_some())) {
        return Joint::Known(known);
    }
    // The first ancestor that is known tells the rest.
    let met = tree.and_then(|tree| {
        let path = ancestors.iter().find_map(|ancestor| tree.history(ancestor))?;
        path.into_iter().find(|ancestor| tree.place(ancestor).is_some())
    });
    Joint::New { previous: met, ancestors: ancestors.to_vec(), is_late_conflict: false }
}

/// The revision that CouchDB gives to an edit upon `parent`.
pub(super) fn revision(edit: &Edit, parent: Option<&Revision>) -> Option<Revision> {
    let attachments: Vec<_> = edit
        .attachments
        .iter()
        .map(|stored| (stored.name.as_str(), stored.content_type.as_str(), stored.blob.digest))
        .collect();
    couch::revision(edit.is_deleted, parent, &edit.members, &attachments).or_else(|| {
        // Not CouchDB's, where a number is of a kind whose text is not known: any hash over the same things.
        let digests: Vec<_> = attachments.iter().map(|(name, kind, digest)| (name, kind, digest.to_string())).collect();
        let parent_text = parent.map(Revision::as_str);
        let text = serde_json::to_vec(&(edit.is_deleted, parent_text, &edit.members, digests)).ok()?;
        let generation = parent.map_or(0, Revision::generation).checked_add(1)?;
        Revision::new(format!("{generation}-{}", hexadecimal::encode(&Md5::digest(text)))).ok()
    })
}
