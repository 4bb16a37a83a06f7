//! Replications that a server carries out by itself: the documents of its `_replicator` database, what its scheduler
//! tells of them, and what was started without a document (`_replicate`).
//!
//! These documents hold the credentials of both ends in clear. They are written here and nowhere else, and nothing that
//! is read from them leaves this module before it was taken apart: what is handed out has addresses without userinfo.
//! <https://docs.couchdb.org/en/stable/replication/replicator.html>

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::answer::{Subject, What};
use super::client::{Request, limit};
use super::target::Target;
use super::{CouchError, Database, Server, Welcome};
use crate::name::{DbName, DocId};

mod log;
mod spec;
mod told;

pub use log::Earlier;
pub use spec::JobSpec;
pub use told::{JobDocument, Phase, Told};

/// The scheduler gives a hundred at once unless it is asked for more.
const ALL: &str = "1000000";
/// The state of a document is written into it by the server: a removal may come too late for its revision.
const REMOVALS: usize = 20;

impl Server {
    /// Whether we may have jobs here; the refusal where we may not, or where there is no `_replicator` database.
    pub async fn may_have_jobs(&self) -> Result<Result<(), CouchError>, CouchError> {
        match self.replicator()?.info().await {
            Ok(_) => Ok(Ok(())),
            Err(
                error @ (CouchError::Unauthorized { .. } | CouchError::Forbidden { .. } | CouchError::NotFound { .. }),
            ) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    /// All documents of `_replicator`. Empty where only admins may list them.
    pub async fn job_documents(&self) -> Result<Vec<JobDocument>, CouchError> {
        match self.documents().await {
            Err(CouchError::Unauthorized { .. } | CouchError::Forbidden { .. }) => Ok(Vec::new()),
            documents => documents,
        }
    }

    async fn documents(&self) -> Result<Vec<JobDocument>, CouchError> {
        let replicator = self.replicator()?;
        let target = replicator.endpoint("_all_docs").query("include_docs", "true");
        let request = replicator.request(Method::GET, target, "list");
        let answer = match self.client.json(&request, limit::LARGE).await {
            Err(CouchError::NotFound { .. }) => return Ok(Vec::new()),
            answer => answer?,
        };
        let rows = answer.get("rows").and_then(Value::as_array).into_iter().flatten();
        Ok(rows.filter_map(|row| JobDocument::read(row.get("doc")?)).collect())
    }

    /// All jobs that are known here: those of documents, and those that were started without one.
    pub async fn jobs(&self) -> Result<Vec<Told>, CouchError> {
        let documents = self.documents().await?;
        let scheduled = self.list("docs").await?.unwrap_or_default();
        let ours =
            |told: &&Value| told.get("database").and_then(Value::as_str).is_none_or(|name| name == "_replicator");
        let mut scheduled: HashMap<String, Told> = scheduled
            .iter()
            .filter(ours)
            .map(Told::of_scheduler)
            .filter_map(|told| Some((told.document.clone()?, told)))
            .collect();
        let mut all: Vec<Told> = Vec::new();
        for document in &documents {
            let told = scheduled.remove(document.id.as_str());
            all.push(told.map_or_else(|| document.told.clone(), |told| told.completed_by(&document.told)));
        }
        all.extend(scheduled.into_values());
        all.sort_by(|left, right| left.document.cmp(&right.document));
        let running = self.list("jobs").await?.unwrap_or_default();
        all.extend(running.iter().filter(|job| job.get("doc_id").is_none_or(Value::is_null)).map(Told::of_transient));
        Ok(all)
    }

    /// What is told of the job of a document; `None` where there is no such document.
    pub async fn job(&self, id: &DocId) -> Result<Option<Told>, CouchError> {
        let target = Target::endpoint(self.address(), &["_scheduler", "docs", "_replicator", id.as_str()]);
        let request = Request::new(Method::GET, target, subject("ask for the state of a replication"));
        let answer = match self.client.json(&request, limit::SMALL).await {
            // CouchDB 3.5 fails at times (`function_clause`) while it makes up its mind about a document with a filter.
            Err(CouchError::Server { .. }) => None,
            answer => unknown(answer)?,
        };
        match answer {
            Some(answer) if answer.get("state").is_some() => Ok(Some(Told::of_scheduler(&answer))),
            // No scheduler, or it has not seen the document yet.
            _ => Ok(self.job_document(id).await?.and_then(|(document, _)| Some(JobDocument::read(&document)?.told))),
        }
    }

    /// Writes a document whose id nobody else has. After an error that is no clear refusal ([`CouchError::is_refusal`]) it may be
    /// there all the same.
    pub async fn put_job(&self, id: &DocId, spec: &JobSpec<'_>, welcome: &Welcome) -> Result<(), CouchError> {
        let request = self.document_request(Method::PUT, "write a replication", id, None)?;
        match self.client.json(&request.json(&Value::Object(spec.document(welcome))), limit::SMALL).await {
            // The answer to the first try was lost.
            Ok(_) | Err(CouchError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes a document, which ends its job; says whether it was there.
    pub async fn remove_job(&self, id: &DocId) -> Result<bool, CouchError> {
        let mut was_there = false;
        for round in 1..=REMOVALS {
            let Some((_, revision)) = self.job_document(id).await? else { return Ok(was_there) };
            was_there = true;
            let request = self.document_request(Method::DELETE, "remove a replication", id, Some(&revision))?;
            match self.client.json(&request, limit::SMALL).await {
                Ok(_) => return Ok(true),
                Err(CouchError::Conflict { .. } | CouchError::NotFound { .. }) if round < REMOVALS => {}
                Err(error) => return Err(error),
            }
        }
        Ok(was_there)
    }

    /// Ends a job that has no document; says whether there was one.
    pub async fn cancel_replication(&self, replication: &str) -> Result<bool, CouchError> {
        let target = Target::endpoint(self.address(), &["_replicate"]);
        let request = Request::new(Method::POST, target, subject("cancel a replication"));
        let request = request.json(&json!({ "replication_id": replication, "cancel": true }));
        match self.client.json(&request, limit::SMALL).await {
            Ok(_) => Ok(true),
            Err(CouchError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn replicator(&self) -> Result<Database, CouchError> {
        let unusable = |error: crate::name::NameError| CouchError::Unusable { what: "name", why: error.to_string() };
        Ok(self.database(&DbName::new("_replicator").map_err(unusable)?))
    }

    fn document_request(
        &self,
        method: Method,
        action: &str,
        id: &DocId,
        revision: Option<&str>,
    ) -> Result<Request, CouchError> {
        let target = self.replicator()?.document_target(id);
        let target = revision.map_or(target.clone(), |revision| target.query("rev", revision));
        let what = What::Document { database: "_replicator".to_owned(), id: id.to_string() };
        Ok(Request::new(method, target, Subject::new(format!("{action} (`{id}`)"), what)))
    }

    /// A document as it is, credentials included, and its revision.
    async fn job_document(&self, id: &DocId) -> Result<Option<(Value, String)>, CouchError> {
        let request = self.document_request(Method::GET, "read a replication", id, None)?;
        let document = match self.client.json(&request, limit::SMALL).await {
            // Whatever else is answered, the document with its credentials may be there.
            Err(CouchError::NotFound { .. }) => return Ok(None),
            answer => answer?,
        };
        let revision = document.get("_rev").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Some((document, revision)))
    }

    /// A list of the scheduler; `None` where there is none, or where only admins may ask.
    async fn list(&self, what: &str) -> Result<Option<Vec<Value>>, CouchError> {
        let target = Target::endpoint(self.address(), &["_scheduler", what]).query("limit", ALL);
        let request = Request::new(Method::GET, target, subject("list the replications"));
        let answer = unknown(self.client.json(&request, limit::LARGE).await)?;
        Ok(answer.and_then(|mut answer| match answer.get_mut(what).map(Value::take) {
            Some(Value::Array(rows)) => Some(rows),
            _ => None,
        }))
    }
}

/// PouchDB takes the scheduler for a database that is not there, and says other things when it is in other moods.
fn unknown(answer: Result<Value, CouchError>) -> Result<Option<Value>, CouchError> {
    match answer {
        Err(CouchError::Server { source, .. }) if source.status == 501 => Ok(None),
        Err(
            CouchError::NotFound { .. }
            | CouchError::Unauthorized { .. }
            | CouchError::Forbidden { .. }
            | CouchError::Refused { .. }
            | CouchError::NotCouchDb { .. },
        ) => Ok(None),
        answer => answer.map(Some),
    }
}

fn subject(action: &str) -> Subject {
    Subject::new(action, What::Server)
}

/// What a member of a job may be left out for.
fn without_nothing(members: Map<String, Value>) -> Map<String, Value> {
    let is_nothing = |value: &Value| value.is_null() || value == &Value::Bool(false);
    members.into_iter().filter(|(_, value)| !is_nothing(value)).collect()
}
