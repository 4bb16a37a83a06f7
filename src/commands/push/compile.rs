//! Asking the server itself to compile a new `validate_doc_update`.
//!
//! CouchDB stores one that does not compile, and from then on refuses every write to the database. It does compile map
//! functions when a design document is saved, so the source first goes into the map of a scratch document.

use anyhow::Result;
use serde_json::Value;

use crate::check::scratch::{self, Verdict};
use crate::commands::app::broken;
use crate::commands::login::Reached;
use crate::couch::{CouchError, Database, Kind, Read, Write};
use crate::exit::Failure;
use crate::json::Object;
use crate::name::{DocId, Revision};
use crate::random;

/// Compiles the `source` of `design` on the server of `database`; the scratch document is always removed again.
pub(super) async fn validation(
    reached: &Reached,
    database: &Database,
    (design, source): (&DocId, &str),
    file: Option<String>,
) -> Result<()> {
    if reached.welcome.kind != Kind::CouchDb {
        return Ok(());
    }
    let id = DocId::new(scratch::id(&random::hexadecimal()))?;
    let Value::Object(body) = scratch::document(source) else { return Ok(()) };
    let write = Write { id: id.clone(), parent: None, body, attachments: Vec::new(), progress: None };
    match database.put(&write).await {
        Ok(written) => remove(reached, database, &id, &written.revision).await,
        // Who may not write this one may not write the other either.
        Err(CouchError::Forbidden { source, .. }) => {
            Err(reached.failure(CouchError::Forbidden { action: format!("write `{design}`"), source }))
        }
        Err(error) if error.answer().is_some_and(|answer| (400..500).contains(&answer.status)) => {
            refusal(error, reached, source, file)
        }
        // Whether it landed is not known, and it must not stay.
        Err(error) => {
            if let Ok(document) = database.document(&id, &Read::default()).await {
                remove(reached, database, &id, &document.revision).await?;
            }
            Err(reached.failure(error))
        }
    }
}

async fn remove(reached: &Reached, database: &Database, id: &DocId, revision: &Revision) -> Result<()> {
    let removed = database.delete(id, revision).await;
    removed.map(drop).map_err(|error| {
        let message = format!("`{id}`, in which `validate_doc_update` was compiled, could not be removed again");
        Failure::new(error.exit(), message).hint("delete it; it does nothing").because(reached.failure(error)).into()
    })
}

fn refusal(error: CouchError, reached: &Reached, source: &str, file: Option<String>) -> Result<()> {
    let said = error.answer().and_then(|answer| answer.error.clone().zip(answer.reason.clone()));
    match said.and_then(|(kind, reason)| scratch::verdict(&kind, &reason, source, file)) {
        Some(Verdict::Broken(problem)) => Err(broken(&[problem]).into()),
        Some(Verdict::Unknown) => Ok(()),
        None => Err(reached.failure(error)),
    }
}

/// The `validate_doc_update` that a push brings, if it is JavaScript.
pub(super) fn new_validation(body: &Object) -> Option<&str> {
    let source = body.get("validate_doc_update")?.as_str()?;
    let language = body.get("language").and_then(Value::as_str).unwrap_or("javascript").trim();
    (language == "javascript").then_some(source)
}
