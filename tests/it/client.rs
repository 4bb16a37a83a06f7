//! The client against servers that fail: what is tried again, what is recognised, what is reported.

mod many;

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

#[tokio::test]
async fn reads_are_tried_again_by_the_table() {
    let ok = || Step::json(200, r#"{"doc_count":3}"#);
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let server = ScriptedServer::steps([failing(status), ok()]).await;
        assert_eq!(database(&server).info().await.unwrap().doc_count, 3, "{status}");
        assert_eq!(server.methods(), "GET GET", "{status}");
    }
    let faults = [
        vanish(End::Close),
        vanish(End::Reset),
        Step::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"doc", End::Close),
        Step::raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"doc\r\n", End::Reset),
        Step::raw(b"HTTP/1.1 2", End::Close),
    ];
    for fault in faults {
        let server = ScriptedServer::steps([fault.clone(), ok()]).await;
        assert_eq!(database(&server).info().await.unwrap().doc_count, 3, "{fault:?}");
        assert_eq!(server.methods(), "GET GET", "{fault:?}");
    }
    for status in [301, 302, 400, 401, 403, 404, 405, 409, 412, 413, 415, 501] {
        let server = ScriptedServer::steps([failing(status), ok()]).await;
        assert!(database(&server).info().await.is_err(), "{status}");
        assert_eq!(server.methods(), "GET", "{status}");
    }
}

#[tokio::test]
async fn writes_are_tried_again_by_the_table() {
    for status in [408, 425, 429] {
        let server = ScriptedServer::steps([failing(status), written(201)]).await;
        assert!(!recognised(database(&server).put(&write()).await), "{status}");
        assert_eq!(server.methods(), "PUT PUT", "{status}: it was not begun");
    }
    for fault in [failing(500), failing(502), failing(503), failing(504), vanish(End::Close), vanish(End::Reset)] {
        let server = ScriptedServer::steps([fault.clone(), untouched(), written(201)]).await;
        assert!(!recognised(database(&server).put(&write()).await), "{fault:?}");
        assert_eq!(server.methods(), "PUT GET PUT", "{fault:?}: recognised first");
        let puts: Vec<_> = server.seen().into_iter().filter(|seen| seen.method == "PUT").collect();
        assert_eq!(puts[0].body, puts[1].body, "{fault:?}");
    }
    for status in [301, 400, 401, 403, 404, 405, 409, 412, 413, 415, 501] {
        let server = ScriptedServer::steps([failing(status), written(201)]).await;
        assert!(database(&server).put(&write()).await.is_err(), "{status}");
        assert_eq!(server.methods(), "PUT", "{status}");
    }
}

#[tokio::test]
async fn there_are_four_retries_and_two_after_500() {
    let server = ScriptedServer::script(|_| failing(503)).await;
    let clock = clock();
    let error = connect(&server, &clock.network).welcome().await.unwrap_err();
    assert!(matches!(&error, CouchError::Server { source, .. } if source.status == 503), "{error:?}");
    assert_eq!((error.exit().code(), server.seen().len(), clock.waits.lock().unwrap().len()), (7, 5, 4));
    let notices = clock.notices.lock().unwrap().clone();
    assert!(
        matches!(&notices[3], Notice::Retrying { attempt: 4, of: 4, cause, .. } if cause.contains("503")),
        "{notices:?}"
    );

    let server = ScriptedServer::script(|seen| if seen.method == "PUT" { failing(500) } else { untouched() }).await;
    let error = database(&server).put(&write()).await.unwrap_err();
    assert!(matches!(error, CouchError::Server { .. }), "{error:?}");
    assert_eq!(server.seen().iter().filter(|seen| seen.method == "PUT").count(), 3);
}

