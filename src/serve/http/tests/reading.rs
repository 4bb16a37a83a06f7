//! Documents read one by one. The answers are those of CouchDB 3.5.

use serde_json::Value;

use super::Endpoint;

const DESIGN: &str = r#"{ "_attachments": { "a.png": { "content_type": "image/png", "data": "MDEyMzQ1Njc4OQ==" } } }"#;

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    endpoint.expect(201, "PUT", "/db/_design/app", DESIGN).await;
    for target in ["/db/_design/app", "/db/_design/app/a.png", "/_all_dbs", "/db/_changes"] {
        let etag = endpoint.expect(200, "GET", target, "").await.header("etag").to_owned();
        for (known, status) in [
            (etag.clone(), 304),
            (format!("W/{etag}"), 304),
            (format!("\"x\", {etag}"), 304),
            (format!("\"x\",W/{etag}"), 304),
            ("*".to_owned(), 200),
            ("\"x\"".to_owned(), 200),
            (etag.trim_matches('"').to_owned(), 200),
        ] {
            let answered = endpoint.send("GET", target, &[("if-none-match", &known)], "").await;
            assert_eq!(answered.status, status, "{target} {known}");
        }
    }
}

#[tokio::test]
async fn only_the_escaped_slash_of_a_design_document_is_sent_elsewhere() {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    endpoint.expect(201, "PUT", "/db/_design/app", DESIGN).await;
    for (target, expected) in [
        ("/db/_design%2Fapp", "http://localhost/db/_design/app"),
        ("/db/_design%2fapp/a.png?x=y", "http://localhost/db/_design/app/a.png?x=y"),
        ("//db/_design%2Fapp?x=_design%2Fy", "http://localhost//db/_design/app?x=_design%2Fy"),
    ] {
        let answered = endpoint.expect(301, "GET", target, "").await;
        assert_eq!(answered.header("location"), expected, "{target}");
    }
    for (target, status) in [
        ("/db/_design/app?x=_design%2Fy", 200),
        ("/db/_design/app/a.png?x=_design%2Fy", 200),
        ("/db/_design/app/_design%2Fa.png", 404),
    ] {
        endpoint.expect(status, "GET", target, "").await;
    }
}

/// CouchDB's generations have no end, those of this endpoint do.
#[tokio::test]
async fn behind_the_last_generation_comes_no_other() {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    endpoint.expect(201, "PUT", "/db/first", "{}").await;
    let last = format!("{}-abc", u64::MAX);
    endpoint.expect(201, "PUT", "/db/a?new_edits=false", &format!("{{\"_rev\":\"{last}\"}}")).await;
    for (method, target) in
        [("PUT", "/db/a"), ("DELETE", "/db/a"), ("PUT", "/db/a/b.txt"), ("PUT", "/db/unheard"), ("COPY", "/db/first")]
    {
        let headers = [("destination", &*format!("a?rev={last}"))];
        let target = if method == "COPY" { target.to_owned() } else { format!("{target}?rev={last}") };
        let answered = endpoint.send(method, &target, &headers, "{}").await;
        assert_eq!(answered.status, 409, "{method} {target}: {answered:?}");
    }
    assert_eq!(endpoint.expect(200, "GET", "/db/a", "").await.json()["_rev"], *last);
}

#[tokio::test]
async fn what_was_asked_is_counted() {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    endpoint.expect(404, "GET", "/db/a", "").await;
    let value = async |path: &str| {
        let answered = endpoint.expect(200, "GET", &format!("/_node/_local/_stats{path}"), "").await.json();
        answered["value"].clone()
    };
    assert_eq!(value("/couchdb/httpd/requests").await, 3);
    assert_eq!(value("/couchdb/httpd_request_methods/PUT").await, 1);
    assert_eq!(value("/couchdb/httpd_status_codes/404").await, 1);
    let listening = endpoint.listen("/db/_changes?feed=longpoll&since=now").await;
    assert_eq!(value("/couchdb/httpd/clients_requesting_changes").await, 1);
    drop(listening);
    let all = endpoint.expect(200, "GET", "/_node/couchapp@127.0.0.1/_stats", "").await.json();
    assert_eq!(all["couchdb"]["httpd"]["requests"]["type"], "counter");
    assert_eq!(all["couchdb"]["httpd"]["requests"]["desc"], "number of HTTP requests");
    assert_eq!(endpoint.expect(200, "GET", "/_node/_local/_stats/nothing", "").await.json(), Value::Null);
    endpoint.expect(405, "PUT", "/_node/_local/_stats", "{}").await;
    let closed = Endpoint::with_administrator();
    assert_eq!(closed.ask("", "GET", "/_node/_local/_stats", "").await.status, 401);
}
