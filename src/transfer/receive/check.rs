//! What a content must be, and whether it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::{Arrived, Fetch};
use crate::couch::digest::{self, Damage, Digest, Verifier};
use crate::couch::{Document, Stub};
use crate::json::Object;
use crate::local::{LocalError, Writer};
use crate::media::Record;
use crate::name::Revision;

/// What the document says of a content.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) revision: Revision,
    pub(super) length: u64,
    pub(super) digest: Option<Digest>,
    pub(super) encoded: bool,
    pub(super) encoded_length: Option<u64>,
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) modified: Option<i64>,
}

impl Expected {
    /// As it was listed.
    pub(super) fn of(fetch: &Fetch) -> Self {
        Self {
            revision: fetch.revision.clone(),
            length: fetch.length,
            digest: fetch.digest,
            encoded: fetch.encoded,
            encoded_length: None,
            sha256: fetch.sha256,
            modified: fetch.modified,
        }
    }

    /// As the document says that arrives: another revision speaks for itself, the same one was believed already. `None`
    /// when it has no such attachment.
    pub(super) fn arriving(fetch: &Fetch, document: &Document) -> Option<Self> {
        let stub = document.attachment(&fetch.name)?;
        if document.revision == fetch.revision {
            return Some(Self { encoded_length: stub.encoded_length, ..Self::of(fetch) });
        }
        let record = Record::read(&document.id, &document.body).filter(|record| record.attachment == fetch.name);
        Some(Self {
            revision: document.revision.clone(),
            length: stub.length,
            digest: stub.digest,
            encoded: stub.encoding.as_deref() == Some("gzip"),
            encoded_length: stub.encoded_length,
            sha256: record.as_ref().map(|record| record.sha256),
            modified: record.map(|record| record.modified),
        })
    }

    /// An attachment that was uploaded as gzip has its *encoded* length as length; nothing tells the length of its
    /// content.
    fn length_of_content(&self) -> Option<u64> {
        let is_encoded_length = self.encoded && self.encoded_length == Some(self.length);
        (!is_encoded_length).then_some(self.length)
    }

    fn stub(&self) -> Stub {
        Stub {
            content_type: String::new(),
            length: self.length,
            digest: self.digest,
            revpos: None,
            encoding: self.encoded.then(|| "gzip".to_owned()),
            encoded_length: self.encoded_length,
            raw: Object::new(),
        }
    }
}

/// Checks a content while it passes.
pub(super) struct Checker {
    expected: Expected,
    /// Set when the bytes arrive as gzip.
    inflate: Option<Verifier>,
    md5: Md5,
    sha256: Sha256,
    length: u64,
}

/// The sums of a content in which nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) length: u64,
    pub(super) md5: [u8; 16],
    pub(super) sha256: [u8; 32],
    /// Something else than the length was found right, or there is nothing else.
    pub(super) is_proven: bool,
}

impl Checker {
    pub(super) fn new(expected: Expected, gzip: bool) -> Self {
        let inflate = gzip.then(|| Verifier::new(&expected.stub(), true));
        Self { expected, inflate, md5: Md5::new(), sha256: Sha256::new(), length: 0 }
    }

    /// Takes the next bytes as they arrive and gives the content in them.
    pub(super) fn take<'a>(&mut self, arriving: &'a [u8], inflated: &'a mut Vec<u8>) -> Result<&'a [u8], Damage> {
        let content = match &mut self.inflate {
            None => arriving,
            Some(verifier) => {
                inflated.clear();
                verifier.update(arriving, inflated)?;
                inflated.as_slice()
            }
        };
        self.length += content.len() as u64;
        if let Some(expected) = self.expected.length_of_content().filter(|expected| self.length > *expected) {
            return Err(Damage::Length { expected, got: self.length });
        }
        self.md5.update(content);
        self.sha256.update(content);
        Ok(content)
    }

    /// Whether nothing was taken yet.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Checks the whole.
    pub(super) fn finish(self) -> Result<Sums, Damage> {
        let Self { expected, inflate, md5, sha256, length } = self;
        let (md5, sha256): ([u8; 16], [u8; 32]) = (md5.finalize().into(), sha256.finalize().into());
        if let Some(expected) = expected.length_of_content().filter(|expected| *expected != length) {
            return Err(Damage::Length { expected, got: length });
        }
        let is_digest_right = match inflate {
            Some(verifier) => {
                verifier.finish()?;
                expected.digest.is_some()
            }
            None if expected.encoded => false,
            None => {
                let got = Digest::from_md5(md5);
                if let Some(expected) = expected.digest.filter(|expected| *expected != got) {
                    return Err(Damage::Digest { expected, got });
                }
                expected.digest.is_some()
            }
        };
        // The claim of a document goes stale when another program replaces the attachment; the digest never does.
        if !is_digest_right && expected.sha256.is_some_and(|expected| expected != sha256) {
            return Err(Damage::Sha256);
        }
        let nothing_to_check = expected.digest.is_none() && expected.sha256.is_none();
        Ok(Sums { length, md5, sha256, is_proven: is_digest_right || expected.sha256.is_some() || nothing_to_check })
    }
}

