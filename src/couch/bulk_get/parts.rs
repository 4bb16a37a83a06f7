//! `multipart/mixed` with a `multipart/related` in each part that has attachments.

use serde_json::Value;

use super::Piece;
use crate::couch::client::{Reply, limit};
use crate::couch::document::{self, Parsed};
use crate::couch::multipart::{Event, Headers, Reader, ReaderError, boundary_of};
use crate::couch::{CouchError, Stub};
use crate::json::{self, Object};
use crate::name::AttName;

/// The answer on its way in. Never holds more than one document's JSON and what the readers hold back.
#[derive(Debug)]
pub(super) struct Parts {
    reply: Reply,
    outer: Reader,
    state: State,
}

#[derive(Debug)]
enum State {
    Between,
    /// A part without attachments; `None` for one that is passed over.
    Text(Option<Vec<u8>>),
    Related(Box<Related>),
    End,
}

/// A document with attachments.
#[derive(Debug)]
struct Related {
    inner: Reader,
    /// The document's JSON, until it is whole.
    text: Option<Vec<u8>>,
    /// The attachments whose bytes come, in order.
    arriving: std::vec::IntoIter<(AttName, Stub)>,
    /// The document could not be taken apart: the rest of it means nothing.
    is_passed_over: bool,
}

/// What the parts are made of.
#[derive(Debug)]
pub(super) enum Found {
    Piece(Piece),
    /// A document without parts of its own.
    Whole(Object),
}

/// What an inner event means.
enum Meaning {
    Piece(Piece),
    Nothing,
    Wrong(&'static str),
}

impl Parts {
    pub(super) fn new(reply: Reply, boundary: &str) -> Self {
        Self { reply, outer: Reader::new(boundary), state: State::Between }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Found>, CouchError> {
        loop {
            if matches!(self.state, State::End) {
                return Ok(None);
            }
            if let State::Related(related) = &mut self.state
                && let Some(event) = related.inner.next().map_err(|error| self.reply.protocol(error.to_string()))?
            {
                match related.take(event) {
                    Meaning::Piece(piece) => return Ok(Some(Found::Piece(piece))),
                    Meaning::Nothing => continue,
                    Meaning::Wrong(why) => return Err(self.reply.protocol(why)),
                }
            }
            if let Some(whole) = self.outer_event().await? {
                return Ok(Some(Found::Whole(whole)));
            }
        }
    }

    /// Takes one event of the outer stream; gives a document that has become whole by it.
    async fn outer_event(&mut self) -> Result<Option<Object>, CouchError> {
        let event = self.read().await?;
        match (&mut self.state, event) {
            (State::Between, Event::Part(headers)) => self.state = begin(&headers),
            (State::Between, Event::End) => self.state = State::End,
            (State::Text(None), Event::Data(_)) => {}
            (State::Text(Some(text)), Event::Data(bytes)) if text.len() + bytes.len() <= limit::LARGE => {
                text.extend_from_slice(&bytes);
            }
            (State::Text(text), Event::PartEnd) => {
                let text = text.take();
                self.state = State::Between;
                return Ok(text.and_then(|text| object(&text)));
            }
            (State::Related(related), Event::Data(bytes)) => related.inner.push(&bytes),
            (State::Related(related), Event::PartEnd) => {
                related.inner.finish().map_err(|error| self.reply.protocol(error.to_string()))?;
                self.state = State::Between;
            }
            (State::Text(Some(_)), Event::Data(_)) => return Err(self.reply.protocol("a document is too large")),
            _ => return Err(self.reply.protocol("a part is not where it should be")),
        }
        Ok(None)
    }

    async fn read(&mut self) -> Result<Event, CouchError> {
        loop {
            match self.outer.next() {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(error) => return Err(self.reply.protocol(error.to_string())),
            }
            match self.reply.chunk().await? {
                Some(bytes) => self.outer.push(&bytes),
                None => return Err(self.reply.protocol(ReaderError::Truncated.to_string())),
            }
        }
    }
}

fn begin(headers: &Headers) -> State {
    let content_type = headers.content_type.as_deref().unwrap_or_default();
    match boundary_of(content_type) {
        Some(boundary) => State::Related(Box::new(Related {
            inner: Reader::new(&boundary),
            text: Some(Vec::new()),
            arriving: Vec::new().into_iter(),
            is_passed_over: false,
        })),
        // `application/json; error="true"`
        None if content_type.contains("error=") => State::Text(None),
        None => State::Text(Some(Vec::new())),
    }
}

fn object(text: &[u8]) -> Option<Object> {
    match json::parse(text) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

impl Related {
    fn take(&mut self, event: Event) -> Meaning {
        if self.is_passed_over {
            return Meaning::Nothing;
        }
        match (&mut self.text, event) {
            (Some(_), Event::Part(_)) => Meaning::Nothing,
            (Some(text), Event::Data(bytes)) if text.len() + bytes.len() <= limit::LARGE => {
                text.extend_from_slice(&bytes);
                Meaning::Nothing
            }
            (Some(_), Event::Data(_)) => Meaning::Wrong("a document is too large"),
            (Some(text), Event::PartEnd) => {
                let parsed = object(text).and_then(|members| document::parse(members).ok());
                self.text = None;
                self.begin_attachments(parsed)
            }
            (None, Event::Part(headers)) => match (self.arriving.next(), headers.encoding()) {
                (Some((name, stub)), Some(gzip)) => {
                    Meaning::Piece(Piece::Attachment { name, stub: Box::new(stub), gzip })
                }
                (Some(_), None) => Meaning::Wrong("the encoding of an attachment is not known"),
                (None, _) => Meaning::Wrong("there are more attachments than the document says"),
            },
            (None, Event::Data(bytes)) => Meaning::Piece(Piece::Bytes(bytes)),
            (None, Event::PartEnd) => Meaning::Piece(Piece::AttachmentEnd),
            (None, Event::End) if self.arriving.len() == 0 => Meaning::Nothing,
            (None, Event::End) => Meaning::Wrong("there are fewer attachments than the document says"),
            (Some(_), Event::End) => Meaning::Wrong("there is no document in a part"),
        }
    }

    fn begin_attachments(&mut self, parsed: Option<Parsed>) -> Meaning {
        let Some(Parsed { document, follows, .. }) = parsed else {
            self.is_passed_over = true;
            return Meaning::Nothing;
        };
        let arriving = document.attachments.iter().zip(follows).filter(|(_, follows)| *follows);
        self.arriving = arriving.map(|(attachment, _)| attachment.clone()).collect::<Vec<_>>().into_iter();
        Meaning::Piece(Piece::Document(Box::new(document)))
    }
}
