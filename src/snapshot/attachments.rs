//! Whether a local file is the attachment that a server holds.
//!
//! A server tells the md5 of the bytes *as stored*, perhaps compressed, so an equal digest proves equal bytes but another
//! digest proves nothing once the attachment is compressed. The cheapest sure answer wins: the length, then the digest
//! that the server gave when we last sent or fetched these very bytes, then the md5 itself. Only then is the file read
//! again and compressed as CouchDB would; a signature that a push left in the document is the last resort, since it goes
//! stale when somebody else replaces the attachment.

use super::LocalAttachment;
use crate::couch::Stub;
use crate::couch::digest::{Candidates, Digest};
use crate::ddoc::metadata::Signature;
use crate::hexadecimal;
use crate::local::{BaseAttachment, Folder, LocalError};

/// What is known of a local file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalBytes {
    /// Its length in bytes.
    pub length: u64,
    /// Its md5.
    pub md5: [u8; 16],
}

/// What the server said of these bytes when they were last pushed to, or cloned from, this target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The md5 of the plain bytes.
    pub md5: [u8; 16],
    /// The digest of the stored bytes.
    pub digest: Digest,
}

impl Recorded {
    /// What `entry` tells, if the content was seen then.
    pub fn of(entry: &BaseAttachment) -> Option<Self> {
        Some(Self { md5: hexadecimal::decode(entry.md5.as_deref()?)?, digest: entry.digest.parse().ok()? })
    }
}

/// What comparing without reading the file gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same bytes.
    Same,
    /// Other bytes.
    Different,
    /// Compressed on the server: only compressing the file can tell ([`by_candidates`]).
    Compressed,
}

/// Compares by length, recorded digest and md5.
pub fn compare(local: LocalBytes, stub: &Stub, recorded: Option<Recorded>) -> Verdict {
    if stub.length != local.length {
        return Verdict::Different;
    }
    let known = recorded.filter(|recorded| recorded.md5 == local.md5).map(|recorded| recorded.digest);
    match (stub.digest, &stub.encoding) {
        (Some(digest), _) if known == Some(digest) => Verdict::Same,
        (Some(digest), None) if digest == Digest::from_md5(local.md5) => Verdict::Same,
        (Some(_), None) => Verdict::Different,
        (Some(_) | None, _) => Verdict::Compressed,
    }
}

/// Compares by the digests that the file may have on a server, else by a signature left in the document. A difference
/// means "unknown": the server may compress in a way of its own.
pub fn by_candidates(local: LocalBytes, stub: &Stub, candidates: &Candidates, signature: Option<&Signature>) -> bool {
    stub.digest.is_some_and(|digest| candidates.contain(digest))
        || signature.and_then(|signature| signature.matches(&local.md5)).unwrap_or(false)
}

/// Whether `file` holds the bytes that `stub` stands for; it is read again only where nothing cheaper tells.
pub fn same_content(
    folder: &Folder,
    file: &LocalAttachment,
    stub: &Stub,
    recorded: Option<Recorded>,
    signature: Option<&Signature>,
) -> Result<bool, LocalError> {
    let local = LocalBytes { length: file.length, md5: file.md5 };
    match compare(local, stub, recorded) {
        Verdict::Same => Ok(true),
        Verdict::Different => Ok(false),
        Verdict::Compressed => {
            let bytes = folder.read(&file.path, file.length)?;
            Ok(by_candidates(local, stub, &Candidates::of(&bytes, true), signature))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::couch::digest;
    use crate::json::Object;

    const TEXT: &[u8] = b"body { color: red }\n";

    fn local(bytes: &[u8]) -> LocalBytes {
        LocalBytes { length: bytes.len() as u64, md5: digest::of(bytes).md5() }
    }

    fn stub(bytes: &[u8], level: Option<u32>) -> Stub {
        let stored = level.map(|level| digest::gzip(bytes, level));
        Stub {
            content_type: "text/css".into(),
            length: bytes.len() as u64,
            digest: Some(digest::of(stored.as_deref().unwrap_or(bytes))),
            revpos: Some(1),
            encoding: level.map(|_| "gzip".into()),
            encoded_length: stored.map(|stored| stored.len() as u64),
            raw: Object::new(),
        }
    }

    #[test]
    fn plain_attachments_are_told_by_md5() {
        assert_eq!(compare(local(TEXT), &stub(TEXT, None), None), Verdict::Same);
        let other = TEXT.to_ascii_uppercase();
        assert_eq!(compare(local(&other), &stub(TEXT, None), None), Verdict::Different);
        assert_eq!(compare(local(b"x"), &stub(TEXT, None), None), Verdict::Different);
    }

    #[test]
    fn compressed_ones_are_told_by_what_the_server_said_or_by_compressing() {
        for level in [6, 8] {
            let stub = stub(TEXT, Some(level));
            assert_eq!(compare(local(TEXT), &stub, None), Verdict::Compressed);
            let recorded = Recorded { md5: local(TEXT).md5, digest: stub.digest.unwrap() };
            assert_eq!(compare(local(TEXT), &stub, Some(recorded)), Verdict::Same);
            assert!(by_candidates(local(TEXT), &stub, &Candidates::of(TEXT, true), None));
            let other = TEXT.to_ascii_uppercase();
            assert_eq!(compare(local(&other), &stub, Some(recorded)), Verdict::Compressed);
            assert!(!by_candidates(local(&other), &stub, &Candidates::of(&other, true), None));
        }
    }

    #[test]
    fn a_record_of_other_bytes_proves_nothing() {
        let stub = stub(TEXT, Some(8));
        let stale = Recorded { md5: local(b"older").md5, digest: stub.digest.unwrap() };
        assert_eq!(compare(local(TEXT), &stub, Some(stale)), Verdict::Compressed);
    }

    #[test]
    fn a_signature_is_the_last_resort() {
        let mut stub = stub(TEXT, Some(8));
        stub.digest = Some(digest::of(b"compressed in some other way"));
        let candidates = Candidates::of(TEXT, true);
        assert!(!by_candidates(local(TEXT), &stub, &candidates, None));
        let signature = Signature::Md5("0".repeat(32));
        assert!(!by_candidates(local(TEXT), &stub, &candidates, Some(&signature)));
    }
}