/// A content in memory: its inflated bytes and their sums.
pub(super) fn whole(expected: &Expected, arriving: Vec<u8>, gzip: bool) -> Result<(Vec<u8>, Sums), Damage> {
    if !gzip && let Some(sums) = as_claimed(expected, &arriving) {
        return Ok((arriving, sums));
    }
    let mut checker = Checker::new(expected.clone(), gzip);
    let mut content = Vec::new();
    checker.take(&arriving, &mut content)?;
    let sums = checker.finish()?;
    Ok((if gzip { content } else { arriving }, sums))
}

/// The sums of stored bytes that have the length and the SHA-256 that the document claims: they are the file that was
/// sent, so its digest need not be computed, which takes several times as long. Anything else is for the digest to judge.
fn as_claimed(expected: &Expected, stored: &[u8]) -> Option<Sums> {
    let (claim, digest) = expected.sha256.zip(expected.digest.filter(|_| !expected.encoded))?;
    let length = stored.len() as u64;
    let is_it = expected.length == length && <[u8; 32]>::from(Sha256::digest(stored)) == claim;
    is_it.then_some(Sums { length, md5: digest.md5(), sha256: claim, is_proven: true })
}

/// Whether the server compressed `content` to what has this digest: at its own level, or sent by us at ours.
pub(super) fn compresses_to(content: &[u8], expected: &Expected) -> bool {
    let levels = [digest::SERVER_LEVEL, digest::OUR_LEVEL];
    expected
        .digest
        .is_some_and(|digest| levels.iter().any(|level| digest::of(&digest::gzip(content, *level)) == digest))
}

/// Gives a file its time and its name.
pub(super) fn finish(writer: Writer, expected: Expected, sums: Sums) -> Result<Arrived, LocalError> {
    if let Some(modified) = expected.modified.and_then(time) {
        writer.set_modified(modified)?;
    }
    let seen = writer.seen(sums.md5, sums.sha256);
    writer.commit()?;
    Ok(Arrived {
        revision: expected.revision,
        length: sums.length,
        md5: sums.md5,
        sha256: sums.sha256,
        digest: expected.digest,
        encoded: expected.encoded,
        claimed: expected.sha256,
        modified: expected.modified,
        seen,
    })
}

/// A time from nanoseconds since 1970.
fn time(nanoseconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
    if nanoseconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_judged_by_its_claim_or_else_by_its_digest() {
        let content = b"some bytes".to_vec();
        let (md5, sha256) = (digest::of(&content), <[u8; 32]>::from(Sha256::digest(&content)));
        let (other_md5, other_sha256) = (digest::of(b"x"), [7; 32]);
        let judged = |length: u64, digest: Option<Digest>, claim: Option<[u8; 32]>| {
            let revision = Revision::new("1-a").unwrap();
            let expected = Expected {
                revision,
                length,
                digest,
                encoded: false,
                encoded_length: None,
                sha256: claim,
                modified: None,
            };
            whole(&expected, content.clone(), false).map(|(_, sums)| sums.is_proven)
        };
        assert_eq!(judged(10, Some(md5), Some(sha256)), Ok(true));
        assert_eq!(judged(10, Some(md5), None), Ok(true));
        assert_eq!(judged(10, None, Some(sha256)), Ok(true));
        // Another program has replaced the attachment and left the record as it was.
        assert_eq!(judged(10, Some(md5), Some(other_sha256)), Ok(true));
        assert_eq!(
            judged(10, Some(other_md5), Some(other_sha256)),
            Err(Damage::Digest { expected: other_md5, got: md5 })
        );
        assert_eq!(judged(10, Some(other_md5), None), Err(Damage::Digest { expected: other_md5, got: md5 }));
        assert_eq!(judged(10, None, Some(other_sha256)), Err(Damage::Sha256));
        assert_eq!(judged(11, Some(md5), Some(sha256)), Err(Damage::Length { expected: 11, got: 10 }));
    }
}
