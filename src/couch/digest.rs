//! The digests of attachments. CouchDB's is the md5 of the bytes *as stored*, and it stores compressible types as gzip
//! (stock zlib, level 8), so a file is unchanged when the digest is one of several candidates.

use std::fmt;
use std::io::{self, Write as _};
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::write::GzEncoder;
use flate2::{Compression, Decompress, FlushDecompress, GzBuilder, Status};
use md5::{Digest as _, Md5};

use super::Stub;

/// An md5 digest as CouchDB writes it: `md5-` and base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of content whose md5 is known.
    pub fn from_md5(md5: [u8; 16]) -> Self {
        Self(md5)
    }

    /// The md5 itself.
    pub fn md5(self) -> [u8; 16] {
        self.0
    }

    fn finish(hasher: Md5) -> Self {
        Self(hasher.finalize().into())
    }
}

/// A text is no digest of the form `md5-<base64 of 16 bytes>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no md5 digest")]
pub struct NotADigest(String);

/// The level CouchDB compresses with by default (`[attachments] compression_level`).
pub const SERVER_LEVEL: u32 = 8;

/// The level we compress with before an upload: takes half the time of 6, for four per cent more bytes.
pub const OUR_LEVEL: u32 = 4;

/// The digests that one file may have on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Of the bytes as they are.
    pub plain: Digest,
    /// Of their gzip at [`SERVER_LEVEL`] and [`OUR_LEVEL`]; `None` when it was not asked for.
    pub gzip: Option<[Digest; 2]>,
}

/// Computes [`Candidates`] of bytes that come in pieces, in constant memory. CPU bound: run it off the async threads.
#[derive(Debug)]
pub struct CandidateHasher {
    plain: Md5,
    gzip: Option<[GzEncoder<Md5Writer>; 2]>,
}

/// An md5 that can stand at the end of an encoder.
#[derive(Debug)]
struct Md5Writer(Md5);

impl io::Write for Md5Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CandidateHasher {
    /// Starts; `gzip` asks for the compressed candidates as well.
    pub fn new(gzip: bool) -> Self {
        let levels = [SERVER_LEVEL, OUR_LEVEL];
        let encoders = || levels.map(|level| encoder(level, Md5Writer(Md5::new())));
        Self { plain: Md5::new(), gzip: gzip.then(encoders) }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.plain.update(bytes);
        for encoder in self.gzip.iter_mut().flatten() {
            // Neither the encoder nor the md5 behind it can fail.
            let _ = encoder.write_all(bytes);
        }
    }

    /// The digests of all bytes.
    pub fn finish(self) -> Candidates {
        let gzip = self.gzip.and_then(|[server, ours]| {
            let finish = |encoder: GzEncoder<Md5Writer>| encoder.finish().ok().map(|writer| Digest::finish(writer.0));
            Some([finish(server)?, finish(ours)?])
        });
        Candidates { plain: Digest::finish(self.plain), gzip }
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
    Digest(Md5::digest(bytes).into())
}

/// `bytes` as gzip at `level` (0 to 9), byte for byte as CouchDB would store them at that level.
pub fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = encoder(level, Vec::new());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// A gzip encoder whose header is the one that zlib writes on Unix, and so the one in CouchDB's stored bytes.
pub fn encoder<W: io::Write>(level: u32, writer: W) -> GzEncoder<W> {
    const UNIX: u8 = 3;
    GzBuilder::new().operating_system(UNIX).write(writer, Compression::new(level.min(9)))
}

/// Whether CouchDB's default configuration stores this content type compressed (`[attachments] compressible_types`).
pub fn is_compressible(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(essence.as_str(), "application/javascript" | "application/json" | "application/xml")
}

/// Checks a download while it passes: bytes as stored go in, the content comes out.
#[derive(Debug)]
pub struct Verifier {
    hasher: Md5,
    hashed: Hashed,
    inflate: Option<Inflate>,
    digest: Option<Digest>,
    /// `None` where the length of the content is not known.
    length: Option<u64>,
    seen: u64,
}

/// Which bytes the document's digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hashed {
    Arriving,
    Content,
}

#[derive(Debug)]
struct Inflate {
    state: Decompress,
    ended: bool,
}

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
    /// The content is another one than the document's own sum says.
    #[error("the SHA-256 is not the one that the document says")]
    Sha256,
    /// The bytes are no gzip though the server says so.
    #[error("the compressed bytes cannot be read: {0}")]
    Gzip(String),
}

