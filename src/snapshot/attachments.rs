//! Whether a local file is the attachment that a server holds.
//!
//! A server tells the md5 of the bytes *as stored*, perhaps compressed, so an equal digest proves equal bytes but another
//! digest proves nothing once the attachment is compressed. The cheapest sure answer wins: the length, then the digest
//! that the server gave when we last sent or fetched these very bytes, then the md5 itself. Only then is the file read
//! again and compressed as CouchDB would; a signature that a push left in the document is the last resort, since it goes
//! stale when somebody else replaces the attachment.

use serde_json::Value;

use super::LocalAttachment;
use crate::couch::Stub;
use crate::couch::digest::{Candidates, Digest};
use crate::ddoc::metadata::Signature;
use crate::hexadecimal;
use crate::local::{BaseAttachment, Folder, LocalError};

/// What is known of a local file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LocalBytes {
    /// Its length in bytes.
    length: u64,
    /// Its md5.
    md5: [u8; 16],
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
enum Verdict {
    /// The same bytes.
    Same,
    /// Other bytes.
    Different,
    /// Compressed on the server: only compressing the file can tell (`by_candidates`).
    Compressed,
}

/// Compares by length, recorded digest and md5.
fn compare(local: LocalBytes, stub: &Stub, recorded: Option<Recorded>) -> Verdict {
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

/// Compares by the digests that the file may have on a server. A difference means "unknown": the server may compress in
/// a way of its own.
fn by_candidates(stub: &Stub, candidates: &Candidates) -> bool {
    stub.digest.is_some_and(|digest| candidates.contain(digest))
}

/// Compares by a signature left in the document. It goes stale when somebody else replaces the attachment, so it counts
/// only where nothing else can tell, and it is no proof for later.
fn by_signature(local: LocalBytes, signature: Option<&Signature>) -> bool {
    signature.and_then(|signature| signature.matches(&local.md5)).unwrap_or(false)
}

/// What stands for the stored bytes of an attachment; one without a digest is equal to nothing but itself.
pub fn stored(stub: &Stub) -> String {
    stub.digest.map_or_else(|| format!("unknown {}", Value::Object(stub.raw.clone())), |digest| digest.to_string())
}

/// How a file and an attachment on the server compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// The same bytes.
    Same,
    /// The same on the word of a signature in the document alone.
    Signed,
    /// Other bytes, as far as anybody can tell.
    Different,
}

/// Compares `file` with the attachment that `stub` stands for; it is read again only where nothing cheaper tells.
pub fn liken(
    folder: &Folder,
    file: &LocalAttachment,
    stub: &Stub,
    recorded: Option<Recorded>,
    signature: Option<&Signature>,
) -> Result<Likeness, LocalError> {
    let local = LocalBytes { length: file.length, md5: file.md5 };
    match compare(local, stub, recorded) {
        Verdict::Same => return Ok(Likeness::Same),
        Verdict::Different => return Ok(Likeness::Different),
        Verdict::Compressed => {}
    }
    let bytes = folder.read(&file.path, file.length)?;
    if by_candidates(stub, &Candidates::of(&bytes, true)) {
        return Ok(Likeness::Same);
    }
    // These very bytes had another digest there: a signature that still names them is stale.
    let is_stale = recorded.is_some_and(|recorded| recorded.md5 == file.md5);
    let is_signed = !is_stale && by_signature(local, signature);
    Ok(if is_signed { Likeness::Signed } else { Likeness::Different })
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
            assert!(by_candidates(&stub, &Candidates::of(TEXT, true)));
            let other = TEXT.to_ascii_uppercase();
            assert_eq!(compare(local(&other), &stub, Some(recorded)), Verdict::Compressed);
            assert!(!by_candidates(&stub, &Candidates::of(&other, true)));
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
        assert!(!by_candidates(&stub, &Candidates::of(TEXT, true)));
        let right = Signature::Md5(crate::hexadecimal::encode(&local(TEXT).md5));
        assert!(by_signature(local(TEXT), Some(&right)));
        assert!(!by_signature(local(TEXT), Some(&Signature::Md5("0".repeat(32)))));
        assert!(!by_signature(local(TEXT), None));
    }
}
