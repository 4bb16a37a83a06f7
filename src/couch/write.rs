//! Writing documents: one document with all its attachments is one `PUT` and one revision.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use super::body::Body;
use super::client::{Request, limit};
use super::digest::Digest;
use super::fault::{Effect, Fault};
use super::recognise::{Expected, Found};
use super::retry::{self, Next, Repeat};
use super::{CouchError, Database, Missing, Stub, multipart};
use crate::json::Object;
use crate::name::{AttName, DocId, Revision};
use crate::random;

/// The bytes of an attachment.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What [`Source::open`] gives.
pub type Opening<'a> = Pin<Box<dyn Future<Output = io::Result<ByteStream>> + Send + 'a>>;

/// Told how many bytes of the body of the current try were handed to the socket, and how many there are. A retry starts
/// again from zero.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Where the bytes of an upload come from. Opened anew for every try.
pub trait Source: Send + Sync {
    /// Opens the bytes from their beginning.
    fn open(&self) -> Opening<'_>;
}

/// Bytes in memory.
impl Source for Bytes {
    fn open(&self) -> Opening<'_> {
        let bytes = self.clone();
        Box::pin(async move { Ok(Box::pin(stream::iter([Ok(bytes)])) as ByteStream) })
    }
}

/// How the bytes of a [`NewAttachment`] are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Bytes of the gzip that the source gives.
    pub length: u64,
}

/// An attachment whose bytes go along.
#[derive(Clone)]
pub struct NewAttachment {
    /// Content type, parameters included.
    pub content_type: String,
    /// Bytes of the content, not compressed.
    pub length: u64,
    /// Set when the source gives gzip ([`super::Kind::takes_encoded_parts`] tells which servers take it).
    pub encoded: Option<Encoded>,
    /// The md5 of the bytes that the source gives; CouchDB checks it.
    pub digest: Digest,
    /// The bytes.
    pub source: Arc<dyn Source>,
}

/// One attachment of a document to be written.
#[derive(Clone, Debug)]
pub enum Attachment {
    /// Keep what the server has: the stub of the parent revision, sent back as it came.
    Stub(Stub),
    /// Send these bytes.
    New(NewAttachment),
}

/// A document to be written.
#[derive(Clone)]
pub struct Write {
    /// Its id.
    pub id: DocId,
    /// The revision this write replaces; `None` creates (a deleted document is created, too).
    pub parent: Option<Revision>,
    /// All members but those that start with an underscore.
    pub body: Object,
    /// All attachments that the document shall have: one that is left out is dropped by the server.
    pub attachments: Vec<(AttName, Attachment)>,
    /// Hears how much was sent.
    pub progress: Option<Progress>,
}

/// A write that the server has carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The new revision.
    pub revision: Revision,
    /// 202: fewer copies were written than the cluster wants. Delete nothing on the strength of it.
    pub weak: bool,
    /// The answer was lost and the document was read to find that the write has landed.
    pub recognised: bool,
}

impl Database {
    /// Writes a document with all its attachments as one revision.
    ///
    /// An answer that is lost leads to reading the document: [`CouchError::Conflict`] is never given for our own write,
    /// and nothing is written twice. [`CouchError::Unconfirmed`] when the document cannot be read either.
    pub async fn put(&self, write: &Write) -> Result<Written, CouchError> {
        let mut request =
            Request::new(Method::PUT, self.document_target(&write.id), self.document_subject("write", &write.id));
        let multipart = self.compose(write, &mut request).await?;
        self.write(&request, &Expected::of(write), multipart).await
    }

    /// Deletes a document.
    pub async fn delete(&self, id: &DocId, revision: &Revision) -> Result<Written, CouchError> {
        let target = self.document_target(id).query("rev", revision.as_str());
        let request = Request::new(Method::DELETE, target, self.document_subject("delete", id));
        self.write(&request, &Expected::tombstone(id, revision), false).await
    }

    /// Gives `request` its body and says whether it is multipart.
    async fn compose(&self, write: &Write, request: &mut Request) -> Result<bool, CouchError> {
        let new = write.attachments.iter().filter_map(|(name, attachment)| match attachment {
            Attachment::New(new) => Some((name, new)),
            Attachment::Stub(_) => None,
        });
        let new: Vec<(&AttName, &NewAttachment)> = new.collect();
        // PouchDB finds a part by the file name in its header, and not every name can stand there.
        let inline = self.server().is_pouchdb() && new.iter().any(|(name, _)| !multipart::is_faithful(name.as_str()));
        if new.is_empty() || inline {
            let text = serialise(&write.members(inline).await?);
            request.body = Some(Body { progress: write.progress.clone(), ..Body::json(text) });
            return Ok(false);
        }
        let text = serialise(&write.members(false).await?);
        let parts = new.into_iter().map(|(name, new)| multipart::Part {
            name: name.to_string(),
            content_type: new.content_type.clone(),
            length: new.sent_length(),
            gzip: new.encoded.is_some(),
            source: Arc::clone(&new.source),
        });
        request.body = Some(multipart::related(&text, parts.collect(), &boundary(), write.progress.clone()));
        request.late_answer = Some(self.server().client.network().late_answer);
        Ok(true)
    }

