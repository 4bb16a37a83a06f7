//! Answers without what differs on every server by its nature: names of databases, hosts, sequences, times, sizes.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::body;
use super::script::Compared;
use super::sending::Raw;

/// Headers that say nothing about the answer itself.
const NOT_COMPARED: [&str; 7] = [
    "connection",
    "date",
    "server",
    "transfer-encoding",
    "x-couch-request-id",
    "x-couch-stack-hash",
    "x-couchdb-body-time",
];

/// What is called differently on each server.
pub(super) struct Names<'a> {
    /// The name of the database.
    pub(super) database: &'a str,
    /// Host and port.
    pub(super) authority: &'a str,
    /// Whether only the generation of a revision counts.
    pub(super) has_opaque_revisions: bool,
}

impl Names<'_> {
    /// Takes the names out of a text.
    pub(super) fn without(&self, text: &str) -> String {
        static REVISION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(\d+)-[0-9a-f]{32}\b").unwrap());
        static PROCESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<\d+\.\d+\.\d+>").unwrap());
        let text = text.replace(self.database, "db").replace(self.authority, "server");
        let text = PROCESS.replace_all(&text, "<process>");
        if self.has_opaque_revisions {
            REVISION.replace_all(&text, "$1-opaque").into_owned()
        } else {
            text.into_owned()
        }
    }
}

/// An answer as it is recorded.
pub(super) fn answer(names: &Names<'_>, compared: Compared, raw: &Raw) -> Value {
    if compared == Compared::Status {
        return json!({ "status": raw.status });
    }
    if is_crash(raw) {
        return json!({ "status": raw.status, "crash": true });
    }
    let mut found = Map::new();
    found.insert("status".to_owned(), raw.status.into());
    if raw.is_broken {
        found.insert("broken".to_owned(), true.into());
    }
    let content_type = raw.header("content-type").unwrap_or_default();
    let body = body::normal(names, content_type, &raw.body);
    let headers = headers(names, raw, body.as_ref().is_none_or(|(kind, _)| ["text", "base64"].contains(kind)));
    found.insert("headers".to_owned(), headers);
    if let Some((kind, value)) = body {
        found.insert(kind.to_owned(), value);
    }
    if compared == Compared::Exactly {
        static SEQUENCE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"_seq":"(\d+)-[^"]*""#).unwrap());
        let text = names.without(&String::from_utf8_lossy(&raw.body));
        found.insert("exact".to_owned(), SEQUENCE.replace_all(&text, "_seq\":\"$1\"").into());
    }
    found.into()
}

/// Whether CouchDB did not expect the question at all: a stack trace of Erlang's is no answer that anybody can rely on.
fn is_crash(raw: &Raw) -> bool {
    let reason = &raw.json()["reason"];
    let is_term = reason.as_str().is_some_and(|reason| reason.starts_with('{') || reason == "no_majority");
    raw.status >= 500 && (is_term || raw.header("x-couch-stack-hash").is_some())
}

fn headers(names: &Names<'_>, raw: &Raw, has_length: bool) -> Value {
    let content_type = raw.header("content-type").unwrap_or_default();
    let has_length = has_length && !content_type.contains("json") && !content_type.starts_with("multipart/");
    // That an answer without a body has none need not be said (RFC 9110, section 8.6, even forbids it for 204).
    let counts = |name: &str, value: &str| name != "content-length" || (has_length && value != "0");
    let mut found: Vec<(String, String)> = raw
        .headers
        .iter()
        .filter(|(name, value)| !NOT_COMPARED.contains(&name.as_str()) && counts(name, value))
        .map(|(name, value)| (name.clone(), header(name, &names.without(value))))
        .collect();
    found.sort();
    // What nearly every answer has needs no place in the recording.
    let usual = [("cache-control", "must-revalidate"), ("content-type", "application/json")];
    let has_all = usual.iter().all(|(name, value)| found.iter().any(|header| header.0 == *name && header.1 == *value));
    if has_all {
        found.retain(|header| !usual.contains(&(header.0.as_str(), header.1.as_str())));
        found.insert(0, ("usual".to_owned(), "true".to_owned()));
    }
    found.into_iter().map(|(name, value)| (name, Value::from(value))).collect::<Map<_, _>>().into()
}

