//! One database: what it is, what is in it.

use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::{Value, json};

use super::answer::{Subject, What};
use super::client::{Request, limit};
use super::fault::Effect;
use super::target::Target;
use super::{CouchError, Server};
use crate::address::Address;
use crate::json::Object;
use crate::name::{AttName, DbName, DocId, Revision};

/// What `GET /{db}` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Another one means that the database was deleted and made again. Not every server has it.
    pub instance_start_time: Option<String>,
    /// Documents that are not deleted, design documents included.
    pub doc_count: u64,
    /// All members as they came.
    pub raw: Object,
}

/// Whether a database had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is new.
    Created,
    /// It was there before (412).
    Existed,
}

/// One database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    server: Server,
    name: DbName,
}

impl Database {
    pub(super) fn new(server: Server, name: DbName) -> Self {
        Self { server, name }
    }

    /// Its name.
    pub fn name(&self) -> &DbName {
        &self.name
    }

    /// Its server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its address, without a document.
    pub fn address(&self) -> Address {
        self.server.address().with(Some(self.name.clone()), None)
    }

    /// Asks for the facts about the database.
    pub async fn info(&self) -> Result<Info, CouchError> {
        let request = self.request(Method::GET, self.target(), "read");
        let answer = self.server.client.json(&request, limit::SMALL).await?;
        let doc_count = answer.get("doc_count").and_then(Value::as_u64);
        match (answer, doc_count) {
            (Value::Object(raw), Some(doc_count)) => {
                let start = raw.get("instance_start_time").filter(|value| !value.is_null());
                let instance_start_time = start.map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
                Ok(Info { instance_start_time, doc_count, raw })
            }
            _ => Err(self.protocol(&request, "there is no doc_count in it")),
        }
    }

    /// Creates the database.
    pub async fn create(&self) -> Result<Creation, CouchError> {
        let request = self.request(Method::PUT, self.target(), "create");
        match self.server.client.json(&request, limit::SMALL).await {
            Ok(_) => Ok(Creation::Created),
            Err(CouchError::Refused { source, .. }) if source.status == 412 => Ok(Creation::Existed),
            Err(error) => Err(error),
        }
    }

    /// Removes the database with everything in it. It is asked for once: a database that somebody makes anew after a lost
    /// answer is not this one.
    pub async fn remove(&self) -> Result<(), CouchError> {
        let request = self.request(Method::DELETE, self.target(), "remove");
        let client = &self.server.client;
        let mut attempts = client.attempts(&request);
        loop {
            let Err(fault) = client.exchange(&request).await else { return Ok(()) };
            match fault.effect {
                Effect::None => attempts.again(fault).await?,
                Effect::Unknown if self.is_gone().await => return Ok(()),
                Effect::Unknown | Effect::Failed | Effect::Final => return Err(fault.error),
            }
        }
    }

    async fn is_gone(&self) -> bool {
        matches!(self.info().await, Err(CouchError::NotFound { what: super::Missing::Database(_), .. }))
    }

    /// Ids and current revisions of all design documents, in the order of the server.
    pub async fn design_documents(&self) -> Result<Vec<(DocId, Revision)>, CouchError> {
        // `_all_docs` with bounds instead of `_design_docs`, which PouchDB does not have.
        let target = self.endpoint("_all_docs").query("startkey", "\"_design/\"").query("endkey", "\"_design0\"");
        let request = self.request(Method::GET, target, "list the design documents of");
        let rows = self.rows(&request).await?;
        let designs = rows.iter().filter_map(|row| {
            let id = DocId::new(row.get("id")?.as_str()?).ok().filter(DocId::is_design)?;
            Some((id, revision_of(row)?))
        });
        Ok(designs.collect())
    }

    /// The current revision of each id; `None` for what does not exist or is deleted.
    pub async fn revisions_of(&self, ids: &[DocId]) -> Result<Vec<Option<Revision>>, CouchError> {
        let leaves = self.leaves_of(ids).await?;
        let live = |(revision, deleted): (Revision, bool)| (!deleted).then_some(revision);
        Ok(leaves.into_iter().map(|leaf| leaf.and_then(live)).collect())
    }

    /// Whether there is, or was, a document of each id: a tombstone is something to replicate.
    pub async fn known(&self, ids: &[DocId]) -> Result<Vec<bool>, CouchError> {
        Ok(self.leaves_of(ids).await?.iter().map(Option::is_some).collect())
    }

    /// The revision of the tombstone of a deleted document.
    pub(super) async fn tombstone_of(&self, id: &DocId) -> Result<Option<Revision>, CouchError> {
        let leaves = self.leaves_of(std::slice::from_ref(id)).await?;
        Ok(leaves.into_iter().flatten().next().and_then(|(revision, deleted)| deleted.then_some(revision)))
    }

