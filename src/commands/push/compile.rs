//! Asking the server itself to compile a new `validate_doc_update`.
//!
//! CouchDB stores one that does not compile, and from then on refuses every write to the database. It does compile map
//! functions when a design document is saved, so the source first goes into the map of a scratch document.

use anyhow::Result;
use serde_json::Value;

use crate::check::scratch::{self, Verdict};
use crate::commands::app::broken;
use crate::commands::login::Reached;
use crate::couch::{CouchError, Database, Kind, Write};
use crate::json::Object;
use crate::name::DocId;
use crate::random;

/// Compiles `source` on the server of `database`; the scratch document is always removed again.
pub(super) async fn validation(
    reached: &Reached,
    database: &Database,
    source: &str,
    file: Option<String>,
) -> Result<()> {
    if reached.welcome.kind != Kind::CouchDb {
        return Ok(());
    }
    let id = DocId::new(scratch::id(&random::hexadecimal()))?;
    let Value::Object(body) = scratch::document(source) else { return Ok(()) };
    let write = Write { id: id.clone(), parent: None, body, attachments: Vec::new(), progress: None };
    match database.put(&write).await {
        Ok(written) => {
            database.delete(&id, &written.revision).await.map_err(|error| reached.failure(error))?;
            Ok(())
        }
        Err(error) => refusal(error, reached, source, file),
    }
}

fn refusal(error: CouchError, reached: &Reached, source: &str, file: Option<String>) -> Result<()> {
    let said = error.answer().and_then(|answer| answer.error.clone().zip(answer.reason.clone()));
    match said.and_then(|(kind, reason)| scratch::verdict(&kind, &reason, source, file)) {
        Some(Verdict::Broken(problem)) => Err(broken(&[problem]).into()),
        Some(Verdict::Unknown) => Ok(()),
        None => Err(reached.failure(error)),
    }
}

/// The `validate_doc_update` of `ours`, if `theirs` has another one or none.
pub(super) fn new_validation<'a>(ours: &'a Object, theirs: Option<&Object>) -> Option<&'a str> {
    let source = ours.get("validate_doc_update")?.as_str()?;
    let language = ours.get("language").and_then(Value::as_str).unwrap_or("javascript").trim();
    let known = theirs.and_then(|body| body.get("validate_doc_update")).and_then(Value::as_str);
    (language == "javascript" && known != Some(source)).then_some(source)
}
