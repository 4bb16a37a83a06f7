//! Reading documents and attachments.
//!
//! Attachments come as they are stored: [`Stub::encoding`] says whether the bytes are gzip, and
//! [`super::digest::Verifier`] checks and inflates them. What no URL can name (`.` and `..`, very long names) is read
//! by other ways without the caller's doing: such a document through `_bulk_get`, such an attachment with its document.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use serde_json::{Value, json};

use super::client::{Reply, Request, limit};
use super::document::{self, Parsed};
use super::incoming::WithAttachments;
use super::target::Target;
use super::{CouchError, Database, Document, Missing, Read};
use crate::name::{AttName, DocId, Revision};

/// One attachment as its URL answers.
#[derive(Debug)]
pub struct Download {
    /// `gzip` when the arriving bytes are compressed.
    pub encoding: Option<String>,
    /// How many bytes will arrive, if the server said so.
    pub length: Option<u64>,
    /// The content type.
    pub content_type: Option<String>,
    /// The `ETag`: CouchDB's is the md5 of the stored bytes in quotes.
    pub etag: Option<String>,
    /// Where in the attachment the bytes begin ([`Database::attachment_from`]).
    pub offset: u64,
    from: From,
}

#[derive(Debug)]
enum From {
    Url(Box<Reply>),
    Document(Box<WithAttachments>),
}

impl Download {
    /// The next bytes as stored (64 KiB at most); `None` after the last one. An answer cut short is an error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CouchError> {
        match &mut self.from {
            From::Url(reply) => reply.chunk().await,
            From::Document(document) => document.chunk().await,
        }
    }

    pub(super) fn from_url(reply: Reply, offset: u64) -> Self {
        Self {
            encoding: reply.header(&CONTENT_ENCODING).filter(|encoding| encoding != "identity"),
            length: reply.header(&CONTENT_LENGTH).and_then(|text| text.parse().ok()),
            content_type: reply.header(&CONTENT_TYPE),
            etag: reply.header(&ETAG),
            offset,
            from: From::Url(Box::new(reply)),
        }
    }
}

impl Database {
    /// Reads a document. Conflicts of a document that no URL can name are not told.
    pub async fn document(&self, id: &DocId, read: &Read) -> Result<Document, CouchError> {
        let request = self.read_request(id, read);
        if request.target.url().is_err() {
            return Ok(self.document_by_bulk_get(id, read, false).await?.document);
        }
        let answer = self.server().client.json(&request, limit::LARGE).await?;
        Ok(self.parse(&request, id, read, answer)?.document)
    }

    /// Reads a document together with the content of all its attachments, in one request.
    pub async fn with_attachments(&self, id: &DocId, read: &Read) -> Result<WithAttachments, CouchError> {
        let mut request = self.read_request(id, read);
        request.target = request.target.query("attachments", "true");
        // PouchDB answers JSON in any case, CouchDB does so where there are no attachments.
        request.accept = "multipart/related, application/json;q=0.5";
        if request.target.url().is_err() {
            return WithAttachments::from_json(self.document_by_bulk_get(id, read, true).await?)
                .map_err(|why| self.protocol(&request, why));
        }
        self.server()
            .client
            .repeat(&request, |reply| async {
                let boundary = reply.header(&CONTENT_TYPE).as_deref().and_then(super::multipart::boundary_of);
                if let Some(boundary) = boundary {
                    let parse = |answer| self.parse(&request, id, read, answer);
                    return WithAttachments::from_multipart(reply, &boundary, parse).await;
                }
                let answer = reply.json(limit::INLINE).await?;
                WithAttachments::from_json(self.parse(&request, id, read, answer)?)
                    .map_err(|why| self.protocol(&request, why))
            })
            .await
    }

