//! The script that reloads open pages: browsers get it with their pages, and nobody else.

use couchapp::serve::{self, Options, Running};
use tempfile::TempDir;

use crate::harness::runtime;

const PAGE: &str = "<!doctype html>\n<title>Stored as it is</title>\n";

struct Endpoint {
    running: Running,
    _folder: TempDir,
}

impl Endpoint {
    fn start(reload: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { reload, ..Options::new(folder.path()) };
        let running = runtime().block_on(serve::start(options)).unwrap();
        let endpoint = Self { running, _folder: folder };
        for (target, body) in [("db", ""), ("db/_design/app/index.html", PAGE), ("db/_design/app/notes.txt", "notes")] {
            let content_type = if target.ends_with("html") { "text/html" } else { "text/plain" };
            endpoint.put(target, content_type, body);
        }
        endpoint
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}/{target}", self.running.address)
    }

    fn put(&self, target: &str, content_type: &str, body: &str) {
        let known = self.get(&target.replace("/notes.txt", "").replace("/index.html", ""), &[]).1;
        let known: serde_json::Value = serde_json::from_slice(&known).unwrap();
        let revision = known["_rev"].as_str().map(|revision| format!("?rev={revision}")).unwrap_or_default();
        let request = client().put(self.url(&format!("{target}{revision}")));
        let request = request.header("content-type", content_type).body(body.to_owned());
        let answer = runtime().block_on(request.send()).unwrap();
        assert!(answer.status().is_success(), "{target}: {}", answer.status());
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> (reqwest::header::HeaderMap, Vec<u8>) {
        let mut request = client().get(self.url(target));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        runtime().block_on(async {
            let answer = request.send().await.unwrap();
            (answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
        })
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}

const NAVIGATION: (&str, &str) = ("sec-fetch-dest", "document");

#[test]
fn a_page_in_a_browser_follows_its_app() {
    let endpoint = Endpoint::start(true);
    for extra in [("accept-encoding", "gzip"), ("range", "bytes=0-3"), ("accept", "text/html")] {
        let (headers, body) = endpoint.get("db/_design/app/index.html", &[NAVIGATION, extra]);
        let body = String::from_utf8(body).unwrap();
        assert!(body.starts_with(PAGE) && body.contains("<script>") && body.contains("_changes"), "{extra:?}: {body}");
        assert!(!headers.contains_key("content-encoding") && !headers.contains_key("content-md5"), "{headers:?}");
    }
}

#[test]
fn whoever_shows_no_page_gets_what_is_stored() {
    let endpoint = Endpoint::start(true);
    for header in [("accept", "*/*"), ("sec-fetch-dest", "empty"), ("sec-fetch-dest", "script")] {
        let (_, body) = endpoint.get("db/_design/app/index.html", &[header]);
        assert_eq!(String::from_utf8(body).unwrap(), PAGE, "{header:?}");
    }
    assert_eq!(endpoint.get("db/_design/app/notes.txt", &[NAVIGATION]).1, b"notes");
    let (_, body) = Endpoint::start(false).get("db/_design/app/index.html", &[NAVIGATION]);
    assert_eq!(String::from_utf8(body).unwrap(), PAGE);
}