impl Verifier {
    /// Starts for an attachment of which the document says `stub`; `gzip` says how the bytes arrive.
    ///
    /// The digest is that of the stored bytes. It is checked unless the server has inflated what it stores compressed; a
    /// server that compresses on the way what it stores plain (PouchDB) has the digest of the content. The length of the
    /// content is always checked, but for one case: an attachment that was uploaded with `Content-Encoding: gzip` has
    /// its *encoded* length as `length`.
    pub fn new(stub: &Stub, gzip: bool) -> Self {
        let stored_gzip = stub.encoding.as_deref() == Some("gzip");
        let encoded_as_length = stored_gzip && stub.encoded_length == Some(stub.length);
        Self {
            hasher: Md5::new(),
            hashed: if stored_gzip { Hashed::Arriving } else { Hashed::Content },
            inflate: gzip.then(|| Inflate { state: Decompress::new_gzip(15), ended: false }),
            digest: stub.digest.filter(|_| gzip || !stored_gzip),
            length: (!encoded_as_length).then_some(stub.length),
            seen: 0,
        }
    }

    /// Takes bytes as stored and appends the content in them to `content`: never more than the document announces, and
    /// at most about a thousand times as much as `stored`.
    pub fn update(&mut self, stored: &[u8], content: &mut Vec<u8>) -> Result<(), Damage> {
        if self.hashed == Hashed::Arriving || self.inflate.is_none() {
            self.hasher.update(stored);
        }
        let Some(inflate) = &mut self.inflate else {
            self.seen += stored.len() as u64;
            content.extend_from_slice(stored);
            return self.check_not_longer();
        };
        let mut rest = stored;
        loop {
            if inflate.ended {
                return if rest.is_empty() { Ok(()) } else { Err(Damage::Gzip("bytes after its end".to_owned())) };
            }
            content.reserve(INFLATE_STEP);
            let (read, written) = (inflate.state.total_in(), content.len());
            let status = inflate
                .state
                .decompress_vec(rest, content, FlushDecompress::None)
                .map_err(|error| Damage::Gzip(error.to_string()))?;
            let read = usize::try_from(inflate.state.total_in() - read).unwrap_or(rest.len());
            rest = &rest[read..];
            inflate.ended = status == Status::StreamEnd;
            self.seen += (content.len() - written) as u64;
            if self.hashed == Hashed::Content {
                self.hasher.update(&content[written..]);
            }
            if self.length.is_some_and(|length| self.seen > length) {
                return self.check_not_longer();
            }
            if read == 0 && content.len() == written {
                return Ok(());
            }
        }
    }

    /// Checks length and digest after the last bytes.
    pub fn finish(self) -> Result<(), Damage> {
        if self.inflate.is_some_and(|inflate| !inflate.ended) {
            return Err(Damage::Gzip("it ends too early".to_owned()));
        }
        if let Some(expected) = self.length.filter(|length| *length != self.seen) {
            return Err(Damage::Length { expected, got: self.seen });
        }
        let got = Digest::finish(self.hasher);
        match self.digest {
            Some(expected) if expected != got => Err(Damage::Digest { expected, got }),
            _ => Ok(()),
        }
    }

    fn check_not_longer(&self) -> Result<(), Damage> {
        match self.length {
            Some(expected) if self.seen > expected => Err(Damage::Length { expected, got: self.seen }),
            _ => Ok(()),
        }
    }
}

