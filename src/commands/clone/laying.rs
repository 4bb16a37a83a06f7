//! A document laid out as files, with the same options wherever two layouts are compared.

use std::collections::BTreeMap;

use crate::ddoc::{Refusal, UnfoldOptions, Unfolded, unfold};
use crate::filter::{Rules, Verdict};
use crate::json::Object;
use crate::name::{AttName, DocId};
use crate::path::RelPath;

/// A document as the files of a new folder.
pub(super) struct Laid {
    pub unfolded: Unfolded,
    /// The attachments that macros include, as far as they were fetched for that.
    pub contents: BTreeMap<AttName, Vec<u8>>,
    /// Names that cannot be paths were escaped.
    pub escape_names: bool,
}

/// Lays a document out once, with the included attachments that are known.
pub(super) fn lay_out(
    body: &Object,
    id: &DocId,
    names: &[AttName],
    escape_names: bool,
    contents: &BTreeMap<AttName, Vec<u8>>,
) -> Result<Unfolded, Vec<Refusal>> {
    let rules = Rules::default();
    let ignored = |path: &RelPath| rules.verdict(path, false) != Verdict::Kept;
    unfold(body, id, names, &UnfoldOptions { escape_names, ignored: Some(&ignored), contents: Some(contents) })
}
