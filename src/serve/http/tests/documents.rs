//! Documents read while they are written.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Endpoint, Listening};

/// A database with documents that are large enough for an answer to stop at the first of them that nobody takes.
async fn crowded(count: usize) -> Endpoint {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    let text = "x".repeat(10_000);
    let documents: Vec<Value> = (0..count).map(|n| json!({ "_id": format!("{n:03}"), "text": text })).collect();
    endpoint.expect(201, "POST", "/db/_bulk_docs", &json!({ "docs": documents }).to_string()).await;
    endpoint
}

async fn delete(endpoint: &Endpoint, id: &str) {
    let revision = endpoint.expect(200, "GET", &format!("/db/{id}"), "").await.json()["_rev"].clone();
    let target = format!("/db/{id}?rev={}", revision.as_str().unwrap());
    endpoint.expect(200, "DELETE", &target, "").await;
}

/// What is deleted while a listing is read takes no other document out of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_has_all_documents_that_stay() {
    let endpoint = crowded(450).await;
    for (method, target, body, lasts) in [
        ("GET", "/db/_all_docs?include_docs=true", "", ["199", "399"]),
        ("POST", "/db/_find", r#"{"selector":{"_id":{"$gt":null}},"limit":1000}"#, ["099", "299"]),
    ] {
        let response = endpoint.begin(method, target, &[], body).await;
        let reading = Listening { stream: response.into_body().into_data_stream(), heard: String::new() };
        for last in lasts {
            delete(&endpoint, last).await;
        }
        let heard: Value = serde_json::from_str(&reading.end().await).unwrap();
        let rows = heard.get("rows").or(heard.get("docs")).unwrap().as_array().unwrap();
        let ids: Vec<&str> = rows.iter().filter_map(|row| row.get("id").or(row.get("_id"))?.as_str()).collect();
        for last in lasts {
            let next = format!("{:03}", last.parse::<u32>().unwrap() + 1);
            assert!(ids.contains(&next.as_str()), "{target}: {next}");
        }
    }
}

/// With one revision a write drops the body of the one before.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_there_while_it_is_written() {
    let endpoint = Arc::new(Endpoint::party());
    endpoint.expect(201, "PUT", "/db", "").await;
    endpoint.expect(200, "PUT", "/db/_revs_limit", "1").await;
    endpoint.expect(201, "PUT", "/db/a", "{}").await;
    let writer = Arc::clone(&endpoint);
    let writing = tokio::spawn(async move {
        let mut revision = writer.expect(200, "GET", "/db/a", "").await.json()["_rev"].clone();
        for _ in 0..300 {
            let body = json!({ "_rev": revision }).to_string();
            revision = writer.expect(201, "PUT", "/db/a", &body).await.json()["rev"].clone();
        }
    });
    while !writing.is_finished() {
        endpoint.expect(200, "GET", "/db/a", "").await;
        for target in ["/db/_all_docs?include_docs=true", "/db/_all_docs?include_docs=true&keys=%5B%22a%22%5D"] {
            let row = endpoint.expect(200, "GET", target, "").await.json()["rows"][0].clone();
            assert_eq!(row["doc"]["_rev"], row["value"]["rev"], "{target}");
        }
        let found = endpoint.expect(200, "POST", "/db/_find", r#"{"selector":{"_id":"a"}}"#).await;
        assert_eq!(found.json()["docs"].as_array().unwrap().len(), 1);
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn no_generation_is_too_large() {
    let endpoint = Endpoint::party();
    endpoint.expect(201, "PUT", "/db", "").await;
    endpoint.expect(201, "PUT", "/db/a", "{}").await;
    endpoint.expect(409, "PUT", "/db/b", r#"{"_rev":"18446744073709551615-abc"}"#).await;
    endpoint.expect(400, "PUT", &format!("/{}", "a".repeat(239)), "").await;
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
