//! The server's side of a media folder: which files its documents hold.
//!
//! What is known of it is kept in the ledger, with the point in the database's history at which it was true; from then on
//! only what changed is asked for. Without such a point, or where the server does not take it, everything is listed.

use std::collections::HashMap;

use crate::couch::digest::Digest;
use crate::couch::{Change, CouchError, Database, Document, IdRange, Info, Sequence, Stub, Unreadable};
use crate::local::{Held, Ledger};
use crate::media::{self, Record};
use crate::name::{AttName, DocId};
use crate::path::RelPath;

/// Documents asked for in one page of a listing, or by their ids.
const PAGE: usize = 2000;
/// Changes asked for at once.
const CHANGES: u64 = 10_000;

/// Where in a database a folder is filed: all of its paths below `prefix`, as documents or as attachments of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The document whose attachments the files are; `None`: each file has a document of its own.
    pub document: Option<DocId>,
    /// The folder in the database; `None` is its root.
    pub prefix: Option<RelPath>,
    /// Paths in the folder keep the prefix: it selects, it is not taken off.
    pub whole: bool,
}

impl Scope {
    /// What tells this part of a database from others, for the memory. Both directions have the same.
    pub fn name(&self) -> String {
        self.prefix.as_ref().map_or_else(String::new, ToString::to_string)
    }

    /// The path in the database of a path in the folder.
    pub fn filed(&self, path: &RelPath) -> RelPath {
        let prefix = self.prefix.as_ref().filter(|_| !self.whole);
        let below = prefix.and_then(|prefix| prefix.join(path.as_str()).ok());
        below.unwrap_or_else(|| path.clone())
    }

    /// The path in the folder of a path in the database; `None` for what is filed elsewhere.
    pub fn local(&self, filed: &RelPath) -> Option<RelPath> {
        match &self.prefix {
            Some(prefix) if self.whole => filed.below(prefix.as_str()).map(|_| filed.clone()),
            Some(prefix) => filed.below(prefix.as_str()),
            None => Some(filed.clone()),
        }
    }

    /// The document of a file of the folder.
    pub fn id(&self, path: &RelPath) -> DocId {
        self.document.clone().unwrap_or_else(|| media::document_id(&self.filed(path)))
    }

    /// The attachment that a file of the folder is.
    pub fn attachment(&self, path: &RelPath) -> AttName {
        let filed = self.filed(path);
        let whole = self.document.as_ref().and_then(|_| media::attachment_name(filed.as_str()));
        whole.unwrap_or_else(|| media::file_attachment(&filed))
    }

    /// The file of the folder that an attachment of the one document is.
    pub fn path_of_attachment(&self, name: &AttName) -> Option<RelPath> {
        let filed = RelPath::new(media::unescaped(name.as_str())).ok()?;
        if media::attachment_name(filed.as_str()).as_ref() == Some(name) { self.local(&filed) } else { None }
    }

    /// The file of the folder whose document has this id.
    pub fn path_of(&self, id: &str) -> Option<RelPath> {
        let filed = RelPath::new(media::unescaped(id)).ok()?;
        if media::document_id(&filed).as_str() == id { self.local(&filed) } else { None }
    }

    /// The ids of all documents that can be files of the folder.
    pub fn range(&self) -> IdRange {
        match &self.prefix {
            Some(prefix) => IdRange::prefix(&format!("{}/", media::document_id(prefix))),
            None => IdRange::default(),
        }
    }
}

/// What a document holds for the ledger: keys, which are paths of the folder, and what stands behind each.
pub type Take<'a> = dyn FnMut(&Document) -> Vec<(Box<str>, Held)> + Send + 'a;

/// What was found beside the files.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// Documents with leaf revisions that lost against the one that is read.
    pub conflicts: Vec<DocId>,
    /// Documents that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Everything was listed, not only what changed.
    pub listed: bool,
    /// Something had changed since.
    pub changed: bool,
}

/// Brings the server's side of `ledger` up to date; `take` tells what a document holds.
///
/// `trusted`: the sequence of the ledger may be gone on from.
pub async fn refresh(
    database: &Database,
    info: &Info,
    scope: &Scope,
    trusted: bool,
    ledger: &mut Ledger,
    take: &mut Take<'_>,
) -> Result<Refreshed, CouchError> {
    let is_of_now = |since: &Sequence| !info.sequence().is_some_and(|now| now.is_behind(since));
    let since = ledger.sequence.as_deref().and_then(Sequence::new).filter(|since| trusted && is_of_now(since));
    if let Some(since) = since {
        match catch_up(database, scope, since, ledger, take).await {
            Err(error) if error.is_bad_request() => {}
            caught_up => return caught_up,
        }
    }
    list(database, info, scope, ledger, take).await
}

