//! A server to test against, asked by requests that share nothing with the tool's own client.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};

use super::{runtime, variable};
use crate::fake_couch::FakeCouch;
use crate::fault_proxy::FaultProxy;

/// What kind of server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Apache CouchDB.
    CouchDb,
    /// PouchDB Server.
    PouchDb,
    /// The stand-in of `fake_couch`.
    Fake,
}

/// A server.
pub(crate) struct Endpoint {
    origin: String,
    credentials: Option<(String, String)>,
    kind: Kind,
    fake: Option<FakeCouch>,
}

/// An answer.
#[derive(Clone)]
pub(crate) struct Response {
    /// The status.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The content, as it came.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The content as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Asserts the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Asserts any of the 200s.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{self:?}");
        self
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Endpoint {
    /// The server that `COUCHAPP_TEST_URL` names.
    pub(crate) fn from_environment() -> Self {
        let text = variable("COUCHAPP_TEST_URL").expect("COUCHAPP_TEST_URL names the server of the contract suite");
        let url = url::Url::parse(&text).expect("COUCHAPP_TEST_URL is a URL");
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = url.password().map(|password| (decoded(url.username()), decoded(password)));
        let origin = format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches('/'));
        let mut endpoint = Self { origin, credentials, kind: Kind::CouchDb, fake: None };
        let welcome = endpoint.get("/").json();
        endpoint.kind = if welcome.get("express-pouchdb").is_some() { Kind::PouchDb } else { Kind::CouchDb };
        endpoint
    }

    /// The embedded endpoint with one administrator. It is started once and serves all tests.
    #[cfg(feature = "serve")]
    pub(crate) fn embedded() -> Self {
        let origin = format!("http://{}", super::embedded::started().address);
        Self::at(&origin, Some(("admin", super::CANARY)))
    }

    /// A server that speaks as CouchDB does.
    pub(crate) fn at(origin: &str, credentials: Option<(&str, &str)>) -> Self {
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        Self { origin: origin.trim_end_matches('/').to_owned(), credentials, kind: Kind::CouchDb, fake: None }
    }

    /// A stand-in of its own.
    pub(crate) fn of_fake(fake: FakeCouch) -> Self {
        Self { origin: fake.origin(), credentials: fake.admin(), kind: Kind::Fake, fake: Some(fake) }
    }

    /// A stand-in of its own, as a stock CouchDB with one admin.
    pub(crate) fn fake() -> Self {
        Self::of_fake(FakeCouch::start())
    }

    /// The same server behind a proxy.
    pub(crate) fn through(&self, proxy: &FaultProxy) -> Self {
        let (credentials, kind) = (self.credentials.clone(), self.kind);
        Self { origin: proxy.origin(), credentials, kind, fake: None }
    }

    /// The same server, as another user; without, as nobody in particular.
    pub(crate) fn signed_in(&self, credentials: Option<(&str, &str)>) -> Self {
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        Self { origin: self.origin.clone(), credentials, kind: self.kind, fake: None }
    }

    /// What kind of server it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The stand-in behind it.
    pub(crate) fn stand_in(&self) -> Option<&FakeCouch> {
        self.fake.as_ref()
    }

    /// The URL of the server without credentials and without a final slash.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// User and password.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// A database with a name that nobody else uses. It does not exist yet; if it does at the end, it is removed.
    pub(crate) fn unmade_database(&self) -> Database<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let name = format!("couchapp_test_{:x}_{time:x}_{count}", std::process::id());
        Database { endpoint: self, name }
    }

    /// A new database; it is removed at the end.
    pub(crate) fn database(&self) -> Database<'_> {
        let database = self.unmade_database();
        database.make();
        database
    }

    /// Sends a request; `target` is an encoded path with its query, and is sent exactly so.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let text = format!("{}{target}", self.origin);
        let url = reqwest::Url::parse(&text).unwrap();
        assert_eq!(url.as_str(), text, "the URL library changes this target");
        let mut request = client().request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if let Some((user, password)) = &self.credentials {
            let encoded = STANDARD.encode(format!("{user}:{password}"));
            request = request.header("authorization", format!("Basic {encoded}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = if body.is_empty() && ["GET", "HEAD"].contains(&method) { request } else { request.body(body) };
        runtime().block_on(async {
            let response = request.send().await.unwrap_or_else(|error| panic!("{method} {target}: {error:?}"));
            let status = response.status().as_u16();
            let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            };
            let headers = response.headers().iter().map(header).collect();
            Response { status, headers, body: response.bytes().await.unwrap().to_vec() }
        })
    }

    /// `GET`
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        self.send("GET", target, &[("accept", "application/json")], Vec::new())
    }

    /// `HEAD`
    #[track_caller]
    pub(crate) fn head(&self, target: &str) -> Response {
        self.send("HEAD", target, &[], Vec::new())
    }

    /// `PUT` of JSON.
    #[track_caller]
    pub(crate) fn put(&self, target: &str, value: &Value) -> Response {
        self.send("PUT", target, &[("content-type", "application/json")], value.to_string().into_bytes())
    }

    /// `POST` of JSON.
    #[track_caller]
    pub(crate) fn post(&self, target: &str, value: &Value) -> Response {
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        self.send("POST", target, &headers, value.to_string().into_bytes())
    }

    /// `DELETE`
    #[track_caller]
    pub(crate) fn delete(&self, target: &str) -> Response {
        self.send("DELETE", target, &[], Vec::new())
    }
}

fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Each request on a connection of its own: a server may have closed a kept one in the meantime.
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    })
}

/// One path segment, with every byte encoded that is not unreserved.
pub(crate) fn encoded(segment: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(segment, RESERVED).to_string()
}

/// A database of one test.
pub(crate) struct Database<'a> {
    endpoint: &'a Endpoint,
    name: String,
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // PouchDB says 200 to the removal of what is not there, CouchDB 404.
            self.endpoint.delete(&self.target());
        }
    }
}

impl Database<'_> {
    /// The server.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.endpoint
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its path on the server.
    pub(crate) fn target(&self) -> String {
        format!("/{}", self.name)
    }

    /// Its URL, without credentials.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.endpoint.origin, self.name)
    }

    /// Its URL as it is seen through a proxy.
    pub(crate) fn url_through(&self, proxy: &FaultProxy) -> String {
        format!("{}/{}", proxy.origin(), self.name)
    }

    /// Its URL with the credentials in it, as people type it.
    pub(crate) fn url_with_password(&self) -> String {
        let Some((user, password)) = self.endpoint.credentials() else { return self.url() };
        let authority = format!("://{}:{}@", encoded(user), encoded(password));
        self.url().replacen("://", &authority, 1)
    }

    /// The URL of a design document.
    pub(crate) fn design_url(&self, name: &str) -> String {
        format!("{}/_design/{}", self.url(), encoded(name))
    }

    /// Creates it.
    #[track_caller]
    pub(crate) fn make(&self) -> &Self {
        self.endpoint.send("PUT", &self.target(), &[], Vec::new()).ok();
        self
    }

    /// Whether it exists.
    pub(crate) fn exists(&self) -> bool {
        self.endpoint.get(&self.target()).status == 200
    }

    /// A target beneath it; `rest` is encoded already (`_design/blog?revs=true`).
    pub(crate) fn beneath(&self, rest: &str) -> String {
        format!("/{}/{rest}", self.name)
    }

    /// `GET` beneath it.
    #[track_caller]
    pub(crate) fn get(&self, rest: &str) -> Response {
        self.endpoint.get(&self.beneath(rest))
    }

    /// `PUT` of JSON beneath it.
    #[track_caller]
    pub(crate) fn put(&self, rest: &str, value: &Value) -> Response {
        self.endpoint.put(&self.beneath(rest), value)
    }

    /// `POST` of JSON beneath it.
    #[track_caller]
    pub(crate) fn post(&self, rest: &str, value: &Value) -> Response {
        self.endpoint.post(&self.beneath(rest), value)
    }

    /// A document as it is, with its attachments as stubs and how they are stored.
    #[track_caller]
    pub(crate) fn document(&self, rest: &str) -> Value {
        self.get(&format!("{rest}?att_encoding_info=true")).expect(200).json()
    }

    /// The revision of a document.
    #[track_caller]
    pub(crate) fn revision(&self, rest: &str) -> String {
        self.document(rest)["_rev"].as_str().unwrap().to_owned()
    }

    /// How many edits led to the present revision of a document.
    #[track_caller]
    pub(crate) fn generation(&self, rest: &str) -> u64 {
        self.revision(rest).split('-').next().unwrap().parse().unwrap()
    }

    /// Stores a document whatever is there, as another program would, and says its revision.
    #[track_caller]
    pub(crate) fn store(&self, id: &str, document: &Value) -> String {
        let mut document = document.clone();
        document["_id"] = json!(id);
        let rows = self.post("_bulk_docs", &json!({ "docs": [document] })).ok().json();
        rows[0]["rev"].as_str().unwrap_or_else(|| panic!("{id} was not stored: {rows}")).to_owned()
    }

    /// The content of an attachment, read without compression.
    #[track_caller]
    pub(crate) fn attachment(&self, rest: &str, name: &str) -> Vec<u8> {
        let target = self.beneath(&format!("{rest}/{}", encoded(name)));
        self.endpoint.send("GET", &target, &[("accept-encoding", "identity")], Vec::new()).expect(200).body
    }
}
