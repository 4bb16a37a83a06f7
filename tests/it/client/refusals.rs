//! What a server says of itself and of a request, told apart; and what is never shown.

use super::*;

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
