//! Attachments on their way to files: every size, every means, and servers that damage, break and lie.

mod breaking;
mod damage;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use couchapp::address::{Address, Expect};
use couchapp::couch::digest::{self, Digest};
use couchapp::couch::{Attachment, CouchError, Database, Network, NewAttachment, Piece, Read, Server, Write, Written};
use couchapp::json::Object;
use couchapp::local::{Destination, Existing};
use couchapp::name::{AttName, DbName, DocId, Revision};
use couchapp::path::RelPath;
use couchapp::transfer::{Arrived, Fetch, ReceiveOptions, TransferError, receive};
use md5::{Digest as _, Md5};
use sha2::Sha256;
use tempfile::TempDir;

use crate::fake_couch::FakeCouch;
use crate::harness::runtime;

/// 2010-09-19T11:47:23.5Z
const MODIFIED: i64 = 1_284_896_843_500_000_000;

/// The client's view of the database `db` at `origin`, which waits for nothing.
fn database(origin: &str) -> Database {
    let (address, _) = Address::parse(origin, Expect::Server).unwrap();
    let network =
        Network { pause: Some(std::sync::Arc::new(|_| Box::pin(std::future::ready(())))), ..Network::default() };
    Server::connect(&address, None, &network).unwrap().database(&DbName::new("db").unwrap())
}

fn stand_in() -> (FakeCouch, Database) {
    let fake = FakeCouch::start_open();
    let database = database(&fake.origin());
    runtime().block_on(database.create()).unwrap();
    (fake, database)
}

/// Bytes that no compression makes smaller, and that are the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn text(length: usize) -> Vec<u8> {
    b"All work and no play makes Jack a dull boy.\n".iter().copied().cycle().take(length).collect()
}

fn id(text: &str) -> DocId {
    DocId::new(text).unwrap()
}

fn name(text: &str) -> AttName {
    AttName::new(text).unwrap()
}

/// A document with these attachments: name, content type, content.
async fn put(
    database: &Database,
    at: &str,
    parent: Option<Revision>,
    attachments: &[(&str, &str, Vec<u8>)],
) -> Written {
    let new = |(key, content_type, content): &(&str, &str, Vec<u8>)| {
        let attachment = NewAttachment {
            content_type: (*content_type).to_owned(),
            length: content.len() as u64,
            encoded: None,
            digest: digest::of(content),
            source: std::sync::Arc::new(bytes::Bytes::from(content.clone())),
        };
        (name(key), Attachment::New(attachment))
    };
    let attachments = attachments.iter().map(new).collect();
    let write = Write { id: id(at), parent, body: Object::new(), attachments, progress: None };
    database.put(&write).await.unwrap()
}

/// What a listing says of one attachment.
async fn listed(database: &Database, at: &str, key: &str, path: &str) -> Fetch {
    let document = database.document(&id(at), &Read::default()).await.unwrap();
    let stub = document.attachment(&name(key)).unwrap();
    Fetch {
        path: RelPath::new(path).unwrap(),
        id: document.id.clone(),
        revision: document.revision.clone(),
        pinned: false,
        name: name(key),
        length: stub.length,
        digest: stub.digest,
        encoded: stub.encoding.is_some(),
        sha256: None,
        modified: Some(MODIFIED),
        existing: Existing::Refuse,
    }
}

/// What a listing would say of a plain attachment with this content.
fn wanted(at: &str, key: &str, content: &[u8]) -> Fetch {
    Fetch {
        path: RelPath::new(at).unwrap(),
        id: id(at),
        revision: Revision::new("1-a").unwrap(),
        pinned: false,
        name: name(key),
        length: content.len() as u64,
        digest: Some(digest::of(content)),
        encoded: false,
        sha256: None,
        modified: Some(MODIFIED),
        existing: Existing::Refuse,
    }
}

/// What a run came to.
struct Run {
    end: Result<(), TransferError>,
    files: BTreeMap<String, Result<Arrived, TransferError>>,
    progress: i64,
}

async fn run(database: &Database, wanted: Vec<Fetch>, into: &Path) -> Run {
    let into = Destination::create(into).unwrap();
    let progress = AtomicI64::new(0);
    let mut files = BTreeMap::new();
    let mut done = |fetch: &Fetch, result| {
        let again = files.insert(fetch.path.to_string(), result);
        assert!(again.is_none(), "`{}` was reported twice", fetch.path);
    };
    let told = |bytes| {
        progress.fetch_add(bytes, Ordering::Relaxed);
    };
    let end = receive(database, wanted, &into, ReceiveOptions::default(), &told, &mut done).await;
    Run { end, files, progress: progress.load(Ordering::Relaxed) }
}

/// All files beneath `root`, unfinished ones too.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let relative = |entry: &walkdir::DirEntry| entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    files.map(|entry| (relative(&entry), std::fs::read(entry.path()).unwrap())).collect()
}

