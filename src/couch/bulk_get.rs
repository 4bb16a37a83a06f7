//! Many documents of given revisions with their attachments, in one request and in bounded memory.
//!
//! CouchDB answers `multipart/mixed`, in which a document with attachments is a `multipart/related` of its own; the part
//! of a document that it does not have says `error="true"`. PouchDB answers JSON. Both become the same pieces.

use std::collections::VecDeque;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use self::parts::Parts;
use super::client::{Reply, limit};
use super::document::{self, Parsed};
use super::multipart;
use super::{CouchError, Database, Document, Stub};
use crate::json::Object;
use crate::name::{AttName, DocId, Revision};

mod parts;

/// Documents on their way in, as a sequence of [`Piece`]s.
#[derive(Debug)]
pub struct BulkGet {
    from: From,
    /// What is known to come next.
    ready: VecDeque<Piece>,
}

#[derive(Debug)]
enum From {
    Parts(Box<Parts>),
    Json(std::vec::IntoIter<Value>),
}

/// What an answer is made of.
#[derive(Debug)]
pub enum Piece {
    /// A document begins. Its attachments follow.
    Document(Box<Document>),
    /// An attachment of the document before begins. Its bytes follow.
    Attachment {
        /// Its name.
        name: AttName,
        /// What the document says of it.
        stub: Box<Stub>,
        /// Whether the bytes that follow are gzip.
        gzip: bool,
    },
    /// Bytes as stored (64 KiB at most, or a whole attachment that came inside of JSON).
    Bytes(Bytes),
    /// The attachment is whole, as far as the framing tells.
    AttachmentEnd,
}

impl BulkGet {
    /// The next piece; `None` after the last one. An answer cut short is an error.
    pub async fn next(&mut self) -> Result<Option<Piece>, CouchError> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            match &mut self.from {
                From::Parts(parts) => match parts.next().await? {
                    Some(parts::Found::Piece(piece)) => return Ok(Some(piece)),
                    Some(parts::Found::Whole(members)) => self.ready.extend(pieces_of(members)),
                    None => return Ok(None),
                },
                From::Json(results) => match results.next() {
                    Some(result) => self.ready.extend(results_of(result)),
                    None => return Ok(None),
                },
            }
        }
    }
}

impl Database {
    /// Reads these revisions with all their attachments. What the server does not have (any longer) is left out, and so
    /// is what cannot be taken apart: a document that is not among the pieces when they end is missing. A deleted one
    /// comes with [`Document::deleted`].
    pub async fn bulk_get(&self, wanted: &[(DocId, Revision)]) -> Result<BulkGet, CouchError> {
        let named = |(id, revision): &(DocId, Revision)| json!({ "id": id.as_str(), "rev": revision.as_str() });
        let documents: Vec<Value> = wanted.iter().map(named).collect();
        let target = self.endpoint("_bulk_get").query("attachments", "true").query("att_encoding_info", "true");
        let mut request = self.request(Method::POST, target, "read").json(&json!({ "docs": documents }));
        // CouchDB answers JSON to whoever accepts it, and PouchDB to everybody. An id is written into the headers of its
        // part as it is, so that one with a line break in it would end them.
        let is_dangerous = wanted.iter().any(|(id, _)| id.as_str().contains(char::is_control));
        request.accept = if is_dangerous { "application/json" } else { "multipart/mixed" };
        let open = |reply: Reply| async {
            let boundary = reply.header(&CONTENT_TYPE).as_deref().and_then(multipart::boundary_of);
            if let Some(boundary) = boundary {
                return Ok(From::Parts(Box::new(Parts::new(reply, &boundary))));
            }
            match reply.json(limit::LARGE).await?.get_mut("results").map(Value::take) {
                Some(Value::Array(results)) => Ok(From::Json(results.into_iter())),
                _ => Err(self.protocol(&request, "there are no results in it")),
            }
        };
        let from = self.server().client.repeat(&request, open).await?;
        Ok(BulkGet { from, ready: VecDeque::new() })
    }
}

/// The documents in one element of `results`.
fn results_of(mut result: Value) -> Vec<Piece> {
    let Some(Value::Array(documents)) = result.get_mut("docs").map(Value::take) else { return Vec::new() };
    let members = documents.into_iter().filter_map(|mut document| match document.get_mut("ok").map(Value::take) {
        Some(Value::Object(members)) => Some(members),
        _ => None,
    });
    members.flat_map(pieces_of).collect()
}

/// A document with whatever content is inside of it; nothing when it cannot be taken apart.
fn pieces_of(members: Object) -> Vec<Piece> {
    let Ok(Parsed { document, data, .. }) = document::parse(members) else { return Vec::new() };
    let inside = document.attachments.iter().zip(data).filter_map(|((name, stub), base64)| {
        let bytes = BASE64_STANDARD.decode(base64?).ok()?;
        Some((name.clone(), stub.clone(), bytes))
    });
    let attachments = inside.flat_map(|(name, stub, bytes)| {
        let begin = Piece::Attachment { name, stub: Box::new(stub), gzip: false };
        [begin, Piece::Bytes(bytes.into()), Piece::AttachmentEnd]
    });
    let attachments: Vec<Piece> = attachments.collect();
    std::iter::once(Piece::Document(Box::new(document))).chain(attachments).collect()
}
