//! What can go wrong with a request, as callers branch on it.

use std::fmt;
use std::time::Duration;

use crate::exit::Exit;

/// What a server said when it refused: status, `error` and `reason` of its JSON, with passwords masked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server answered {status}")]
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
    /// A certificate given by the user cannot be read.
    #[error("the {what} cannot be read: {why}")]
    BadCertificate {
        /// "CA certificate" or "client certificate".
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
    /// The exit code for this error, by the table of [`Exit`].
    pub fn exit(&self) -> Exit {
        unimplemented!()
    }

    /// What the server said, if it said anything.
    pub fn answer(&self) -> Option<&Answer> {
        unimplemented!()
    }
}

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
