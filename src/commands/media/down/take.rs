//! What a document holds for a folder: each file with the path that it gets.
//!
//! Names are the server's, and so hostile. One that cannot be a path here, or is the path of another file, is kept under a
//! key that can be no path, so that every run tells of it.

use sha2::{Digest as _, Sha256};

use super::Order;
use crate::couch::Document;
use crate::couch::digest;
use crate::json::Object;
use crate::local::{Held, Ledger};
use crate::media;
use crate::name::AttName;
use crate::path::RelPath;
use crate::path::portable::{self, Unportable};
use crate::snapshot::library::{self, Scope};

/// Stands between the parts of a key that is no path.
const NO_PATH: char = '\0';

/// The folder for documents as JSON, as `push --docs` reads them.
const DOCUMENTS: &str = "_docs";

/// The files of `document` that `order` wants, each under a key of its own; [`settle`] gives them their paths.
pub(super) fn take(order: &Order, document: &Document) -> Vec<(Box<str>, Held)> {
    found(order, document).into_iter().map(|(path, held)| placed(order, &path, held)).collect()
}

/// The files of `document` that `order` wants, with the paths that the database gives them.
pub(super) fn found(order: &Order, document: &Document) -> Vec<(String, Held)> {
    if !media::has_tags(&document.body, &order.tags) {
        return Vec::new();
    }
    let mut found = match (&order.scope.document, library::file_of(document)) {
        (Some(_), _) => attachments_of_one(order, document),
        (None, Some((filed, held))) => file_and_others(order, document, &filed, held),
        (None, None) if order.everything => {
            let folder = portable::escaped_component(document.id.as_str());
            attachments(document, &folder, None).collect()
        }
        (None, None) => Vec::new(),
    };
    if order.documents {
        let path = format!("{DOCUMENTS}/{}.json", portable::escaped_component(document.id.as_str()));
        found.push((path, json(document)));
    }
    found
}

/// The attachments of the one document that was named.
fn attachments_of_one(order: &Order, document: &Document) -> Vec<(String, Held)> {
    let path = |name: &AttName| match order.everything {
        true => Some(name.to_string()),
        false => order.scope.path_of_attachment(name).map(|path| path.to_string()),
    };
    let attachments = document.attachments.iter();
    attachments
        .filter_map(|(name, stub)| Some((path(name)?, named(document, name, library::held(document, stub)))))
        .collect()
}

/// The file of a document of this tool, and what people attached to it.
fn file_and_others(order: &Order, document: &Document, filed: &RelPath, held: Held) -> Vec<(String, Held)> {
    let Some(path) = order.scope.local(filed) else { return Vec::new() };
    let recorded = held.attachment.as_deref().and_then(|name| AttName::new(name).ok());
    let own = recorded.unwrap_or_else(|| media::file_attachment(filed));
    // What can be told from the path is not kept, for there are many; but an escaped path tells nothing.
    let is_usual = !order.everything && !order.escape_names && portable::judge_here(path.as_str()).is_ok();
    let held = if is_usual { held } else { named(document, &own, held) };
    let mut found = vec![(path.to_string(), held)];
    if order.everything {
        let mut folder = portable::escaped_component(document.id.as_str());
        if folder == filed.first() {
            // The file itself is there.
            folder = portable::escaped_component(&format!("{}/", document.id));
        }
        found.extend(attachments(document, &folder, Some(&own)));
    }
    found
}

/// The attachments of a document in a folder of its own, but for the one that has its place.
fn attachments<'a>(
    document: &'a Document,
    folder: &'a str,
    but: Option<&'a AttName>,
) -> impl Iterator<Item = (String, Held)> + 'a {
    let attachments = document.attachments.iter().filter(move |(name, _)| Some(name) != but);
    attachments
        .map(move |(name, stub)| (format!("{folder}/{name}"), named(document, name, library::held(document, stub))))
}

fn named(document: &Document, name: &AttName, held: Held) -> Held {
    Held { id: Some(document.id.as_str().into()), attachment: Some(name.as_str().into()), ..held }
}

/// The key for a file at `path`: what could be in the way of another file waits under a key that no other has.
pub(super) fn placed(order: &Order, path: &str, held: Held) -> (Box<str>, Held) {
    if held.id.is_none() {
        return (path.into(), held);
    }
    let path = judged(order, path).map_or_else(|_| path.to_owned(), |path| path.to_string());
    (waiting(&held, &path), held)
}

/// The key of a file that has no path (yet).
fn waiting(held: &Held, path: &str) -> Box<str> {
    let (id, attachment) = (held.id.as_deref().unwrap_or_default(), held.attachment.as_deref().unwrap_or_default());
    format!("{id}{NO_PATH}{attachment}{NO_PATH}{path}").into()
}

/// The path that the file under a key waits for; `None` for a key that is a path.
fn awaited<'a>(key: &'a str, held: &Held) -> Option<&'a str> {
    let rest = key.strip_prefix(held.id.as_deref()?)?.strip_prefix(NO_PATH)?;
    rest.strip_prefix(held.attachment.as_deref().unwrap_or_default())?.strip_prefix(NO_PATH)
}

