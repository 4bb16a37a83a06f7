//! A request as the handlers see it, and how they answer it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::serve::failure::Failure;
use crate::serve::store::Database;
use crate::serve::users::User;

/// One request.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The segments of the path after the name of the database (or all of them), percent-decoded.
    pub segments: Vec<String>,
    /// Path and query as they were sent.
    pub target: String,
    /// The parameters of the query.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// What comes along, unread.
    pub body: Body,
    /// Who asks.
    pub user: User,
}

/// What a handler of a database is given beside the request.
#[derive(Clone)]
pub struct Place {
    /// The server.
    pub server: Arc<super::Server>,
    /// The database.
    pub database: Arc<Database>,
}

/// The parameters of a query, decoded, in order.
#[derive(Clone, Debug, Default)]
pub struct Query(pub Vec<(String, String)>);

impl Query {
    /// Takes a query apart: `+` and percent escapes are decoded.
    ///
    /// What is no UTF-8 then becomes something that is no JSON either, so that it is refused where JSON is wanted.
    pub fn parse(text: &str) -> Self {
        let decoded = |part: &str| {
            let spaced = part.replace('+', " ");
            let bytes = percent_encoding::percent_decode_str(&spaced).collect::<Vec<u8>>();
            String::from_utf8(bytes).unwrap_or_else(|error| format!("\0{}", String::from_utf8_lossy(error.as_bytes())))
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(key, value)| (decoded(key), decoded(value)))
                .collect(),
        )
    }

    /// The last value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is JSON.
    pub fn json(&self, name: &str) -> Result<Option<Value>, Failure> {
        self.get(name)
            .map(|text| crate::json::parse(text.as_bytes()).map_err(|_| Failure::bad_request("invalid UTF-8 JSON")))
            .transpose()
    }

    /// Whether a parameter is `true`.
    pub fn is(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        answer(self.status.as_u16(), &json!({ "error": self.error, "reason": self.reason }))
    }
}

/// Whether a client accepts a media type, by the header `Accept`; without one it accepts everything.
pub fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if values.peek().is_none() {
        return true;
    }
    let family = wanted.split('/').next().unwrap_or_default();
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parameters = item.split(';').map(str::trim);
        let kind = parameters.next().unwrap_or_default();
        let is_refused = parameters.any(|parameter| {
            let weight = parameter.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            weight.is_some_and(|weight| weight <= 0.0)
        });
        let is_meant = kind == "*/*"
            || kind.eq_ignore_ascii_case(wanted)
            || kind.strip_suffix("/*").is_some_and(|kind| kind.eq_ignore_ascii_case(family));
        is_meant && !is_refused
    })
}

/// A JSON answer, with the line feed that CouchDB ends it with.
pub fn answer(status: u16, value: &Value) -> Response {
    let mut response = Response::new(Body::from(format!("{}\n", super::text::json(value))));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("must-revalidate"));
    response
}

/// Runs blocking work (the store, functions) outside of the event loop.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(500, "internal_server_error", "the request could not be carried out")),
    }
}
