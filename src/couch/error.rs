//! What can go wrong with a request, as callers branch on it.

use std::fmt;
use std::time::Duration;

use crate::exit::Exit;

/// What a server said when it refused: status, `error` and `reason` of its JSON, with passwords masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The request without credentials, as in `` PUT http://host/db/_design/blog ``.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// The `error` member, as in `conflict`.
    pub error: Option<String>,
    /// The `reason` member, as in `Document update conflict.`
    pub reason: Option<String>,
}

/// What a request did not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No such database.
    Database(String),
    /// No such document, or it is deleted.
    Document {
        /// Its id.
        id: String,
        /// The server says that it existed; PouchDB never says so.
        deleted: bool,
    },
    /// The document has no such attachment.
    Attachment(String),
    /// An endpoint this server does not have.
    Endpoint,
}

/// Why a request failed. The text says what; [`std::error::Error::source`] says what the server gave as reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CouchError {
    /// 404.
    #[error("{what} does not exist on `{host}`")]
    NotFound {
        /// What.
        what: Missing,
        /// Where.
        host: String,
        /// What the server said.
        source: Box<Answer>,
    },
    /// 409 for a document: its current revision is not the parent of this write.
    #[error("`{id}` changed on the server in the meantime")]
    Conflict {
        /// The document.
        id: String,
        /// What the server said, or what was found when the document was read after a lost answer.
        source: Box<Answer>,
    },
    /// 401.
    #[error("{}", if *.given { format!("`{host}` does not accept these credentials") } else { format!("`{host}` wants credentials") })]
    Unauthorized {
        /// Where.
        host: String,
        /// Whether credentials were sent.
        given: bool,
        /// What the server said.
        source: Box<Answer>,
    },
    /// 403: not a member, not an admin, or refused by a `validate_doc_update`.
    #[error("not allowed to {action}")]
    Forbidden {
        /// As in "write `_design/blog`".
        action: String,
        /// What the server said.
        source: Box<Answer>,
    },
    /// 413.
    #[error("`{what}` is larger than the server allows")]
    TooLarge {
        /// The document or attachment.
        what: String,
        /// What the server said.
        source: Box<Answer>,
    },
    /// 412 `missing_stub`: the server does not have an attachment that was sent as a stub. Send it in full.
    #[error("the server lost an attachment we expected it to have")]
    MissingStub {
        /// What the server said.
        source: Box<Answer>,
    },
    /// 400, 405, 415 and the like: the request itself was refused.
    #[error("the server refused to {action}")]
    Refused {
        /// As in "write `_design/blog`".
        action: String,
        /// What the server said.
        source: Box<Answer>,
    },
    /// 5xx (or 408, 425, 429) after all retries.
    #[error("the server failed to {action}")]
    Server {
        /// As in "write `_design/blog`".
        action: String,
        /// What the server said.
        source: Box<Answer>,
    },
    /// 500 for an upload whose digests the server checks: what arrived is not what was sent, or the source changed.
    #[error("the upload of `{id}` was corrupted in transit")]
    Corrupted {
        /// The document.
        id: String,
        /// What the server said.
        source: Box<Answer>,
    },
    /// No connection.
    #[error("cannot reach `{origin}`: {why}")]
    Unreachable {
        /// Scheme, host and port.
        origin: String,
        /// As in "connection refused".
        why: String,
    },
    /// The connection broke and whether the request was carried out is not known.
    #[error("the connection to `{origin}` broke: {why}")]
    Broken {
        /// Scheme, host and port.
        origin: String,
        /// As in "connection reset".
        why: String,
        /// The request without credentials.
        request: String,
    },
    /// The answer to a write was lost, and so was the attempt to see what became of it.
    #[error("it is not known whether `{id}` was written")]
    Unconfirmed {
        /// The document.
        id: String,
        /// What happened to the write.
        source: Box<CouchError>,
    },
    /// No byte moved for too long.
    #[error("no answer from `{origin}` for {} s", .waited.as_secs())]
    Timeout {
        /// Scheme, host and port.
        origin: String,
        /// How long.
        waited: Duration,
        /// The request without credentials.
        request: String,
    },
    /// The certificate of the server is not trusted.
    #[error("the certificate of `{host}` is not trusted: {why}")]
    Certificate {
        /// Whose.
        host: String,
        /// As in "expired".
        why: String,
    },
    /// A certificate or token given by the user cannot be used.
    #[error("the {what} cannot be used: {why}")]
    Unusable {
        /// As in "CA certificate", "client certificate", "token".
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The proxy wants credentials (407) or cannot be used.
    #[error("proxy for `{origin}`: {why}")]
    Proxy {
        /// Where the request was meant to go.
        origin: String,
        /// As in "answered 407".
        why: String,
        /// Whether the proxy wants (other) credentials.
        credentials: bool,
    },
    /// A 3xx. Redirects are not followed: credentials would go along, and a `PUT` would become something else.
    #[error("`{request}` is redirected to `{to}`")]
    Redirected {
        /// The request without credentials.
        request: String,
        /// The new address without credentials.
        to: String,
    },
    /// Something answers, but not CouchDB.
    #[error("`{url}` does not look like CouchDB (got {content_type})")]
    NotCouchDb {
        /// What was asked for.
        url: String,
        /// The content type, as in `text/html`.
        content_type: String,
        /// The first line of text, tags stripped, if there is any.
        first_line: Option<String>,
        /// The HTTP status.
        status: u16,
    },
    /// No URL can name this document or attachment (`.`, `..`, or longer than servers take).
    #[error(transparent)]
    Unaddressable(#[from] super::target::TargetError),
    /// The source of an upload failed or gave another number of bytes than announced.
    #[error("cannot read `{name}` for the upload")]
    Source {
        /// The attachment.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The server's answer makes no sense, or is larger than it may be.
    #[error("`{origin}` gave an answer that cannot be used: {why}")]
    Protocol {
        /// Scheme, host and port.
        origin: String,
        /// What is wrong with it.
        why: String,
        /// The request without credentials.
        request: String,
    },
}

impl CouchError {
    /// Whether a write was clearly refused. After a proxy's page, a broken connection or none at all it may have been
    /// carried out, by an earlier try as well.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. }
                | Self::Forbidden { .. }
                | Self::NotFound { .. }
                | Self::Refused { .. }
                | Self::TooLarge { .. }
                | Self::Unaddressable(_)
                | Self::Unusable { .. }
                | Self::Certificate { .. }
        )
    }

    /// The exit code for this error, by the table of [`Exit`].
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotFound { .. } => Exit::Missing,
            Self::Conflict { .. } => Exit::Conflict,
            Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::Proxy { credentials: true, .. } => Exit::Auth,
            Self::Server { .. }
            | Self::Corrupted { .. }
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Unconfirmed { .. }
            | Self::Timeout { .. }
            | Self::Certificate { .. }
            | Self::Proxy { .. } => Exit::Unavailable,
            Self::Unusable { .. } => Exit::Usage,
            Self::TooLarge { .. }
            | Self::MissingStub { .. }
            | Self::Refused { .. }
            | Self::Redirected { .. }
            | Self::NotCouchDb { .. }
            | Self::Unaddressable(_)
            | Self::Source { .. }
            | Self::Protocol { .. } => Exit::Failed,
        }
    }

    /// What the server said, if it said anything.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::NotFound { source, .. }
            | Self::Conflict { source, .. }
            | Self::Unauthorized { source, .. }
            | Self::Forbidden { source, .. }
            | Self::TooLarge { source, .. }
            | Self::MissingStub { source }
            | Self::Refused { source, .. }
            | Self::Server { source, .. }
            | Self::Corrupted { source, .. } => Some(source),
            _ => None,
        }
    }

    /// The request line without credentials, where there was a request.
    pub fn request(&self) -> Option<&str> {
        match self {
            Self::Broken { request, .. }
            | Self::Timeout { request, .. }
            | Self::Redirected { request, .. }
            | Self::Protocol { request, .. } => Some(request),
            Self::Unconfirmed { source, .. } => source.request(),
            _ => self.answer().map(|answer| answer.request.as_str()),
        }
    }

    /// Why, in few words, for "retrying in 2 s (connection refused)".
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Unreachable { why, .. } | Self::Broken { why, .. } => why.clone(),
            _ => self.answer().map_or_else(|| self.to_string(), ToString::to_string),
        }
    }
}

