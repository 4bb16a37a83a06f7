//! JavaScript of design documents, in QuickJS, within limits of time and memory.
//!
//! Documents and requests go in as JSON text, results come out as JSON text. Every call blocks until it has its answer: call
//! from a blocking task. The engines live on threads of their own and know the functions of the design documents that were
//! used last; one that ran out of time or memory is thrown away, and the next call gets another.

mod call;
mod engine;
mod fields;
mod list;
mod pool;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::json::Object;

pub use verdict::erlang;

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

/// What engines know functions by.
fn key(kind: &str, text: &str) -> pool::Key {
    Sha256::new().chain_update(kind).chain_update([0]).chain_update(text).finalize().into()
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
    pub fn new(document: &Object) -> Self {
        let id = document.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let text: Arc<str> = serde_json::to_string(document).unwrap_or_default().into();
        let key = key("design", &text);
        Self { id, text, key }
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
    pub fn new(functions: &[&str], library: Option<&Value>) -> Self {
        let text: Arc<str> = json!({ "functions": functions, "library": library }).to_string().into();
        let key = key("mapping", &text);
        Self { text, count: functions.len(), key }
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
    /// `{"headers": …, "code": …}` as JSON. It comes first, and again when the function calls `start` once more; what comes
    /// last before the first text counts.
    Start(String),
    /// What is sent next; never empty.
    Text(String),
    /// The function has seen all rows. What it throws from now on is nothing that CouchDB can tell of any more.
    NoMoreRows,
}

/// All engines of an endpoint.
pub struct Functions {
    pool: pool::Pool,
}

#[cfg(test)]
mod tests;