    /// Sends a write until it is known to be carried out or refused.
    async fn write(
        &self,
        request: &Request,
        expected: &Expected,
        digests_checked: bool,
    ) -> Result<Written, CouchError> {
        let client = &self.server().client;
        let mut attempts = client.attempts(request);
        let (mut doubtful, mut corrupted) = (false, false);
        loop {
            let fault = match client.exchange(request).await {
                Ok(reply) => {
                    let weak = reply.status == 202;
                    match reply.json(limit::SMALL).await {
                        Ok(answer) => match written(&answer, weak) {
                            Some(written) => return Ok(written),
                            None => return Err(self.protocol(request, "it does not tell the new revision")),
                        },
                        // The status says that it was carried out; the document tells the revision.
                        Err(error) => Fault { error, effect: Effect::Unknown, retry_after: None },
                    }
                }
                Err(fault) => fault,
            };
            if digests_checked && is_corruption(&fault.error) {
                if corrupted {
                    return Err(into_corrupted(fault.error, expected));
                }
                corrupted = true;
            }
            // What a try in doubt has done after all makes the next one stale.
            let stale_in_doubt = doubtful
                && matches!(
                    fault.error,
                    CouchError::Conflict { .. } | CouchError::NotFound { what: Missing::Document { .. }, .. }
                );
            match retry::next(fault.effect, Repeat::Recognise) {
                Next::Stop if !stale_in_doubt => return Err(fault.error),
                Next::Again => {}
                Next::Recognise | Next::Stop => {
                    doubtful = true;
                    attempts.recognising(&fault);
                    match self.recognise(expected).await {
                        Ok(Found::Landed(revision)) => return Ok(Written { revision, weak: false, recognised: true }),
                        Ok(Found::Untouched) => {}
                        Ok(Found::Changed) => return Err(into_conflict(fault.error, request, expected)),
                        Err(error @ (CouchError::Unauthorized { .. } | CouchError::NotFound { .. })) => {
                            return Err(error);
                        }
                        Err(_) => {
                            let (id, source) = (expected.id.to_string(), Box::new(fault.error));
                            return Err(CouchError::Unconfirmed { id, source });
                        }
                    }
                }
            }
            attempts.again(fault).await?;
        }
    }
}

impl NewAttachment {
    /// Bytes that the source gives.
    fn sent_length(&self) -> u64 {
        self.encoded.map_or(self.length, |encoded| encoded.length)
    }

    /// As it stands in `_attachments` when its bytes follow.
    fn follows(&self) -> Value {
        let mut value = json!({
            "content_type": self.content_type,
            "length": self.length,
            "digest": self.digest.to_string(),
            "follows": true,
        });
        if let Some(encoded) = self.encoded {
            value["encoding"] = Value::from("gzip");
            value["encoded_length"] = Value::from(encoded.length);
        }
        value
    }
}

impl Write {
    /// All members as they are sent. `_id` is among them for PouchDB, which does not take it from the URL of a
    /// multipart request.
    async fn members(&self, inline: bool) -> Result<Object, CouchError> {
        let mut members = Object::new();
        members.insert("_id".to_owned(), Value::from(self.id.as_str()));
        if let Some(parent) = &self.parent {
            members.insert("_rev".to_owned(), Value::from(parent.as_str()));
        }
        members.extend(self.body.iter().map(|(key, value)| (key.clone(), value.clone())));
        let mut attachments = Object::new();
        for (name, attachment) in &self.attachments {
            let value = match attachment {
                Attachment::Stub(stub) => Value::Object(stub.raw.clone()),
                Attachment::New(new) if inline => {
                    let bytes = read_all(new.source.as_ref()).await;
                    let bytes = bytes.map_err(|source| CouchError::Source { name: name.to_string(), source })?;
                    json!({ "content_type": new.content_type, "data": BASE64_STANDARD.encode(bytes) })
                }
                Attachment::New(new) => new.follows(),
            };
            attachments.insert(name.to_string(), value);
        }
        if !attachments.is_empty() {
            members.insert("_attachments".to_owned(), Value::Object(attachments));
        }
        Ok(members)
    }
}

async fn read_all(source: &dyn Source) -> io::Result<Vec<u8>> {
    let mut stream = source.open().await?;
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await {
        all.extend_from_slice(&bytes?);
    }
    Ok(all)
}

fn serialise(members: &Object) -> Vec<u8> {
    // A map with text keys can always be written.
    serde_json::to_vec(members).unwrap_or_default()
}

/// The result of a write as an answer has it.
pub(super) fn written(answer: &Value, weak: bool) -> Option<Written> {
    let revision = Revision::new(answer.get("rev")?.as_str()?).ok()?;
    let weak = weak || answer.get("accepted") == Some(&Value::Bool(true));
    Some(Written { revision, weak, recognised: false })
}

/// CouchDB's answer to a part whose digest is not the announced one.
fn is_corruption(error: &CouchError) -> bool {
    let said = error.answer().filter(|answer| answer.status == 500);
    said.is_some_and(|answer| {
        [&answer.error, &answer.reason].into_iter().flatten().any(|text| text.contains("function_clause"))
    })
}

fn into_corrupted(error: CouchError, expected: &Expected) -> CouchError {
    match error {
        CouchError::Server { source, .. } => CouchError::Corrupted { id: expected.id.to_string(), source },
        error => error,
    }
}

/// The conflict that was found by reading the document, as the server would have told it.
fn into_conflict(error: CouchError, request: &Request, expected: &Expected) -> CouchError {
    if matches!(error, CouchError::Conflict { .. }) {
        return error;
    }
    let reason = format!("no answer ({}); the document then had another revision than ours", error.cause());
    let (error, reason) = (Some("conflict".to_owned()), Some(reason));
    let source = Box::new(super::Answer { request: request.line(), status: 409, error, reason });
    CouchError::Conflict { id: expected.id.to_string(), source }
}

impl fmt::Debug for NewAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAttachment")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .field("encoded", &self.encoded)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("id", &self.id)
            .field("parent", &self.parent)
            .field("body", &self.body)
            .field("attachments", &self.attachments)
            .finish_non_exhaustive()
    }
}
/// 128 random bits: no content can be expected to hold them.
pub(super) fn boundary() -> String {
    random::hexadecimal() + &random::hexadecimal()
}
