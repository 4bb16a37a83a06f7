//! Asks a real CouchDB again for the verdicts that `fixtures/functions.json` holds.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use serde::Deserialize;
use serde_json::{Value, json};

/// One function of the table.
#[derive(Deserialize)]
struct Entry {
    name: String,
    role: String,
    source: String,
    couchdb: Value,
}

/// What the server answered.
struct Answer {
    status: u16,
    text: String,
}

/// A database of the server's that is used for nothing else.
struct Database {
    client: reqwest::Client,
    url: String,
}

impl Database {
    async fn send(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request =
            self.client.request(method, format!("{}{path}", self.url)).header("accept", "application/json");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        // A list that fails after its first chunk ends in the middle of its answer.
        Answer { status, text: response.text().await.unwrap_or_default() }
    }
}

/// The design document in which `source` has the role, and the request that makes CouchDB compile it.
fn probe(entry: &Entry, name: &str) -> (Value, Option<(reqwest::Method, String)>) {
    use reqwest::Method;
    let source = &entry.source;
    let emit = "function (doc) { emit(1, 1); }";
    let get = |path: &str| Some((Method::GET, format!("/_design/{name}/{path}")));
    match entry.role.as_str() {
        "map" => (json!({ "views": { "v": { "map": source } } }), None),
        "reduce" => (json!({ "views": { "v": { "map": emit, "reduce": source } } }), None),
        "show" => (json!({ "shows": { "f": source } }), get("_show/f")),
        "list" => (json!({ "views": { "v": { "map": emit } }, "lists": { "f": source } }), get("_list/f/v")),
        "update" => (json!({ "updates": { "f": source } }), Some((Method::POST, format!("/_design/{name}/_update/f")))),
        "filter" => (json!({ "filters": { "f": source } }), Some((Method::GET, format!("/_changes?filter={name}/f")))),
        "rewrite" => (json!({ "rewrites": source }), get("_rewrite/x")),
        "validate_doc_update" => {
            (json!({ "validate_doc_update": source }), Some((Method::PUT, format!("/probe-{name}"))))
        }
        "module" => {
            let show = "function () { require('lib/m'); return 'read'; }";
            (json!({ "lib": { "m": source }, "shows": { "f": show } }), get("_show/f"))
        }
        other => panic!("no such role: {other}"),
    }
}

/// The error by which CouchDB refuses to make a function of the text; `None` if it made one, whatever that did then.
fn refusal(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let (error, reason) = (body["error"].as_str().unwrap_or_default(), body["reason"].as_str().unwrap_or_default());
    match error {
        "compilation_error" | "invalid_design_doc" => Some(error.to_owned()),
        "not_found" if reason.starts_with("missing ") && reason.contains("function") => Some(error.to_owned()),
        // The errors of filters come as Erlang terms.
        _ if reason.starts_with("{compilation_error,") => Some("compilation_error".to_owned()),
        _ => None,
    }
}

/// The entries on which the server at `base` (with credentials of an admin) differs from the table.
///
/// Makes a database `name`, and deletes it again.
pub(crate) async fn differences(base: &str, name: &str) -> Vec<String> {
    use reqwest::Method;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let database = Database { client, url: format!("{}/{name}", base.trim_end_matches('/')) };
    let made = database.send(Method::PUT, "", None).await;
    assert!(matches!(made.status, 201 | 202), "{}: {}", made.status, made.text);
    database.send(Method::PUT, "/one", Some(&json!({ "a": 1 }))).await;
    let table: Vec<Entry> = serde_json::from_str(include_str!("../../fixtures/functions.json")).unwrap();
    let mut different = Vec::new();
    for (number, entry) in table.iter().enumerate() {
        let id = format!("f{number}");
        let (document, call) = probe(entry, &id);
        let mut answer = database.send(Method::PUT, &format!("/_design/{id}"), Some(&document)).await;
        if answer.status < 300 {
            let stored: Value = serde_json::from_str(&answer.text).unwrap();
            if let Some((method, path)) = call {
                let body = (method != Method::GET).then(|| json!({ "a": 1 }));
                answer = database.send(method, &path, body.as_ref()).await;
            }
            let revision = stored["rev"].as_str().unwrap();
            database.send(Method::DELETE, &format!("/_design/{id}?rev={revision}"), None).await;
        }
        let expected = entry.couchdb["error"].as_str().map(str::to_owned);
        let found = refusal(&answer);
        if found != expected {
            different.push(format!("{}: {found:?}, not {expected:?}: {}", entry.name, answer.text));
        }
    }
    database.send(Method::DELETE, "", None).await;
    different
}

#[test]
#[ignore = "needs COUCHAPP_TEST_URL, an Apache CouchDB 3.5 on SpiderMonkey"]
#[allow(clippy::disallowed_methods, reason = "the server of the tests is no setting of the program")]
fn couchdb_still_judges_as_the_table_says() {
    let base = std::env::var("COUCHAPP_TEST_URL").expect("COUCHAPP_TEST_URL names the server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let name = format!("couchapp-functions-{}", std::process::id());
    let different = runtime.block_on(differences(&base, &name));
    assert!(different.is_empty(), "{}", different.join("\n"));
}
