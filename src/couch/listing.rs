//! Many documents of a database, read in pages or by their ids, without the content of their attachments.

use super::{CouchError, Database, Document};
use crate::name::DocId;

/// Which documents: `from <= id < below`, both in the order of code points (which is that of UTF-8 bytes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdRange {
    /// The least id; `None` begins with the first.
    pub from: Option<String>,
    /// The id to end before; `None` ends with the last.
    pub below: Option<String>,
}

impl IdRange {
    /// All ids that begin with `prefix`.
    pub fn prefix(prefix: &str) -> Self {
        let _ = prefix;
        unimplemented!()
    }

    /// Whether `id` is in the range.
    pub fn contains(&self, id: &str) -> bool {
        let _ = id;
        unimplemented!()
    }
}

/// A listing on its way in, one page after the other.
#[derive(Debug)]
pub struct Pages {
    unreadable: Vec<Unreadable>,
}

/// A document of a listing that cannot be taken apart: an attachment without a name, too deep, and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id, as the server has it.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}

impl Pages {
    /// The documents of the next page; `None` after the last one. A page may have fewer documents than asked for.
    pub async fn next(&mut self) -> Result<Option<Vec<Document>>, CouchError> {
        unimplemented!()
    }

    /// The documents of the pages so far that are not among the results because they cannot be taken apart.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }
}

impl Database {
    /// All documents of a range (design documents too), `rows` at a time, with conflicts and with the encoding of their
    /// attachments. A document that is there all the time comes exactly once, whatever others write meanwhile.
    pub fn pages(&self, range: &IdRange, rows: usize) -> Pages {
        let _ = (range, rows);
        unimplemented!()
    }

    /// The documents of these ids, in the same order, as [`Database::pages`] gives them; `None` for what is missing or
    /// deleted.
    pub async fn documents(&self, ids: &[DocId]) -> Result<Vec<Option<Document>>, CouchError> {
        let _ = ids;
        unimplemented!()
    }

    /// The ids of the documents in a view, without its reduce function, each once, in the order of the view. The first
    /// question to a view can take as long as its index takes to be built.
    pub async fn view_ids(&self, design: &DocId, view: &str) -> Result<Vec<DocId>, CouchError> {
        let _ = (design, view);
        unimplemented!()
    }
}