#[tokio::test]
async fn a_server_may_ask_for_a_pause() {
    for (asked, least) in [("7", 7), ("86400", 60), ("soon", 0)] {
        let wait = Step::answer(429, &format!("Retry-After: {asked}\r\n"), b"");
        let server = ScriptedServer::steps([wait, Step::json(200, r#"{"doc_count":0}"#)]).await;
        let clock = clock();
        connect(&server, &clock.network).database(&DbName::new("db").unwrap()).info().await.unwrap();
        let waits = clock.waits.lock().unwrap();
        assert!(waits[0] >= Duration::from_secs(least) && waits[0] <= Duration::from_mins(1), "{asked}: {waits:?}");
    }
}

#[tokio::test]
async fn no_try_begins_after_the_total_time() {
    let server = ScriptedServer::script(|_| Step::answer(429, "Retry-After: 59\r\n", b"")).await;
    let mut clock = clock();
    clock.network.backoff.total = Duration::from_secs(58);
    assert!(connect(&server, &clock.network).welcome().await.is_err());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let clock = clock();
    let (address, _) = Address::parse(&url, Expect::Server).unwrap();
    let server = Server::connect(&address, None, &clock.network).unwrap();
    let error = server.database(&DbName::new("db").unwrap()).put(&write()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot reach `{url}`: connection refused"));
    assert_eq!((error.exit().code(), clock.waits.lock().unwrap().len()), (7, 4));
    let recognising = |notice: &Notice| matches!(notice, Notice::Recognising { .. });
    assert!(!clock.notices.lock().unwrap().iter().any(recognising), "nothing was sent");
}

#[tokio::test]
async fn a_lost_answer_to_a_landed_write_is_a_success() {
    let faults = [
        vanish(End::Close),
        vanish(End::Reset),
        vanish(End::Hang),
        failing(500),
        failing(502),
        Step::json(201, "{\"ok\":tr"),
        Step::raw(b"HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{\"ok\"", End::Close),
        Step::raw(b"HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{\"ok\"", End::Hang),
    ];
    for fault in faults {
        let server = ScriptedServer::steps([fault.clone(), landed()]).await;
        assert!(recognised(impatient(&server).put(&write()).await), "{fault:?}");
        assert_eq!(server.lines(), ["PUT /db/doc", "GET /db/doc?att_encoding_info=true&revs=true"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_conflict_after_a_lost_answer_is_looked_into() {
    let conflict = || Step::json(409, r#"{"error":"conflict","reason":"Document update conflict."}"#);
    // The first try lands only after the document was read.
    let server = ScriptedServer::steps([vanish(End::Close), untouched(), conflict(), landed()]).await;
    assert!(recognised(database(&server).put(&write()).await));
    assert_eq!(server.methods(), "PUT GET PUT GET");

    let other = || found("2-x", r#""x","a""#, r#","n":2"#);
    let server = ScriptedServer::steps([vanish(End::Close), untouched(), conflict(), other()]).await;
    let error = database(&server).put(&write()).await.unwrap_err();
    assert!(matches!(error, CouchError::Conflict { .. }), "{error:?}");

    // Without a lost answer a conflict is a conflict.
    let server = ScriptedServer::steps([conflict(), landed()]).await;
    let error = database(&server).put(&write()).await.unwrap_err();
    assert_eq!((error.exit().code(), server.methods().as_str()), (5, "PUT"));
}

#[tokio::test]
async fn a_write_in_doubt_is_never_a_bare_reset() {
    let server = ScriptedServer::script(|_| vanish(End::Reset)).await;
    let error = database(&server).put(&write()).await.unwrap_err();
    assert_eq!(error.to_string(), "it is not known whether `doc` was written");
    assert_eq!((error.exit().code(), server.methods().as_str()), (7, "PUT GET GET GET GET GET"));
    assert_eq!(error.request(), Some(format!("PUT {}/db/doc", server.url()).as_str()));
}

#[tokio::test]
async fn only_our_own_write_is_recognised() {
    let members = r#","n":1.5,"b":[true]"#;
    let foreign = [
        found("2-x", r#""x","a""#, r#","n":1.5,"b":[false]"#),
        found("2-x", r#""x","a""#, r#","n":1.5"#),
        found("2-x", r#""x","a""#, &format!(r#"{members},"more":1"#)),
        found("2-x", r#""x","z""#, members),
        found("3-x", r#""x","y","z""#, members),
        found("2-x", r#""x","a""#, &format!(r#"{members},"_attachments":{{"a":{{"length":1,"stub":true}}}}"#)),
        Step::json(404, r#"{"error":"not_found","reason":"missing"}"#),
    ];
    for found in foreign {
        let server = ScriptedServer::script(move |seen| match seen.method.as_str() {
            "PUT" => vanish(End::Close),
            "GET" => found.clone(),
            _ => Step::json(200, r#"{"rows":[{"key":"doc","error":"not_found"}]}"#),
        })
        .await;
        let error = database(&server).put(&write()).await.unwrap_err();
        assert!(matches!(&error, CouchError::Conflict { id, .. } if id == "doc"), "{error:?}");
        assert_eq!(server.methods().matches("PUT").count(), 1);
    }
}

#[tokio::test]
async fn a_write_that_others_wrote_upon_is_recognised() {
    let newest = found("4-d", r#""d","c","b","a""#, r#","n":9"#);
    let ours = found("2-b", r#""b","a""#, r#","n":1.5,"b":[true]"#);
    let server = ScriptedServer::steps([vanish(End::Close), newest.clone(), ours]).await;
    assert!(recognised(database(&server).put(&write()).await));
    assert_eq!(server.lines()[2], "GET /db/doc?att_encoding_info=true&rev=2-b");

    let gone = Step::json(404, r#"{"error":"not_found","reason":"missing"}"#);
    let server = ScriptedServer::steps([vanish(End::Close), newest, gone]).await;
    assert!(matches!(database(&server).put(&write()).await, Err(CouchError::Conflict { .. })));
}

#[tokio::test]
async fn a_creation_is_recognised_or_repeated() {
    let create = Write { parent: None, ..write() };
    let missing = || Step::json(404, r#"{"error":"not_found","reason":"missing"}"#);
    let server = ScriptedServer::steps([vanish(End::Reset), missing(), written(201)]).await;
    assert!(!recognised(database(&server).put(&create).await));
    assert_eq!(server.methods(), "PUT GET PUT");
    // On top of a tombstone.
    let server = ScriptedServer::steps([vanish(End::Reset), landed()]).await;
    assert!(recognised(database(&server).put(&create).await));
    let server = ScriptedServer::steps([vanish(End::Reset), untouched()]).await;
    assert!(matches!(database(&server).put(&create).await, Err(CouchError::Conflict { .. })));
}

#[tokio::test]
async fn a_deletion_is_recognised() {
    let deleted = || Step::json(404, r#"{"error":"not_found","reason":"deleted"}"#);
    let rows = || Step::json(200, r#"{"rows":[{"id":"doc","key":"doc","value":{"rev":"2-b","deleted":true}}]}"#);
    let tombstone = |ids| found("2-b", ids, r#","_deleted":true"#);
    let parent = revision("1-a");
    let steps = [vanish(End::Close), deleted(), rows(), tombstone(r#""b","a""#)];
    let server = ScriptedServer::steps(steps).await;
    assert!(recognised(database(&server).delete(&id(), &parent).await));
    assert_eq!(server.lines()[0], "DELETE /db/doc?rev=1-a");

    let steps = [vanish(End::Close), deleted(), rows(), tombstone(r#""b","z""#)];
    let server = ScriptedServer::steps(steps).await;
    assert!(matches!(database(&server).delete(&id(), &parent).await, Err(CouchError::Conflict { .. })));

    // The first try lands only after the document was read.
    let steps = [vanish(End::Close), untouched(), deleted(), deleted(), rows(), tombstone(r#""b","a""#)];
    let server = ScriptedServer::steps(steps).await;
    assert!(recognised(database(&server).delete(&id(), &parent).await));
    assert_eq!(server.methods(), "DELETE GET DELETE GET POST GET");
}

fn with_stub(stub: &str) -> Step {
    found("2-b", r#""b","a""#, &format!(r#","n":1.5,"b":[true],"_attachments":{{"a":{stub}}}"#))
}

#[tokio::test]
async fn attachments_are_recognised_by_digest_or_content() {
    let bytes = b"x".repeat(1000);
    let stored = digest::gzip(&bytes, digest::SERVER_LEVEL);
    let stub = |digest: digest::Digest, encoding: &str| {
        format!(r#"{{"content_type":"text/plain","length":1000,"digest":"{digest}","stub":true{encoding}}}"#)
    };
    let encoding = format!(r#","encoding":"gzip","encoded_length":{}"#, stored.len());
    let plain = with("a", attachment("text/plain", bytes.clone()));
    let gzip = with(
        "a",
        Attachment::New(NewAttachment {
            content_type: "text/plain".into(),
            length: 1000,
            encoded: Some(Encoded { length: stored.len() as u64 }),
            digest: digest::of(&stored),
            source: Arc::new(Bytes::from(stored.clone())),
        }),
    );
    for (write, stub) in [(&plain, stub(digest::of(&bytes), "")), (&gzip, stub(digest::of(&stored), &encoding))] {
        let server = ScriptedServer::steps([vanish(End::Close), with_stub(&stub)]).await;
        assert!(recognised(database(&server).put(write).await), "{stub}");
    }
    // The server has compressed the bytes by itself: their digest tells nothing.
    let server_side = stub(digest::of(&stored), &encoding);
    let download = Step::answer(200, "Content-Encoding: gzip\r\n", &stored);
    let server = ScriptedServer::steps([vanish(End::Close), with_stub(&server_side), download]).await;
    assert!(recognised(database(&server).put(&plain).await));
    assert_eq!(server.lines()[2], "GET /db/doc/a?rev=2-b");

    let other = digest::gzip(&b"y".repeat(1000), digest::SERVER_LEVEL);
    let server_side = stub(digest::of(&other), &format!(r#","encoding":"gzip","encoded_length":{}"#, other.len()));
    let download = Step::answer(200, "Content-Encoding: gzip\r\n", &other);
    let server = ScriptedServer::steps([vanish(End::Close), with_stub(&server_side), download]).await;
    assert!(matches!(database(&server).put(&plain).await, Err(CouchError::Conflict { .. })));

    for stub in [stub(digest::of(b"other"), ""), stub(digest::of(&bytes), "").replace("text/plain", "text/css")] {
        let server = ScriptedServer::steps([vanish(End::Close), with_stub(&stub)]).await;
        assert!(matches!(database(&server).put(&plain).await, Err(CouchError::Conflict { .. })), "{stub}");
    }
}

#[tokio::test]
async fn a_late_answer_to_an_upload_is_not_waited_for() {
    let write = with("a", attachment("image/png", vec![1; 1000]));
    let stub =
        format!(r#"{{"content_type":"image/png","length":1000,"digest":"{}","stub":true}}"#, digest::of(&[1; 1000]));
    let server = ScriptedServer::steps([vanish(End::Hang), with_stub(&stub)]).await;
    let late_answer = Duration::from_millis(100);
    let network = Network { late_answer, idle_timeout: Duration::from_hours(1), ..clock().network };
    let database = connect(&server, &network).database(&DbName::new("db").unwrap());
    assert!(recognised(database.put(&write).await));
}

#[tokio::test]
async fn early_answers_to_large_uploads_are_read() {
    let refusal = |status, error: &str, reason: &str| {
        Step::json(status, &format!(r#"{{"error":"{error}","reason":"{reason}"}}"#)).early()
    };
    let server = ScriptedServer::steps([refusal(409, "conflict", "Document update conflict.")]).await;
    let error = database(&server).put(&large()).await.unwrap_err();
    assert!(matches!(error, CouchError::Conflict { .. }), "{error:?}");
    let server = ScriptedServer::steps([refusal(413, "attachment_too_large", "movie.mp4")]).await;
    let error = database(&server).put(&large()).await.unwrap_err();
    assert_eq!(error.to_string(), "`movie.mp4` is larger than the server allows");
    let server = ScriptedServer::steps([refusal(401, "unauthorized", "no")]).await;
    let error = database(&server).put(&large()).await.unwrap_err();
    assert!(matches!(error, CouchError::Unauthorized { given: false, .. }), "{error:?}");
    assert_eq!(server.methods(), "PUT");
}

#[tokio::test]
async fn a_reset_in_an_upload_leads_to_reading_the_document() {
    let reset = |count| Step::silence(scripted_server::Read::Bytes(count), End::Reset);
    let stale = || found("3-z", r#""z","y","x""#, r#","n":0"#);
    let server = ScriptedServer::steps([reset(100_000), stale()]).await;
    let error = database(&server).put(&large()).await.unwrap_err();
    assert!(matches!(error, CouchError::Conflict { .. }), "{error:?}");
    assert_eq!(server.methods(), "PUT GET");

    let whole = with("a", attachment("image/png", (0..=255).cycle().take(300_000).collect::<Vec<u8>>()));
    let length = {
        let server = ScriptedServer::steps([written(201)]).await;
        database(&server).put(&whole).await.unwrap();
        server.seen()[0].body.len()
    };
    for cut in [0, 1, 40, 200, 400, 1000, 65_536, 150_000, 299_999, length - 2, length - 1, length] {
        let server = ScriptedServer::steps([reset(cut), untouched(), written(201)]).await;
        assert!(!recognised(database(&server).put(&whole).await), "{cut}");
        let seen = server.seen();
        assert_eq!((server.methods().as_str(), seen[2].body.len()), ("PUT GET PUT", length), "{cut}");
        // A fresh boundary, the same content.
        assert!(seen[2].body.windows(256).any(|window| window.iter().copied().eq(0..=255)), "{cut}");
    }
}

#[tokio::test]
async fn uploads_are_framed_and_counted() {
    let heard: Arc<Mutex<Vec<(u64, u64)>>> = Arc::default();
    let hear = Arc::clone(&heard);
    let mut write = with("b.png", attachment("image/png", vec![9; 200_000]));
    write.attachments.insert(0, (AttName::new("a.txt").unwrap(), attachment("text/plain", "")));
    write.progress = Some(Arc::new(move |sent, total| hear.lock().unwrap().push((sent, total))));
    let server = ScriptedServer::steps([written(202)]).await;
    let result = database(&server).put(&write).await.unwrap();
    assert!(result.weak && !result.recognised);
    let seen = &server.seen()[0];
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(seen.header("content-length").unwrap(), seen.body.len().to_string());
    let boundary = seen.header("content-type").unwrap().strip_prefix("multipart/related; boundary=\"").unwrap();
    assert_eq!(boundary.len(), 33);
    let json = format!(
        concat!(
            r#"{{"_id":"doc","_rev":"1-a","n":1.50,"b":[true],"_attachments":{{"#,
            r#""a.txt":{{"content_type":"text/plain","length":0,"digest":"{}","follows":true}},"#,
            r#""b.png":{{"content_type":"image/png","length":200000,"digest":"{}","follows":true}}}}}}"#
        ),
        digest::of(b""),
        digest::of(&vec![9; 200_000]),
    );
    let text = String::from_utf8_lossy(&seen.body);
    assert!(text.contains(&json), "{}", &text[..600]);
    let heard = heard.lock().unwrap();
    assert!(heard.iter().all(|(_, total)| *total == seen.body.len() as u64));
    assert!(heard.is_sorted() && heard.last().unwrap().0 == seen.body.len() as u64);
}

struct Shrunk;

impl Source for Shrunk {
    fn open(&self) -> Opening<'_> {
        Box::pin(async { Ok(Box::pin(stream::iter([Ok(Bytes::from_static(b"short"))])) as ByteStream) })
    }
}

struct Unreadable;

impl Source for Unreadable {
    fn open(&self) -> Opening<'_> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::PermissionDenied)) })
    }
}

#[tokio::test]
async fn a_source_that_fails_ends_the_upload() {
    let sources: [(Arc<dyn Source>, u64); 3] =
        [(Arc::new(Shrunk), 6), (Arc::new(Shrunk), 4), (Arc::new(Unreadable), 5)];
    for (source, length) in sources {
        let server = ScriptedServer::script(|_| written(201)).await;
        let new = NewAttachment {
            content_type: "image/png".into(),
            length,
            encoded: None,
            digest: digest::of(b"short"),
            source,
        };
        let error = database(&server).put(&with("a.png", Attachment::New(new))).await.unwrap_err();
        assert!(matches!(&error, CouchError::Source { name, .. } if name == "a.png"), "{error:?}");
        assert_eq!(server.lines(), [""; 0], "no request was whole");
    }
}

#[tokio::test]
async fn corruption_is_tried_once_more() {
    let damaged = || Step::json(500, r#"{"error":"unknown_error","reason":"function_clause"}"#);
    let write = with("a", attachment("image/png", "abc"));
    let server = ScriptedServer::steps([damaged(), untouched(), damaged()]).await;
    let error = database(&server).put(&write).await.unwrap_err();
    assert_eq!(error.to_string(), "the upload of `doc` was corrupted in transit");
    assert_eq!(server.methods(), "PUT GET PUT");
    let server = ScriptedServer::steps([damaged(), untouched(), written(201)]).await;
    assert!(!recognised(database(&server).put(&write).await));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let json = |status, error: &str, reason: &str| {
        Step::json(status, &format!(r#"{{"error":"{error}","reason":"{reason}"}}"#))
    };
    let cases = [
        (json(412, "missing_stub", "x"), "the server lost an attachment we expected it to have", 1),
        (json(403, "forbidden", "not an admin"), "not allowed to write `doc`", 4),
        (json(401, "unauthorized", "x"), "`HOST` wants credentials", 4),
        (json(404, "not_found", "Database does not exist."), "database `db` does not exist on `HOST`", 6),
        (json(404, "not_found", "no_db_file"), "database `db` does not exist on `HOST`", 6),
        (json(400, "compilation_error", "bad map"), "the server refused to write `doc`", 1),
        (json(413, "document_too_large", "doc"), "`doc` is larger than the server allows", 1),
        (Step::answer(400, "", b""), "the server refused to write `doc`", 1),
    ];
    for (step, message, code) in cases {
        let server = ScriptedServer::steps([step]).await;
        let error = database(&server).put(&write()).await.unwrap_err();
        let message = message.replace("HOST", server.url().trim_start_matches("http://"));
        assert_eq!((error.to_string(), error.exit().code()), (message, code));
    }
    let server = ScriptedServer::steps([Step::answer(400, "", b"")]).await;
    let error = database(&server).put(&write()).await.unwrap_err();
    assert_eq!(error.answer().unwrap().to_string(), "the server answered 400 bad request without an explanation");
    let server = ScriptedServer::steps([json(404, "not_found", "deleted")]).await;
    let error = database(&server).document(&id(), &Read::default()).await.unwrap_err();
    let deleted = matches!(&error, CouchError::NotFound { what: Missing::Document { deleted: true, .. }, .. });
    assert!(deleted, "{error:?}");
}

#[tokio::test]
async fn what_is_not_couchdb_is_told_apart() {
    let html = |status| Step::answer(status, "Content-Type: text/html; charset=utf-8\r\n", b"<title>Sign in</title>");
    for step in [
        html(200),
        html(404),
        html(400),
        Step::json(200, r#"{"hello":1}"#),
        Step::json(200, "OK"),
        Step::json(200, "[]"),
    ] {
        let server = ScriptedServer::steps([step.clone()]).await;
        let error = connect(&server, &clock().network).welcome().await.unwrap_err();
        assert!(matches!(error, CouchError::NotCouchDb { .. }), "{error:?}");
    }
    let server = ScriptedServer::steps([html(200)]).await;
    let error = database(&server).info().await.unwrap_err();
    let expected = format!("`{}/db` does not look like CouchDB (got text/html)", server.url());
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, CouchError::NotCouchDb { first_line: Some(line), .. } if line == "Sign in"));
    for text in ["{\"doc_count\":", "", "{\"doc_count\":1e999}", &"[".repeat(5000)] {
        let server = ScriptedServer::steps([Step::json(200, text)]).await;
        let error = database(&server).info().await.unwrap_err();
        assert!(matches!(error, CouchError::Protocol { .. }), "{text}: {error:?}");
    }
}

#[tokio::test]
async fn servers_say_who_they_are() {
    use couchapp::couch::Kind;
    let cases = [
        (
            r#"{"couchdb":"Welcome","version":"3.5.0","vendor":{"name":"The Apache Software Foundation"}}"#,
            Kind::CouchDb,
        ),
        (r#"{"express-pouchdb":"Welcome!","version":"4.2.0","vendor":{"name":"PouchDB authors"}}"#, Kind::PouchDb),
        (r#"{"couchdb":"Welcome","version":"4.2.0","vendor":{"name":"PouchDB authors"}}"#, Kind::PouchDb),
        (r#"{"couchdb":"Welcome","version":"0.1.0","vendor":{"name":"couchapp"}}"#, Kind::Couchapp),
        (r#"{"couchdb":"Welcome","vendor":{"name":"IBM Cloudant","version":"8162"}}"#, Kind::Other),
        (r#"{"couchdb":"Welcome"}"#, Kind::Other),
    ];
    for (answer, kind) in cases {
        let server = ScriptedServer::steps([Step::json(200, answer)]).await;
        let welcome = connect(&server, &clock().network).welcome().await.unwrap();
        assert_eq!(welcome.kind, kind, "{answer}");
        let encoded = matches!(kind, Kind::CouchDb | Kind::Couchapp);
        assert_eq!(kind.takes_encoded_parts(), encoded);
    }
}

#[tokio::test]
async fn pouchdb_gets_names_it_would_misread_inside_the_document() {
    let welcome = Step::json(200, r#"{"express-pouchdb":"Welcome!"}"#);
    let server = ScriptedServer::steps([welcome, written(201), written(201)]).await;
    let connected = connect(&server, &clock().network);
    connected.welcome().await.unwrap();
    let database = connected.database(&DbName::new("db").unwrap());
    database.put(&with("a\\b", attachment("image/png", "abc"))).await.unwrap();
    database.put(&with("a/b", attachment("image/png", "abc"))).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[1].header("content-type"), Some("application/json"));
    assert!(String::from_utf8_lossy(&seen[1].body).contains(r#""a\\b":{"content_type":"image/png","data":"YWJj"}"#));
    assert!(seen[2].header("content-type").unwrap().starts_with("multipart/related"));
    assert!(String::from_utf8_lossy(&seen[2].body).contains("filename=\"a/b\""));
}

#[tokio::test]
async fn redirects_are_reported_and_not_followed() {
    let elsewhere = ScriptedServer::script(|_| Step::json(200, "{}")).await;
    let location = format!("Location: {}/_utils/\r\n", elsewhere.url().replace("://", "://bob:hunter2@"));
    for status in [301, 302, 303, 307, 308] {
        let server =
            ScriptedServer::steps([Step::answer(status, &location, b""), Step::answer(status, &location, b"")]).await;
        let (address, _) = Address::parse(&server.url(), Expect::Server).unwrap();
        let credentials = Credentials::Bearer(Secret::new("canary"));
        let connected = Server::connect(&address, Some(credentials), &clock().network).unwrap();
        let database = connected.database(&DbName::new("db").unwrap());
        for error in [database.info().await.unwrap_err(), database.put(&write()).await.unwrap_err()] {
            assert!(matches!(&error, CouchError::Redirected { to, .. } if to.contains("_utils")), "{error:?}");
            assert!(!format!("{error:?}{error}").contains("hunter2"));
        }
    }
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[tokio::test]
async fn endless_answers_have_an_end() {
    let endless =
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n".to_vec(), vec![b'\n'; 2 << 20]].concat();
    let server = ScriptedServer::steps([Step::raw(&endless, End::Hang)]).await;
    let error = connect(&server, &clock().network).session().await.unwrap_err();
    assert!(error.to_string().contains("larger than 1 MiB"), "{error}");

    let stalled = Step::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", End::Hang);
    let server = ScriptedServer::script(move |_| stalled.clone()).await;
    let error = impatient(&server).info().await.unwrap_err();
    assert!(matches!(error, CouchError::Timeout { .. }), "{error:?}");
    assert_eq!((error.exit().code(), server.seen().len()), (7, 5));
}

#[tokio::test]
async fn credentials_are_never_shown() {
    let canary = "canary-hunter2";
    let server = ScriptedServer::script(|seen| {
        let quoted = seen.header("authorization").unwrap_or_default().to_owned();
        Step::json(401, &format!(r#"{{"error":"x","reason":"http://bob:canary-hunter2@h/ {}"}}"#, &quoted[..6]))
    })
    .await;
    let log = everything_logged();
    let (address, credentials) =
        Address::parse(&server.url().replace("://", &format!("://bob:{canary}@")), Expect::Server).unwrap();
    let network = Network { client_certificate: Some(canary.into()), ..Network::default() };
    assert!(matches!(Server::connect(&address, None, &network), Err(CouchError::Unusable { .. })));
    let connected = Server::connect(&address, credentials.clone(), &Network::default()).unwrap();
    let database = connected.database(&DbName::new("db").unwrap());
    let error = database.put(&write()).await.unwrap_err();
    assert!(matches!(error, CouchError::Unauthorized { given: true, .. }));
    let log = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    assert!(log.contains(&format!("PUT {}/db/doc", server.url())), "{log}");
    let sent = server.seen()[0].header("authorization").unwrap().to_owned();
    let encoded = sent.strip_prefix("Basic ").unwrap();
    let shown =
        format!("{connected:?}{database:?}{error:?}{error}{credentials:?}{network:?}{}", error.answer().unwrap());
    for text in [log, shown] {
        assert!(!text.contains(canary) && !text.contains(encoded), "{text}");
    }
    let broken =
        Server::connect(&address, Some(Credentials::Bearer(Secret::new("canary\nhunter2"))), &Network::default());
    let error = broken.unwrap_err();
    assert!(matches!(error, CouchError::Unusable { .. }) && !format!("{error:?}").contains("canary"));
}

/// What the whole process logs, at the finest level.
fn everything_logged() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<&'static Mutex<Vec<u8>>> = OnceLock::new();
    LOG.get_or_init(|| {
        let log: &'static Mutex<Vec<u8>> = Box::leak(Box::default());
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || Writer(log)).init();
        log
    })
}

struct Writer(&'static Mutex<Vec<u8>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PARTS: &str = concat!(
    "--B\r\nContent-Type: application/json\r\n\r\n",
    r#"{"_id":"doc","_rev":"1-a","_attachments":{"z":{"content_type":"x/y","length":3,"follows":true},"#,
    r#""kept":{"content_type":"x/y","length":9,"stub":true},"a":{"content_type":"x/y","length":0,"follows":true}}}"#,
    "\r\n--B\r\nContent-Disposition: attachment; filename=\"../../evil\"\r\nContent-Length: 99\r\n\r\nabc",
    "\r\n--B\r\nContent-Encoding: gzip\r\n\r\n",
    "\r\n--B--"
);

fn parts(body: &str) -> Step {
    Step::answer(200, "Content-Type: multipart/related; boundary=\"B\"\r\n", body.as_bytes())
}

async fn read_all(database: &Database) -> Result<Vec<(String, bool, Vec<u8>)>, CouchError> {
    let mut document = database.with_attachments(&id(), &Read::default()).await?;
    let mut all = Vec::new();
    while let Some(mut incoming) = document.next().await? {
        let mut content = Vec::new();
        while let Some(bytes) = incoming.chunk().await? {
            content.extend_from_slice(&bytes);
        }
        all.push((incoming.name.to_string(), incoming.gzip, content));
    }
    Ok(all)
}

#[tokio::test]
async fn attachments_arrive_in_parts_or_inside_the_document() {
    let server = ScriptedServer::steps([parts(PARTS)]).await;
    let expected = [("z".to_owned(), false, b"abc".to_vec()), ("a".to_owned(), true, Vec::new())];
    assert_eq!(read_all(&database(&server)).await.unwrap(), expected);
    assert_eq!(server.seen()[0].header("accept"), Some("multipart/related, application/json;q=0.5"));

    let inline =
        r#"{"_id":"doc","_rev":"1-a","_attachments":{"z":{"content_type":"x/y","data":"YWJj"},"a":{"data":""}}}"#;
    let server = ScriptedServer::steps([Step::json(200, inline)]).await;
    let expected = [("z".to_owned(), false, b"abc".to_vec()), ("a".to_owned(), false, Vec::new())];
    assert_eq!(read_all(&database(&server)).await.unwrap(), expected);

    // What the reader leaves unread is skipped.
    let server = ScriptedServer::steps([parts(PARTS)]).await;
    let mut document = database(&server).with_attachments(&id(), &Read::default()).await.unwrap();
    assert_eq!(document.next().await.unwrap().unwrap().name.as_str(), "z");
    assert_eq!(document.next().await.unwrap().unwrap().name.as_str(), "a");
    assert!(document.next().await.unwrap().is_none() && document.next().await.unwrap().is_none());
}

#[tokio::test]
async fn damaged_parts_are_errors() {
    let damaged = [
        PARTS.replace("--B--", ""),
        PARTS.replace("\r\n--B\r\nContent-Encoding: gzip\r\n\r\n", ""),
        PARTS.replace("\r\n--B--", "\r\n--B\r\n\r\nmore\r\n--B--"),
        PARTS.replace("gzip", "br"),
        PARTS.replace("\"_id\":\"doc\"", "\"_id\":\"other\""),
        PARTS.replace("{\"_id\"", "{_id"),
        PARTS.replace("--B", "--C"),
        "--B--".to_owned(),
        String::new(),
    ];
    for body in damaged {
        let server = ScriptedServer::steps([parts(&body)]).await;
        let error = read_all(&database(&server)).await.unwrap_err();
        assert!(matches!(error, CouchError::Protocol { .. }), "{body}: {error:?}");
    }
    let server =
        ScriptedServer::steps([Step::json(200, r#"{"_id":"doc","_rev":"1-a","_attachments":{"z":{"data":"?"}}}"#)])
            .await;
    assert!(matches!(read_all(&database(&server)).await, Err(CouchError::Protocol { .. })));
}

#[tokio::test]
async fn a_download_cut_short_is_an_error() {
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nETag: \"abc==\"\r\n";
    let cut = [
        Step::raw(format!("{head}Content-Length: 10\r\n\r\n12345").as_bytes(), End::Close),
        Step::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n").as_bytes(), End::Close),
        Step::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n").as_bytes(), End::Hang),
    ];
    for step in cut {
        let server = ScriptedServer::steps([step.clone()]).await;
        let name = AttName::new("a").unwrap();
        let mut download = impatient(&server).attachment(&id(), &name, &revision("1-a")).await.unwrap();
        assert_eq!((download.encoding.as_deref(), download.etag.as_deref()), (Some("gzip"), Some("\"abc==\"")));
        assert_eq!(download.chunk().await.unwrap().unwrap(), "12345");
        assert!(download.chunk().await.is_err(), "{step:?}");
        assert_eq!(server.seen()[0].header("accept-encoding"), Some("gzip"));
    }
}

#[tokio::test]
async fn listings_must_be_what_was_asked_for() {
    let rows = r#"{"rows":[{"id":"a","key":"a","value":{"rev":"1-a"}},{"key":"b","error":"not_found"},{"id":"c","key":"c","value":{"rev":"2-c","deleted":true}}]}"#;
    let ids: Vec<DocId> = ["a", "b", "c"].map(|id| DocId::new(id).unwrap()).into();
    let server = ScriptedServer::steps([Step::json(200, rows)]).await;
    let revisions = database(&server).revisions_of(&ids).await.unwrap();
    assert_eq!(revisions, [Some(revision("1-a")), None, None]);
    assert_eq!(server.seen()[0].body, br#"{"keys":["a","b","c"]}"#);
    let server = ScriptedServer::steps([Step::json(200, rows)]).await;
    assert!(matches!(database(&server).revisions_of(&ids[..2]).await, Err(CouchError::Protocol { .. })));

    let rows =
        r#"{"rows":[{"id":"_design/x","key":"_design/x","value":{"rev":"3-a"}},{"id":"other","value":{"rev":"1-a"}}]}"#;
    let server = ScriptedServer::steps([Step::json(200, rows)]).await;
    let designs = database(&server).design_documents().await.unwrap();
    assert_eq!(designs, [(DocId::new("_design/x").unwrap(), revision("3-a"))]);
    assert_eq!(server.lines(), ["GET /db/_all_docs?startkey=%22_design%2F%22&endkey=%22_design0%22"]);

    for (step, signature) in [
        (Step::json(200, r#"{"view_index":{"signature":"abc"}}"#), Some("abc")),
        (Step::json(200, r#""Not implemented.""#), None),
        (Step::json(501, r#""Not implemented.""#), None),
        (Step::answer(200, "Content-Type: text/plain\r\n", b"Not implemented."), None),
        (Step::json(404, r#"{"error":"not_found","reason":"missing"}"#), None),
    ] {
        let server = ScriptedServer::steps([step]).await;
        let design = DocId::new("_design/x").unwrap();
        assert_eq!(database(&server).view_signature(&design).await.unwrap().as_deref(), signature);
        assert_eq!(server.left(), 0);
    }
}
