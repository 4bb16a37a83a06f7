//! Which error is about one file, and which is the end of all.

use std::sync::atomic::Ordering;

use super::{Outbound, Outcome, Outcomes, Sender};
use crate::couch::{CouchError, Missing};
use crate::transfer::TransferError;

/// So many writes in a row that nobody answers, each after all of its retries, mean that the server is gone.
const PATIENCE: u32 = 5;

/// Whether an error is about more than the document of the request, so that the next one would meet it as well.
fn is_fatal(error: &TransferError) -> bool {
    match error {
        TransferError::Couch(error) => match error {
            CouchError::NotFound { what, .. } => matches!(what, Missing::Database(_) | Missing::Endpoint),
            CouchError::Unauthorized { .. }
            | CouchError::Unreachable { .. }
            | CouchError::Certificate { .. }
            | CouchError::Unusable { .. }
            | CouchError::Proxy { .. }
            | CouchError::Redirected { .. } => true,
            _ => false,
        },
        TransferError::Task(_) => true,
        _ => false,
    }
}

/// Whether nobody who knows the document has answered: the server is down, or something else stands in its place.
fn is_outage(error: &CouchError) -> bool {
    match error {
        // A 500 comes of one document as well, by a broken `validate_doc_update` for example.
        CouchError::Server { source, .. } => source.status != 500,
        CouchError::Broken { .. }
        | CouchError::Unconfirmed { .. }
        | CouchError::Timeout { .. }
        | CouchError::Protocol { .. }
        | CouchError::NotCouchDb { .. } => true,
        _ => false,
    }
}

impl Sender<'_> {
    /// An error as the outcome of one file, or as the end of all: what every other file would meet, too, and one outage
    /// too many.
    pub(super) fn sort<T>(&self, result: Result<T, TransferError>) -> Result<Result<T, TransferError>, TransferError> {
        let Err(error) = result else { return Ok(result) };
        if is_fatal(&error) {
            return Err(error);
        }
        match &error {
            TransferError::Couch(CouchError::Source { .. }) => {}
            TransferError::Couch(outage) if is_outage(outage) => {
                let outages = self.outages.fetch_add(1, Ordering::Relaxed) + 1;
                return if outages < PATIENCE { Ok(Err(error)) } else { Err(error) };
            }
            TransferError::Couch(_) => self.answered(),
            _ => {}
        }
        Ok(Err(error))
    }

    /// The server has answered a write. That it can be read tells nothing: it may have no room left.
    pub(super) fn answered(&self) {
        self.outages.store(0, Ordering::Relaxed);
    }

    /// One file is done with, well or not.
    pub(super) fn settled(&self, file: Outbound, outcome: Outcome, outcomes: &mut Outcomes) {
        (self.progress)(i64::try_from(file.length).unwrap_or(i64::MAX));
        outcomes.push((file, outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::couch::Answer;

    fn answered(status: u16) -> Answer {
        Answer { request: "POST http://h/db/_bulk_docs".to_owned(), status, error: None, reason: None }
    }

    #[test]
    fn a_server_that_is_gone_is_no_matter_of_one_file() {
        let server = |status| CouchError::Server { action: "write".into(), source: answered(status).into() };
        let origin = || "http://h".to_owned();
        let request = || "PUT http://h/db/x".to_owned();
        let table = [
            (server(500), false, false),
            (server(502), false, true),
            (server(503), false, true),
            (server(429), false, true),
            (CouchError::Protocol { origin: origin(), why: "odd".into(), request: request() }, false, true),
            (CouchError::Broken { origin: origin(), why: "reset".into(), request: request() }, false, true),
            (CouchError::Conflict { id: "x".into(), source: answered(409).into() }, false, false),
            (CouchError::Forbidden { action: "write".into(), source: answered(403).into() }, false, false),
            (CouchError::Unreachable { origin: origin(), why: "refused".into() }, true, false),
            (CouchError::Unauthorized { host: "h".into(), given: true, source: answered(401).into() }, true, false),
        ];
        for (error, fatal, outage) in table {
            let text = format!("{error:?}");
            assert_eq!(is_outage(&error), outage, "{text}");
            assert_eq!(is_fatal(&error.into()), fatal, "{text}");
        }
    }
}
