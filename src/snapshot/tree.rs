//! The folder's side of a mirror: each file beside what the server holds under its name.
//!
//! The cheapest sure answer wins: the length, what is remembered of both sides, the md5. Only a text that the server keeps
//! compressed, and of which nothing is remembered, is compressed here as CouchDB would do it.

use std::io::Read as _;

use crate::couch::digest::{CandidateHasher, Digest};
use crate::local::{Entry, FileEntry, Fingerprint, Folder, HashCache, Held, Ledger, LocalError, Seen, Sums, Synced};
use crate::path::RelPath;

/// How a file compares with what the server holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alike {
    /// The same bytes.
    Same,
    /// Other bytes.
    Other,
    /// The server compressed it in a way of its own: only reading it there tells.
    Unknown,
}

/// A folder beside what the server holds.
#[derive(Debug)]
pub struct Compared {
    /// How each file compares; `None` for a file of which the server holds nothing.
    pub alike: Vec<Option<Result<Alike, LocalError>>>,
    /// How many files had to be read for that.
    pub read: usize,
}

/// The sums of a file, however they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    length: u64,
    md5: [u8; 16],
    sha256: [u8; 32],
}

/// Compares `files` with the server's side of the ledger, in their order. What is learnt of files is put into the ledger.
///
/// With `checksum`, nothing that is remembered of files counts: all are read again. `progress` hears of bytes read.
pub fn compare(
    folder: &Folder,
    files: &[FileEntry],
    ledger: &mut Ledger,
    checksum: bool,
    progress: &(dyn Fn(u64) + Sync),
) -> Compared {
    let mut outcomes: Vec<Option<Result<Alike, LocalError>>> = Vec::with_capacity(files.len());
    let mut unread = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let entry = ledger.entries.entry(file.path.as_str().into()).or_default();
        if checksum || !entry.local.as_ref().is_some_and(|seen| seen.matches(file)) {
            entry.local = None;
        }
        let Some(held) = &entry.remote else {
            outcomes.push(None);
            continue;
        };
        let told = quick(file, entry, held);
        if let (Some(Alike::Same), Some(seen)) = (told, &entry.local) {
            entry.base = Some(Synced { sha256: seen.sha256, digest: held.digest });
        }
        if told.is_none() {
            unread.push(index);
        }
        outcomes.push(Some(Ok(told.unwrap_or(Alike::Unknown))));
    }
    let reading: Vec<FileEntry> = unread.iter().map(|index| files[*index].clone()).collect();
    let read = folder.fingerprints(&reading, &HashCache::default(), Sums::Md5AndSha256, progress);
    for (index, fingerprint) in unread.into_iter().zip(read) {
        outcomes[index] = Some(fingerprint.and_then(|fingerprint| learn(folder, &files[index], &fingerprint, ledger)));
    }
    Compared { read: reading.len(), alike: outcomes }
}

/// What can be told without reading the file.
fn quick(file: &FileEntry, entry: &Entry, held: &Held) -> Option<Alike> {
    if held.length != file.length {
        return Some(Alike::Other);
    }
    let seen = entry.local.as_ref()?;
    let content = Content { length: seen.length, md5: seen.md5, sha256: seen.sha256 };
    match by_sums(&content, held, entry.base.as_ref()) {
        Alike::Unknown => None,
        alike => Some(alike),
    }
}

fn by_sums(content: &Content, held: &Held, base: Option<&Synced>) -> Alike {
    if held.length != content.length {
        return Alike::Other;
    }
    let Some(digest) = held.digest else { return Alike::Unknown };
    let as_in_base = |base: &Synced| base.sha256 == content.sha256 && base.digest == Some(digest);
    if base.is_some_and(as_in_base) || digest == content.md5 {
        return Alike::Same;
    }
    if held.encoded { Alike::Unknown } else { Alike::Other }
}

