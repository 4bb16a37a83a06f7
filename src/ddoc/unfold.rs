//! Document → folder.

use super::{Refusal, UnfoldOptions, Unfolded};
use crate::json::Object;
use crate::name::{AttName, DocId};

/// Lays a document out as a folder. `body` is the document without `_id`, `_rev` and `_attachments` (these and other
/// members that a server adds to its answers are passed over if present).
pub fn unfold(
    body: &Object,
    id: &DocId,
    attachments: &[AttName],
    options: &UnfoldOptions<'_>,
) -> Result<Unfolded, Vec<Refusal>> {
    let _ = (body, id, attachments, options);
    unimplemented!()
}
