//! Bodies as they are recorded: JSON, lines of JSON, parts of a multipart, text or bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::normal::{self, Names};

/// The kind of a body and its value; `None` if it is empty.
pub(super) fn normal(names: &Names<'_>, content_type: &str, body: &[u8]) -> Option<(&'static str, Value)> {
    if body.is_empty() {
        return None;
    }
    if let Some(boundary) = boundary_of(content_type) {
        return Some(("parts", parts(names, &boundary, body)));
    }
    let Ok(text) = std::str::from_utf8(body) else { return Some(("base64", STANDARD.encode(body).into())) };
    let text = names.without(text);
    if content_type.starts_with("text/event-stream") {
        return Some(("events", text.lines().filter_map(event).collect()));
    }
    if let Ok(value) = serde_json::from_str(&text) {
        return Some(("json", normal::value(value)));
    }
    // A feed: heartbeats are empty lines and come when they come.
    let lines: Result<Vec<Value>, _> = text.lines().filter(|line| !line.is_empty()).map(serde_json::from_str).collect();
    Some(match lines {
        Ok(lines) => ("lines", lines.into_iter().map(normal::value).collect()),
        Err(_) => ("text", text.into()),
    })
}

/// A line of an event stream; `None` for an empty one and for a heartbeat.
fn event(line: &str) -> Option<Value> {
    let (name, value) = line.split_once(": ").or_else(|| line.split_once(':')).unwrap_or((line, ""));
    match name {
        "" => None,
        "event" if value == "heartbeat" => None,
        "data" if value.is_empty() => None,
        "id" => Some(match serde_json::from_str(value) {
            Ok(value) => json!({ "quoted id": normal::sequence(value) }),
            Err(_) => json!({ "id": normal::sequence(value.into()) }),
        }),
        name => Some(json!({ name: serde_json::from_str(value).map_or_else(|_| value.into(), normal::value) })),
    }
}

fn boundary_of(content_type: &str) -> Option<String> {
    let parameters = content_type.strip_prefix("multipart/")?;
    let boundary = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    Some(boundary.trim_matches('"').to_owned())
}

/// The parts, each with its headers; what is not as it should be is a part without headers.
fn parts(names: &Names<'_>, boundary: &str, body: &[u8]) -> Value {
    let delimiter = format!("--{boundary}");
    let mut found = Vec::new();
    let mut pieces = split(body, delimiter.as_bytes()).into_iter();
    match pieces.next() {
        Some(before) if !before.iter().all(u8::is_ascii_whitespace) => found.push(json!({ "before": before })),
        _ => {}
    }
    let mut is_ended = false;
    for piece in pieces {
        if piece.starts_with(b"--") {
            is_ended = true;
            continue;
        }
        found.push(part(names, piece));
    }
    if !is_ended {
        found.push("no last boundary".into());
    }
    found.into()
}

fn part(names: &Names<'_>, piece: &[u8]) -> Value {
    let piece = piece.strip_prefix(b"\r\n").unwrap_or(piece);
    let piece = piece.strip_suffix(b"\r\n").unwrap_or(piece);
    let (head, content) = match split(piece, b"\r\n\r\n").first() {
        Some(head) if head.len() + 4 <= piece.len() => (*head, &piece[head.len() + 4..]),
        _ if piece.starts_with(b"\r\n") => (&b""[..], &piece[2..]),
        _ => (&b""[..], piece),
    };
    let mut headers = Map::new();
    let mut content_type = String::new();
    for line in String::from_utf8_lossy(head).lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        if name == "content-type" {
            content_type.clone_from(&value);
        }
        let value = if boundary_of(&value).is_some() { "multipart/…".to_owned() } else { names.without(&value) };
        headers.insert(name, value.into());
    }
    let mut found = Map::new();
    found.insert("headers".to_owned(), headers.into());
    if let Some((kind, value)) = normal(names, &content_type, content) {
        found.insert(kind.to_owned(), value);
    }
    found.into()
}

fn split<'a>(bytes: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at + delimiter.len() <= bytes.len() {
        if bytes[at..].starts_with(delimiter) {
            pieces.push(&bytes[start..at]);
            at += delimiter.len();
            start = at;
        } else {
            at += 1;
        }
    }
    pieces.push(&bytes[start..]);
    pieces
}

#[test]
fn a_body_is_taken_apart() {
    let names = Names { database: "diff-1", authority: "server", has_opaque_revisions: false };
    let cases = [
        ("application/json", "{\"seq\":\"1-x\"}\n", json!(["json", { "seq": "1" }])),
        ("application/json", "{\"seq\":1}\n\n{\"a\":2}\n", json!(["lines", [{ "seq": "1" }, { "a": 2 }]])),
        ("text/plain", "diff-1 é", json!(["text", "db é"])),
        (
            "text/event-stream",
            "event: heartbeat\ndata: \n\ndata: {\"seq\":\"2-x\"}\nid: \"2-x\"\n\n",
            json!(["events", [{ "data": { "seq": "2" } }, { "quoted id": "2" }]]),
        ),
        (
            "multipart/mixed; boundary=\"b\"",
            "--b\r\nA: b\r\n\r\n{}\r\n--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--",
            json!(["parts", [
                { "headers": { "a": "b" }, "json": {} },
                { "headers": { "content-type": "multipart/…" }, "parts": [{ "headers": {}, "text": "x" }] },
            ]]),
        ),
    ];
    for (content_type, text, expected) in cases {
        let (kind, value) = normal(&names, content_type, text.as_bytes()).unwrap();
        assert_eq!(json!([kind, value]), expected, "{text}");
    }
}
