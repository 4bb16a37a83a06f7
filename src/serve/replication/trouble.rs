//! Why a replication failed, in CouchDB's words: programs look for them.

use std::fmt;

use super::wanted::Wanted;
use crate::couch::{CouchError, Missing};
use crate::replicator::{self, ReplicationError};
use crate::secret::redact;
use crate::serve::failure::Failure;

/// An error as CouchDB tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Trouble {
    status: u16,
    error: &'static str,
    reason: String,
}

impl Trouble {
    fn new(status: u16, error: &'static str, reason: &str) -> Self {
        Self { status, error, reason: redact(reason) }
    }

    /// There is no such database. `url` ends with a slash.
    pub(super) fn unopened(url: &str) -> Self {
        Self::new(500, "db_not_found", &format!("could not open {url}"))
    }

    /// What an error is to who asked for the replication.
    pub(super) fn of(error: &ReplicationError, wanted: &Wanted, own: &str) -> Self {
        match error {
            ReplicationError::NoFilter(name) => {
                let (design, source) = (name.split('/').next().unwrap_or_default(), wanted.source.shown(own));
                let reason = format!(
                    "Couldn't open document `_design/{design}` from source database `{source}`: {{error,<<\"not_found\">>}}"
                );
                Self::new(404, "not_found", &reason)
            }
            ReplicationError::Request { end, source } => {
                let url = match end {
                    replicator::End::Source => wanted.source.shown(own),
                    replicator::End::Target => wanted.target.shown(own),
                };
                Self::at(&url, source)
            }
        }
    }

    fn at(url: &str, error: &CouchError) -> Self {
        match error {
            CouchError::NotFound { what: Missing::Database(_), .. } => Self::unopened(url),
            CouchError::Unauthorized { .. } => {
                Self::new(401, "unauthorized", &format!("unauthorized to access or create database {url}"))
            }
            CouchError::Forbidden { .. } => {
                Self::new(403, "forbidden", &format!("forbidden to access or create database {url}"))
            }
            CouchError::Unreachable { why, .. } => {
                Self::new(500, "replication_failed", &format!("could not connect to {url}: {why}"))
            }
            CouchError::Timeout { .. } => Self::new(500, "timeout", &format!("no answer from {url}")),
            other => {
                let mut text = format!("{url}: {other}");
                if let Some(reason) = other.answer().and_then(|answer| answer.reason.as_deref()) {
                    text = format!("{text}: {reason}");
                }
                Self::new(500, "replication_failed", &text)
            }
        }
    }

    /// What `_replicate` answers.
    pub(in crate::serve) fn failure(&self) -> Failure {
        Failure::new(self.status, self.error, self.reason.as_str())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.reason)
    }
}
