//! The scratch design document by which a server itself compiles a `validate_doc_update`.
//!
//! CouchDB stores a `validate_doc_update` unread and, when it does not compile, answers 500 to every write to the
//! database. It does compile map functions when a design document is saved, by the same rule: so the source is first
//! sent as the map of a scratch document, which is refused with `compilation_error` or, if stored, deleted again.

use serde_json::Value;

use super::Problem;

/// The id of the scratch document for a caller's `random` text (letters and digits): `_design/couchapp-check-<random>`.
pub fn id(random: &str) -> String {
    format!("_design/couchapp-check-{random}")
}

/// The scratch document for the source of a `validate_doc_update`, without `_id`.
pub fn document(source: &str) -> Value {
    let _ = source;
    unimplemented!()
}

/// Reads the server's answer to the scratch document: `None` unless `error` is `compilation_error`.
///
/// The reason is the server's text, cleaned of control characters; line and column are those it names, else 1.
pub fn problem(error: &str, reason: &str, source: &str, file: Option<String>) -> Option<Problem> {
    let _ = (error, reason, source, file);
    unimplemented!()
}
