//! Revisions as they are (`new_edits=false`), many at once, or one with the content of its attachments.

use std::io;
use std::sync::Arc;

use futures_util::stream;
use reqwest::Method;
use reqwest::header::CONTENT_ENCODING;
use serde_json::Value;

use super::super::body::Body;
use super::super::bulk::status_of;
use super::super::client::{Reply, Request, limit};
use super::super::target::Target;
use super::super::write::{ByteStream, Opening, Source, boundary};
use super::super::{Answer, CouchError, Database, multipart};
use super::{Held, RevisionText, raw};
use crate::json::{self, Object};
use crate::name::{DocId, Revision};
use crate::secret::redact;

/// A revision that a database did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The document.
    pub id: String,
    /// The revision, where the server names it.
    pub revision: Option<Revision>,
    /// Why, with the status that a single write would have been answered with.
    pub answer: Answer,
}

impl Database {
    /// Writes revisions as they are, by `_bulk_docs`; gives those that were refused. Writing one twice does no harm.
    ///
    /// The server may refuse all for the sake of one ([`CouchError::refuses_batch`]): then nothing is known of the
    /// others.
    pub async fn write_texts(&self, texts: &[RevisionText]) -> Result<Vec<Refusal>, CouchError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let length: usize = texts.iter().map(|text| text.length() + 1).sum();
        let mut body = Vec::with_capacity(length + 32);
        body.extend_from_slice(br#"{"new_edits":false,"docs":["#);
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&text.text);
        }
        body.extend_from_slice(b"]}");
        let mut request = self.request(Method::POST, self.endpoint("_bulk_docs"), "write to");
        request.body = Some(Body::json(body));
        let answer = self.server().client.json(&request, limit::LARGE).await?;
        let Some(rows) = answer.as_array() else { return Err(self.protocol(&request, "it is no array")) };
        let refused = rows.iter().filter(|row| row.get("error").is_some_and(|error| !error.is_null()));
        Ok(refused.map(|row| refusal(row, &request)).collect())
    }

    /// Writes one revision as it is together with the content of its attachments, which is read from `source` while it
    /// is sent. Attachments marked in `known` are not sent: this database has them.
    pub async fn write_with_attachments(
        &self,
        text: &RevisionText,
        known: &[bool],
        source: &Self,
    ) -> Result<(), CouchError> {
        let target = self.document_target(&text.id).query("new_edits", "false");
        let mut request = Request::new(Method::PUT, target, self.document_subject("write", &text.id));
        let takes_gzip = !self.server().is_pouchdb();
        let mut parts = Vec::new();
        for (held, _) in text.attachments.iter().zip(known).filter(|(_, known)| !**known) {
            let gzip = held.gzip.filter(|_| takes_gzip);
            parts.push(multipart::Part {
                name: held.name.to_string(),
                // PouchDB believes this, CouchDB what the document says.
                content_type: held.content_type.clone(),
                length: gzip.unwrap_or(held.length),
                gzip: gzip.is_some(),
                source: Arc::new(Remote {
                    database: source.clone(),
                    id: text.id.clone(),
                    held: held.clone(),
                    revision: text.revision.clone(),
                    gzip: gzip.is_some(),
                }),
            });
        }
        let document = announced(text, known, takes_gzip).map_err(|why| self.protocol(&request, why))?;
        request.body = Some(multipart::related(&document, parts, &boundary(), None));
        self.server().client.json(&request, limit::SMALL).await.map(drop)
    }

    /// Whether URLs can name this revision and all its attachments, and its parts can carry their names.
    pub fn can_address(&self, text: &RevisionText) -> bool {
        let named = |held: &Held| {
            let target = Target::attachment(self.server().address(), self.name(), &text.id, &held.name);
            target.query("rev", text.revision.as_str()).url().is_ok()
                && (!self.server().is_pouchdb() || multipart::is_faithful(held.name.as_str()))
        };
        self.document_target(&text.id).url().is_ok() && text.attachments.iter().all(named)
    }
}

fn refusal(row: &Value, request: &Request) -> Refusal {
    let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    Refusal {
        id: text("id").unwrap_or_default(),
        revision: text("rev").and_then(|revision| Revision::new(revision).ok()),
        answer: Answer {
            request: request.line(),
            status: status_of(row),
            error: text("error"),
            reason: text("reason").map(|reason| redact(&reason)),
        },
    }
}

