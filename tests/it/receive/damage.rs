//! Bytes that are not those that were stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use couchapp::couch::digest::Damage;
use serde_json::json;

use super::*;
use crate::fake_couch::Fault;
use crate::scripted_server::{ScriptedServer, Step};
use crate::wire::Answer;

fn altered(content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    content
}

/// One result of `_bulk_get` with content inside.
fn result(at: &str, key: &str, stored: &[u8], sent: &[u8]) -> serde_json::Value {
    let attachment = json!({ "content_type": "x/y", "revpos": 1, "digest": digest::of(stored).to_string(),
                             "data": STANDARD.encode(sent) });
    let document = json!({ "_id": at, "_rev": "1-a", "_attachments": { key: attachment } });
    json!({ "id": at, "docs": [{ "ok": document }] })
}

#[test]
fn one_damaged_item_is_asked_for_again_and_spoils_no_other() {
    let (fake, database) = stand_in();
    runtime().block_on(async {
        let root = TempDir::new().unwrap();
        let mut fetches = Vec::new();
        let mut results = Vec::new();
        for at in ["a", "b", "c"] {
            let content = [at.as_bytes(), &noise(100)].concat();
            put(&database, at, None, &[("f", "x/y", content.clone())]).await;
            let sent = if at == "b" { altered(&content) } else { content.clone() };
            let fetch = listed(&database, at, "f", at).await;
            let mut result = result(at, "f", &content, &sent);
            result["docs"][0]["ok"]["_rev"] = json!(fetch.revision.as_str());
            results.push(result);
            fetches.push(fetch);
        }
        fake.forget();
        fake.fail_nth(1, Fault::Answer(Answer::json(200, &json!({ "results": results }))));
        let run = run(&database, fetches, root.path()).await;
        run.end.as_ref().unwrap();
        for at in ["a", "b", "c"] {
            assert_arrived(&run, at, &[at.as_bytes(), &noise(100)].concat());
        }
        assert_eq!(run.progress, 303);
        let targets: Vec<String> = fake.seen().into_iter().map(|seen| seen.target).collect();
        assert_eq!(targets.len(), 2, "{targets:?}");
        assert!(targets[1].starts_with("/db/b/f?rev="), "{targets:?}");
    });
}

/// A server where each document has the attachment `f` with `stored`, and gives `sent` in its place. `_bulk_get` answers
/// JSON as PouchDB does.
async fn liar(stored: Vec<u8>, sent: Vec<u8>) -> ScriptedServer {
    ScriptedServer::script(move |seen| {
        let asked: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        if seen.target.contains("_bulk_get") {
            // The script sees the head only: all tests of this server ask for one document.
            assert_eq!(asked, serde_json::Value::Null);
            let answer = json!({ "results": [result("a", "f", &stored, &sent)] });
            return Step::json(200, &answer.to_string());
        }
        Step::answer(200, &format!("Content-Type: x/y\r\nETag: {}\r\n", etag(digest::of(&stored))), &sent)
    })
    .await
}

#[test]
fn what_never_arrives_right_is_never_there() {
    runtime().block_on(async {
        for (length, requests) in [(100, 3), (100_000, 3), (4_200_000, 3)] {
            let stored = noise(length);
            let server = liar(stored.clone(), altered(&stored)).await;
            let root = TempDir::new().unwrap();
            let run = run(&database(&server.url()), vec![wanted("a", "f", &stored)], root.path()).await;
            run.end.as_ref().unwrap();
            let error = run.files["a"].as_ref().unwrap_err();
            assert!(matches!(error, TransferError::Damaged { source: Damage::Digest { .. }, .. }), "{length}: {error}");
            assert_eq!(tree(root.path()), BTreeMap::new(), "{length}");
            assert_eq!(run.progress, 0, "{length}");
            assert_eq!(server.seen().len(), requests, "{length}: {:?}", server.lines());
        }
    });
}

/// A claim goes stale when another program replaces the attachment; it decides only where there is no digest.
#[test]
fn a_claim_that_does_not_fit_is_damage_without_a_digest() {
    runtime().block_on(async {
        for length in [100, 100_000] {
            let stored = noise(length);
            let server = liar(stored.clone(), stored.clone()).await;
            let root = TempDir::new().unwrap();
            let stale = Fetch { sha256: Some([7; 32]), ..wanted("a", "f", &stored) };
            let arrived = run(&database(&server.url()), vec![stale.clone()], root.path()).await;
            assert!(arrived.files["a"].is_ok(), "{length}");
            let root = TempDir::new().unwrap();
            let run = run(&database(&server.url()), vec![Fetch { digest: None, ..stale }], root.path()).await;
            let error = run.files["a"].as_ref().unwrap_err();
            assert!(matches!(error, TransferError::Damaged { source: Damage::Sha256, .. }), "{length}: {error}");
            assert_eq!(tree(root.path()), BTreeMap::new());
        }
    });
}

#[test]
fn without_any_sum_the_length_decides() {
    runtime().block_on(async {
        let stored = noise(100);
        let server = liar(stored.clone(), stored[..99].to_vec()).await;
        let root = TempDir::new().unwrap();
        let fetch = Fetch { digest: None, ..wanted("a", "f", &stored) };
        let run = run(&database(&server.url()), vec![fetch], root.path()).await;
        let error = run.files["a"].as_ref().unwrap_err();
        assert!(matches!(error, TransferError::Damaged { source: Damage::Length { .. }, .. }), "{error}");
    });
}

#[test]
fn content_inside_of_json_is_taken_from_servers_that_give_nothing_else() {
    runtime().block_on(async {
        let stored = noise(100_000);
        let server = liar(stored.clone(), stored.clone()).await;
        let root = TempDir::new().unwrap();
        let run = run(&database(&server.url()), vec![wanted("a", "f", &stored)], root.path()).await;
        assert_arrived(&run, "a", &stored);
        assert_eq!(server.lines(), ["POST /db/_bulk_get?attachments=true&att_encoding_info=true"]);
    });
}

#[test]
fn an_unknown_compression_is_asked_for_as_stored() {
    let (fake, database) = stand_in();
    runtime().block_on(async {
        let root = TempDir::new().unwrap();
        put(&database, "a", None, &[("f", "text/plain", text(5000))]).await;
        let fetch = listed(&database, "a", "f", "a").await;
        assert!(fetch.encoded);
        fake.forget();
        let run = run(&database, vec![fetch], root.path()).await;
        assert_arrived(&run, "a", &text(5000));
        // Neither inflated by the server nor guessed by us.
        let targets: Vec<String> = fake.seen().into_iter().map(|seen| seen.target).collect();
        assert_eq!(targets, ["/db/_bulk_get?attachments=true&att_encoding_info=true"]);
    });
}