/// Compares a file that was read, and remembers its sums.
fn learn(
    folder: &Folder,
    file: &FileEntry,
    fingerprint: &Fingerprint,
    ledger: &mut Ledger,
) -> Result<Alike, LocalError> {
    let entry = ledger.entries.entry(file.path.as_str().into()).or_default();
    entry.local = fingerprint.seen();
    let sha256 = fingerprint.sha256.unwrap_or_default();
    let content = Content { length: fingerprint.length, md5: fingerprint.md5, sha256 };
    let Some(held) = &entry.remote else { return Ok(Alike::Other) };
    let mut alike = by_sums(&content, held, entry.base.as_ref());
    if alike == Alike::Unknown && held.sha256.is_some_and(|claimed| claimed != sha256) {
        alike = Alike::Other;
    }
    if alike == Alike::Unknown && compresses_to(folder, &file.path, &content, held)? {
        alike = Alike::Same;
    }
    if alike == Alike::Same {
        entry.base = Some(Synced { sha256, digest: held.digest });
    }
    Ok(alike)
}

/// Whether the file, compressed as CouchDB does, has the digest that the server tells.
fn compresses_to(folder: &Folder, path: &RelPath, content: &Content, held: &Held) -> Result<bool, LocalError> {
    let Some(digest) = held.digest else { return Ok(false) };
    let mut reader = folder.open_reader(path)?;
    let mut hasher = CandidateHasher::new(true);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(LocalError::Io { action: "read", path: folder.locate(path), source }),
        }
    }
    let candidates = hasher.finish();
    Ok(candidates.plain == Digest::from_md5(content.md5) && candidates.contain(Digest::from_md5(digest)))
}

/// Whether a file is what it was when both sides were last known to be equal; `None` when nothing is remembered of that.
/// Reads the file where its sums are not known.
pub fn is_as_in_base(folder: &Folder, file: &FileEntry, entry: &mut Entry) -> Result<Option<bool>, LocalError> {
    let Some(base) = &entry.base else { return Ok(None) };
    let known = entry.local.as_ref().filter(|seen| seen.matches(file)).map(|seen: &Seen| seen.sha256);
    let sha256 = if let Some(sha256) = known {
        sha256
    } else {
        let fingerprint = folder.fingerprint(&file.path, Sums::Md5AndSha256, &|_| ())?;
        entry.local = fingerprint.seen();
        fingerprint.sha256.unwrap_or_default()
    };
    Ok(Some(sha256 == base.sha256))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::couch::digest;

    fn content(bytes: &[u8]) -> Content {
        use sha2::{Digest as _, Sha256};
        Content { length: bytes.len() as u64, md5: digest::of(bytes).md5(), sha256: Sha256::digest(bytes).into() }
    }

    fn held(bytes: &[u8], stored: &[u8]) -> Held {
        Held {
            id: None,
            attachment: None,
            revision: "1-a".into(),
            length: bytes.len() as u64,
            digest: Some(digest::of(stored).md5()),
            encoded: bytes != stored,
            sha256: Some(content(bytes).sha256),
            modified: None,
            foreign: false,
            extras: false,
        }
    }

    #[test]
    fn the_claim_of_a_document_proves_nothing() {
        let (ours, theirs) = (b"ours".as_slice(), b"thei".as_slice());
        let lying = Held { sha256: Some(content(ours).sha256), ..held(theirs, theirs) };
        assert_eq!(by_sums(&content(ours), &lying, None), Alike::Other);
        let compressed = digest::gzip(theirs, 8);
        let lying = Held { sha256: Some(content(ours).sha256), ..held(theirs, &compressed) };
        assert_eq!(by_sums(&content(ours), &lying, None), Alike::Unknown);
        let nameless = Held { digest: None, ..held(ours, ours) };
        assert_eq!(by_sums(&content(ours), &nameless, None), Alike::Unknown);
    }

    #[test]
    fn what_both_sides_were_is_remembered() {
        let (text, stored) = (b"text".as_slice(), digest::gzip(b"text", 1));
        let base = Synced { sha256: content(text).sha256, digest: Some(digest::of(&stored).md5()) };
        assert_eq!(by_sums(&content(text), &held(text, &stored), None), Alike::Unknown);
        assert_eq!(by_sums(&content(text), &held(text, &stored), Some(&base)), Alike::Same);
        assert_eq!(by_sums(&content(b"tent"), &held(text, &stored), Some(&base)), Alike::Unknown);
        assert_eq!(by_sums(&content(b"longer"), &held(text, &stored), Some(&base)), Alike::Other);
        assert_eq!(by_sums(&content(text), &held(text, text), None), Alike::Same);
    }
}
