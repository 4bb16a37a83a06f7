//! What has changed in a database since a point in its history.

use super::{CouchError, Database, Info};
use crate::name::{DocId, Revision};

/// A point in the history of a database. Opaque: CouchDB's is a text, PouchDB's a number. It means something only to the
/// database that gave it, and only as long as its [`Info::instance_start_time`] is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence(String);

impl Sequence {
    /// The sequence from the JSON text of [`Sequence::as_str`]; `None` when it is no JSON, null or an object.
    pub fn new(text: &str) -> Option<Self> {
        let _ = text;
        unimplemented!()
    }

    /// Its JSON text, to be kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One changed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: DocId,
    /// Its winning revision as of then.
    pub revision: Revision,
    /// Whether that is a tombstone.
    pub deleted: bool,
}

/// A page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Each document once, in no useful order.
    pub rows: Vec<Change>,
    /// Where to go on.
    pub last: Sequence,
    /// How many changes are left behind this page, if the server says so. Fewer rows than the limit are the last ones.
    pub pending: Option<u64>,
}

impl Info {
    /// The point in history at which the facts were told: what is listed afterwards is at least as new.
    pub fn sequence(&self) -> Option<Sequence> {
        unimplemented!()
    }
}

impl Database {
    /// At most `limit` changes after `since` (`None`: from the beginning).
    ///
    /// A sequence that the server does not take is refused with 400 ([`CouchError::is_bad_request`]): list everything.
    pub async fn changes(&self, since: Option<&Sequence>, limit: u64) -> Result<Changes, CouchError> {
        let _ = (since, limit);
        unimplemented!()
    }
}

impl CouchError {
    /// Whether the server refused the request itself (400).
    pub fn is_bad_request(&self) -> bool {
        self.answer().is_some_and(|answer| answer.status == 400)
    }
}
