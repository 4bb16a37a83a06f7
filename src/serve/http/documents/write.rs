//! Documents into the store: upon which revision, with which attachments, and what became of it. Blocks.

use serde_json::{Value, json};

use super::hooks::{self, Checks};
use super::incoming::{Attachment, Incoming, Source};
use super::local;
use super::storing::{self, Form};
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::http::request::Place;
use crate::serve::store::{Body, Database, Document, Edit, Outcome, Refusal, Stored, Upon};
use crate::serve::tree::Status;
use crate::serve::users::User;

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Fate {
    /// It is stored as this revision.
    Stored(String),
    /// It is not upon a leaf.
    Conflict,
    /// It was refused.
    Refused(Refusal),
}

impl Fate {
    /// The revision, or the error that a single write answers.
    pub(in crate::serve) fn into_revision(self) -> Result<String, Failure> {
        match self {
            Self::Stored(revision) => Ok(revision),
            Self::Conflict => Err(Failure::conflict()),
            Self::Refused(refusal) => Err(Failure::new(refusal.status, refusal.error, refusal.reason)),
        }
    }

    /// The row of a bulk answer.
    pub(in crate::serve) fn row(self, id: &str) -> Value {
        match self.into_revision() {
            Ok(revision) => json!({ "ok": true, "id": id, "rev": revision }),
            Err(failure) => json!({ "id": id, "error": failure.error, "reason": failure.reason }),
        }
    }
}

/// What is done with a document of a batch.
enum Plan {
    Write(Edit),
    Settled(Fate),
}

/// Stores one document.
pub(in crate::serve) fn one(
    place: &Place,
    user: &User,
    document: Incoming,
    is_replicated: bool,
) -> Result<String, Failure> {
    let fate = many(place, user, vec![document], is_replicated)?.pop();
    fate.unwrap_or(Fate::Conflict).into_revision()
}

/// Stores documents in order.
pub(in crate::serve) fn many(
    place: &Place,
    user: &User,
    mut documents: Vec<Incoming>,
    is_replicated: bool,
) -> Result<Vec<Fate>, Failure> {
    for document in &mut documents {
        document.check_attachment_names()?;
        hooks::before_write(place, user, document)?;
    }
    let ids: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    let known = place.database.documents(&ids)?;
    let plans = documents.into_iter().zip(known);
    let plans = plans.map(|(document, known)| plan(&place.database, document, known.as_ref(), is_replicated));
    let plans = plans.collect::<Result<Vec<_>, _>>()?;
    carry_out(place, user, plans)
}

fn carry_out(place: &Place, user: &User, plans: Vec<Plan>) -> Result<Vec<Fate>, Failure> {
    let mut edits = Vec::new();
    let settled: Vec<Option<Fate>> = plans
        .into_iter()
        .map(|plan| match plan {
            Plan::Write(edit) => {
                edits.push(edit);
                None
            }
            Plan::Settled(fate) => Some(fate),
        })
        .collect();
    let outcomes = if edits.is_empty() {
        Vec::new()
    } else {
        let checks = Checks::gather(place, user)?;
        place.database.write(edits, &|edit, before| checks.check(edit, before))?
    };
    let mut outcomes = outcomes.into_iter();
    let fates = settled.into_iter().map(|fate| {
        fate.unwrap_or_else(|| match outcomes.next() {
            Some(Outcome::Stored(revision)) => Fate::Stored(revision.to_string()),
            Some(Outcome::Refused(refusal)) => Fate::Refused(refusal),
            Some(Outcome::Conflict) | None => Fate::Conflict,
        })
    });
    Ok(fates.collect())
}

/// Whether a write upon `revision` has a chance, before its bytes are read: a conflict is answered at once then.
pub(in crate::serve) fn has_chance(known: Option<&Document>, revision: Option<&Revision>) -> bool {
    match (known, revision) {
        // CouchDB takes a document that it has never heard of upon whatever revision.
        (None, _) => true,
        (Some(document), None) => document.tree.is_deleted(),
        (Some(document), Some(revision)) => document.tree.is_leaf(revision),
    }
}

fn plan(
    database: &Database,
    document: Incoming,
    known: Option<&Document>,
    is_replicated: bool,
) -> Result<Plan, Failure> {
    if document.id.starts_with("_local/") {
        return Ok(Plan::Settled(Fate::Stored(local::write(database, &document)?)));
    }
    if is_replicated { plan_replicated(database, document, known) } else { plan_edit(database, document, known) }
}