impl Answer {
    /// The usual words for the status.
    fn words(&self) -> &'static str {
        match self.status {
            400 => " bad request",
            401 => " unauthorized",
            403 => " forbidden",
            404 => " not found",
            405 => " method not allowed",
            408 => " request timeout",
            409 => " conflict",
            412 => " precondition failed",
            413 => " too large",
            415 => " unsupported media type",
            429 => " too many requests",
            500 => " internal error",
            502 => " bad gateway",
            503 => " unavailable",
            504 => " gateway timeout",
            _ => "",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}{}", self.status, self.words())?;
        match (&self.error, &self.reason) {
            (_, Some(reason)) => write!(f, ", \"{reason}\""),
            (Some(error), None) => write!(f, ", \"{error}\""),
            (None, None) => f.write_str(" without an explanation"),
        }
    }
}

impl std::error::Error for Answer {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(name) => write!(f, "database `{name}`"),
            Self::Document { id, .. } => write!(f, "document `{id}`"),
            Self::Attachment(name) => write!(f, "attachment `{name}`"),
            Self::Endpoint => f.write_str("this endpoint"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, reason: Option<&str>) -> Answer {
        let request = "PUT http://h/db/_design/blog".to_owned();
        Answer { request, status, error: None, reason: reason.map(str::to_owned) }
    }

