//! The client against servers that fail: what is tried again, what is recognised, what is reported.

mod doubt;
mod downloads;
mod many;
mod refusals;
mod retries;
mod uploads;

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use couchapp::address::{Address, Expect};
use couchapp::couch::{
    Attachment, ByteStream, CouchError, Database, Encoded, Missing, Network, NewAttachment, Notice, Opening, Pause,
    Read, Server, Source, Write, Written, digest,
};
use couchapp::json::{self, Object};
use couchapp::name::{AttName, DbName, DocId, Revision};
use couchapp::secret::{Credentials, Secret};
use futures_util::stream;

use crate::scripted_server::{self, End, ScriptedServer, Step};

/// A network that does not wait, and what it would have waited for.
struct Clock {
    network: Network,
    waits: Arc<Mutex<Vec<Duration>>>,
    notices: Arc<Mutex<Vec<Notice>>>,
}

fn clock() -> Clock {
    let waits: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let notices: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let (waited, heard) = (Arc::clone(&waits), Arc::clone(&notices));
    let pause: Pause = Arc::new(move |wait| {
        waited.lock().unwrap().push(wait);
        Box::pin(std::future::ready(()))
    });
    let network = Network {
        pause: Some(pause),
        observer: Some(Arc::new(move |notice| heard.lock().unwrap().push(notice))),
        ..Network::default()
    };
    Clock { network, waits, notices }
}

fn connect(server: &ScriptedServer, network: &Network) -> Server {
    let (address, _) = Address::parse(&server.url(), Expect::Server).unwrap();
    Server::connect(&address, None, network).unwrap()
}

fn database(server: &ScriptedServer) -> Database {
    connect(server, &clock().network).database(&DbName::new("db").unwrap())
}

fn impatient(server: &ScriptedServer) -> Database {
    let network = Network { idle_timeout: Duration::from_secs(1), ..clock().network };
    connect(server, &network).database(&DbName::new("db").unwrap())
}

fn id() -> DocId {
    DocId::new("doc").unwrap()
}

fn revision(text: &str) -> Revision {
    Revision::new(text).unwrap()
}

fn object(text: &str) -> Object {
    json::parse(text.as_bytes()).unwrap().as_object().unwrap().clone()
}

/// The write that most tests send: revision 2 on top of `1-a`.
fn write() -> Write {
    let body = object(r#"{"n":1.50,"b":[true]}"#);
    Write { id: id(), parent: Some(revision("1-a")), body, attachments: Vec::new(), progress: None }
}

fn attachment(content_type: &str, bytes: impl Into<Bytes>) -> Attachment {
    let bytes = bytes.into();
    Attachment::New(NewAttachment {
        content_type: content_type.into(),
        length: bytes.len() as u64,
        encoded: None,
        digest: digest::of(&bytes),
        source: Arc::new(bytes),
    })
}

fn with(name: &str, attachment: Attachment) -> Write {
    Write { attachments: vec![(AttName::new(name).unwrap(), attachment)], ..write() }
}

fn large() -> Write {
    with("movie.mp4", attachment("video/mp4", vec![7; 5_000_000]))
}

fn written(status: u16) -> Step {
    Step::json(status, r#"{"ok":true,"id":"doc","rev":"2-b"}"#)
}

/// The document as the server has it when the write of [`write`] has landed.
fn landed() -> Step {
    found("2-b", r#""b","a""#, r#","n":1.5,"b":[true]"#)
}

/// The document before the write.
fn untouched() -> Step {
    found("1-a", r#""a""#, r#","n":0"#)
}

fn found(revision: &str, ids: &str, members: &str) -> Step {
    let start = revision.split('-').next().unwrap();
    let history = format!(r#""_revisions":{{"start":{start},"ids":[{ids}]}}"#);
    Step::json(200, &format!(r#"{{"_id":"doc","_rev":"{revision}",{history}{members}}}"#))
}

fn failing(status: u16) -> Step {
    Step::answer(status, "Content-Type: text/html\r\n", b"<h1>Trouble</h1>")
}

fn vanish(end: End) -> Step {
    Step::silence(scripted_server::Read::All, end)
}

fn recognised(result: Result<Written, CouchError>) -> bool {
    let written = result.unwrap();
    assert_eq!(written.revision.as_str(), "2-b");
    written.recognised
}
