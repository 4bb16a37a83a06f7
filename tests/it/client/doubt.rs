//! Writes whose answer was lost: what is recognised as our own.

use super::*;

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

pub(super) fn with_stub(stub: &str) -> Step {
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