    /// Reads one attachment of one revision.
    pub async fn attachment(&self, id: &DocId, name: &AttName, revision: &Revision) -> Result<Download, CouchError> {
        let target = Target::attachment(self.server().address(), self.name(), id, name).query("rev", revision.as_str());
        if target.url().is_err() {
            return self.attachment_of_document(id, name, revision).await;
        }
        let mut request = Request::new(Method::GET, target, self.attachment_subject(id, name));
        request.accept = "*/*";
        request.accept_encoding = "gzip";
        self.server().client.repeat(&request, |reply| async move { Ok(Download::from_url(reply, 0)) }).await
    }

    async fn attachment_of_document(
        &self,
        id: &DocId,
        name: &AttName,
        revision: &Revision,
    ) -> Result<Download, CouchError> {
        let read = Read { revision: Some(revision.clone()), ..Read::default() };
        let mut document = self.with_attachments(id, &read).await?;
        let found = loop {
            match document.next().await? {
                Some(incoming) if incoming.name == *name => break Some((incoming.gzip, incoming.stub.clone())),
                Some(_) => {}
                None => break None,
            }
        };
        let Some((gzip, stub)) = found else {
            return Err(self.not_found(id, Missing::Attachment(name.to_string())));
        };
        Ok(Download {
            encoding: gzip.then(|| "gzip".to_owned()),
            length: if gzip { stub.encoded_length } else { Some(stub.length) },
            content_type: Some(stub.content_type),
            etag: stub.digest.map(|digest| format!("\"{}\"", digest.to_string().trim_start_matches("md5-"))),
            offset: 0,
            from: From::Document(Box::new(document)),
        })
    }

    /// Reads one document by `_bulk_get`, which takes any id.
    async fn document_by_bulk_get(&self, id: &DocId, read: &Read, attachments: bool) -> Result<Parsed, CouchError> {
        let mut wanted = json!({ "id": id.as_str() });
        if let Some(revision) = &read.revision {
            wanted["rev"] = Value::from(revision.as_str());
        }
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let target = self
            .endpoint("_bulk_get")
            .query("att_encoding_info", "true")
            .query("attachments", flag(attachments))
            .query("revs", flag(read.revisions));
        let subject = self.document_subject("read", id);
        let request = Request::new(Method::POST, target, subject).json(&json!({ "docs": [wanted] }));
        let mut answer = self.server().client.json(&request, limit::INLINE).await?;
        if let Some(document) = answer.pointer_mut("/results/0/docs/0/ok").map(Value::take) {
            return self.parse(&request, id, read, document);
        }
        // PouchDB says `{}` of what it does not have.
        let deleted = answer.pointer("/results/0/docs/0/error/reason") == Some(&Value::from("deleted"));
        Err(self.not_found(id, Missing::Document { id: id.to_string(), deleted }))
    }

    fn read_request(&self, id: &DocId, read: &Read) -> Request {
        let mut target = self.document_target(id).query("att_encoding_info", "true");
        if let Some(revision) = &read.revision {
            target = target.query("rev", revision.as_str());
        }
        for (flag, key) in [(read.revisions, "revs"), (read.conflicts, "conflicts")] {
            if flag {
                target = target.query(key, "true");
            }
        }
        Request::new(Method::GET, target, self.document_subject("read", id))
    }

    fn parse(&self, request: &Request, id: &DocId, read: &Read, answer: Value) -> Result<Parsed, CouchError> {
        let Value::Object(members) = answer else { return Err(self.protocol(request, "it is no document")) };
        let parsed = document::parse(members).map_err(|why| self.protocol(request, why))?;
        let other_revision = read.revision.as_ref().is_some_and(|revision| *revision != parsed.document.revision);
        if parsed.document.id != *id || other_revision {
            return Err(self.protocol(request, "it is another document than the one that was asked for"));
        }
        Ok(parsed)
    }

    fn not_found(&self, id: &DocId, what: Missing) -> CouchError {
        let request = format!("GET {}", self.document_target(id));
        let source = super::Answer { request, status: 404, error: Some("not_found".to_owned()), reason: None };
        CouchError::NotFound { what, host: self.server().address().authority().to_owned(), source: Box::new(source) }
    }
}
