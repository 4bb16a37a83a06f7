//! MD5 and SHA-256 of many files on all cores, and a cache that saves reading what did not change.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::SystemTime;

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::folder::{ATTEMPTS, Folder, Stamp, nanoseconds};
use super::{FileEntry, LocalError, on_all_cores};
use crate::hexadecimal;
use crate::path::RelPath;

/// Which sums are wanted. CouchDB's digests are MD5; SHA-256 is what sync keeps with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// MD5 alone.
    Md5,
    /// MD5 and SHA-256, in one reading.
    Md5AndSha256,
}

/// The content of a file, by its sums, as it was in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The length in bytes.
    pub length: u64,
    /// When the content last changed before the reading, in nanoseconds since 1970.
    pub modified: i64,
    /// MD5 of the bytes.
    pub md5: [u8; 16],
    /// SHA-256 of the bytes, if it was asked for or known.
    pub sha256: Option<[u8; 32]>,
    /// The state of the file; `None` when it is too young to be recognised by it.
    known_as: Option<Identity>,
}

/// What a cached sum is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    length: u64,
    modified: i64,
    inode: u64,
}

/// Sums by path, trusted as long as size, modification time and inode are the same.
///
/// A file can be rewritten within one tick of the clock and keep all three, so a file that was modified less than two
/// seconds before it was read is never recorded: [git's racy rule](https://git-scm.com/docs/racy-git), kept the safe way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashCache {
    entries: BTreeMap<String, CacheEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CacheEntry {
    length: u64,
    modified: i64,
    inode: u64,
    md5: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// The coarsest clock of a file system in use (FAT), in nanoseconds.
const CLOCK_GRAIN: i64 = 2_000_000_000;

/// How much is read at once, in bytes.
const BUFFER: usize = 256 * 1024;

impl HashCache {
    /// The sums of `file`, if they are known and include what is wanted.
    pub fn get(&self, file: &FileEntry, sums: Sums) -> Option<Fingerprint> {
        let entry = self.entries.get(file.path.as_str())?;
        let identity = Identity { length: file.length, modified: file.modified, inode: file.inode };
        if (entry.length, entry.modified, entry.inode) != (file.length, file.modified, file.inode) {
            return None;
        }
        let sha256 = entry.sha256.as_deref().and_then(hexadecimal::decode);
        if sums == Sums::Md5AndSha256 && sha256.is_none() {
            return None;
        }
        Some(Fingerprint {
            length: file.length,
            modified: file.modified,
            md5: hexadecimal::decode(&entry.md5)?,
            sha256,
            known_as: Some(identity),
        })
    }

    /// Remembers `fingerprint` for `path`, unless the file was too young when it was read; then `path` is forgotten.
    pub fn record(&mut self, path: &RelPath, fingerprint: &Fingerprint) {
        match fingerprint.known_as {
            Some(Identity { length, modified, inode }) => {
                let md5 = hexadecimal::encode(&fingerprint.md5);
                let sha256 = fingerprint.sha256.map(|sum| hexadecimal::encode(&sum));
                self.entries.insert(path.as_str().to_owned(), CacheEntry { length, modified, inode, md5, sha256 });
            }
            None => {
                self.entries.remove(path.as_str());
            }
        }
    }

    /// How many files are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Fingerprint {
    /// The inode that the file can be recognised by, with its length and time; `None` when it was too young.
    pub(super) fn recognised_by(&self) -> Option<u64> {
        self.known_as.map(|identity| identity.inode)
    }
}

impl Folder {
    /// The sums of `files`, in their order; read on all cores, but for those that `cache` knows.
    ///
    /// `progress` is told the number of bytes of each piece that was read or known. A file that changes while it is read
    /// is read again, twice at most; then it is an error, and never a sum of two states. Blocks.
    pub fn fingerprints(
        &self,
        files: &[FileEntry],
        cache: &HashCache,
        sums: Sums,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Vec<Result<Fingerprint, LocalError>> {
        on_all_cores(files.iter().collect(), |file| {
            let known = cache.get(file, sums);
            if let Some(known) = &known {
                progress(known.length);
            }
            known.map_or_else(|| self.fingerprint(&file.path, sums, progress), Ok)
        })
    }

    /// The sums of one file. Blocks.
    pub fn fingerprint(
        &self,
        path: &RelPath,
        sums: Sums,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Fingerprint, LocalError> {
        for attempt in 0..ATTEMPTS {
            let started = nanoseconds(SystemTime::now());
            let (mut file, before) = self.open_file(path)?;
            let mut md5 = Md5::new();
            let mut sha256 = (sums == Sums::Md5AndSha256).then(Sha256::new);
            let mut buffer = vec![0; BUFFER];
            let mut length = 0;
            // A file that is written to as fast as it is read has no end.
            while length <= before.length {
                let count = match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(source) => return Err(self.error("read", path, source)),
                };
                md5.update(&buffer[..count]);
                if let Some(sha256) = &mut sha256 {
                    sha256.update(&buffer[..count]);
                }
                length += count as u64;
                if attempt == 0 {
                    progress(count as u64);
                }
            }
            if length == before.length && self.stamp(&file, path)? == before {
                let (md5, sha256) = (md5.finalize().into(), sha256.map(|sum| sum.finalize().into()));
                return Ok(Fingerprint {
                    length,
                    modified: before.modified,
                    md5,
                    sha256,
                    known_as: identity(&before, started),
                });
            }
        }
        Err(LocalError::Changed { path: self.locate(path) })
    }
}

impl Folder {
    /// The whole of a file of at most `limit` bytes, with MD5 and SHA-256, from one reading. Blocks.
    ///
    /// A file that changes meanwhile is read again, twice at most.
    pub fn read_with_sums(&self, path: &RelPath, limit: u64) -> Result<(Vec<u8>, Fingerprint), LocalError> {
        for _ in 0..ATTEMPTS {
            let started = nanoseconds(SystemTime::now());
            let Some((bytes, before)) = self.read_once(path, limit)? else { continue };
            let fingerprint = Fingerprint {
                length: before.length,
                modified: before.modified,
                md5: Md5::digest(&bytes).into(),
                sha256: Some(Sha256::digest(&bytes).into()),
                known_as: identity(&before, started),
            };
            return Ok((bytes, fingerprint));
        }
        Err(LocalError::Changed { path: self.locate(path) })
    }
}

/// By what a file that was read from `started` on can be recognised later.
fn identity(stamp: &Stamp, started: i64) -> Option<Identity> {
    is_old(stamp.modified, started).then_some(Identity {
        length: stamp.length,
        modified: stamp.modified,
        inode: stamp.inode,
    })
}

/// Whether a content that was written at `modified` would by now get another time if it were written again.
pub(super) fn is_old(modified: i64, now: i64) -> bool {
    modified.saturating_add(CLOCK_GRAIN) <= now
}
