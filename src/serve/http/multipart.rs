//! multipart as CouchDB speaks it: documents with their attachments behind them, both ways.
//!
//! Names and order of the parts come from the JSON in the first one; what their headers say is passed over.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::http::header;
use axum::response::Response;
use serde_json::{Value, json};

use super::body;
use super::documents::incoming::{Follows, Incoming, LARGEST_ATTACHMENT, Source};
use super::documents::open::{Found, Opened};
use super::documents::options::Options;
use super::documents::storing::{Form, Intake};
use super::documents::{new_id, show, write};
use super::produce::{self, Sink, produce};
use super::request::{Place, blocking};
use super::room::Room;
use super::text;
use crate::couch::digest;
use crate::couch::multipart::{Event, Reader, ReaderError, boundary_of};
use crate::serve::failure::Failure;
use crate::serve::store::{Blob, Database, Stored};

/// A document and the attachments that are sent with it, as one body.
pub(in crate::serve) struct Related {
    boundary: String,
    json: String,
    sent: Vec<Stored>,
}

impl Related {
    /// Prepares a document.
    pub(in crate::serve) fn new(opened: &Opened, options: &Options, boundary: String) -> Self {
        let json = text::json(&Value::Object(show::followed(opened, options)));
        let sent = show::sent(opened, options).into_iter().cloned().collect();
        Self { boundary, json, sent }
    }

    /// Whether it is the document alone, which is no multipart then.
    pub(in crate::serve) fn is_alone(&self) -> bool {
        self.sent.is_empty()
    }

    /// Its content type.
    pub(in crate::serve) fn content_type(&self) -> String {
        if self.is_alone() {
            "application/json".to_owned()
        } else {
            format!("multipart/related; boundary=\"{}\"", self.boundary)
        }
    }

    /// Its length in bytes.
    pub(in crate::serve) fn length(&self) -> u64 {
        let parts = self.sent.iter().map(|stored| (part_head(stored).len() + self.boundary.len() + 4) as u64);
        let bytes = self.sent.iter().map(|stored| stored.blob.stored_length);
        let frame = if self.is_alone() { 0 } else { self.opening().len() + self.boundary.len() + 4 + 2 };
        parts.chain(bytes).sum::<u64>() + (frame + self.json.len()) as u64
    }

    /// Writes it.
    pub(in crate::serve) fn write(&self, sink: &mut Sink, database: &Database) -> Result<(), Failure> {
        if self.is_alone() {
            return sink.text(&self.json);
        }
        sink.text(&self.opening())?;
        sink.text(&self.json)?;
        sink.text(&format!("\r\n--{}", self.boundary))?;
        for stored in &self.sent {
            sink.text(&part_head(stored))?;
            sink.stored(database, &stored.blob)?;
            sink.text(&format!("\r\n--{}", self.boundary))?;
        }
        sink.text("--")
    }

    fn opening(&self) -> String {
        format!("--{}\r\nContent-Type: application/json\r\n\r\n", self.boundary)
    }
}

/// The headers of a part. A line break in a name or a type would begin another header.
fn part_head(stored: &Stored) -> String {
    let plain = |text: &str| text.replace(['\r', '\n', '\0'], " ");
    let encoding = if stored.blob.is_gzip { "\r\nContent-Encoding: gzip" } else { "" };
    format!(
        "\r\nContent-Disposition: attachment; filename=\"{}\"\r\nContent-Type: {}\r\nContent-Length: {}{encoding}\r\n\r\n",
        plain(&stored.name),
        plain(&stored.content_type),
        stored.blob.stored_length
    )
}

/// A document with its attachments behind it.
pub(in crate::serve) async fn related(place: &Place, opened: Opened, options: Options) -> Result<Response, Failure> {
    let related = Related::new(&opened, &options, new_id());
    let mut response = produce::head(200, &related.content_type());
    response.headers_mut().remove(header::CACHE_CONTROL);
    produce::set_length(&mut response, related.length());
    let database = Arc::clone(&place.database);
    produce(response, move |sink| related.write(sink, &database)).await
}

/// Several revisions, each a part.
pub(in crate::serve) async fn mixed(place: &Place, found: Vec<Found>, options: Options) -> Result<Response, Failure> {
    let outer = new_id();
    let response = produce::head(200, &format!("multipart/mixed; boundary=\"{outer}\""));
    let database = Arc::clone(&place.database);
    produce(response, move |sink| {
        sink.text(&format!("--{outer}"))?;
        for found in &found {
            match found {
                Found::Opened(opened) => {
                    let related = Related::new(opened, &options, new_id());
                    sink.text(&format!("\r\nContent-Type: {}\r\n\r\n", related.content_type()))?;
                    related.write(sink, &database)?;
                }
                Found::Missing(revision) => {
                    let missing = json!({ "missing": revision.as_str() });
                    sink.text(&format!("\r\nContent-Type: application/json; error=\"true\"\r\n\r\n{missing}"))?;
                }
            }
            sink.text(&format!("\r\n--{outer}"))?;
        }
        sink.text("--")
    })
    .await
}