fn assert_arrived(run: &Run, path: &str, content: &[u8]) {
    let arrived = run.files[path].as_ref().unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(arrived.length, content.len() as u64, "{path}");
    assert_eq!(arrived.md5, <[u8; 16]>::from(Md5::digest(content)), "{path}");
    assert_eq!(arrived.sha256, <[u8; 32]>::from(Sha256::digest(content)), "{path}");
}

/// Content of every means: what it is called, its type, its bytes.
fn kinds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("empty.png", "image/png", Vec::new()),
        ("empty.txt", "text/plain", Vec::new()),
        ("small.png", "image/png", noise(4096)),
        ("small.txt", "text/plain", text(4096)),
        ("brim.png", "image/png", noise(65_536)),
        ("middle.png", "image/png", noise(300_000)),
        ("middle.txt", "text/plain", text(300_000)),
        ("large.mp4", "video/mp4", noise(4_200_000)),
        ("large.txt", "text/plain", text(4_200_000)),
    ]
}

#[test]
fn files_of_every_size_arrive_with_their_times() {
    let (fake, database) = stand_in();
    runtime().block_on(async {
        let root = TempDir::new().unwrap();
        let (mut fetches, mut expected, mut bytes) = (Vec::new(), BTreeMap::new(), 0);
        for (key, content_type, content) in kinds() {
            for at in [format!("a/{key}"), format!("odd\r\n\r\n--id/{key}")] {
                put(&database, &at, None, &[(key, content_type, content.clone())]).await;
                let path = at.replace(['\r', '\n'], "-");
                let mut fetch = listed(&database, &at, key, &path).await;
                assert_eq!(fetch.encoded, content_type.starts_with("text/"));
                // One of the two with a claim, so that a text comes by either means.
                fetch.sha256 = at.starts_with("a/").then(|| Sha256::digest(&content).into());
                fetches.push(fetch);
                bytes += i64::try_from(content.len()).unwrap();
                expected.insert(path, content.clone());
            }
        }
        fake.forget();
        let run = run(&database, fetches, root.path()).await;
        run.end.as_ref().unwrap();
        assert_eq!(run.files.len(), expected.len());
        for (path, content) in &expected {
            assert_arrived(&run, path, content);
            let modified = std::fs::metadata(root.path().join(path)).unwrap().modified().unwrap();
            assert_eq!(modified, UNIX_EPOCH + Duration::from_nanos(MODIFIED.unsigned_abs()), "{path}");
            assert!(run.files[path].as_ref().unwrap().seen.is_some(), "{path}");
        }
        assert!(tree(root.path()) == expected, "{:?}", tree(root.path()).keys());
        assert_eq!(run.progress, bytes);
        // Small ones and middle ones by the hundred, and the four large ones each by itself.
        let lines: Vec<String> = fake.seen().iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
        assert_eq!(lines.iter().filter(|line| line.contains("_bulk_get")).count(), 2, "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("GET ")).count(), 4, "{lines:#?}");
    });
}

#[test]
fn attachments_of_one_document_come_together() {
    let (fake, database) = stand_in();
    runtime().block_on(async {
        let root = TempDir::new().unwrap();
        let attachments =
            [("a.png", "image/png", noise(10)), ("b.txt", "text/plain", text(20_000)), ("c", "x/y", noise(9))];
        put(&database, "doc", None, &attachments).await;
        let mut fetches = Vec::new();
        for (key, ..) in &attachments[..2] {
            fetches.push(listed(&database, "doc", key, key).await);
        }
        fake.forget();
        let run = run(&database, fetches, root.path()).await;
        run.end.as_ref().unwrap();
        assert_arrived(&run, "a.png", &attachments[0].2);
        assert_arrived(&run, "b.txt", &attachments[1].2);
        assert_eq!(fake.seen().len(), 1, "{:?}", fake.seen());
    });
}

#[test]
fn a_document_with_much_that_is_not_wanted_is_not_read_whole() {
    let (fake, database) = stand_in();
    runtime().block_on(async {
        let root = TempDir::new().unwrap();
        put(&database, "a", None, &[("a", "x/y", noise(100_000)), ("film", "x/y", noise(5_000_000))]).await;
        put(&database, "b", None, &[("b", "x/y", noise(100_001))]).await;
        let fetches = vec![listed(&database, "a", "a", "a").await, listed(&database, "b", "b", "b").await];
        fake.forget();
        let run = run(&database, fetches, root.path()).await;
        run.end.as_ref().unwrap();
        assert_arrived(&run, "a", &noise(100_000));
        assert_arrived(&run, "b", &noise(100_001));
        assert_eq!(run.progress, 200_001);
        let mut methods: Vec<String> = fake.seen().into_iter().map(|seen| seen.method).collect();
        // The two after the first are on their way at once.
        methods.sort();
        assert_eq!(methods, ["GET", "POST", "POST"]);
    });
}

#[test]
fn what_changed_meanwhile_arrives_as_it_is_now_unless_it_is_pinned() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let root = TempDir::new().unwrap();
        let first = put(&database, "a", None, &[("a", "x/y", noise(10))]).await;
        let old = listed(&database, "a", "a", "a").await;
        let pinned = Fetch { path: RelPath::new("a~1").unwrap(), pinned: true, ..old.clone() };
        let second = put(&database, "a", Some(first.revision.clone()), &[("a", "x/y", noise(11))]).await;
        for (fetch, content, revision) in [(old, noise(11), second.revision), (pinned, noise(10), first.revision)] {
            let path = fetch.path.to_string();
            let run = run(&database, vec![fetch], root.path()).await;
            assert_arrived(&run, &path, &content);
            assert_eq!(run.files[&path].as_ref().unwrap().revision, revision);
        }
    });
}