/// Gives the files that wait for a path theirs, if it can be one and no other file has it. The file that this tool made
/// of that very path comes before all others; then what was there before, and then the order of the keys counts.
pub(super) fn settle(scope: &Scope, ledger: &mut Ledger) {
    let is_own = |held: &Held, path: &str| match &held.id {
        None => true,
        Some(id) => {
            let filed = RelPath::new(path).map(|path| media::document_id(&scope.filed(&path)));
            held.modified.is_some() && filed.is_ok_and(|filed| filed.as_str() == &**id)
        }
    };
    let mut keys: Vec<(bool, Box<str>)> = Vec::new();
    for (key, entry) in &ledger.entries {
        let Some(held) = entry.remote.as_ref() else { continue };
        let path = awaited(key, held).filter(|path| portable::judge_here(path).is_ok());
        keys.extend(path.map(|path| (!is_own(held, path), key.clone())));
    }
    keys.sort_unstable();
    for (_, key) in keys {
        let Some(held) = ledger.entries.get(&key).and_then(|entry| entry.remote.clone()) else { continue };
        let Some(path) = awaited(&key, &held) else { continue };
        let entry = ledger.entries.entry(path.into()).or_default();
        let displaced = match &entry.remote {
            Some(there) if (&there.id, &there.attachment) == (&held.id, &held.attachment) => None,
            Some(there) if is_own(there, path) || !is_own(&held, path) => continue,
            Some(there) => Some((waiting(there, path), there.clone())),
            None => None,
        };
        entry.remote = Some(held);
        ledger.entries.remove(&key);
        if let Some((key, held)) = displaced {
            ledger.entries.entry(key).or_default().remote = Some(held);
        }
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

/// Why a file has no path.
pub(super) fn refusal(key: &str, held: &Held) -> Option<String> {
    let path = awaited(key, held)?;
    let why = match portable::judge_here(path) {
        Err(why) => why.to_string(),
        Ok(_) => "is the path of another file".to_owned(),
    };
    Some(format!("`{path}` of the document `{}` {why}", held.id.as_deref().unwrap_or_default()))
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(id: &str, attachment: Option<&str>, modified: Option<i64>) -> Held {
        Held {
            id: Some(id.into()),
            attachment: attachment.map(Into::into),
            revision: "1-a".into(),
            length: 1,
            digest: None,
            encoded: false,
            sha256: None,
            modified,
            foreign: false,
        }
    }

    fn holder(ledger: &Ledger, path: &str) -> Option<String> {
        ledger.entries.get(path)?.remote.as_ref()?.id.as_deref().map(str::to_owned)
    }

    /// The number of files that are told to have no path.
    fn refused(ledger: &Ledger) -> usize {
        ledger.entries.iter().filter(|(key, entry)| refusal(key, entry.remote.as_ref().unwrap()).is_some()).count()
    }

    #[test]
    fn a_path_is_for_one_file_and_the_other_is_told_of() {
        let (ours, theirs) = (held("x/y.jpg", Some("y.jpg"), Some(1)), held("x", Some("y.jpg"), None));
        let other = held("a", Some("z"), None);
        for late in [false, true] {
            let mut ledger = Ledger::default();
            let enter = |ledger: &mut Ledger, held: &Held| {
                ledger.entries.entry(waiting(held, "x/y.jpg")).or_default().remote = Some(held.clone());
            };
            enter(&mut ledger, &theirs);
            enter(&mut ledger, &other);
            if late {
                settle(&Scope::default(), &mut ledger);
                assert_eq!(holder(&ledger, "x/y.jpg").as_deref(), Some("a"));
            }
            enter(&mut ledger, &ours);
            for _ in 0..2 {
                settle(&Scope::default(), &mut ledger);
                assert_eq!(holder(&ledger, "x/y.jpg").as_deref(), Some("x/y.jpg"));
                assert_eq!(refused(&ledger), 2);
            }
            // When it goes, the next one takes its place.
            ledger.entries.remove("x/y.jpg");
            settle(&Scope::default(), &mut ledger);
            assert_eq!((holder(&ledger, "x/y.jpg").as_deref(), refused(&ledger)), (Some("a"), 1));
        }
    }

    #[test]
    fn no_text_in_a_name_makes_another_path_of_it() {
        for (id, name, path) in [("a\0b\0c.jpg", "n", "../x"), ("a", "b\0c.jpg", "a/b\0c.jpg"), ("", "", "x\0y")] {
            let held = held(id, Some(name), None);
            let key = waiting(&held, path);
            assert_eq!(awaited(&key, &held), Some(path));
            let mut ledger = Ledger::default();
            ledger.entries.entry(key.clone()).or_default().remote = Some(held);
            settle(&Scope::default(), &mut ledger);
            assert_eq!(ledger.entries.keys().collect::<Vec<_>>(), [&key]);
        }
    }
}
