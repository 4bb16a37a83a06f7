//! Connections that break, and what is left of them.

use std::sync::Mutex;

use super::*;
use crate::scripted_server::{End, ScriptedServer, Seen, Step};

/// More than comes in a batch.
const LARGE: usize = 6_000_000;

/// An answer with `content` from `from` on, of which `sent` bytes come before the connection is reset.
fn cut(content: &[u8], from: usize, sent: usize, tag: &str) -> Step {
    let rest = &content[from..];
    let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
    let range = format!("Content-Range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len());
    let range = if from == 0 { String::new() } else { range };
    let head = format!("HTTP/1.1 {status}\r\nETag: {tag}\r\n{range}Content-Length: {}\r\n\r\n", rest.len());
    let end = if sent >= rest.len() { End::Keep } else { End::Close };
    Step::raw(&[head.as_bytes(), &rest[..sent.min(rest.len())]].concat(), end)
}

/// How a server answers: content, first byte that is wanted, `ETag`.
type Way = fn(&[u8], usize, &str) -> Step;

fn begins_at(seen: &Seen) -> usize {
    let range = seen.header("range").and_then(|range| range.strip_prefix("bytes="));
    range.map_or(0, |range| range.trim_end_matches('-').parse().unwrap())
}

/// A server that breaks each connection after `sent` bytes.
async fn breaking(content: Vec<u8>, sent: usize) -> ScriptedServer {
    let tag = etag(digest::of(&content));
    ScriptedServer::script(move |seen| cut(&content, begins_at(seen), sent, &tag)).await
}

#[test]
fn a_broken_download_goes_on_where_it_ended() {
    runtime().block_on(async {
        let content = noise(LARGE);
        let server = breaking(content.clone(), 2_500_000).await;
        let root = TempDir::new().unwrap();
        let run = run(&database(&server.url()), vec![wanted("a", "f", &content)], root.path()).await;
        assert_arrived(&run, "a", &content);
        assert_eq!(run.progress, i64::try_from(LARGE).unwrap());
        let begins: Vec<usize> = server.seen().iter().map(begins_at).collect();
        assert_eq!((begins.len(), begins[0]), (3, 0), "{begins:?}");
        assert!(begins.is_sorted() && begins[1] > 0, "{begins:?}");
    });
}

#[test]
fn a_download_goes_on_after_the_process_has_ended() {
    runtime().block_on(async {
        let content = noise(LARGE);
        let root = TempDir::new().unwrap();
        let server = breaking(content.clone(), 300_000).await;
        let first = run(&database(&server.url()), vec![wanted("a", "f", &content)], root.path()).await;
        assert!(first.files["a"].is_err());
        assert_eq!(first.progress, 0);
        let left = tree(root.path());
        let (partial, bytes) = left.first_key_value().unwrap();
        assert!(left.len() == 1 && partial != "a" && content.starts_with(bytes) && bytes.len() > 300_000, "{partial}");
        let server = breaking(content.clone(), LARGE).await;
        let second = run(&database(&server.url()), vec![wanted("a", "f", &content)], root.path()).await;
        assert_arrived(&second, "a", &content);
        assert_eq!(second.progress, i64::try_from(LARGE).unwrap());
        assert_eq!(server.seen().iter().map(begins_at).collect::<Vec<_>>(), [bytes.len()]);
        assert_eq!(tree(root.path()).keys().collect::<Vec<_>>(), ["a"]);
    });
}

#[test]
fn an_unfinished_file_that_is_no_beginning_is_thrown_away() {
    runtime().block_on(async {
        let content = noise(LARGE);
        let server = breaking(content.clone(), LARGE).await;
        let database = database(&server.url());
        let fetch = wanted("a", "f", &content);
        let tag = fetch.digest.unwrap().to_string();
        let partial = Destination::partial(&fetch.path, &tag);
        let (whole, other) = ([&content[..], b"more"].concat(), vec![1; LARGE]);
        let cases: [(&[u8], &[usize]); 4] = [(&[0; 1000], &[1000, 0]), (&whole, &[0]), (&content, &[]), (&other, &[0])];
        for (left, requests) in cases {
            let root = TempDir::new().unwrap();
            std::fs::write(root.path().join(partial.as_str()), left).unwrap();
            let before = server.seen().len();
            let run = run(&database, vec![fetch.clone()], root.path()).await;
            assert_arrived(&run, "a", &content);
            assert_eq!(server.seen()[before..].iter().map(begins_at).collect::<Vec<_>>(), requests);
            assert_eq!(tree(root.path()).keys().collect::<Vec<_>>(), ["a"]);
            assert_eq!(run.progress, i64::try_from(LARGE).unwrap());
        }
    });
}

#[test]
fn a_part_of_another_content_is_not_put_behind_ours() {
    runtime().block_on(async {
        let content = noise(LARGE);
        let right = etag(digest::of(&content));
        // Each way in which a server may fail to go on.
        let no_part = |content: &[u8], _: usize, tag: &str| cut(content, 0, LARGE, tag);
        let other_tag = |content: &[u8], from: usize, tag: &str| {
            cut(content, from, LARGE, if from == 0 { tag } else { "\"other\"" })
        };
        let too_early = |content: &[u8], from: usize, tag: &str| cut(content, from.saturating_sub(1), LARGE, tag);
        let refused = |content: &[u8], from: usize, tag: &str| match from {
            0 => cut(content, 0, LARGE, tag),
            _ => Step::json(416, r#"{"error":"requested_range_not_satisfiable"}"#),
        };
        let ways: [Way; 4] = [no_part, other_tag, too_early, refused];
        for way in ways {
            let (script, tag, is_first) = (content.clone(), right.clone(), Mutex::new(true));
            let server = ScriptedServer::script(move |seen| match std::mem::take(&mut *is_first.lock().unwrap()) {
                true => cut(&script, 0, 1_000_000, &tag),
                false => way(&script, begins_at(seen), &tag),
            })
            .await;
            let root = TempDir::new().unwrap();
            let run = run(&database(&server.url()), vec![wanted("a", "f", &content)], root.path()).await;
            assert_arrived(&run, "a", &content);
            assert_eq!(run.progress, i64::try_from(LARGE).unwrap());
        }
    });
}

#[test]
fn what_was_compacted_away_is_read_as_it_is_now() {
    runtime().block_on(async {
        let (old, new) = (noise(100_000), noise(100_001));
        let (tag, content) = (digest::of(&new), new.clone());
        let server = ScriptedServer::script(move |seen| match seen.target.split('?').next().unwrap() {
            "/db/_bulk_get" => Step::json(200, r#"{"results":[{"id":"a","docs":[{}]}]}"#),
            "/db/a" => {
                let stub = format!(r#"{{"content_type":"x/y","digest":"{tag}","length":100001,"stub":true}}"#);
                Step::json(200, &format!(r#"{{"_id":"a","_rev":"2-b","_attachments":{{"f":{stub}}}}}"#))
            }
            _ if seen.target.ends_with("rev=2-b") => Step::answer(200, "Content-Type: x/y\r\n", &content),
            _ => Step::json(404, r#"{"error":"not_found","reason":"missing"}"#),
        })
        .await;
        let root = TempDir::new().unwrap();
        let fetch = wanted("a", "f", &old);
        let pinned = Fetch { path: RelPath::new("p").unwrap(), pinned: true, ..fetch.clone() };
        let run = run(&database(&server.url()), vec![fetch, pinned], root.path()).await;
        assert_arrived(&run, "a", &new);
        assert_eq!(run.files["a"].as_ref().unwrap().revision.as_str(), "2-b");
        assert!(matches!(run.files["p"], Err(TransferError::Couch(CouchError::NotFound { .. }))));
    });
}

#[test]
fn a_server_that_always_breaks_ends_the_run() {
    runtime().block_on(async {
        for length in [100, 100_000, 4_200_000] {
            let server = ScriptedServer::script(|_| Step::raw(b"", End::Reset)).await;
            let root = TempDir::new().unwrap();
            let like = Fetch { length, ..wanted("a", "f", b"") };
            let other = |number: usize| Fetch { path: RelPath::new(format!("f{number}")).unwrap(), ..like.clone() };
            let fetches = (0..500).map(|number| Fetch { id: id(&format!("d{number}")), ..other(number) }).collect();
            let run = run(&database(&server.url()), fetches, root.path()).await;
            assert!(matches!(run.end, Err(TransferError::Couch(CouchError::Broken { .. }))));
            assert!(server.seen().len() < 200, "{}", server.seen().len());
        }
    });
}

#[test]
fn what_would_befall_all_is_asked_once() {
    runtime().block_on(async {
        let answer = Step::json(401, r#"{"error":"unauthorized","reason":"You are not authorized."}"#);
        let server = ScriptedServer::script(move |_| answer.clone()).await;
        let root = TempDir::new().unwrap();
        let fetches = (0..50).map(|number| wanted(&format!("f{number}"), "f", &noise(100_000))).collect();
        let run = run(&database(&server.url()), fetches, root.path()).await;
        assert!(matches!(run.end, Err(TransferError::Couch(CouchError::Unauthorized { .. }))));
        assert!(server.seen().len() <= 4, "{}", server.seen().len());
        assert!(run.files.is_empty());
    });
}

#[test]
fn an_answer_that_is_cut_anywhere_leaves_nothing_half() {
    let (_fake, real) = stand_in();
    runtime().block_on(async {
        let contents = [noise(300), text(900), noise(301)];
        let mut fetches = Vec::new();
        for (number, content) in contents.iter().enumerate() {
            let content_type = if number == 1 { "text/plain" } else { "x/y" };
            let at = format!("d{number}");
            put(&real, &at, None, &[("f", content_type, content.clone())]).await;
            // Pinned, so that they come by `_bulk_get`.
            fetches.push(Fetch { pinned: true, ..listed(&real, &at, "f", &at).await });
        }
        let boundary = "outer";
        let mut body = Vec::new();
        for (fetch, content) in fetches.iter().zip(&contents) {
            body.extend_from_slice(&part(boundary, fetch, content));
        }
        body.extend_from_slice(b"\r\n--outer--");
        for end in (0..body.len()).step_by(53) {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=outer\r\nConnection: close\r\n";
            let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
            let sent = [head.as_bytes(), &body[..end]].concat();
            let server = ScriptedServer::script(move |seen| match seen.target.contains("_bulk_get") {
                true => Step::raw(&sent, End::Close),
                false => Step::json(404, r#"{"error":"not_found","reason":"missing"}"#),
            })
            .await;
            let root = TempDir::new().unwrap();
            let run = run(&database(&server.url()), fetches.clone(), root.path()).await;
            let tree = tree(root.path());
            for (fetch, content) in fetches.iter().zip(&contents) {
                let path = fetch.path.as_str();
                let is_there = matches!(run.files.get(path), Some(Ok(_)));
                assert_eq!(tree.get(path), is_there.then_some(content), "cut at {end}");
            }
            assert!(tree.len() < 3 && tree.keys().all(|path| path.len() == 2), "cut at {end}: {:?}", tree.keys());
        }
    });
}

/// A document with one attachment as a part of `_bulk_get`'s answer.
fn part(boundary: &str, fetch: &Fetch, content: &[u8]) -> Vec<u8> {
    let stored = if fetch.encoded { digest::gzip(content, digest::SERVER_LEVEL) } else { content.to_vec() };
    let encoding = match fetch.encoded {
        true => format!(r#","encoding":"gzip","encoded_length":{}"#, stored.len()),
        false => String::new(),
    };
    let coding = if fetch.encoded { "Content-Encoding: gzip\r\n" } else { "" };
    let digest = fetch.digest.unwrap();
    let stub =
        format!(r#"{{"content_type":"x/y","digest":"{digest}","length":{},"follows":true{encoding}}}"#, content.len());
    let (id, rev) = (fetch.id.as_str(), fetch.revision.as_str());
    let document = format!(r#"{{"_id":"{id}","_rev":"{rev}","_attachments":{{"f":{stub}}}}}"#);
    let head = format!(
        "\r\n--{boundary}\r\nX-Doc-Id: {id}\r\nContent-Type: multipart/related; boundary=inner\r\n\r\n\
         --inner\r\nContent-Type: application/json\r\n\r\n{document}\r\n\
         --inner\r\nContent-Disposition: attachment; filename=\"f\"\r\n{coding}\r\n"
    );
    [head.as_bytes(), &stored, b"\r\n--inner--"].concat()
}