fn plan_edit(database: &Database, document: Incoming, known: Option<&Document>) -> Result<Plan, Failure> {
    let parent = match document.revision() {
        // Generation 0 is of local documents: upon nothing that is here.
        Some(Err(_)) => return Ok(Plan::Settled(Fate::Conflict)),
        parent => parent.transpose()?,
    };
    if known.is_none() && document.has_stubs() {
        return Err(missing_stub(&document.id, &document.attachments[0].name));
    }
    // But not as the very first one.
    let is_first = known.is_none() && parent.is_some() && database.info()?.sequence == 0;
    if is_first || !has_chance(known, parent.as_ref()) {
        return Ok(Plan::Settled(Fate::Conflict));
    }
    let before = match &parent {
        Some(parent) if document.has_stubs() => database.body(&document.id, parent)?,
        _ => None,
    };
    let upon = parent.clone().or_else(|| known.and_then(|document| document.tree.winner()).map(|leaf| leaf.revision));
    // Whoever names the last generation of all gets no other behind it.
    let Some(generation) = upon.map_or(0, |revision| revision.generation()).checked_add(1) else {
        return Ok(Plan::Settled(Fate::Conflict));
    };
    let attachments = stored(database, &document, before.as_ref(), |_| generation)?;
    Ok(Plan::Write(edit(document, attachments, Upon::Leaf(parent))))
}

fn plan_replicated(database: &Database, document: Incoming, known: Option<&Document>) -> Result<Plan, Failure> {
    let history = document.history()?;
    let Some(newest) = history.first() else {
        let reason = "When `new_edits: false`, the document needs `_rev` or `_revisions` specified";
        return Err(Failure::bad_request(reason));
    };
    let status = known.and_then(|known| known.tree.status(newest));
    if status.is_some_and(|status| status != Status::Missing) {
        return Ok(Plan::Settled(Fate::Stored(newest.to_string())));
    }
    let mut before = None;
    if document.has_stubs() {
        // The nearest ancestor that is here.
        for ancestor in &history[1..] {
            before = database.body(&document.id, ancestor)?;
            if before.is_some() {
                break;
            }
        }
    }
    let attachments = stored(database, &document, before.as_ref(), |given| given.unwrap_or(0))?;
    Ok(Plan::Write(edit(document, attachments, Upon::History(history))))
}

fn edit(document: Incoming, attachments: Vec<Stored>, upon: Upon) -> Edit {
    Edit { id: document.id, members: document.members, attachments, is_deleted: document.is_deleted, upon }
}

/// The attachments of a document: stubs from the revision before, everything else into the store.
fn stored(
    database: &Database,
    document: &Incoming,
    before: Option<&Body>,
    revpos: impl Fn(Option<u64>) -> u64,
) -> Result<Vec<Stored>, Failure> {
    // All stubs first: what is refused has stored nothing.
    for attachment in document.attachments.iter().filter(|attachment| attachment.source == Source::Stub) {
        if kept(attachment, before).is_none() {
            return Err(missing_stub(&document.id, &attachment.name));
        }
    }
    let store = |attachment: &Attachment| {
        let blob = match &attachment.source {
            Source::Stub => {
                return kept(attachment, before).ok_or_else(|| missing_stub(&document.id, &attachment.name));
            }
            Source::Inline(data) => storing::whole(database, Form::of(&attachment.content_type), data)?,
            Source::Stored(blob) => {
                let (name, content_type) = (attachment.name.clone(), attachment.content_type.clone());
                let revpos = attachment.revpos.unwrap_or_else(|| revpos(None));
                return Ok(Stored { name, content_type, revpos, blob: blob.clone() });
            }
            Source::Follows(_) => {
                return Err(Failure::bad_request(format!("no part follows for attachment {}", attachment.name)));
            }
        };
        let (name, content_type) = (attachment.name.clone(), attachment.content_type.clone());
        Ok(Stored { name, content_type, revpos: revpos(attachment.revpos), blob })
    };
    document.attachments.iter().map(store).collect()
}

/// What a stub stands for.
fn kept(stub: &Attachment, before: Option<&Body>) -> Option<Stored> {
    let stored = before?.attachments.iter().find(|stored| stored.name == stub.name)?;
    stub.revpos.is_none_or(|revpos| revpos == stored.revpos).then(|| stored.clone())
}

fn missing_stub(id: &str, name: &str) -> Failure {
    Failure::new(412, "missing_stub", format!("Invalid attachment stub in {id} for {name}"))
}
