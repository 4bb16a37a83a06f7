//! `_local` documents: no history, no conflicts, no attachments. Blocks.

use serde_json::Value;

use super::incoming::Incoming;
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::http::number;
use crate::serve::store::Database;

/// A local document as it is shown.
pub(in crate::serve) fn read(database: &Database, id: &str) -> Result<Object, Failure> {
    let (number, mut members) = database.local(id)?.ok_or_else(|| Failure::not_found("missing"))?;
    let mut shown = Object::new();
    shown.insert("_id".to_owned(), id.into());
    shown.insert("_rev".to_owned(), format!("0-{number}").into());
    number::show(&mut members);
    shown.append(&mut members);
    Ok(shown)
}

/// Writes or removes a local document. CouchDB compares no revisions here: the last writer wins, and the number goes on from
/// the one that the client names.
pub(in crate::serve) fn write(database: &Database, document: &Incoming) -> Result<String, Failure> {
    let invalid = || Failure::new(500, "error", "Invalid rev format");
    let named = match document.hashes.first() {
        None => 0,
        Some(_) if document.generation != 0 => return Err(invalid()),
        Some(number) => number.parse::<u64>().map_err(|_| invalid())?,
    };
    named.checked_add(1).ok_or_else(invalid)?;
    let members = (!document.is_deleted).then_some(&document.members);
    let number = database.write_local(&document.id, Some(named), members)?.unwrap_or(0);
    Ok(format!("0-{number}"))
}

/// The ETag of a local document, which changes with its content.
pub(in crate::serve) fn etag(shown: &Object) -> String {
    let digest = crate::couch::digest::of(Value::Object(shown.clone()).to_string().as_bytes());
    format!("\"{}\"", crate::hexadecimal::encode(&digest.md5()))
}
