//! The revision that a write will get, computed the way CouchDB does.
//!
//! `couch_db:new_revid/1` of CouchDB 3.x: the md5 of the term `[Deleted, OldStart, OldRev, Body, Atts]`, with the
//! attachments in reverse order as `{Name, ContentType, Md5}` of the bytes as stored.
//! <https://github.com/apache/couchdb/blob/3.5.0/src/couch/src/couch_db.erl>

use md5::{Digest as _, Md5};

use super::digest::{self, Digest};
use super::term::{Doubtful, Term};
use super::{Attachment, Write};
use crate::hexadecimal;
use crate::json::Object;
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
    // Local documents count their writes; special members make the server refuse.
    if write.id.as_str().starts_with("_local/") || write.body.keys().any(|key| key.starts_with('_')) {
        return None;
    }
    let attachments = write.attachments.iter().map(|(name, attachment)| {
        let (content_type, known) = match attachment {
            Attachment::Stub(stub) => (&stub.content_type, stub.digest),
            Attachment::New(new) => {
                let as_sent = new.encoded.is_some() || !digest::is_compressible(&new.content_type);
                (&new.content_type, as_sent.then_some(new.digest))
            }
        };
        Some((name.as_str(), content_type.as_str(), stored(name).or(known)?))
    });
    let attachments: Vec<_> = attachments.collect::<Option<_>>()?;
    revision(false, write.parent.as_ref(), &write.body, &attachments)
}

/// The revision of the tombstone that a deletion makes.
pub(super) fn predicted_tombstone(parent: &Revision) -> Option<Revision> {
    revision(true, Some(parent), &Object::new(), &[])
}

/// The revision that CouchDB 3.x gives to a body upon `parent`. `attachments`: name, content type and digest of each as
/// stored, in the order of the document. `None` where a number is of a kind whose text is not known.
pub fn revision(
    deleted: bool,
    parent: Option<&Revision>,
    body: &Object,
    attachments: &[(&str, &str, Digest)],
) -> Option<Revision> {
    let generation = parent.map_or(0, Revision::generation);
    let term = term(deleted, generation, parent, body, attachments).ok()?;
    let hash: [u8; 16] = Md5::digest(term.into_bytes()).into();
    Revision::new(format!("{}-{}", generation.checked_add(1)?, hexadecimal::encode(&hash))).ok()
}

fn term(
    deleted: bool,
    generation: u64,
    parent: Option<&Revision>,
    body: &Object,
    attachments: &[(&str, &str, Digest)],
) -> Result<Term, Doubtful> {
    let mut term = Term::new();
    term.list(5, |term| {
        term.boolean(deleted);
        term.integer(i64::try_from(generation).map_err(|_| Doubtful)?);
        match parent {
            None => term.integer(0),
            Some(parent) => term.binary(&hash(parent)?),
        }
        term.object(body)?;
        term.list(attachments.len(), |term| {
            for (name, content_type, digest) in attachments.iter().rev() {
                term.tuple(3);
                term.binary(name.as_bytes());
                term.binary(content_type.as_bytes());
                term.binary(&digest.md5());
            }
            Ok(())
        })
    })?;
    Ok(term)
}

/// The hash of a revision as CouchDB holds it: 32 digits are a number, anything else is text.
fn hash(revision: &Revision) -> Result<Vec<u8>, Doubtful> {
    let hash = revision.hash();
    if hash.len() != 32 {
        return Ok(hash.as_bytes().to_vec());
    }
    hexadecimal::decode::<16>(hash).map(Vec::from).ok_or(Doubtful)
}

#[cfg(test)]
mod tests;
