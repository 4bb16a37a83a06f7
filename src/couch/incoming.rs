//! A document on its way in, with the content of its attachments one after the other.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;

use super::client::{Reply, limit};
use super::document::Parsed;
use super::multipart::{Event, Reader, ReaderError};
use super::{CouchError, Document, Stub};
use crate::json;
use crate::name::AttName;

/// A document whose attachments arrive one after the other, in the order of [`Document::attachments`].
#[derive(Debug)]
pub struct WithAttachments {
    /// The document.
    pub document: Document,
    /// Indexes into [`Document::attachments`] of those whose content arrives, in the order of arrival.
    arriving: std::vec::IntoIter<usize>,
    content: Content,
}

/// Where the content comes from.
#[derive(Debug)]
enum Content {
    Parts { reply: Box<Reply>, reader: Reader, in_part: bool },
    Inline { data: Vec<Option<Bytes>>, current: Bytes },
}

/// One attachment on its way in.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// Its name.
    pub name: AttName,
    /// What the document says of it.
    pub stub: Stub,
    /// Whether the arriving bytes are gzip.
    pub gzip: bool,
    from: &'a mut WithAttachments,
}

impl Incoming<'_> {
    /// The next bytes as stored (64 KiB at most, or a whole attachment that came inside of JSON); `None` after the last
    /// one.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CouchError> {
        self.from.chunk().await
    }
}

impl WithAttachments {
    /// The content stands in the JSON itself, as base64.
    pub(super) fn from_json(parsed: Parsed) -> Result<Self, String> {
        let decode =
            |base64: Option<String>| base64.map(|base64| BASE64_STANDARD.decode(base64).map(Bytes::from)).transpose();
        let data: Result<Vec<Option<Bytes>>, _> = parsed.data.into_iter().map(decode).collect();
        let data = data.map_err(|_| "it has an attachment that is no base64")?;
        let mut document = parsed.document;
        for ((_, stub), content) in document.attachments.iter_mut().zip(&data) {
            let length = content.as_ref().map_or(stub.length, |content| content.len() as u64);
            stub.length = length;
            stub.raw.insert("length".to_owned(), length.into());
        }
        let arriving: Vec<usize> = (0..data.len()).filter(|index| data[*index].is_some()).collect();
        let content = Content::Inline { data, current: Bytes::new() };
        Ok(Self { document, arriving: arriving.into_iter(), content })
    }

    /// The document is the first part, each attachment a further one, in the order of the document. Names in the
    /// headers of the parts are not looked at: whoever stored an attachment chose them.
    pub(super) async fn from_multipart(
        mut reply: Reply,
        boundary: &str,
        parse: impl Fn(serde_json::Value) -> Result<Parsed, CouchError>,
    ) -> Result<Self, CouchError> {
        let mut reader = Reader::new(boundary);
        let mut text = Vec::new();
        loop {
            match next_event(&mut reply, &mut reader).await? {
                Event::Part(_) => {}
                Event::Data(bytes) if text.len() + bytes.len() <= limit::LARGE => text.extend_from_slice(&bytes),
                Event::Data(_) => return Err(reply.protocol("the document is too large")),
                Event::PartEnd => break,
                Event::End => return Err(reply.protocol("there is no document in it")),
            }
        }
        let value = json::parse(&text).map_err(|error| reply.protocol(format!("malformed JSON: {error}")))?;
        let parsed = parse(value)?;
        let arriving: Vec<usize> = (0..parsed.follows.len()).filter(|index| parsed.follows[*index]).collect();
        let content = Content::Parts { reply: Box::new(reply), reader, in_part: false };
        Ok(Self { document: parsed.document, arriving: arriving.into_iter(), content })
    }

    /// The next attachment; what is left unread of the one before is skipped.
    pub async fn next(&mut self) -> Result<Option<Incoming<'_>>, CouchError> {
        while self.chunk().await?.is_some() {}
        let next = self.arriving.next();
        let gzip = match (&mut self.content, next) {
            (Content::Inline { data, current }, Some(index)) => {
                *current = data[index].take().unwrap_or_default();
                false
            }
            (Content::Inline { .. }, None) => return Ok(None),
            (Content::Parts { reply, reader, in_part }, next) => match (next_event(reply, reader).await?, next) {
                (Event::Part(headers), Some(_)) => {
                    *in_part = true;
                    headers.encoding().ok_or_else(|| reply.protocol("the encoding of an attachment is not known"))?
                }
                (Event::End, None) => {
                    self.content = Content::Inline { data: Vec::new(), current: Bytes::new() };
                    return Ok(None);
                }
                _ => return Err(reply.protocol("the attachments are not as many as the document says")),
            },
        };
        let Some((name, stub)) = next.and_then(|index| self.document.attachments.get(index)).cloned() else {
            return Ok(None);
        };
        Ok(Some(Incoming { name, stub, gzip, from: self }))
    }

    /// The next bytes of the current attachment.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, CouchError> {
        match &mut self.content {
            Content::Inline { current, .. } if current.is_empty() => Ok(None),
            Content::Inline { current, .. } => Ok(Some(std::mem::take(current))),
            Content::Parts { in_part: false, .. } => Ok(None),
            Content::Parts { reply, reader, in_part } => match next_event(reply, reader).await? {
                Event::Data(bytes) => Ok(Some(bytes)),
                Event::PartEnd => {
                    *in_part = false;
                    Ok(None)
                }
                Event::Part(_) | Event::End => Err(reply.protocol("a part ends in the middle")),
            },
        }
    }
}

async fn next_event(reply: &mut Reply, reader: &mut Reader) -> Result<Event, CouchError> {
    loop {
        match reader.next() {
            Ok(Some(event)) => return Ok(event),
            Ok(None) => {}
            Err(error) => return Err(reply.protocol(error.to_string())),
        }
        if let Some(bytes) = reply.chunk().await? {
            reader.push(&bytes);
        } else {
            reader.finish().map_err(|error| reply.protocol(error.to_string()))?;
            return Err(reply.protocol(ReaderError::Truncated.to_string()));
        }
    }
}