    /// The winning revision of each id and whether it is a tombstone; `None` for what was never there.
    pub(super) async fn leaves_of(&self, ids: &[DocId]) -> Result<Vec<Option<(Revision, bool)>>, CouchError> {
        let rows = self.rows_of(ids).await?;
        let deleted = |row: &Value| row.pointer("/value/deleted") == Some(&Value::Bool(true));
        Ok(rows.iter().map(|row| Some((revision_of(row)?, deleted(row)))).collect())
    }

    /// The signature of a design document's views: the same one means the same index. `None` where there is none: no
    /// such document, or a server that does not tell (PouchDB answers "Not implemented.").
    pub async fn view_signature(&self, design: &DocId) -> Result<Option<String>, CouchError> {
        let target = self.document_target(design).beneath("_info");
        let subject = self.document_subject("read the views of", design);
        let request = Request::new(Method::GET, target, subject);
        let answer = match self.server.client.json(&request, limit::SMALL).await {
            Err(CouchError::NotFound { what, .. }) if !matches!(what, super::Missing::Database(_)) => return Ok(None),
            Err(CouchError::Server { source, .. }) if source.status == 501 => return Ok(None),
            // PouchDB's words are not always JSON.
            Err(CouchError::Refused { .. } | CouchError::Protocol { .. } | CouchError::NotCouchDb { .. }) => {
                return Ok(None);
            }
            answer => answer?,
        };
        Ok(answer.pointer("/view_index/signature").and_then(Value::as_str).map(str::to_owned))
    }

    /// The `Content-Security-Policy` that the server sends along with an attachment.
    pub async fn content_security_policy(&self, id: &DocId, name: &AttName) -> Result<Option<String>, CouchError> {
        const HEADER: HeaderName = HeaderName::from_static("content-security-policy");
        let target = Target::attachment(self.server.address(), &self.name, id, name);
        let request = Request::new(Method::HEAD, target, self.attachment_subject(id, name));
        self.server.client.repeat(&request, |reply| async move { Ok(reply.header(&HEADER)) }).await
    }

    async fn rows_of(&self, ids: &[DocId]) -> Result<Vec<Value>, CouchError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<&str> = ids.iter().map(DocId::as_str).collect();
        let request = self.request(Method::POST, self.endpoint("_all_docs"), "list").json(&json!({ "keys": keys }));
        let rows = self.rows(&request).await?;
        let same = rows.len() == keys.len()
            && rows.iter().zip(&keys).all(|(row, key)| row.get("key").and_then(Value::as_str) == Some(*key));
        if same { Ok(rows) } else { Err(self.protocol(&request, "its rows are not those that were asked for")) }
    }

    async fn rows(&self, request: &Request) -> Result<Vec<Value>, CouchError> {
        match self.server.client.json(request, limit::LARGE).await? {
            Value::Object(mut answer) => match answer.remove("rows") {
                Some(Value::Array(rows)) => Ok(rows),
                _ => Err(self.protocol(request, "there are no rows in it")),
            },
            _ => Err(self.protocol(request, "it is no object")),
        }
    }

    pub(super) fn request(&self, method: Method, target: Target, verb: &str) -> Request {
        let action = format!("{verb} database `{}`", self.name);
        Request::new(method, target, Subject::new(action, What::Database { name: self.name.to_string() }))
    }

    fn target(&self) -> Target {
        Target::database(self.server.address(), &self.name)
    }

    pub(super) fn endpoint(&self, endpoint: &str) -> Target {
        Target::database_endpoint(self.server.address(), &self.name, endpoint)
    }

    pub(super) fn document_target(&self, id: &DocId) -> Target {
        Target::document(self.server.address(), &self.name, id)
    }

    pub(super) fn document_subject(&self, verb: &str, id: &DocId) -> Subject {
        let what = What::Document { database: self.name.to_string(), id: id.to_string() };
        Subject::new(format!("{verb} `{id}`"), what)
    }

    pub(super) fn attachment_subject(&self, id: &DocId, name: &AttName) -> Subject {
        let (database, id) = (self.name.to_string(), id.to_string());
        let action = format!("read attachment `{name}` of `{id}`");
        Subject::new(action, What::Attachment { database, id, name: name.to_string() })
    }

    /// An error about the content of an answer.
    pub(super) fn protocol(&self, request: &Request, why: impl Into<String>) -> CouchError {
        let origin = self.server.address().origin().to_owned();
        CouchError::Protocol { origin, why: why.into(), request: request.line() }
    }
}

fn revision_of(row: &Value) -> Option<Revision> {
    Revision::new(row.pointer("/value/rev")?.as_str()?).ok()
}
