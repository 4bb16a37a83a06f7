//! The revision that a write will get, computed the way CouchDB does.

use super::Write;
use super::digest::Digest;
use crate::name::{AttName, Revision};

/// The revision that CouchDB 3.x will give to `write`; `None` when it cannot be told. PouchDB has other revisions.
///
/// `stored` gives the digest of an attachment's bytes *as the server will store them*, which for a compressible type is
/// that of their gzip ([`super::digest::gzip`] at [`super::digest::SERVER_LEVEL`]). Where it gives `None`, a stub's own
/// digest and the digest of bytes that are stored as they are sent stand in; without, nothing can be told.
///
/// A write without parent is predicted for a document that never was: on top of a tombstone the server counts on, and
/// its revision has a higher generation than the predicted one. An answer of the predicted revision proves that the
/// server has stored this body and these bytes; another answer proves nothing (`compressible_types` can be configured).
pub fn predicted_revision(write: &Write, stored: &dyn Fn(&AttName) -> Option<Digest>) -> Option<Revision> {
    let _ = (write, stored);
    unimplemented!()
}
