//! Finds constructs in tokens: what CouchDB no longer reads, and what it does not read yet.

pub(super) mod newer;
pub(super) mod older;

/// A construct, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Construct {
    /// Offset in the text.
    pub(super) offset: usize,
    /// What it is, and what to write instead.
    pub(super) message: String,
}