    #[test]
    fn messages_and_exit_codes_are_those_of_the_manual() {
        let origin = || "http://127.0.0.1:5984".to_owned();
        let request = || "PUT http://h/db".to_owned();
        let table = [
            (
                CouchError::Unreachable { origin: origin(), why: "connection refused".into() },
                "cannot reach `http://127.0.0.1:5984`: connection refused",
                7,
            ),
            (
                CouchError::Unauthorized { host: "h".into(), given: true, source: answer(401, None).into() },
                "`h` does not accept these credentials",
                4,
            ),
            (
                CouchError::Unauthorized { host: "h".into(), given: false, source: answer(401, None).into() },
                "`h` wants credentials",
                4,
            ),
            (
                CouchError::Forbidden { action: "write `_design/blog`".into(), source: answer(403, None).into() },
                "not allowed to write `_design/blog`",
                4,
            ),
            (
                CouchError::NotFound {
                    what: Missing::Database("blog".into()),
                    host: "h".into(),
                    source: answer(404, None).into(),
                },
                "database `blog` does not exist on `h`",
                6,
            ),
            (
                CouchError::NotCouchDb {
                    url: "https://example.com/blog".into(),
                    content_type: "text/html".into(),
                    first_line: None,
                    status: 200,
                },
                "`https://example.com/blog` does not look like CouchDB (got text/html)",
                1,
            ),
            (
                CouchError::Timeout { origin: origin(), waited: Duration::from_secs(45), request: request() },
                "no answer from `http://127.0.0.1:5984` for 45 s",
                7,
            ),
            (
                CouchError::Conflict { id: "_design/blog".into(), source: answer(409, None).into() },
                "`_design/blog` changed on the server in the meantime",
                5,
            ),
            (
                CouchError::TooLarge { what: "video.mp4".into(), source: answer(413, None).into() },
                "`video.mp4` is larger than the server allows",
                1,
            ),
        ];
        for (error, message, code) in table {
            assert_eq!((error.to_string().as_str(), error.exit().code()), (message, code));
        }
    }

    #[test]
    fn what_the_server_said_is_the_cause() {
        let error = CouchError::Forbidden {
            action: "write `x`".into(),
            source: answer(403, Some("You are not admin.")).into(),
        };
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "the server answered 403 forbidden, \"You are not admin.\"");
        assert_eq!(answer(400, None).to_string(), "the server answered 400 bad request without an explanation");
        assert_eq!(error.request(), Some("PUT http://h/db/_design/blog"));
    }
}
