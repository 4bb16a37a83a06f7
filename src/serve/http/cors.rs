//! What pages of other origins may do, as CouchDB's `[chttpd] enable_cors` does it.
//!
//! Unlike a fresh CouchDB it is on, for development: pages of servers on this computer may ask, with their credentials. Naming
//! `[cors] origins` replaces that; `[chttpd] enable_cors = false` ends it. <https://docs.couchdb.org/en/3.5.x/config/http.html#cross-origin-resource-sharing>

use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;

use super::documents::set;
use super::empty;
use crate::serve::configuration::Configuration;
use crate::serve::users::is_loopback_origin;

const METHODS: &str = "CONNECT, COPY, DELETE, GET, HEAD, OPTIONS, POST, PUT, TRACE";

/// What a page may send.
const HEADERS: [&str; 40] = [
    "accept",
    "accept-language",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-range",
    "content-type",
    "cookie",
    "destination",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "last-modified",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "www-authenticate",
    "x-couch-full-commit",
    "x-couch-id",
    "x-couch-persist",
    "x-couchdb-www-authenticate",
    "x-http-method-override",
    "x-requested-with",
];

/// What a page may read beside the body.
const EXPOSED: &str = "content-type, cache-control, accept-ranges, etag, server, x-couch-request-id, x-couch-update-newrev, x-couchdb-body-time";

/// The origin of a request when its pages may ask.
fn accepted<'a>(configuration: &Configuration, headers: &'a HeaderMap) -> Option<&'a str> {
    let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
    let is_accepted = match configuration.get("cors", "origins") {
        None => is_loopback_origin(origin),
        Some(listed) => list(&listed).any(|one| one == "*" || one.eq_ignore_ascii_case(origin)),
    };
    (is_accepted && configuration.is("chttpd", "enable_cors", true)).then_some(origin)
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The answer to a browser that asks whether it may send something; `None` when this is no such question or it may not.
pub(super) fn preflight(configuration: &Configuration, method: &Method, headers: &HeaderMap) -> Option<Response> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = accepted(configuration, headers).filter(|_| method == Method::OPTIONS)?;
    let wanted = text(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let methods = configuration.get("cors", "methods").unwrap_or_else(|| METHODS.to_owned());
    if !list(&methods).any(|method| method == wanted) {
        return None;
    }
    let asked = text(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let allowed = configuration.get("cors", "headers");
    let is_allowed = |name: &str| match &allowed {
        None => HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name)),
        Some(listed) => list(listed).any(|known| known.eq_ignore_ascii_case(name)),
    };
    if !list(asked).all(is_allowed) {
        return None;
    }
    let mut response = empty(StatusCode::NO_CONTENT);
    allow(configuration, origin, &mut response);
    let age = configuration.number("cors", "max_age", 600).to_string();
    set(&mut response, header::ACCESS_CONTROL_MAX_AGE, &age);
    set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, &methods);
    set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    Some(response)
}

/// Lets the page read an answer.
pub(super) fn decorate(configuration: &Configuration, headers: &HeaderMap, response: &mut Response) {
    if let Some(origin) = accepted(configuration, headers) {
        allow(configuration, origin, response);
        let exposed = configuration.get("cors", "exposed_headers").unwrap_or_else(|| EXPOSED.to_owned());
        set(response, header::ACCESS_CONTROL_EXPOSE_HEADERS, &exposed);
    }
}

fn allow(configuration: &Configuration, origin: &str, response: &mut Response) {
    set(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let is_local = configuration.get("cors", "origins").is_none();
    if configuration.is("cors", "credentials", is_local) {
        set(response, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn sent(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn origin_of(response: &Response) -> Option<&str> {
        response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn pages_of_this_computer_may_ask() {
        let configuration = Configuration::new(false);
        for (origin, is_allowed) in [
            ("http://localhost:8000", true),
            ("https://127.0.0.1", true),
            ("http://[::1]:3000", true),
            ("http://evil.example", false),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example", false),
            ("null", false),
        ] {
            let mut response = empty(StatusCode::OK);
            decorate(&configuration, &sent(&[(header::ORIGIN, origin)]), &mut response);
            assert_eq!(origin_of(&response), is_allowed.then_some(origin), "{origin}");
            let has_credentials = response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
            assert_eq!(has_credentials, is_allowed, "{origin}");
        }
    }

    #[test]
    fn the_configuration_decides() {
        let configuration = Configuration::new(false);
        configuration.set("cors", "origins", "http://a.example, http://b.example").unwrap();
        let decorated = |origin: &'static str| {
            let mut response = empty(StatusCode::OK);
            decorate(&configuration, &sent(&[(header::ORIGIN, origin)]), &mut response);
            let has_credentials = response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
            origin_of(&response).map(|_| has_credentials)
        };
        assert_eq!(decorated("http://b.example"), Some(false));
        assert_eq!(decorated("http://localhost"), None);
        configuration.set("cors", "credentials", "true").unwrap();
        assert_eq!(decorated("http://b.example"), Some(true));
        configuration.set("cors", "origins", "*").unwrap();
        assert_eq!(decorated("http://c.example"), Some(true));
        configuration.set("chttpd", "enable_cors", "false").unwrap();
        assert_eq!(decorated("http://c.example"), None);
    }

    #[test]
    fn browsers_ask_first() {
        let configuration = Configuration::new(false);
        let (local, method) = ((header::ORIGIN, "http://localhost"), header::ACCESS_CONTROL_REQUEST_METHOD);
        let names = header::ACCESS_CONTROL_REQUEST_HEADERS;
        let table = [
            (vec![local.clone(), (method.clone(), "PUT")], true),
            (vec![local.clone(), (method.clone(), "PUT"), (names.clone(), "Content-Type, if-match")], true),
            (vec![local.clone(), (method.clone(), "PUT"), (names, "x-strange")], false),
            (vec![local.clone(), (method.clone(), "PATCH")], false),
            (vec![local], false),
            (vec![(method.clone(), "PUT")], false),
            (vec![(header::ORIGIN, "http://evil.example"), (method, "PUT")], false),
        ];
        for (pairs, is_allowed) in table {
            let response = preflight(&configuration, &Method::OPTIONS, &sent(&pairs));
            assert_eq!(response.as_ref().is_some_and(|response| response.status() == 204), is_allowed, "{pairs:?}");
            assert!(preflight(&configuration, &Method::GET, &sent(&pairs)).is_none());
        }
    }
}
