//! What the replication protocol needs of a database: all leaves of what changed, what of them a database lacks, and
//! documents of given revisions carried from one database to another.
//!
//! Documents are JSON text that is handed on as it came. It is looked into ([`RevisionText`]) and never parsed into maps
//! and printed again, so that numbers, the order of keys and odd keys survive.
//! <https://docs.couchdb.org/en/stable/replication/protocol.html>

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Request, limit};
use super::{CouchError, Database};
use crate::json::Object;
use crate::name::{DocId, NameError, Revision};

mod feed;
mod fetch;
mod raw;
mod send;
mod text;

pub use feed::{Changed, Feed, FeedPage, Selection};
pub use fetch::Fetched;
pub use send::Refusal;
pub use text::{Held, RevisionText};

/// What a database lacks of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The document.
    pub id: DocId,
    /// The revisions that it does not have.
    pub revisions: Vec<Revision>,
    /// Leaves that it has and that may be ancestors of these.
    pub ancestors: Vec<Revision>,
}

impl Database {
    /// What this database lacks of the given revisions (`_revs_diff`); documents of which it lacks nothing are left out.
    pub async fn lacking(&self, wanted: &[(DocId, Vec<Revision>)]) -> Result<Vec<Lacking>, CouchError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked: Object = Object::new();
        for (id, revisions) in wanted {
            let texts = revisions.iter().map(|revision| Value::from(revision.as_str()));
            if let Value::Array(all) = asked.entry(id.as_str()).or_insert_with(|| Value::Array(Vec::new())) {
                all.extend(texts);
            }
        }
        let request = self
            .request(Method::POST, self.endpoint("_revs_diff"), "compare revisions with")
            .json(&Value::Object(asked));
        let Value::Object(answer) = self.server().client.json(&request, limit::LARGE).await? else {
            return Err(self.protocol(&request, "it is no object"));
        };
        // What was not asked for is nobody's.
        let mut known: HashMap<&str, &DocId> = wanted.iter().map(|(id, _)| (id.as_str(), id)).collect();
        let mut lacking = Vec::with_capacity(answer.len());
        for (id, row) in &answer {
            let Some(id) = known.remove(id.as_str()) else { continue };
            let revisions = |key: &str| {
                let texts = row.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                texts.map(Revision::new).collect::<Result<Vec<_>, NameError>>()
            };
            let read = revisions("missing").and_then(|missing| Ok((missing, revisions("possible_ancestors")?)));
            let (missing, ancestors) = read.map_err(|error| self.protocol(&request, error.to_string()))?;
            if !missing.is_empty() {
                lacking.push(Lacking { id: id.clone(), revisions: missing, ancestors });
            }
        }
        if self.server().is_pouchdb() {
            self.add_ancestors(&mut lacking).await?;
        }
        Ok(lacking)
    }

    /// PouchDB Server names no `possible_ancestors`; the winning revision is one where there is any.
    async fn add_ancestors(&self, lacking: &mut [Lacking]) -> Result<(), CouchError> {
        let is_changed = |lacking: &&mut Lacking| lacking.revisions.iter().any(|revision| revision.generation() > 1);
        let mut changed: HashMap<String, &mut Lacking> =
            lacking.iter_mut().filter(is_changed).map(|lacking| (lacking.id.to_string(), lacking)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let keys: Vec<&String> = changed.keys().collect();
        let request = self.request(Method::POST, self.endpoint("_all_docs"), "look for documents in");
        let answer = self.server().client.json(&request.json(&json!({ "keys": keys })), limit::LARGE).await?;
        for row in answer.get("rows").and_then(Value::as_array).into_iter().flatten() {
            let lacking = row.get("key").and_then(Value::as_str).and_then(|key| changed.get_mut(key));
            let revision = row.pointer("/value/rev").and_then(Value::as_str);
            if let (Some(lacking), Some(Ok(revision))) = (lacking, revision.map(Revision::new)) {
                lacking.ancestors.push(revision);
            }
        }
        Ok(())
    }

    /// A document that is kept on this server only (`_local/…`), with its `_rev`; `None` where there is none.
    pub async fn local_document(&self, id: &DocId) -> Result<Option<Object>, CouchError> {
        let request = Request::new(Method::GET, self.document_target(id), self.document_subject("read", id));
        match self.server().client.json(&request, limit::LARGE).await {
            Ok(Value::Object(members)) => Ok(Some(members)),
            Ok(_) => Err(self.protocol(&request, "it is no object")),
            Err(CouchError::NotFound { what: super::Missing::Document { .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a document that is kept on this server only; gives its new `_rev`, which is no [`Revision`].
    pub async fn put_local_document(&self, id: &DocId, members: &Object) -> Result<String, CouchError> {
        let request = Request::new(Method::PUT, self.document_target(id), self.document_subject("write", id));
        let request = request.json(&json!(members));
        let answer = self.server().client.json(&request, limit::SMALL).await?;
        let revision = answer.get("rev").and_then(Value::as_str);
        revision.map(str::to_owned).ok_or_else(|| self.protocol(&request, "there is no rev in it"))
    }
}
