//! One failed try: what it means for the caller, and whether another try makes sense.
//!
//! This is the only place that looks into the texts of other libraries' errors.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::CouchError;
use crate::secret::redact;

/// A failed try.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: CouchError,
    pub(super) effect: Effect,
    /// What the server asked for by `Retry-After`.
    pub(super) retry_after: Option<Duration>,
}

/// What a failed try may have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it did not reach the server, or the server said that it did not begin (408, 425, 429).
    None,
    /// Not known: the answer was lost (reset, timeout), or somebody on the way answered (502, 503, 504).
    Unknown,
    /// Not known: 500, which is as often a refusal that will not change.
    Failed,
    /// The server has answered for good.
    Final,
}

impl Fault {
    /// A fault that no other try can mend.
    pub(super) fn done(error: CouchError) -> Self {
        Self { error, effect: Effect::Final, retry_after: None }
    }

    /// A fault of which only the error itself tells whether the answer may come another time.
    pub(super) fn reading(error: CouchError) -> Self {
        let lost = matches!(error, CouchError::Broken { .. } | CouchError::Timeout { .. });
        let effect = if lost { Effect::Unknown } else { Effect::Final };
        Self { error, effect, retry_after: None }
    }

    /// Sorts what the HTTP library reports when no answer came.
    pub(super) fn from_transport(error: &reqwest::Error, origin: &str, request: &str) -> Self {
        let origin = origin.to_owned();
        let (effect, error) = if error.is_connect() {
            let error = connecting(error, origin);
            let effect = if matches!(error, CouchError::Unreachable { .. }) { Effect::None } else { Effect::Final };
            (effect, error)
        } else if error.is_builder() {
            let error = CouchError::Protocol { origin, why: cause(error), request: request.to_owned() };
            (Effect::Final, error)
        } else {
            (Effect::Unknown, CouchError::Broken { origin, why: cause(error), request: request.to_owned() })
        };
        Self { error, effect, retry_after: None }
    }
}

fn connecting(error: &reqwest::Error, origin: String) -> CouchError {
    let chain = texts(error);
    let find = |text: &str| chain.iter().find(|link| link.contains(text));
    if find("proxy authorization required").is_some() {
        return CouchError::Proxy { origin, why: "it answered 407".to_owned(), credentials: true };
    }
    if let Some(link) = find("tunnel error: ").or_else(|| find("SOCKS error")) {
        return CouchError::Proxy { origin, why: redact(link), credentials: false };
    }
    if let Some(link) = find("invalid peer certificate: ") {
        let why = link.split_once("invalid peer certificate: ").map_or(link.as_str(), |(_, why)| why);
        let authority = origin.split_once("://").map_or(origin.as_str(), |(_, authority)| authority);
        let port = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
        let host = authority[..port.unwrap_or(authority.len())].to_owned();
        return CouchError::Certificate { host, why: certificate(why) };
    }
    let why = if error.is_dns() {
        "its name cannot be resolved".to_owned()
    } else if error.is_timeout() {
        "no connection in time".to_owned()
    } else {
        cause(error)
    };
    CouchError::Unreachable { origin, why }
}

/// rustls's words for the usual cases, for people.
fn certificate(why: &str) -> String {
    match why {
        "UnknownIssuer" => "it was issued by somebody unknown".to_owned(),
        "Expired" => "it has expired".to_owned(),
        "NotValidYet" => "it is not valid yet".to_owned(),
        "NotValidForName" => "it is for another name".to_owned(),
        "Revoked" => "it was revoked".to_owned(),
        // What `openssl req -x509` makes unless told otherwise; curl takes it, rustls does not.
        other if other.contains("CaUsedAsEndEntity") => {
            "it is that of an authority (basicConstraints CA:TRUE), which no server may show".to_owned()
        }
        other if other.starts_with("certificate not valid for name") => "it is for another name".to_owned(),
        other if other.starts_with("certificate not valid yet") => "it is not valid yet".to_owned(),
        other if other.starts_with("certificate expired") => "it has expired".to_owned(),
        other => redact(other),
    }
}

/// Why, in the words of the operating system where there are such.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut link: Option<&(dyn Error + 'static)> = error.source();
    let mut last = None;
    while let Some(error) = link {
        if let Some(text) = error.downcast_ref::<io::Error>().and_then(|error| known(error.kind())) {
            return text.to_owned();
        }
        last = Some(error);
        link = error.source();
    }
    redact(&last.map_or_else(|| "the request failed".to_owned(), ToString::to_string))
}

fn known(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::ConnectionAborted => "connection aborted",
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => "connection closed",
        io::ErrorKind::TimedOut => "connection timed out",
        io::ErrorKind::HostUnreachable => "no route to the host",
        io::ErrorKind::NetworkUnreachable => "the network is unreachable",
        _ => return None,
    })
}

fn texts(error: &reqwest::Error) -> Vec<String> {
    let (mut texts, mut link) = (Vec::new(), error.source());
    while let Some(error) = link {
        texts.push(error.to_string());
        link = error.source();
    }
    texts
}
