//! Under which name a job keeps its checkpoints: the same job finds them again, another one does not.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Job, ReplicationError};
use crate::couch::{CouchError, Info, Missing, Selection};
use crate::hexadecimal;
use crate::name::DocId;

/// Raised when what is remembered can no longer be understood.
pub(super) const VERSION: u64 = 1;

/// The name, without `_local/`. Addresses have no credentials in them, and how a job goes on (continuous) is no part of
/// what it carries.
pub(super) fn of(job: &Job, source: &Info, target: &Info, filter: Option<&str>) -> String {
    let options = &job.options;
    let selection = match &options.selection {
        Selection::Everything => Value::Null,
        Selection::Ids(ids) => {
            let mut ids: Vec<&str> = ids.iter().map(DocId::as_str).collect();
            ids.sort_unstable();
            ids.dedup();
            json!({ "ids": ids })
        }
        Selection::Selector(text) => json!({ "selector": text }),
        Selection::Filter { name, query } => json!({ "filter": name, "query": query, "code": filter }),
    };
    let identity = json!([
        VERSION,
        job.source.address().to_string(),
        source.instance_start_time,
        job.target.address().to_string(),
        target.instance_start_time,
        selection,
        options.no_design,
        options.winning_revisions_only,
    ]);
    hexadecimal::encode(&Sha256::digest(identity.to_string())[..16])
}

/// The source of the filter function, so that another function is another job.
pub(super) async fn filter(job: &Job) -> Result<Option<String>, ReplicationError> {
    let Selection::Filter { name, .. } = &job.options.selection else { return Ok(None) };
    let missing = || ReplicationError::NoFilter(name.clone());
    let (design, function) = name.split_once('/').ok_or_else(missing)?;
    let id = DocId::new(format!("_design/{design}")).map_err(|_| missing())?;
    match job.source.document(&id, &crate::couch::Read::default()).await {
        Ok(document) => {
            let code = document.body.get("filters").and_then(|filters| filters.get(function));
            code.map(|code| Some(code.to_string())).ok_or_else(missing)
        }
        Err(CouchError::NotFound { what: Missing::Document { .. }, .. }) => Err(missing()),
        Err(error) => Err(ReplicationError::source(error)),
    }
}
