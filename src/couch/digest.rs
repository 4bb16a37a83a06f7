//! The digests of attachments. CouchDB's is the md5 of the bytes *as stored*, and it stores compressible types as gzip
//! (stock zlib, level 8), so a file is unchanged when the digest is one of several candidates.

use std::fmt;
use std::str::FromStr;

/// An md5 digest as CouchDB writes it: `md5-` and base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

/// A text is no digest of the form `md5-<base64 of 16 bytes>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no md5 digest")]
pub struct NotADigest(String);

/// The level CouchDB compresses with by default (`[attachments] compression_level`).
pub const SERVER_LEVEL: u32 = 8;

/// The level we compress with before an upload.
pub const OUR_LEVEL: u32 = 6;

/// The digests that one file may have on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Of the bytes as they are.
    pub plain: Digest,
    /// Of their gzip at [`SERVER_LEVEL`] and [`OUR_LEVEL`]; `None` when it was not asked for.
    pub gzip: Option<[Digest; 2]>,
}

/// Computes [`Candidates`] of bytes that come in pieces, in constant memory. CPU bound: run it off the async threads.
#[derive(Debug)]
pub struct CandidateHasher {}

impl CandidateHasher {
    /// Starts; `gzip` asks for the compressed candidates as well.
    pub fn new(gzip: bool) -> Self {
        let _ = gzip;
        unimplemented!()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }

    /// The digests of all bytes.
    pub fn finish(self) -> Candidates {
        unimplemented!()
    }
}

impl Candidates {
    /// The candidates of bytes in memory.
    pub fn of(bytes: &[u8], gzip: bool) -> Self {
        let mut hasher = CandidateHasher::new(gzip);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Whether `digest` is one of them.
    pub fn contain(&self, digest: Digest) -> bool {
        self.plain == digest || self.gzip.is_some_and(|gzip| gzip.contains(&digest))
    }
}

/// The digest of `bytes` as they are.
pub fn of(bytes: &[u8]) -> Digest {
    let _ = bytes;
    unimplemented!()
}

/// `bytes` as gzip at `level`, byte for byte as CouchDB would store them at that level.
pub fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let _ = (bytes, level);
    unimplemented!()
}

/// Whether CouchDB's default configuration stores this content type compressed (`[attachments] compressible_types`).
pub fn is_compressible(content_type: &str) -> bool {
    let _ = content_type;
    unimplemented!()
}

/// Checks a download while it passes: bytes as stored go in, the content comes out.
#[derive(Debug)]
pub struct Verifier {}

/// Why a download is not what the document says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Fewer or more bytes of content than the document says.
    #[error("{got} bytes arrived where the document says {expected}")]
    Length {
        /// What the document says.
        expected: u64,
        /// What arrived (at least).
        got: u64,
    },
    /// The md5 of the stored bytes is another one.
    #[error("the digest is {got} where the document says {expected}")]
    Digest {
        /// What the document says.
        expected: Digest,
        /// Of what arrived.
        got: Digest,
    },
    /// The bytes are no gzip though the server says so.
    #[error("the compressed bytes cannot be read: {0}")]
    Gzip(String),
}

impl Verifier {
    /// Starts for an attachment of which the document says `stub`; `gzip` says how the bytes arrive.
    pub fn new(stub: &super::Stub, gzip: bool) -> Self {
        let _ = (stub, gzip);
        unimplemented!()
    }

    /// Takes bytes as stored and appends the content in them to `content`.
    pub fn update(&mut self, stored: &[u8], content: &mut Vec<u8>) -> Result<(), Damage> {
        let _ = (stored, content);
        unimplemented!()
    }

    /// Checks length and digest after the last bytes.
    pub fn finish(self, content: &mut Vec<u8>) -> Result<(), Damage> {
        let _ = content;
        unimplemented!()
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        Err(NotADigest(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "md5-{:?}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