#[test]
fn what_is_missing_is_an_item_of_its_own() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let root = TempDir::new().unwrap();
        let mut fetches = Vec::new();
        for length in [10, 100_000] {
            let (good, gone, never) = (format!("good{length}"), format!("gone{length}"), format!("never{length}"));
            put(&database, &good, None, &[("f", "x/y", noise(length))]).await;
            put(&database, &gone, None, &[("f", "x/y", noise(length))]).await;
            fetches.push(listed(&database, &good, "f", &good).await);
            let fetch = listed(&database, &gone, "f", &gone).await;
            database.delete(&fetch.id, &fetch.revision).await.unwrap();
            // The tombstone's own revision has no attachments.
            fetches.push(Fetch { revision: Revision::new("2-b").unwrap(), ..fetch });
            fetches.push(wanted(&never, "f", &noise(length)));
        }
        let run = run(&database, fetches, root.path()).await;
        run.end.as_ref().unwrap();
        for length in [10, 100_000] {
            assert_arrived(&run, &format!("good{length}"), &noise(length));
            for missing in [format!("gone{length}"), format!("never{length}")] {
                let error = run.files[&missing].as_ref().unwrap_err();
                assert!(matches!(error, TransferError::Couch(CouchError::NotFound { .. })), "{error}");
            }
        }
        assert_eq!(tree(root.path()).len(), 2);
    });
}

#[test]
fn a_file_that_stands_there_is_only_its_own_problem() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let root = TempDir::new().unwrap();
        let mut fetches = Vec::new();
        for length in [10, 100_000, 4_200_000] {
            for kind in ["kept", "new", "replaced"] {
                let at = format!("{kind}{length}");
                put(&database, &at, None, &[("f", "x/y", noise(length))]).await;
                let existing = if kind == "replaced" { Existing::Replace } else { Existing::Refuse };
                fetches.push(Fetch { existing, ..listed(&database, &at, "f", &at).await });
                if kind != "new" {
                    std::fs::write(root.path().join(&at), "mine").unwrap();
                }
            }
        }
        let run = run(&database, fetches, root.path()).await;
        run.end.as_ref().unwrap();
        for length in [10, 100_000, 4_200_000] {
            assert_arrived(&run, &format!("new{length}"), &noise(length));
            assert_arrived(&run, &format!("replaced{length}"), &noise(length));
            assert!(matches!(run.files[&format!("kept{length}")], Err(TransferError::Local(_))));
            assert_eq!(tree(root.path())[&format!("kept{length}")], b"mine");
        }
        assert_eq!(tree(root.path()).len(), 9);
    });
}

#[test]
fn pieces_of_many_documents_come_in_order() {
    let (_fake, database) = stand_in();
    runtime().block_on(async {
        let one = put(&database, "one", None, &[("a", "x/y", noise(70_000)), ("b", "text/plain", text(99))]).await;
        let two = put(&database, "two", None, &[]).await;
        let missing = Revision::new("9-x").unwrap();
        let wanted = [
            (id("one"), one.revision.clone()),
            (id("two"), two.revision),
            (id("one"), missing),
            (id("one"), one.revision),
        ];
        let mut answer = database.bulk_get(&wanted).await.unwrap();
        let (mut story, mut length) = (Vec::new(), 0);
        while let Some(piece) = answer.next().await.unwrap() {
            match piece {
                Piece::Document(document) => story.push(format!("document {}", document.id)),
                Piece::Attachment { name, gzip, .. } => story.push(format!("{name} gzip={gzip}")),
                Piece::Bytes(bytes) => length += bytes.len(),
                Piece::AttachmentEnd => story.push(format!("end {}", std::mem::take(&mut length))),
            }
        }
        let compressed = digest::gzip(&text(99), digest::SERVER_LEVEL).len();
        let one = ["document one".to_owned(), "b gzip=true".to_owned(), format!("end {compressed}")];
        assert!(one.iter().all(|line| story.contains(line)), "{story:?}");
        assert_eq!(story.iter().filter(|line| *line == "document one").count(), 2, "{story:?}");
        assert_eq!(story.iter().filter(|line| *line == "document two").count(), 1, "{story:?}");
        assert_eq!(story.iter().filter(|line| *line == "end 70000").count(), 2, "{story:?}");
    });
}

/// The digest as `ETag`.
fn etag(digest: Digest) -> String {
    format!("\"{}\"", digest.to_string().trim_start_matches("md5-"))
}
