//! Queries by a selector: CouchDB's `_find`, its indexes and its explanations.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/database/find.html>. [`Selector`] also filters the changes feed.

mod definition;
mod field;
mod matching;
mod selector;
pub(in crate::serve) mod term;

pub use definition::Definition;
pub use selector::Selector;