async fn list(
    database: &Database,
    info: &Info,
    scope: &Scope,
    ledger: &mut Ledger,
    take: &mut Take<'_>,
) -> Result<Refreshed, CouchError> {
    ledger.entries.values_mut().for_each(|entry| entry.remote = None);
    let mut refreshed = Refreshed { listed: true, ..Refreshed::default() };
    let mut pages = database.pages(&scope.range(), PAGE);
    while let Some(documents) = pages.next().await? {
        documents.iter().for_each(|document| refreshed.enter(document, scope, ledger, take));
    }
    refreshed.unreadable.extend_from_slice(pages.unreadable());
    // As it was before the listing: what changed meanwhile will be seen again.
    ledger.sequence = info.sequence().map(|sequence| sequence.text());
    refreshed.forget_unreadable(ledger);
    Ok(refreshed)
}

/// Puts the documents of these ids into `ledger`, which forgets all others: a selection that somebody else has made.
pub async fn select(
    database: &Database,
    ids: &[DocId],
    scope: &Scope,
    ledger: &mut Ledger,
    take: &mut Take<'_>,
) -> Result<Refreshed, CouchError> {
    ledger.entries.values_mut().for_each(|entry| entry.remote = None);
    let mut refreshed = Refreshed { listed: true, ..Refreshed::default() };
    for ids in ids.chunks(PAGE) {
        refreshed.read(database, ids, scope, ledger, take).await?;
    }
    Ok(refreshed)
}

/// The documents that were changed after `since` and are still there.
pub async fn changed_since(database: &Database, since: &Sequence, range: &IdRange) -> Result<Vec<DocId>, CouchError> {
    let (mut since, mut ids) = (since.clone(), Vec::new());
    loop {
        let changes = database.changes(Some(&since), CHANGES).await?;
        let is_last = (changes.rows.len() as u64) < CHANGES || changes.last == since;
        let living = changes.rows.into_iter().filter(|change| !change.deleted && range.contains(change.id.as_str()));
        ids.extend(living.map(|change| change.id));
        since = changes.last;
        if is_last {
            return Ok(ids);
        }
    }
}

async fn catch_up(
    database: &Database,
    scope: &Scope,
    mut since: Sequence,
    ledger: &mut Ledger,
    take: &mut Take<'_>,
) -> Result<Refreshed, CouchError> {
    let range = scope.range();
    let mut refreshed = Refreshed::default();
    loop {
        let changes = database.changes(Some(&since), CHANGES).await?;
        refreshed.changed |= !changes.rows.is_empty();
        let is_last = (changes.rows.len() as u64) < CHANGES || changes.last == since;
        let news: Vec<Change> = changes.rows.into_iter().filter(|change| range.contains(change.id.as_str())).collect();
        since = changes.last;
        let news = unknown(&news, scope, ledger);
        let living: Vec<DocId> = news.iter().filter(|change| !change.deleted).map(|change| change.id.clone()).collect();
        for ids in living.chunks(PAGE) {
            refreshed.read(database, ids, scope, ledger, take).await?;
        }
        if is_last {
            break;
        }
    }
    ledger.sequence = Some(since.text());
    refreshed.forget_unreadable(ledger);
    Ok(refreshed)
}

/// The changes that the ledger does not know yet; what it knew of those documents is forgotten, all of it.
fn unknown(changes: &[Change], scope: &Scope, ledger: &mut Ledger) -> Vec<Change> {
    let by_id: HashMap<&str, &Change> = changes.iter().map(|change| (change.id.as_str(), change)).collect();
    let path_of = |id: &str| scope.path_of(id).map(|path| path.to_string());
    let paths: HashMap<String, &str> = by_id.keys().filter_map(|id| Some((path_of(id)?, *id))).collect();
    // A document can stand behind several entries: its files, itself as JSON, losing revisions.
    let owner = |key: &str, held: &Held| match &held.id {
        Some(id) => by_id.get_key_value(&**id).map(|(id, _)| *id),
        None => paths.get(key).copied(),
    };
    let mut known: HashMap<&str, bool> = HashMap::new();
    for (key, entry) in &ledger.entries {
        let Some(held) = &entry.remote else { continue };
        let Some((id, change)) = owner(key, held).and_then(|id| Some((id, by_id.get(id)?))) else { continue };
        let is_known = is_known(held, change);
        known.entry(id).and_modify(|known| *known &= is_known).or_insert(is_known);
    }
    let is_news = |id: &str| !known.get(id).copied().unwrap_or(false);
    for (key, entry) in &mut ledger.entries {
        let stays = |held: &Held| !owner(key, held).is_some_and(is_news);
        entry.remote = entry.remote.take().filter(stays);
    }
    changes.iter().filter(|change| is_news(change.id.as_str())).cloned().collect()
}

