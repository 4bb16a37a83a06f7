//! What is tried again, how often, and for how long.

use super::*;

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
