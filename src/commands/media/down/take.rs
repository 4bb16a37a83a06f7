//! What a document holds for a folder: each file with the path that it gets.
//!
//! Names are the server's, and so hostile. One that cannot be a path here is kept under a key that can be no path, so that
//! every run tells of it.

use sha2::{Digest as _, Sha256};

use super::Order;
use crate::couch::Document;
use crate::couch::digest;
use crate::json::Object;
use crate::local::Held;
use crate::media;
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
    if order.documents {
        let path = format!("{DOCUMENTS}/{}.json", portable::escaped_component(document.id.as_str()));
        taken.push((path.into(), json(document)));
    }
    taken
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
    others.map(move |(name, stub)| {
        let held = Held {
            id: Some(document.id.as_str().into()),
            attachment: Some(name.as_str().into()),
            ..library::held(document, stub)
        };
        placed(order, document, &format!("{folder}/{name}"), held)
    })
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

fn json(document: &Document) -> Held {
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
