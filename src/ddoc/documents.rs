//! `_docs/`: documents that are pushed beside an app.
//!
//! A folder document is built with [`super::fold`](fn@super::fold) from a [`super::Sources`] whose `root` is
//! `_docs/<name>`, with [`super::FoldOptions`] `macros` and `design` off. A plain one is its JSON, unchanged.

use super::{Finding, Folded};
use crate::path::RelPath;

/// The document in the file `_docs/<name>.json`: its id is its `_id`, else the name without `.json`.
pub fn plain(path: &RelPath, text: &[u8]) -> Result<Folded, Vec<Finding>> {
    let _ = (path, text);
    unimplemented!()
}
