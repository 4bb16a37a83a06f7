//! `POST /db/doc` of a form: what a page without any script sends. The fields are `_rev`, or a whole document as `_doc`, and
//! any number of files named `_attachments`.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::json;

use super::incoming::{self, Attachment, Incoming, LARGEST_ATTACHMENT, Source, parse_revision, revision_of};
use super::open::{self, Opened};
use super::options::Options;
use super::storing::{Form, Intake};
use super::{set, upon, write};
use crate::couch::multipart::{Event, Headers, Reader, boundary_of};
use crate::serve::failure::Failure;
use crate::serve::http::body;
use crate::serve::http::request::{Place, Request, answer, blocking};

/// Files beyond this number are too many.
const MOST: usize = 1000;

/// What a form says.
#[derive(Default)]
struct Said {
    document: Option<Vec<u8>>,
    revision: Option<Vec<u8>>,
    attachments: Vec<Attachment>,
}

/// `POST /db/doc`
pub(in crate::serve) async fn post(place: &Place, id: &str, request: Request) -> Result<Response, Failure> {
    check_referer(&request.headers)?;
    incoming::check_id(id)?;
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let boundary = boundary_of(&content_type).filter(|_| content_type.starts_with("multipart/form-data"));
    let boundary =
        boundary.ok_or_else(|| Failure::new(415, "bad_content_type", "Content-Type must be multipart/form-data"))?;
    let said = read(place, &boundary, request.body).await?;
    body::weigh(said.document.as_deref().unwrap_or_default()).await?;
    let named = request.query.get("rev").map(parse_revision).transpose()?;
    let (keeper, owned, user, headers) = (place.clone(), id.to_owned(), request.user, request.headers);
    let written = blocking(move || {
        let mut document = match said.document {
            Some(text) => {
                let mut document = Incoming::parse(body::parse(&text)?)?;
                upon(&mut document, &owned, named, &headers)?;
                document
            }
            None => changed(&keeper, &owned, said.revision.as_deref().unwrap_or_default())?,
        };
        let is_new = |name: &str| said.attachments.iter().any(|new| new.name == name);
        document.attachments.retain(|old| !is_new(&old.name));
        let old = std::mem::replace(&mut document.attachments, said.attachments);
        document.attachments.extend(old);
        write::one(&keeper, &user, document, false)
    });
    let written = written.await?;
    let mut response = answer(201, &json!({ "ok": true, "id": id, "rev": written }));
    set(&mut response, header::ETAG, &format!("\"{written}\""));
    Ok(response)
}

/// A form of another site must not write here in the name of whoever is signed in.
fn check_referer(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let referer = text(header::REFERER).ok_or_else(|| Failure::bad_request("Referer header required."))?;
    let (_, rest) = referer.split_once("://").unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if text(header::HOST).is_some_and(|own| own.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Failure::bad_request("Referer header must match host."))
}

/// The revision that the form is upon.
fn changed(place: &Place, id: &str, revision: &[u8]) -> Result<Incoming, Failure> {
    let revision = revision_of(std::str::from_utf8(revision).unwrap_or_default().trim())?;
    let missing = || Failure::new(409, "not_found", "missing_rev");
    let options = Options { rev: Some(revision.clone()), ..Options::default() };
    let Opened { id, is_deleted, body, .. } = open::one(&place.database, id, &options).map_err(|_| missing())?;
    let attachments = body.attachments.into_iter().map(Attachment::from).collect();
    let (generation, hashes) = (revision.generation(), vec![revision.hash().to_owned()]);
    Ok(Incoming { id, generation, hashes, is_deleted, members: body.members, attachments })
}

