//! Revisions of a document, opened: with their bodies, ancestors and what else the options ask for. Blocks.

use serde_json::{Value, json};

use super::options::{OpenRevs, Options};
use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::store::{Body, Database, Document};
use crate::serve::tree::Status;

/// One revision with everything that is told of it.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Opened {
    /// The document's id.
    pub(in crate::serve) id: String,
    /// The revision and its ancestors, newest first.
    pub(in crate::serve) history: Vec<Revision>,
    /// Whether it is a tombstone.
    pub(in crate::serve) is_deleted: bool,
    /// What it holds.
    pub(in crate::serve) body: Body,
    /// `_revs_info`, `_local_seq`, `_conflicts`, `_deleted_conflicts`
    pub(in crate::serve) meta: Object,
}

/// A revision that was asked for.
#[derive(Clone, Debug)]
pub(in crate::serve) enum Found {
    /// It is there.
    Opened(Box<Opened>),
    /// It is not.
    Missing(Revision),
}

impl Opened {
    /// The revision itself.
    pub(in crate::serve) fn revision(&self) -> Option<&Revision> {
        self.history.first()
    }
}

/// The winner of a document. A tombstone is found only when the options say so.
pub(in crate::serve) fn winner(database: &Database, id: &str, options: &Options) -> Result<Opened, Failure> {
    let missing = || Failure::not_found("missing");
    // In one look: the next write may drop the body, where few revisions are kept.
    let (document, body) = database.winners(&[id])?.pop().flatten().ok_or_else(missing)?;
    let leaf = document.tree.winner().ok_or_else(missing)?;
    if leaf.is_deleted && !options.deleted {
        return Err(Failure::not_found("deleted"));
    }
    let history = document.tree.history(&leaf.revision).unwrap_or_default();
    let meta = meta(&document, options);
    Ok(Opened { id: document.id, history, is_deleted: leaf.is_deleted, body, meta })
}

/// The revision that the options name, or the winner.
pub(in crate::serve) fn one(database: &Database, id: &str, options: &Options) -> Result<Opened, Failure> {
    if options.is_nowhere && !options.latest {
        return Err(Failure::not_found("missing"));
    }
    // CouchDB opens the winner for `latest`, whatever revision is named.
    let Some(wanted) = options.rev.as_ref().filter(|_| !options.latest) else {
        return winner(database, id, options);
    };
    let document = database.document(id)?.ok_or_else(|| Failure::not_found("missing"))?;
    revision(database, &document, wanted)?.ok_or_else(|| Failure::not_found("missing"))
}

/// A revision of a document that is at hand; `None` when it or its body is not there.
pub(in crate::serve) fn revision(
    database: &Database,
    document: &Document,
    wanted: &Revision,
) -> Result<Option<Opened>, Failure> {
    let Some(history) = document.tree.history(wanted) else { return Ok(None) };
    let Some(body) = database.body(&document.id, wanted)? else { return Ok(None) };
    let is_deleted = document.tree.status(wanted) == Some(Status::Deleted);
    Ok(Some(Opened { id: document.id.clone(), history, is_deleted, body, meta: Object::new() }))
}

/// The order of several revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Order {
    /// By generation and hash: `open_revs`.
    Ascending,
    /// As they stand in the tree, the youngest root first: `_bulk_get`.
    Tree,
}

fn rank(revision: &Revision) -> (u64, String) {
    (revision.generation(), revision.hash().to_owned())
}

/// The root, the greatest first, and then the way from there.
fn place_in_tree(document: &Document, revision: &Revision) -> (std::cmp::Reverse<(u64, String)>, Vec<String>) {
    let history = document.tree.history(revision).unwrap_or_default();
    let root = history.last().map(rank).unwrap_or_default();
    (std::cmp::Reverse(root), history.iter().rev().map(|revision| revision.hash().to_owned()).collect())
}

/// Several revisions, as `open_revs` and `_bulk_get` ask for them; nothing when all are asked for and there is none.
pub(in crate::serve) fn several(
    database: &Database,
    id: &str,
    wanted: &OpenRevs,
    is_latest: bool,
    order: Order,
) -> Result<Vec<Found>, Failure> {
    let document = database.document(id)?;
    let (mut found, mut missing) = match (wanted, &document) {
        (OpenRevs::All, None) => return Ok(Vec::new()),
        (OpenRevs::All, Some(document)) => {
            (document.tree.leaves().into_iter().map(|leaf| leaf.revision).collect(), vec![])
        }
        (OpenRevs::Some(revisions), None) => (Vec::new(), revisions.clone()),
        (OpenRevs::Some(revisions), Some(document)) => select(document, revisions, is_latest),
    };
    match (&document, order) {
        (Some(document), Order::Tree) => found.sort_by_cached_key(|revision| place_in_tree(document, revision)),
        _ => found.sort_by_cached_key(rank),
    }
    missing.sort_by_cached_key(rank);
    let mut results = Vec::new();
    if let Some(document) = &document {
        for wanted in found {
            results.push(match revision(database, document, &wanted)? {
                Some(opened) => Found::Opened(Box::new(opened)),
                None => Found::Missing(wanted),
            });
        }
    }
    results.extend(missing.into_iter().map(Found::Missing));
    Ok(results)
}

/// Which of the revisions are known, or with `latest` the leaves that came of them, and which are not.
fn select(document: &Document, wanted: &[Revision], is_latest: bool) -> (Vec<Revision>, Vec<Revision>) {
    let (known, missing): (Vec<_>, Vec<_>) =
        wanted.iter().cloned().partition(|revision| document.tree.contains(revision));
    if !is_latest {
        return (known, missing);
    }
    let mut leaves: Vec<Revision> = Vec::new();
    for leaf in known.iter().flat_map(|revision| document.tree.leaves_upon(revision)) {
        if !leaves.contains(&leaf.revision) {
            leaves.push(leaf.revision);
        }
    }
    (leaves, missing)
}

/// What the options ask for about a document's other revisions.
pub(in crate::serve) fn meta(document: &Document, options: &Options) -> Object {
    let mut meta = Object::new();
    if !options.asks_for_meta() {
        return meta;
    }
    let leaves = document.tree.leaves();
    if options.revs_info
        && let Some(winner) = leaves.first()
    {
        let history = document.tree.history(&winner.revision).unwrap_or_default();
        let infos = history.iter().map(|revision| {
            let status = match document.tree.status(revision) {
                Some(Status::Available) => "available",
                Some(Status::Deleted) => "deleted",
                Some(Status::Missing) | None => "missing",
            };
            json!({ "rev": revision.as_str(), "status": status })
        });
        meta.insert("_revs_info".to_owned(), infos.collect());
    }
    let others = |is_deleted: bool| -> Vec<Value> {
        let others = leaves.iter().skip(1).filter(|leaf| leaf.is_deleted == is_deleted);
        others.map(|leaf| leaf.revision.as_str().into()).collect()
    };
    for (is_wanted, key, is_deleted) in
        [(options.conflicts, "_conflicts", false), (options.deleted_conflicts, "_deleted_conflicts", true)]
    {
        let others = others(is_deleted);
        if is_wanted && !others.is_empty() {
            meta.insert(key.to_owned(), others.into());
        }
    }
    if options.local_seq {
        meta.insert("_local_seq".to_owned(), document.sequence.into());
    }
    meta
}
