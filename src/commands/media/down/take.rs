//! What a document holds for a folder: each file with the path that it gets.
//!
//! Names are the server's, and so hostile. One that cannot be a path here is kept under a key that can be no path, so that
//! every run tells of it.

use sha2::{Digest as _, Sha256};

use super::Order;
use crate::couch::{Document, Stub, digest};
use crate::json::Object;
use crate::local::{Held, Ledger};
use crate::media;
use crate::name::AttName;
use crate::path::RelPath;
use crate::path::portable::{self, Unportable};
use crate::snapshot::library::{self, NO_PATH};

/// The folder for documents as JSON, as `push --docs` reads them.
const DOCUMENTS: &str = "_docs";

/// The files of `document` that `order` wants.
pub(super) fn take(order: &Order, document: &Document) -> Vec<(Box<str>, Held)> {
    if !media::has_tags(&document.body, &order.tags) {
        return Vec::new();
    }
    let mut taken = match order.scope.document {
        Some(_) => attachments_of_one(order, document),
        None => files(order, document),
    };
    if order.documents {
        let path = format!("{DOCUMENTS}/{}.json", portable::escaped_component(document.id.as_str()));
        taken.push((path.into(), json(document)));
    }
    taken
}

/// The attachments of the one document that was named.
fn attachments_of_one(order: &Order, document: &Document) -> Vec<(Box<str>, Held)> {
    let path = |name: &AttName| match order.everything {
        true => Some(name.to_string()),
        false => order.scope.path_of_attachment(name).map(|path| path.to_string()),
    };
    let attachments = document.attachments.iter();
    attachments
        .filter_map(|(name, stub)| Some(placed(order, document, &path(name)?, named(document, name, stub))))
        .collect()
}

/// The file that this tool put into a document, and what else it has.
fn files(order: &Order, document: &Document) -> Vec<(Box<str>, Held)> {
    let mut taken = Vec::new();
    let own = library::file_of(document);
    if order.everything {
        let record = own.as_ref().and_then(|_| media::Record::read(&document.id, &document.body));
        taken.extend(attachments(order, document, record.as_ref()));
    }
    if let Some((filed, held)) = own
        && let Some(path) = order.scope.local(&filed)
    {
        let (key, held) = placed(order, document, path.as_str(), held);
        // What another path stands for has to be named.
        let usual = || media::file_attachment(&filed).as_str().into();
        taken.push(if *key == *path.as_str() {
            (key, held)
        } else {
            let (id, attachment) = (Some(document.id.as_str().into()), held.attachment.clone());
            (key, Held { id, attachment: Some(attachment.unwrap_or_else(usual)), ..held })
        });
    }
    taken
}

fn named(document: &Document, name: &AttName, stub: &Stub) -> Held {
    let (id, attachment) = (Some(document.id.as_str().into()), Some(name.as_str().into()));
    Held { id, attachment, ..library::held(document, stub) }
}

/// The attachments of a document in a folder of its own. Of a document of this tool those that people added, in a folder
/// beside the file (`a.jpg~/comment.txt`); its small picture can be made again.
fn attachments<'a>(
    order: &'a Order,
    document: &'a Document,
    record: Option<&media::Record>,
) -> impl Iterator<Item = (Box<str>, Held)> + 'a {
    let beside = record.and_then(|record| order.scope.local(&record.path)).map(|path| format!("{path}~"));
    let folder = beside.unwrap_or_else(|| portable::escaped_component(document.id.as_str()));
    let own = record.map(|record| (record.attachment.clone(), media::thumbnail_name(&record.attachment)));
    let others = document
        .attachments
        .iter()
        .filter(move |(name, _)| !own.as_ref().is_some_and(|(file, small)| name == file || name == small));
    others.map(move |(name, stub)| placed(order, document, &format!("{folder}/{name}"), named(document, name, stub)))
}

/// A file at `path`, or under a key that is none where no file can be there.
pub(super) fn placed(order: &Order, document: &Document, path: &str, held: Held) -> (Box<str>, Held) {
    match judged(order, path) {
        Ok(path) => (path.as_str().into(), held),
        Err(_) => (format!("{}{NO_PATH}{path}", document.id).into(), Held { foreign: true, ..held }),
    }
}

/// `path` as this system can have it; escaped, where that was asked for and it cannot.
fn judged(order: &Order, path: &str) -> Result<RelPath, Unportable> {
    match portable::judge_here(path) {
        Err(_) if order.escape_names => {
            let escaped: Vec<String> = path.split('/').map(portable::escaped_component).collect();
            portable::judge_here(&escaped.join("/"))
        }
        judged => judged,
    }
}

/// The path in a key, be it one or not.
pub(super) fn path_of(key: &str) -> &str {
    key.split_once(NO_PATH).map_or(key, |(_, path)| path)
}

/// Gives a path whose file is gone to who waited for it.
pub(super) fn move_up(ledger: &mut Ledger) {
    let waits = |key: &str, held: &Held| {
        held.attachment.is_some() && key.contains(NO_PATH) && portable::judge_here(path_of(key)).is_ok()
    };
    let entries = ledger.entries.iter();
    let waiting = entries.filter(|(key, entry)| entry.remote.as_ref().is_some_and(|held| waits(key, held)));
    let mut waiting: Vec<Box<str>> = waiting.map(|(key, _)| key.clone()).collect();
    waiting.sort_unstable();
    for key in waiting {
        let path = path_of(&key);
        if ledger.entries.get(path).is_some_and(|entry| entry.remote.is_some()) {
            continue;
        }
        let held = ledger.entries.get_mut(&key).and_then(|entry| entry.remote.take());
        ledger.entries.entry(path.into()).or_default().remote = held.map(|held| Held { foreign: false, ..held });
    }
}

/// Why a key is no path.
pub(super) fn refusal(key: &str) -> Option<String> {
    let (id, path) = key.split_once(NO_PATH)?;
    let why = match portable::judge_here(path) {
        Err(why) => why.to_string(),
        Ok(_) => "is the path of another file".to_owned(),
    };
    Some(format!("`{path}` of the document `{id}` {why}"))
}

/// A document as it is written, without what belongs to one server: its revision and its attachments.
pub(super) fn text(document: &Document) -> Vec<u8> {
    let mut members = Object::new();
    members.insert("_id".to_owned(), document.id.as_str().into());
    members.extend(document.body.iter().map(|(key, value)| (key.clone(), value.clone())));
    // A map with text keys can always be written.
    let mut text = serde_json::to_vec_pretty(&members).unwrap_or_default();
    text.push(b'\n');
    text
}

/// What is kept of a document that is written as JSON.
pub(super) fn json(document: &Document) -> Held {
    let text = text(document);
    Held {
        id: Some(document.id.as_str().into()),
        attachment: None,
        revision: document.revision.as_str().into(),
        length: text.len() as u64,
        digest: Some(digest::of(&text).md5()),
        encoded: false,
        sha256: Some(Sha256::digest(&text).into()),
        modified: None,
        foreign: false,
        extras: false,
    }
}
