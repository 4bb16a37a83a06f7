//! What stops a replication, in the words of CouchDB.

use crate::couch::{CouchError, Missing};
use crate::replicator::{End, ReplicationError};
use crate::secret::{Credentials, redact};
use crate::serve::failure::Failure;

use super::end;
use super::wanted::Wanted;

/// The failure that `_replicate` answers. `own` is where this endpoint is.
pub(super) fn failure(error: &ReplicationError, wanted: &Wanted, own: &str) -> Failure {
    let (side, source) = match error {
        ReplicationError::Request { end: End::Source, source } => (&wanted.source, source),
        ReplicationError::Request { end: End::Target, source } => (&wanted.target, source),
        ReplicationError::NoFilter(name) => {
            let source = wanted.source.shown(own);
            return Failure::not_found(format!("Couldn't open filter `{name}` from source database `{source}`"));
        }
    };
    let url = side.shown(own);
    match source {
        CouchError::NotFound { what: Missing::Database(_), .. }
        | CouchError::Unreachable { .. }
        | CouchError::NotCouchDb { .. } => not_found(&url),
        CouchError::Unauthorized { source, .. } => match user(side) {
            Some(user) if source.reason.as_deref().is_some_and(|reason| reason.contains("password")) => {
                let reason = format!("{url} does not accept the password of `{user}`");
                Failure::new(500, "replication_auth_error", reason)
            }
            _ => Failure::new(401, "unauthorized", format!("unauthorized to access or create database {url}")),
        },
        CouchError::Forbidden { .. } => Failure::new(403, "forbidden", url),
        other => Failure::new(500, "replication_error", told(&url, other)),
    }
}

/// The end cannot be opened at all.
pub(super) fn not_found(url: &str) -> Failure {
    Failure::new(500, "db_not_found", format!("could not open {url}"))
}

/// The failure as `_scheduler` shows it.
pub(super) fn text(failure: &Failure) -> String {
    match &failure.reason {
        Some(reason) => format!("{}: {reason}", failure.error),
        None => failure.error.clone(),
    }
}

fn user(end: &end::End) -> Option<&str> {
    match end {
        end::End::Local(_) => None,
        end::End::Remote(remote) => remote.credentials.as_ref().and_then(Credentials::user),
    }
}

/// An error with its causes.
fn told(url: &str, error: &CouchError) -> String {
    let mut text = format!("{url}: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    redact(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::couch::Answer;

    #[test]
    fn errors_have_the_words_of_couchdb() {
        let Value::Object(body) = json!({ "source": "a", "target": "http://jan:canary@h/b" }) else { unreachable!() };
        let (wanted, own) = (Wanted::parse(&body).unwrap(), "http://127.0.0.1:1");
        let answer = |status, reason: &str| {
            let request = "GET http://h/b".to_owned();
            Box::new(Answer { request, status, error: None, reason: Some(reason.to_owned()) })
        };
        let unauthorized =
            |reason| CouchError::Unauthorized { host: "h".into(), given: true, source: answer(401, reason) };
        let missing = CouchError::NotFound {
            what: Missing::Database("a".into()),
            host: "h".into(),
            source: answer(404, "no_db_file"),
        };
        let away = CouchError::Unreachable { origin: "http://h".into(), why: "connection refused".into() };
        let rows = [
            (ReplicationError::source(missing), 500, "db_not_found: could not open http://127.0.0.1:1/a/"),
            (ReplicationError::target(away), 500, "db_not_found: could not open http://h/b/"),
            (
                ReplicationError::target(unauthorized("Name or password is incorrect.")),
                500,
                "replication_auth_error: http://h/b/ does not accept the password of `jan`",
            ),
            (
                ReplicationError::target(unauthorized("You are not a server admin.")),
                401,
                "unauthorized: unauthorized to access or create database http://h/b/",
            ),
            (
                ReplicationError::source(CouchError::Forbidden {
                    action: "read".into(),
                    source: answer(403, "You are not allowed to access this db."),
                }),
                403,
                "forbidden: http://127.0.0.1:1/a/",
            ),
            (
                ReplicationError::target(CouchError::Server { action: "write".into(), source: answer(500, "full") }),
                500,
                "replication_error: http://h/b/: the server failed to write: the server answered 500 internal error, \"full\"",
            ),
            (
                ReplicationError::NoFilter("x/y".into()),
                404,
                "not_found: Couldn't open filter `x/y` from source database `http://127.0.0.1:1/a/`",
            ),
        ];
        for (error, status, expected) in rows {
            let failure = failure(&error, &wanted, own);
            assert_eq!((failure.status.as_u16(), text(&failure).as_str()), (status, expected));
        }
    }
}