fn header(name: &str, value: &str) -> String {
    static EXACT_TAG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"^"(\d+-[0-9a-f]{32}|\d+-opaque|[A-Za-z0-9+/]{22}==)"$"#).unwrap());
    static BOUNDARY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"boundary="?[^";]+"?"#).unwrap());
    static SESSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"AuthSession=[^;]+").unwrap());
    static DATE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)expires=[^;]+").unwrap());
    static UNIQUE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"/[0-9a-f]{32}$").unwrap());
    match name {
        "etag" if !EXACT_TAG.is_match(value) => "opaque".to_owned(),
        "content-type" => BOUNDARY.replace(value, "boundary=…").into_owned(),
        "set-cookie" => DATE.replace(&SESSION.replace(value, "AuthSession=…"), "expires=…").into_owned(),
        "x-couch-id" if UNIQUE.is_match(&format!("/{value}")) => "unique".to_owned(),
        "location" => UNIQUE.replace(value, "/unique").into_owned(),
        _ => value.to_owned(),
    }
}

/// A JSON value without what differs.
pub(super) fn value(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(self::value).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(name, _)| name != "stack" && name != "ref");
            fields.map(|(name, value)| (name.clone(), field(&name, value))).collect::<Map<_, _>>().into()
        }
        value => value,
    }
}

fn field(name: &str, value: Value) -> Value {
    static UNIQUE: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[0-9a-f]{32}$").unwrap());
    let is_unique = |value: &Value| value.as_str().is_some_and(|text| UNIQUE.is_match(text));
    match name {
        "seq" | "last_seq" | "update_seq" | "purge_seq" => sequence(value),
        "instance_start_time" | "time" if value.is_string() => "time".into(),
        "sizes" | "collator_versions" | "execution_time_ms" | "pending_time" => name.into(),
        "updater_running" | "waiting_clients" | "waiting_commit" => "changing".into(),
        "uuid" | "id" | "_id" | "key" if is_unique(&value) => "unique".into(),
        "uuids" => value
            .as_array()
            .map(|items| {
                items.iter().map(|item| if is_unique(item) { "unique".into() } else { item.clone() }).collect()
            })
            .unwrap_or(value),
        "iterations" => "iterations".into(),
        "reason" if value.is_string() => reason(value.as_str().unwrap_or_default()).into(),
        "derived_key" | "salt" | "git_sha" | "bookmark" if value.is_string() && value != "nil" => name.into(),
        _ => self::value(value),
    }
}

/// What went wrong, without the words of the engine that ran a function.
fn reason(text: &str) -> String {
    static ENGINE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)(raised error|view failed):.*").unwrap());
    ENGINE.replace(text, "$1: …").into_owned()
}

/// A sequence is opaque: only the number of the update counts, as there is one shard.
pub(super) fn sequence(value: Value) -> Value {
    match &value {
        Value::String(text) => match text.split('-').next() {
            Some(number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => number.into(),
            _ => value,
        },
        Value::Number(number) => number.to_string().into(),
        _ => value,
    }
}

#[test]
fn only_what_differs_by_nature_is_taken_away() {
    let names = Names { database: "diff-1", authority: "127.0.0.1:1", has_opaque_revisions: false };
    assert_eq!(names.without("http://127.0.0.1:1/diff-1/a <0.1.2>"), "http://server/db/a <process>");
    let before = json!({ "last_seq": "3-abc", "rows": [{ "seq": 3, "id": "a" }], "ref": 1, "n": 1.50 });
    assert_eq!(value(before), json!({ "last_seq": "3", "rows": [{ "seq": "3", "id": "a" }], "n": 1.50 }));
    let revision = "\"1-967a00dff5e02add41819138abc3284d\"";
    assert_eq!(header("etag", revision), revision);
    assert_eq!(header("etag", "\"XUB82B3T8V1B1Q7R6WE3OZ9L8\""), "opaque");
}