fn is_known(held: &Held, change: &Change) -> bool {
    // What else a branched document has is to be told, whatever is known of its winner.
    !change.deleted && !change.branched && *held.revision == *change.revision.as_str()
}

/// Stands between the parts of a key that can be no path: for what has no place of its own.
pub const NO_PATH: char = '\0';

impl Refreshed {
    async fn read(
        &mut self,
        database: &Database,
        ids: &[DocId],
        scope: &Scope,
        ledger: &mut Ledger,
        take: &mut Take<'_>,
    ) -> Result<(), CouchError> {
        for document in database.readable_documents(ids).await?.into_iter().flatten() {
            match document {
                Ok(document) => self.enter(&document, scope, ledger, take),
                Err(unreadable) => self.unreadable.push(unreadable),
            }
        }
        Ok(())
    }

    /// The changes from here on would not tell of a document again that could not be read.
    fn forget_unreadable(&self, ledger: &mut Ledger) {
        if !self.unreadable.is_empty() {
            ledger.sequence = None;
        }
    }

    fn enter(&mut self, document: &Document, scope: &Scope, ledger: &mut Ledger, take: &mut Take<'_>) {
        let mut is_taken = false;
        for (key, held) in take(document) {
            is_taken = true;
            put(scope, ledger, &key, held);
        }
        if is_taken && !document.conflicts.is_empty() {
            self.conflicts.push(document.id.clone());
        }
    }
}

/// Puts what a document holds at `key` into `ledger`. Two things for one path: the file of this tool has it, or else who
/// came first; the other one is kept under a key that is no path.
pub fn put(scope: &Scope, ledger: &mut Ledger, key: &str, held: Held) {
    let entry = ledger.entries.entry(key.into()).or_default();
    let Some(other) = entry.remote.replace(held) else { return };
    let loser = match &mut entry.remote {
        Some(held) if is_same_thing(held, &other) => return,
        Some(held) if other.id.is_none() || held.id.is_some() => std::mem::replace(held, other),
        _ => other,
    };
    let id = loser.id.clone().unwrap_or_else(|| owner_of(scope, key));
    let nowhere = format!("{id}{NO_PATH}{key}").into();
    let loser = Held { id: Some(id), foreign: true, ..loser };
    ledger.entries.entry(nowhere).or_default().remote = Some(loser);
}

/// Whether both are of one document and one attachment of it, at one key.
fn is_same_thing(held: &Held, other: &Held) -> bool {
    held.id == other.id && (held.id.is_none() || held.attachment == other.attachment)
}

/// The document that a path gives.
fn owner_of(scope: &Scope, key: &str) -> Box<str> {
    RelPath::new(key).map_or_else(|_| key.into(), |path| scope.id(&path).as_str().into())
}

/// The file that a document of this tool holds, by its path in the database; `None` for any other document.
pub fn file_of(document: &Document) -> Option<(RelPath, Held)> {
    let record = Record::read(&document.id, &document.body)?;
    let stub = document.attachment(&record.attachment)?;
    let usual = media::file_attachment(&record.path);
    let held = Held {
        attachment: (record.attachment != usual).then(|| record.attachment.as_str().into()),
        sha256: Some(record.sha256),
        modified: Some(record.modified),
        extras: has_extras(document, &record),
        ..held(document, stub)
    };
    Some((record.path, held))
}

/// Whether people added something to the document of a file: members, or attachments.
fn has_extras(document: &Document, record: &Record) -> bool {
    let thumbnail = record.facts.get(media::Thumbnail::FACT).and_then(|fact| fact.get("attachment")?.as_str());
    let is_ours = |name: &AttName| *name == record.attachment || Some(name.as_str()) == thumbnail;
    document.body.keys().any(|key| !["type", "tags", "file"].contains(&key.as_str()))
        || !document.attachments.iter().all(|(name, _)| is_ours(name))
}

/// An attachment as the ledger keeps it: nothing is claimed of its content, and its key is the usual one.
pub fn held(document: &Document, stub: &Stub) -> Held {
    Held {
        id: None,
        attachment: None,
        revision: document.revision.as_str().into(),
        length: stub.length,
        digest: stub.digest.map(Digest::md5),
        encoded: stub.encoding.is_some(),
        sha256: None,
        modified: None,
        foreign: false,
        extras: false,
    }
}

/// A document that stands where a file of ours would, and is none of ours.
pub fn foreign(document: &Document) -> Held {
    Held {
        id: None,
        attachment: None,
        revision: document.revision.as_str().into(),
        length: 0,
        digest: None,
        encoded: false,
        sha256: None,
        modified: None,
        foreign: true,
        extras: false,
    }
}
