//! A request as the stand-in sees it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::number;
use super::store::Rev;
use crate::wire::{Answer, Head};

/// A request, with its target taken apart.
pub(crate) struct Request {
    /// The method.
    pub(crate) method: String,
    /// The target as it was sent.
    pub(crate) target: String,
    /// The segments of the path, decoded.
    pub(crate) path: Vec<String>,
    /// The query, decoded.
    pub(crate) query: BTreeMap<String, String>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The content; empty while only the head is there.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Takes the head of a request apart; the answer is the refusal of a target that cannot be decoded.
    pub(crate) fn new(head: &Head, body: Vec<u8>) -> Result<Self, Answer> {
        let target = head.target().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
        let pairs =
            query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = pairs.map(|(key, value)| Ok((decode(key)?, decode(value)?))).collect::<Result<_, _>>()?;
        Ok(Self { method: head.method().to_owned(), path, query, headers: head.headers.clone(), body, target })
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a query parameter is `true`.
    pub(crate) fn asks(&self, key: &str) -> bool {
        self.query.get(key).is_some_and(|value| value == "true")
    }

    /// A query parameter that holds JSON.
    pub(crate) fn query_json(&self, key: &str) -> Option<Value> {
        self.query.get(key).and_then(|text| serde_json::from_str(text).ok())
    }

    /// The content type of the body.
    pub(crate) fn content_type(&self) -> &str {
        self.header("content-type").unwrap_or("application/octet-stream")
    }

    /// Whether the answer may be `multipart/related`, as mochiweb judges it.
    pub(crate) fn accepts_related(&self) -> bool {
        let wanted = |range: &str| {
            let range = range.split(';').next().unwrap_or_default().trim();
            ["multipart/related", "multipart/*", "*/*"].contains(&range)
        };
        self.header("accept").is_none_or(|ranges| ranges.split(',').any(wanted))
    }

    /// The body as JSON with CouchDB's numbers.
    pub(crate) fn json(&self) -> Result<Value, Answer> {
        json(&self.body)
    }

    /// The body of a `POST`, which must say that it is JSON.
    pub(crate) fn posted_json(&self) -> Result<Value, Answer> {
        if !self.content_type().starts_with("application/json") {
            return Err(Answer::error(415, "bad_content_type", "Content-Type must be application/json"));
        }
        self.json()
    }

    /// The revision that the URL or `If-Match` names.
    pub(crate) fn named_revision(&self) -> Result<Option<Rev>, Answer> {
        let matched = self.header("if-match").map(|text| text.trim_matches('"'));
        self.query.get("rev").map(String::as_str).or(matched).map(Rev::parse).transpose()
    }

    /// User and password of HTTP Basic.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let encoded = self.header("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }
}

/// Reads JSON as CouchDB does.
pub(crate) fn json(text: &[u8]) -> Result<Value, Answer> {
    let refusal = || Answer::error(400, "bad_request", "invalid UTF-8 JSON");
    let mut value = serde_json::from_slice(text).map_err(|_| refusal())?;
    number::normalise(&mut value).ok_or_else(refusal)?;
    Ok(value)
}

/// Percent-decodes; CouchDB reads a plus sign as a space in paths, too.
fn decode(text: &str) -> Result<String, Answer> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
                let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                decoded.push(code.ok_or_else(|| {
                    Answer::error(400, "invalid_url_encoding", "Invalid URL encoding in request target.")
                })?);
                at += 2;
            }
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).map_err(|_| Answer::error(400, "bad_request", "Path is not UTF-8 encoded"))
}
