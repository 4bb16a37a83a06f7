mod attachments;
mod crash;
mod documents;
mod random;
mod whole;

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::json::Object;
use crate::name::Revision;

/// A store in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    store: Option<Store>,
}

impl Place {
    fn new() -> Self {
        let mut place = Self { folder: tempfile::tempdir().unwrap(), store: None };
        place.reopen();
        place
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Store::open(self.folder.path()).unwrap());
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn database(&self) -> Arc<Database> {
        self.store().create("db").or_else(|_| self.store().database("db")).unwrap()
    }
}

fn revision(text: &str) -> Revision {
    Revision::new(text).unwrap()
}

fn revisions(text: &str) -> Vec<Revision> {
    text.split_whitespace().map(revision).collect()
}

fn object(text: &str) -> Object {
    let Value::Object(object) = serde_json::from_str(text).unwrap() else { unreachable!() };
    object
}

/// An edit upon a leaf (empty: none), or with a history of several revisions (`new_edits=false`).
fn edit(id: &str, upon: Upon, members: &str) -> Edit {
    let is_deleted = members.contains("_deleted");
    let members = if is_deleted { Object::new() } else { object(members) };
    Edit { id: id.to_owned(), members, attachments: Vec::new(), is_deleted, upon }
}

fn leaf(id: &str, upon: &str, members: &str) -> Edit {
    edit(id, Upon::Leaf((!upon.is_empty()).then(|| revision(upon))), members)
}

fn replicated(id: &str, history: &str, members: &str) -> Edit {
    edit(id, Upon::History(revisions(history)), members)
}

fn anything(_: &Edit, _: Option<&Previous>) -> Result<(), Refusal> {
    Ok(())
}

fn write(database: &Database, edits: Vec<Edit>) -> Vec<String> {
    let word = |outcome| match outcome {
        Outcome::Stored(revision) => revision.to_string(),
        Outcome::Conflict => "conflict".to_owned(),
        Outcome::Refused(refusal) => refusal.error,
    };
    database.write(edits, &anything).unwrap().into_iter().map(word).collect()
}

fn write_one(database: &Database, edit: Edit) -> String {
    write(database, vec![edit]).remove(0)
}

fn store_bytes(database: &Database, bytes: &[u8], is_gzip: bool) -> Blob {
    let mut writer = database.begin_blob(is_gzip).unwrap();
    bytes.chunks(10_000).for_each(|piece| writer.write(piece).unwrap());
    writer.finish().unwrap()
}

fn attachment(name: &str, blob: Blob) -> Stored {
    Stored { name: name.to_owned(), content_type: "image/png".to_owned(), revpos: 1, blob }
}

fn read_bytes(database: &Database, blob: &Blob, from: u64) -> Result<Vec<u8>, StoreError> {
    let mut reader = database.read_blob(blob, from)?;
    let mut bytes = Vec::new();
    while let Some(piece) = reader.next()? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Reads all there is and compares it with what is counted. Gives the number of attachments.
fn verify(database: &Database) -> usize {
    let changes = database.changes(0, u64::MAX, false).unwrap();
    let info = database.info().unwrap();
    let deleted = changes.iter().filter(|change| change.document.tree.is_deleted()).count() as u64;
    assert_eq!((info.documents, info.deleted), (changes.len() as u64 - deleted, deleted));
    assert_eq!(info.sequence, changes.last().map_or(0, |change| change.sequence));
    assert!(changes.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    let (mut attachments, mut active) = (0, 0);
    for Change { document, .. } in &changes {
        active += document.tree.size();
        for leaf in document.tree.leaves() {
            let body = database.body(&document.id, &leaf.revision).unwrap().expect("a leaf has its body");
            for stored in &body.attachments {
                let bytes = read_bytes(database, &stored.blob, 0).unwrap();
                assert_eq!(bytes.len() as u64, stored.blob.stored_length);
                attachments += 1;
            }
        }
    }
    assert_eq!(info.active_size, active);
    let rows = database.rows(&Range::default()).unwrap();
    assert_eq!(rows.len() as u64, info.documents);
    assert!(rows.windows(2).all(|pair| pair[0].id < pair[1].id));
    let uses = "SELECT count(*) FROM blob WHERE uses < 0";
    assert_eq!(database.read(|connection| Ok(connection.query_row(uses, [], |row| row.get::<_, i64>(0))?)).unwrap(), 0);
    attachments
}