/// How much is inflated before the announced length is looked at again.
const INFLATE_STEP: usize = 64 * 1024;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let bytes = text.strip_prefix("md5-").and_then(|base64| BASE64_STANDARD.decode(base64).ok());
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or_else(|| NotADigest(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "md5-{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Object;

    fn digest(text: &str) -> Digest {
        text.parse().unwrap()
    }

    fn stub(length: u64, digest: Digest, encoded_length: Option<u64>) -> Stub {
        Stub {
            content_type: "text/plain".into(),
            length,
            digest: Some(digest),
            revpos: Some(1),
            encoding: encoded_length.map(|_| "gzip".into()),
            encoded_length,
            raw: Object::new(),
        }
    }

    fn verify(stub: &Stub, gzip: bool, stored: &[u8], step: usize) -> Result<Vec<u8>, Damage> {
        let (mut verifier, mut content) = (Verifier::new(stub, gzip), Vec::new());
        for piece in stored.chunks(step.max(1)) {
            verifier.update(piece, &mut content)?;
        }
        verifier.finish().map(|()| content)
    }

    /// Digests as CouchDB 3.5.0 reported them. Another gzip than stock zlib gives others.
    #[test]
    fn digests_are_those_of_a_real_couchdb() {
        let fox = "The quick brown fox jumps over the lazy dog\n".repeat(8);
        assert_eq!(of(&gzip(fox.as_bytes(), SERVER_LEVEL)), digest("md5-ow8TuVmcFI3po8kLD8p/Hg=="));
        assert_eq!(of(&gzip(b"", SERVER_LEVEL)), digest("md5-cCkGbCesb17xjWYNV0GXmg=="));
        assert_eq!(of(&[0, 1, 2]), digest("md5-uV9n9h67A2GWIteY9F/C0w=="));
        let line = |number: u32| format!("{} {}\n", number, number * number % 977);
        let numbers = (0..5000).map(line).collect::<Vec<_>>().concat();
        assert_eq!(of(&gzip(numbers.as_bytes(), SERVER_LEVEL)), digest("md5-R0ZShJ0sn2DEKu2dc/x+sw=="));
    }

    #[test]
    fn a_digest_is_md5_and_base64_of_sixteen_bytes() {
        assert_eq!(digest("md5-uV9n9h67A2GWIteY9F/C0w==").to_string(), "md5-uV9n9h67A2GWIteY9F/C0w==");
        for bad in ["", "uV9n9h67A2GWIteY9F/C0w==", "md5-", "md5-wrong", "md5-AAEC", "sha1-uV9n9h67A2GWIteY9F/C0w=="] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn compressible_types_are_those_of_the_default_configuration() {
        let yes =
            ["text/css", "TEXT/HTML; charset=utf-8", "application/javascript", "application/json;x", "application/xml"];
        let no =
            ["image/svg+xml", "application/wasm", "application/xhtml+xml", "application/octet-stream", "textual", ""];
        assert!(yes.into_iter().all(is_compressible));
        assert!(!no.into_iter().any(is_compressible));
    }

    #[test]
    fn damage_is_seen() {
        let (content, stored) = (b"hello".repeat(100), gzip(&b"hello".repeat(100), 6));
        let good = stub(500, of(&stored), Some(stored.len() as u64));
        assert_eq!(verify(&good, true, &stored, 7), Ok(content.clone()));
        assert!(matches!(verify(&good, true, &stored[..stored.len() - 1], 7), Err(Damage::Gzip(_))));
        assert!(matches!(verify(&good, true, &[&stored[..], b"x"].concat(), 7), Err(Damage::Gzip(_))));
        assert!(matches!(verify(&good, true, b"no gzip at all", 7), Err(Damage::Gzip(_))));
        assert!(matches!(verify(&good, true, &[], 7), Err(Damage::Gzip(_))));
        let short = stub(499, of(&stored), Some(stored.len() as u64));
        assert!(matches!(verify(&short, true, &stored, 7), Err(Damage::Length { expected: 499, .. })));
        let long = stub(501, of(&stored), Some(stored.len() as u64));
        assert!(matches!(verify(&long, true, &stored, 7), Err(Damage::Length { expected: 501, got: 500 })));
        let other = stub(500, of(b"x"), Some(stored.len() as u64));
        assert!(matches!(verify(&other, true, &stored, 7), Err(Damage::Digest { .. })));
        // The server may inflate for us; the digest then says nothing.
        assert_eq!(verify(&good, false, &content, 7), Ok(content.clone()));
        assert!(matches!(verify(&good, false, &content[1..], 7), Err(Damage::Length { .. })));
        let plain = stub(500, of(&content), None);
        // And it may compress for us what it stores as it is.
        assert_eq!(verify(&plain, true, &stored, 7), Ok(content));
        assert!(matches!(verify(&plain, true, &gzip(&b"hellO".repeat(100), 6), 7), Err(Damage::Digest { .. })));
        assert!(matches!(verify(&plain, false, &b"hellO".repeat(100), 7), Err(Damage::Digest { .. })));
    }

    #[test]
    fn a_gzip_bomb_ends_at_the_announced_length() {
        let bomb = gzip(&vec![0; 50_000_000], 9);
        let liar = stub(10, of(&bomb), Some(bomb.len() as u64));
        let (mut verifier, mut content) = (Verifier::new(&liar, true), Vec::new());
        assert!(matches!(verifier.update(&bomb, &mut content), Err(Damage::Length { expected: 10, .. })));
        assert!(content.capacity() < 1_000_000, "{}", content.capacity());
    }

    #[test]
    fn an_attachment_uploaded_as_gzip_has_its_encoded_length_as_length() {
        let stored = gzip(&b"hello".repeat(100), 6);
        let stub = stub(stored.len() as u64, of(&stored), Some(stored.len() as u64));
        assert_eq!(verify(&stub, true, &stored, 3).unwrap().len(), 500);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(0u8..4, 0..3000), step in 1usize..700) {
            let mut hasher = CandidateHasher::new(true);
            bytes.chunks(step).for_each(|piece| hasher.update(piece));
            let candidates = hasher.finish();
            prop_assert_eq!(candidates, Candidates::of(&bytes, true));
            for level in [SERVER_LEVEL, OUR_LEVEL] {
                let stored = gzip(&bytes, level);
                prop_assert!(candidates.contain(of(&stored)));
                let stub = stub(bytes.len() as u64, of(&stored), Some(stored.len() as u64));
                prop_assert_eq!(verify(&stub, true, &stored, step).unwrap(), bytes.clone());
            }
            prop_assert!(candidates.contain(of(&bytes)));
        }
    }
}
