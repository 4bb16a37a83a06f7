//! Attachments as CouchDB stores them: compressible types as gzip at level 8, the digest over the bytes as stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};
use std::io::Read as _;

/// An attachment of one revision.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    /// The content type it was sent with.
    pub(crate) content_type: String,
    /// The bytes as stored.
    pub(crate) stored: Bytes,
    /// The length of the content, as far as the server knows it.
    pub(crate) length: u64,
    /// Whether `stored` is the gzip of the content.
    pub(crate) is_gzip: bool,
    /// The generation that brought it.
    pub(crate) revpos: u64,
}

/// How an attachment stands in the JSON of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Its description only.
    Stub,
    /// With its content as base64.
    Data,
    /// Its stored bytes follow in a part.
    Follows,
}

impl Attachment {
    /// Stores content that came as it is.
    pub(crate) fn plain(content_type: &str, content: &[u8], revpos: u64) -> Self {
        let is_gzip = is_compressible(content_type);
        let stored = if is_gzip { gzip(content) } else { content.to_vec() };
        let length = content.len() as u64;
        Self { content_type: content_type.to_owned(), stored: stored.into(), length, is_gzip, revpos }
    }

    /// The digest that the document shows.
    pub(crate) fn digest(&self) -> String {
        format!("md5-{}", self.etag())
    }

    /// The base64 of the digest.
    pub(crate) fn etag(&self) -> String {
        STANDARD.encode(Md5::digest(&self.stored))
    }

    /// The content; `None` when the stored bytes are no gzip though they were sent as such.
    pub(crate) fn content(&self) -> Option<Vec<u8>> {
        if !self.is_gzip {
            return Some(self.stored.to_vec());
        }
        let mut content = Vec::new();
        flate2::read::MultiGzDecoder::new(&self.stored[..]).read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// The attachment as a member of `_attachments`.
    pub(crate) fn to_json(&self, shown: Shown, with_encoding: bool) -> Value {
        let mut member = Map::new();
        member.insert("content_type".into(), json!(self.content_type));
        member.insert("revpos".into(), json!(self.revpos));
        member.insert("digest".into(), json!(self.digest()));
        match shown {
            Shown::Data => {
                let content = self.content().unwrap_or_default();
                member.insert("data".into(), json!(STANDARD.encode(content)));
            }
            Shown::Stub | Shown::Follows => {
                member.insert("length".into(), json!(self.length));
                member.insert(if shown == Shown::Stub { "stub" } else { "follows" }.into(), json!(true));
            }
        }
        if self.is_gzip && with_encoding {
            member.insert("encoding".into(), json!("gzip"));
            member.insert("encoded_length".into(), json!(self.stored.len()));
        }
        Value::Object(member)
    }
}

/// CouchDB's default `[attachments] compressible_types`.
fn is_compressible(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || ["application/javascript", "application/json", "application/xml"].contains(&essence.as_str())
}

/// Gzip as Erlang's zlib writes it: level 8, no time, no name, the system called Unix. Written apart from
/// `couch::digest`, so that neither can hide a mistake of the other.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut stored = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let mut deflate = Compress::new(Compression::new(8), false);
    loop {
        let done = usize::try_from(deflate.total_in()).unwrap();
        stored.reserve(content.len() / 2 + 1024);
        let status = deflate.compress_vec(&content[done..], &mut stored, FlushCompress::Finish).unwrap();
        if status == Status::StreamEnd {
            break;
        }
    }
    let mut crc = Crc::new();
    crc.update(content);
    stored.extend_from_slice(&crc.sum().to_le_bytes());
    stored.extend_from_slice(&crc.amount().to_le_bytes());
    stored
}