/// Reads a document and stores the attachments that follow it. `settle` sees the document before its attachments are read,
/// so that a conflict is answered before they are sent.
pub(in crate::serve) async fn receive(
    place: &Place,
    content_type: &str,
    body: Body,
    is_replicated: bool,
    settle: impl FnOnce(&mut Incoming) -> Result<(), Failure>,
) -> Result<Incoming, Failure> {
    let boundary = boundary_of(content_type).ok_or_else(|| Failure::bad_request("no boundary in multipart/related"))?;
    let mut parts = Parts { reader: Reader::new(&boundary), stream: body.into_data_stream() };
    let text = parts.document().await?;
    let value = body::parsed(text.into()).await?;
    let mut document = blocking(move || Incoming::parse(value)).await?;
    settle(&mut document)?;
    if !is_replicated {
        document = before_parts(place, document).await?;
    }
    for attachment in &mut document.attachments {
        if let Source::Follows(follows) = &attachment.source {
            let blob = parts.attachment(place, &attachment.content_type, &attachment.name, follows).await?;
            attachment.source = Source::Stored(blob);
            // Only a replicated revision says in which generation an attachment came.
            attachment.revpos = attachment.revpos.filter(|_| is_replicated);
        }
    }
    parts.drain().await;
    Ok(document)
}

/// Answers a conflict before the attachments are read.
async fn before_parts(place: &Place, document: Incoming) -> Result<Incoming, Failure> {
    let database = Arc::clone(&place.database);
    blocking(move || {
        let known = database.document(&document.id)?;
        let parent = match document.revision() {
            Some(Err(_)) => return Err(Failure::conflict()),
            parent => parent.transpose()?,
        };
        if write::has_chance(known.as_ref(), parent.as_ref()) { Ok(document) } else { Err(Failure::conflict()) }
    })
    .await
}

/// The parts of a request as they arrive.
struct Parts {
    reader: Reader,
    stream: BodyDataStream,
}

impl Parts {
    async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            match self.reader.next().map_err(malformed)? {
                Some(Event::End) => return Ok(None),
                Some(event) => return Ok(Some(event)),
                None => match body::next(&mut self.stream).await? {
                    Some(bytes) => self.reader.push(&bytes),
                    None => return self.reader.finish().map(|()| None).map_err(malformed),
                },
            }
        }
    }

    /// The first part.
    async fn document(&mut self) -> Result<Vec<u8>, Failure> {
        let (mut text, mut room) = (Vec::new(), Room::default());
        while let Some(event) = self.next().await? {
            match event {
                Event::Part(_) => {}
                Event::Data(bytes) if text.len() + bytes.len() > body::LARGEST_JSON => return Err(body::too_large()),
                Event::Data(bytes) => {
                    room.grow(bytes.len()).await?;
                    text.extend_from_slice(&bytes);
                }
                Event::PartEnd | Event::End => break,
            }
        }
        room.keep();
        Ok(text)
    }

    /// The next part, into the store.
    async fn attachment(
        &mut self,
        place: &Place,
        content_type: &str,
        name: &str,
        follows: &Follows,
    ) -> Result<Blob, Failure> {
        let shorter = || Failure::bad_request("attachment shorter than expected");
        let Some(Event::Part(_)) = self.next().await? else { return Err(shorter()) };
        let compresses = !follows.is_gzip && digest::is_compressible(content_type);
        let form = Form { is_gzip: follows.is_gzip, compresses, digest: follows.digest };
        let mut intake = Intake::begin(&place.database, form).await;
        let expected = follows.encoded_length.or(follows.length);
        let mut arrived = 0;
        while let Some(event) = self.next().await? {
            let Event::Data(bytes) = event else { break };
            arrived += bytes.len() as u64;
            if expected.is_some_and(|expected| arrived > expected) {
                return Err(Failure::bad_request("attachment longer than expected"));
            }
            if arrived > LARGEST_ATTACHMENT {
                return Err(Failure::new(413, "attachment_too_large", name));
            }
            intake.write(bytes).await?;
        }
        if expected.is_some_and(|expected| arrived < expected) {
            return Err(shorter());
        }
        let mut blob = intake.finish().await?;
        if let Some(length) = follows.length {
            // What arrives compressed is taken to be as long as the client says.
            blob.length = length;
        }
        Ok(blob)
    }

    /// Reads what is left, so that the connection can be used again.
    async fn drain(&mut self) {
        body::drain(&mut self.stream).await;
    }
}

fn malformed(error: ReaderError) -> Failure {
    Failure::bad_request(error.to_string())
}

/// Several documents as parts: `_bulk_get` for those who do not take JSON.
pub(in crate::serve) fn begin_bulk(is_mixed: bool) -> (String, Response) {
    let boundary = format!("--{}", new_id());
    let kind = if is_mixed { "mixed" } else { "related" };
    let response = produce::head(200, &format!("multipart/{kind}; boundary=\"{boundary}\""));
    (boundary, response)
}
