//! Queries by a selector: CouchDB's `_find`, its indexes and its explanations.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/database/find.html>. [`Selector`] also filters the changes feed.

mod bookmark;
mod definition;
pub(in crate::serve) mod explain;
mod field;
pub(in crate::serve) mod find;
pub(in crate::serve) mod indexes;
mod matching;
pub(in crate::serve) mod options;
mod plan;
mod ranges;
mod selector;
pub(in crate::serve) mod term;

pub use definition::Definition;
pub use selector::Selector;