/// The text with `_attachments` that say what follows; every other member is as it was.
fn announced(text: &RevisionText, known: &[bool], takes_gzip: bool) -> Result<Vec<u8>, String> {
    let members = raw::members(&text.text).ok_or("a document is no object")?;
    let mut document = Vec::with_capacity(text.length() + 64);
    for (index, (key, value)) in members.into_iter().enumerate() {
        document.push(if index == 0 { b'{' } else { b',' });
        document.extend_from_slice(Value::from(key.as_str()).to_string().as_bytes());
        document.push(b':');
        if key == "_attachments" {
            let listed = raw::members(value).ok_or("_attachments of a document are no object")?;
            let mut announced = Object::new();
            for ((name, stub), known) in listed.into_iter().zip(known) {
                let Ok(Value::Object(mut stub)) = json::parse(stub) else { return Err("a stub is no object".into()) };
                if !known {
                    follow(&mut stub, takes_gzip);
                }
                announced.insert(name, Value::Object(stub));
            }
            document.extend_from_slice(Value::Object(announced).to_string().as_bytes());
        } else {
            document.extend_from_slice(value);
        }
    }
    document.push(b'}');
    Ok(document)
}

/// Makes a stub the announcement of content.
fn follow(stub: &mut Object, takes_gzip: bool) {
    stub.shift_remove("stub");
    stub.shift_remove("data");
    stub.insert("follows".to_owned(), Value::Bool(true));
    if !takes_gzip && stub.shift_remove("encoding").is_some() {
        stub.shift_remove("encoded_length");
        // The digest is that of the compressed bytes.
        stub.shift_remove("digest");
    }
}

/// An attachment on another server, opened anew for every try.
struct Remote {
    database: Database,
    id: DocId,
    held: Held,
    revision: Revision,
    gzip: bool,
}

impl Source for Remote {
    fn open(&self) -> Opening<'_> {
        Box::pin(async move {
            let reply = self.request().await.map_err(io::Error::other)?;
            let encoding = reply.header(&CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
            if encoding != self.gzip {
                return Err(io::Error::other("it comes in another encoding than the document says"));
            }
            let next = |mut reply: Reply| async move {
                let chunk = reply.chunk().await.map_err(io::Error::other)?;
                Ok(chunk.map(|chunk| (chunk, reply)))
            };
            Ok(Box::pin(stream::try_unfold(reply, next)) as ByteStream)
        })
    }
}

impl Remote {
    async fn request(&self) -> Result<Reply, CouchError> {
        let database = &self.database;
        let target = Target::attachment(database.server().address(), database.name(), &self.id, &self.held.name);
        let target = target.query("rev", self.revision.as_str());
        let subject = database.attachment_subject(&self.id, &self.held.name);
        let mut request = Request::new(Method::GET, target, subject);
        request.accept = "*/*";
        request.accept_encoding = if self.gzip { "gzip" } else { "identity" };
        database.server().client.repeat(&request, |reply| async move { Ok(reply) }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_attachments_are_written_anew() {
        let text = br#"{"_id":"a","_rev":"2-b","n":[1e400,0.10],"":{"a":1, "a":2},"_attachments":
            {"x":{"stub":true,"revpos":1,"length":5},"y":{"stub":true,"revpos":2,"length":9,"digest":"md5-x",
            "encoding":"gzip","encoded_length":4}}}"#;
        let text = RevisionText::read(text).unwrap();
        let gzip = announced(&text, &[true, false], true).unwrap();
        let head = r#"{"_id":"a","_rev":"2-b","n":[1e400,0.10],"":{"a":1, "a":2},"_attachments":"#;
        let expected = r#"{"x":{"stub":true,"revpos":1,"length":5},"y":{"revpos":2,"length":9,"digest":"md5-x","encoding":"gzip","encoded_length":4,"follows":true}}}"#;
        assert_eq!(String::from_utf8(gzip).unwrap(), format!("{head}{expected}"));
        let plain = announced(&text, &[true, false], false).unwrap();
        let expected = r#"{"x":{"stub":true,"revpos":1,"length":5},"y":{"revpos":2,"length":9,"follows":true}}}"#;
        assert_eq!(String::from_utf8(plain).unwrap(), format!("{head}{expected}"));
    }
}
