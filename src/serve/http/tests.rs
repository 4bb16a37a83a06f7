//! The API asked without a network: requests go straight to the server.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::StreamExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use super::{Server, answer_request};
use crate::secret::Secret;
use crate::serve::functions::{Functions, Limits};
use crate::serve::statistics::Statistics;
use crate::serve::store::Store;
use crate::serve::users::Administrator;

mod access;
mod changes;
mod documents;
mod reading;

/// A server with a folder of its own.
struct Endpoint {
    server: Arc<Server>,
    stop: watch::Sender<bool>,
    _folder: TempDir,
}

/// An answer that was read.
#[derive(Debug)]
struct Answered {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Endpoint {
    /// Everybody is an administrator.
    fn party() -> Self {
        Self::new(vec![])
    }

    /// `root` with the password `sesame` is one.
    fn with_administrator() -> Self {
        Self::new(vec![Administrator { name: "root".to_owned(), password: Secret::new("sesame") }])
    }

    fn new(administrators: Vec<Administrator>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (stop, stopping) = watch::channel(false);
        let (store, functions) = (Store::open(folder.path()).unwrap(), Functions::new(Limits::default()));
        let (statistics, address) = (Statistics::default(), ([127, 0, 0, 1], 1).into());
        let server = Server::open(store, functions, administrators, false, statistics, address, stopping).unwrap();
        // Passwords are hashed often for the sake of safety, which is none of the tests' business.
        server.configuration().set("chttpd_auth", "iterations", "3").unwrap();
        Self { server: Arc::new(server), stop, _folder: folder }
    }

    /// The answer, not read yet.
    async fn begin(&self, method: &str, target: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
        let body = body.as_ref();
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let request = request.header("content-length", body.len()).body(Body::from(body.to_vec())).unwrap();
        answer_request(State(Arc::clone(&self.server)), request).await
    }

    async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answered {
        let (parts, body) = self.begin(method, target, headers, body).await.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Answered { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// Asks as somebody: `name:password`, or nobody for an empty text.
    async fn ask(&self, who: &str, method: &str, target: &str, body: &str) -> Answered {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(who));
        let headers = [("authorization", basic.as_str())];
        self.send(method, target, if who.is_empty() { &[] } else { &headers }, body).await
    }

    /// Asks and expects a status.
    async fn expect(&self, status: u16, method: &str, target: &str, body: &str) -> Answered {
        let answered = self.ask("", method, target, body).await;
        assert_eq!(answered.status, status, "{method} {target}: {}", answered.text);
        answered
    }

    /// Listens to an answer that goes on.
    async fn listen(&self, target: &str) -> Listening {
        let response = self.begin("GET", target, &[], "").await;
        assert_eq!(response.status(), 200, "{target}");
        Listening { stream: response.into_body().into_data_stream(), heard: String::new() }
    }
}

/// An answer that goes on.
struct Listening {
    stream: BodyDataStream,
    heard: String,
}

impl Listening {
    /// Listens until a text was heard.
    async fn until(&mut self, text: &str) {
        while !self.heard.contains(text) {
            let piece = self.stream.next().await;
            let piece = piece.unwrap_or_else(|| panic!("ended without {text}: {}", self.heard)).unwrap();
            self.heard.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// Listens to the end.
    async fn end(mut self) -> String {
        while let Some(piece) = self.stream.next().await {
            self.heard.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
        self.heard
    }
}
