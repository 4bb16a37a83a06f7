//! One database: what it is, what is in it.

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
pub struct Database {}

impl Database {
    /// Its name.
    pub fn name(&self) -> &DbName {
        unimplemented!()
    }

    /// Its server.
    pub fn server(&self) -> &Server {
        unimplemented!()
    }

    /// Its address, without a document.
    pub fn address(&self) -> Address {
        unimplemented!()
    }

    /// Asks for the facts about the database.
    pub async fn info(&self) -> Result<Info, CouchError> {
        unimplemented!()
    }

    /// Creates the database.
    pub async fn create(&self) -> Result<Creation, CouchError> {
        unimplemented!()
    }

    /// Ids and current revisions of all design documents, in the order of the server.
    pub async fn design_documents(&self) -> Result<Vec<(DocId, Revision)>, CouchError> {
        unimplemented!()
    }

    /// The current revision of each id; `None` for what does not exist or is deleted.
    pub async fn revisions_of(&self, ids: &[DocId]) -> Result<Vec<Option<Revision>>, CouchError> {
        let _ = ids;
        unimplemented!()
    }

    /// The signature of a design document's views: the same one means the same index. `None` where the server does not
    /// tell (PouchDB answers "Not implemented.").
    pub async fn view_signature(&self, design: &DocId) -> Result<Option<String>, CouchError> {
        let _ = design;
        unimplemented!()
    }

    /// The `Content-Security-Policy` that the server sends along with an attachment.
    pub async fn content_security_policy(&self, id: &DocId, name: &AttName) -> Result<Option<String>, CouchError> {
        let _ = (id, name);
        unimplemented!()
    }
}