/// Reads the fields; files go into the store as they come.
async fn read(place: &Place, boundary: &str, body: Body) -> Result<Said, Failure> {
    let malformed = |error: crate::couch::multipart::ReaderError| Failure::bad_request(error.to_string());
    let (mut reader, mut stream, mut said) = (Reader::new(boundary), body.into_data_stream(), Said::default());
    let mut field = Field::Other;
    loop {
        match reader.next().map_err(malformed)? {
            Some(Event::Part(headers)) => field = Field::begin(place, &headers, said.attachments.len()).await?,
            Some(Event::Data(bytes)) => field.take(bytes).await?,
            Some(Event::PartEnd) => std::mem::replace(&mut field, Field::Other).end(&mut said).await?,
            Some(Event::End) => return Ok(said),
            None => match body::next(&mut stream).await? {
                Some(bytes) => reader.push(&bytes),
                None => return reader.finish().map(|()| said).map_err(malformed),
            },
        }
    }
}

/// A field that is being read.
enum Field {
    Text { name: String, text: Vec<u8> },
    File { name: String, content_type: String, intake: Intake, length: u64 },
    Other,
}

impl Field {
    async fn begin(place: &Place, headers: &Headers, count: usize) -> Result<Self, Failure> {
        let disposition = headers.disposition.as_deref().unwrap_or_default();
        match (parameter(disposition, "name").as_deref(), parameter(disposition, "filename")) {
            (Some("_attachments"), Some(name)) if !name.is_empty() => {
                incoming::check_attachment_name(&name)?;
                if count >= MOST {
                    return Err(body::too_large());
                }
                let content_type = headers.content_type.clone();
                let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
                let intake = Intake::begin(&place.database, Form::of(&content_type)).await;
                Ok(Self::File { name, content_type, intake, length: 0 })
            }
            (Some(name @ ("_doc" | "_rev")), _) => Ok(Self::Text { name: name.to_owned(), text: Vec::new() }),
            _ => Ok(Self::Other),
        }
    }

    async fn take(&mut self, bytes: bytes::Bytes) -> Result<(), Failure> {
        match self {
            Self::Text { text, .. } if text.len() + bytes.len() > body::LARGEST_JSON => Err(body::too_large()),
            Self::Text { text, .. } => {
                text.extend_from_slice(&bytes);
                Ok(())
            }
            Self::File { name, intake, length, .. } => {
                *length += bytes.len() as u64;
                if *length > LARGEST_ATTACHMENT {
                    return Err(Failure::new(413, "attachment_too_large", name.as_str()));
                }
                intake.write(bytes).await
            }
            Self::Other => Ok(()),
        }
    }

    async fn end(self, said: &mut Said) -> Result<(), Failure> {
        match self {
            Self::Text { name, text } if name == "_doc" => said.document = Some(text),
            Self::Text { text, .. } => said.revision = Some(text),
            Self::File { name, content_type, intake, .. } => {
                let source = Source::Stored(intake.finish().await?);
                said.attachments.push(Attachment { name, content_type, revpos: None, source });
            }
            Self::Other => {}
        }
        Ok(())
    }
}

/// A parameter of a header, quoted or not.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header;
    loop {
        let (_, behind) = rest.split_once(';')?;
        let (name, value) = behind.split_once('=')?;
        let is_wanted = name.trim().eq_ignore_ascii_case(wanted);
        let value = value.trim_start();
        let (text, left) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if is_wanted {
            return Some(text.replace("\\\"", "\"").replace("%22", "\"").trim().to_owned());
        }
        rest = left;
    }
}

/// What stands before the closing quote, and behind it.
fn unquoted(text: &str) -> (&str, &str) {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return (&text[..at], &text[at + 1..]),
            _ => is_escaped = false,
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn parameters_are_found() {
        let header = "form-data; name=\"_attachments\"; filename=\"a; \\\"b\\\".txt\"";
        assert_eq!(parameter(header, "name").as_deref(), Some("_attachments"));
        assert_eq!(parameter(header, "filename").as_deref(), Some("a; \"b\".txt"));
        assert_eq!(parameter("form-data; name=_rev", "name").as_deref(), Some("_rev"));
        for none in ["", "form-data", "form-data; x", "form-data; filename=\"name\"", "form-data; x=\"name=y"] {
            assert_eq!(parameter(none, "name"), None, "{none}");
        }
    }
}
