//! JavaScript of design documents, in QuickJS, within limits of time and memory.
//!
//! Documents and requests go in as JSON text, results come out as JSON text. Every call blocks until it has its answer: call
//! from a blocking task. The engines live on threads of their own and know the functions of the design documents that were
//! used last; one that ran out of time or memory is thrown away, and the next call gets another.

mod engine;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::json::Object;

/// What functions may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For one call; a list has it anew for each row.
    pub time: Duration,
    /// Bytes for all objects of one engine.
    pub memory: usize,
    /// Bytes of the stack.
    pub stack: usize,
    /// How many calls run at once; others wait.
    pub workers: usize,
}

impl Default for Limits {
    /// 5 s as CouchDB's `os_process_timeout`, 64 MiB as its `couchjs`.
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        Self { time: Duration::from_secs(5), memory: 64 << 20, stack: 1 << 20, workers }
    }
}

/// Why there is no result: what the function threw, or what it failed at, as CouchDB answers it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {reason}")]
pub struct FunctionError {
    /// The status: 401, 403, 404, 406, 500…
    pub status: u16,
    /// The word: `forbidden`, `unauthorized`, `compilation_error`…
    pub error: String,
    /// The reason.
    pub reason: String,
}

/// A design document whose functions are called. Make it once for each revision and keep it; making it reads the document
/// once, and engines know it again by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    id: String,
    text: Arc<str>,
    key: [u8; 32],
}

impl Design {
    /// The document with its `_id` (and `_rev`), as CouchDB hands it to functions as `this`.
    pub fn new(_document: &Object) -> Self {
        unimplemented!()
    }
    /// Its `_id`.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The `map` functions of one design document, with what they may `require`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    text: Arc<str>,
    count: usize,
    key: [u8; 32],
}

impl Mapping {
    /// The sources in the order in which results are wanted; `library` is the design document's `views.lib`.
    pub fn new(_functions: &[&str], _library: Option<&Value>) -> Self {
        unimplemented!()
    }
}

/// What a `map` function emitted: two JSON texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// One call of a `reduce` function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduction {
    /// `[[key, id], …]` as JSON; `None` for a rereduce.
    pub keys: Option<String>,
    /// `[value, …]` as JSON, of the same length.
    pub values: String,
}

/// What `validate_doc_update` is asked about; everything is JSON.
#[derive(Clone, Debug)]
pub struct Validation {
    /// The document as it would be stored: `_id`, `_rev` (of the new revision), `_revisions`, `_deleted`, `_attachments` stubs.
    pub document: String,
    /// The winner before it, or the deleted one; `None` when there was nothing.
    pub before: Option<String>,
    /// `{"db": …, "name": …, "roles": […]}`
    pub user: String,
    /// The `_security` object.
    pub security: String,
}

/// What an update function returned; everything is JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// What is to be written; `None` when the function returned something else than an object.
    pub document: Option<String>,
    /// An object with `body`, `json`, `base64`, `headers`, `code`…
    pub response: String,
}

/// What a list function gives, piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// First: `{"headers": …, "code": …}` as JSON.
    Start(String),
    /// What is sent next.
    Text(String),
}

/// All engines of an endpoint.
pub struct Functions {
    pool: pool::Pool,
}

impl Functions {
    /// Starts nothing yet; engines begin with the first call.
    pub fn new(_limits: Limits) -> Self {
        unimplemented!()
    }

    /// Runs all map functions over documents: for each document and each function what it emitted. A function that throws
    /// emits nothing, as in CouchDB; an error is one of compilation, or of time and memory.
    pub fn map(&self, _mapping: &Mapping, _documents: Vec<String>) -> Result<Vec<Vec<Vec<Emitted>>>, FunctionError> {
        unimplemented!()
    }

    /// Runs a custom `reduce` for each of the inputs. Builtin ones (`_sum`…) do not come here.
    pub fn reduce(&self, _source: &str, _inputs: Vec<Reduction>) -> Result<Vec<String>, FunctionError> {
        unimplemented!()
    }

    /// What CouchDB checks when a design document is written: whether its `map` and `reduce` functions compile. The error
    /// names the view.
    pub fn check_views(&self, _document: &Object) -> Result<(), FunctionError> {
        unimplemented!()
    }

    /// Asks `validate_doc_update` of each design document, in order. The first refusal is the answer.
    pub fn validate(&self, _designs: &[Arc<Design>], _validation: &Validation) -> Result<(), FunctionError> {
        unimplemented!()
    }

    /// Asks `filters.NAME` about documents; `request` is the request object.
    pub fn filter(
        &self,
        _design: &Design,
        _name: &str,
        _documents: Vec<String>,
        _request: &str,
    ) -> Result<Vec<bool>, FunctionError> {
        unimplemented!()
    }

    /// Asks `views.NAME.map` whether it would emit anything (`filter=_view`).
    pub fn filter_by_view(
        &self,
        _design: &Design,
        _view: &str,
        _documents: Vec<String>,
    ) -> Result<Vec<bool>, FunctionError> {
        unimplemented!()
    }

    /// Runs `shows.NAME`; the answer is a JSON object with `body`, `json`, `base64`, `headers`, `code`…
    pub fn show(
        &self,
        _design: &Design,
        _name: &str,
        _document: Option<&str>,
        _request: &str,
    ) -> Result<String, FunctionError> {
        unimplemented!()
    }

    /// Runs `updates.NAME`.
    pub fn update(
        &self,
        _design: &Design,
        _name: &str,
        _document: Option<&str>,
        _request: &str,
    ) -> Result<Updated, FunctionError> {
        unimplemented!()
    }

    /// Runs `lists.NAME` over rows (each a JSON object). `head` is `{"total_rows": …, "offset": …}`. What it sends is given to
    /// `sink` as it comes, [`Piece::Start`] first; `sink` returns false when nobody listens any more.
    pub fn list(
        &self,
        _design: &Design,
        _name: &str,
        _head: &str,
        _request: &str,
        _rows: &mut dyn Iterator<Item = Result<String, FunctionError>>,
        _sink: &mut dyn FnMut(Piece) -> bool,
    ) -> Result<(), FunctionError> {
        unimplemented!()
    }

    /// Runs the function `rewrites`: an object with `path`, `method`, `query`, `headers`, `body`, `code` as JSON; `None` when
    /// it found no rule.
    pub fn rewrite(&self, _design: &Design, _request: &str) -> Result<Option<String>, FunctionError> {
        unimplemented!()
    }
}
