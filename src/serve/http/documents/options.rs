//! What the query of a request says about documents (`chttpd_db:parse_doc_query`).

use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::http::body;
use crate::serve::http::documents::incoming::{parse_revision, revision_of, revisions_of};
use crate::serve::http::request::Query;

/// How documents are shown and which revisions are meant.
#[derive(Clone, Debug, Default)]
pub(in crate::serve) struct Options {
    /// Attachments with their bytes.
    pub(in crate::serve) attachments: bool,
    /// Their encoding as well.
    pub(in crate::serve) att_encoding_info: bool,
    /// Bytes only of those attachments that none of these revisions has.
    pub(in crate::serve) atts_since: Option<Vec<Revision>>,
    /// `_revisions`
    pub(in crate::serve) revs: bool,
    /// `_revs_info`
    pub(in crate::serve) revs_info: bool,
    /// `_conflicts`
    pub(in crate::serve) conflicts: bool,
    /// `_deleted_conflicts`
    pub(in crate::serve) deleted_conflicts: bool,
    /// `_local_seq`
    pub(in crate::serve) local_seq: bool,
    /// A tombstone is shown as well.
    pub(in crate::serve) deleted: bool,
    /// The leaves that a revision led to, instead of it.
    pub(in crate::serve) latest: bool,
    /// One revision.
    pub(in crate::serve) rev: Option<Revision>,
    /// One revision that cannot be here: a revision in form, but none that a document has.
    pub(in crate::serve) is_nowhere: bool,
    /// Several revisions.
    pub(in crate::serve) open_revs: Option<OpenRevs>,
    /// `new_edits=false`
    pub(in crate::serve) is_replicated: bool,
}

/// Which revisions are opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum OpenRevs {
    /// All leaves.
    All,
    /// These.
    Some(Vec<Revision>),
}

impl Options {
    /// Reads a query; what it does not know is passed over.
    pub(in crate::serve) fn parse(query: &Query) -> Result<Self, Failure> {
        let mut options = Self::default();
        for (key, value) in &query.0 {
            match (key.as_str(), value.as_str()) {
                ("attachments", "true") => options.attachments = true,
                ("meta", "true") => {
                    (options.revs_info, options.conflicts, options.deleted_conflicts) = (true, true, true);
                }
                ("revs", "true") => options.revs = true,
                ("local_seq", "true") => options.local_seq = true,
                ("revs_info", "true") => options.revs_info = true,
                ("conflicts", "true") => options.conflicts = true,
                ("deleted", "true") => options.deleted = true,
                ("deleted_conflicts", "true") => options.deleted_conflicts = true,
                ("latest", "true") => options.latest = true,
                ("att_encoding_info", "true") => options.att_encoding_info = true,
                ("rev", rev) => {
                    parse_revision(rev)?;
                    options.rev = revision_of(rev).ok();
                    options.is_nowhere = options.rev.is_none();
                }
                ("open_revs", "all") => options.open_revs = Some(OpenRevs::All),
                ("open_revs", revs) => {
                    let revisions = revisions_of(&body::parse(revs.as_bytes())?)?;
                    // None at all is the winner.
                    options.open_revs = (!revisions.is_empty()).then_some(OpenRevs::Some(revisions));
                }
                ("atts_since", revs) => {
                    options.atts_since = Some(revisions_of(&body::parse(revs.as_bytes())?)?);
                    options.attachments = true;
                }
                ("new_edits", value) => options.is_replicated = value == "false",
                _ => {}
            }
        }
        Ok(options)
    }

    /// Whether the answer has members that an ETag would not tell of.
    pub(in crate::serve) fn asks_for_meta(&self) -> bool {
        self.revs_info || self.conflicts || self.deleted_conflicts || self.local_seq
    }
}
