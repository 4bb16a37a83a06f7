//! Attachments one by one: read (as they are stored or expanded, whole or in part), written and removed.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::json;

use self::range::Ranges;
use super::body;
use super::documents::incoming::{self, Attachment, Incoming, LARGEST_ATTACHMENT, Source, parse_revision};
use super::documents::open::{self, Opened};
use super::documents::options::Options;
use super::documents::storing::{Form, Intake};
use super::documents::{hooks, is_known, location, matched, new_id, not_modified, set, write};
use super::produce::{self, produce};
use super::request::{Place, Request, answer, blocking};
use crate::couch::digest;
use crate::serve::failure::Failure;
use crate::serve::store::{Blob, Stored};

mod range;

/// `GET /db/doc/attachment`
pub(in crate::serve) async fn get(place: &Place, id: &str, name: &str, request: Request) -> Result<Response, Failure> {
    let options = Options::parse(&request.query)?;
    let (keeper, owned, wanted, user) = (place.clone(), id.to_owned(), name.to_owned(), request.user.clone());
    let stored = blocking(move || {
        let mut opened = open::one(&keeper.database, &owned, &options)?;
        hooks::before_show(&keeper, &user, &mut opened)?;
        let mut attachments = opened.body.attachments.into_iter();
        attachments.find(|stored| stored.name == wanted).ok_or_else(missing)
    });
    let stored = stored.await?;
    let digest = stored.blob.digest.to_string();
    let etag = format!("\"{}\"", digest.trim_start_matches("md5-"));
    if is_known(&request.headers, &etag) {
        return Ok(not_modified(&etag));
    }
    let mut response = shown(place, &stored, &request.headers).await?;
    if response.status() != 206 || response.headers().contains_key(header::CONTENT_RANGE) {
        set(&mut response, header::ETAG, &etag);
    }
    Ok(response)
}

async fn shown(place: &Place, stored: &Stored, headers: &HeaderMap) -> Result<Response, Failure> {
    let blob = stored.blob.clone();
    let mut response = produce::head(200, &stored.content_type);
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|set| set.as_bytes() != stored.content_type.as_bytes())
    {
        // A content type that cannot stand in a header.
        set(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    }
    set(&mut response, header::CACHE_CONTROL, "must-revalidate");
    set(&mut response, header::ACCEPT_RANGES, if blob.is_gzip { "none" } else { "bytes" });
    if place.server.sandboxes_attachments() {
        set(&mut response, header::CONTENT_SECURITY_POLICY, "sandbox");
    }
    let database = Arc::clone(&place.database);
    if !blob.is_gzip {
        return match range::of(headers, blob.length)? {
            Ranges::Whole => {
                produce::set_length(&mut response, blob.stored_length);
                produce(response, move |sink| sink.stored(&database, &blob)).await
            }
            Ranges::One(from, to) => partial(place, response, blob, from, to).await,
            Ranges::Many(ranges) => several(place, stored, ranges).await,
        };
    }
    if accepts_gzip(headers) {
        set(&mut response, header::CONTENT_ENCODING, "gzip");
        produce::set_length(&mut response, blob.stored_length);
        return produce(response, move |sink| sink.stored(&database, &blob)).await;
    }
    // The length of what was uploaded compressed is not known.
    let is_known = blob.length != blob.stored_length;
    if is_known {
        produce::set_length(&mut response, blob.length);
    }
    produce(response, move |sink| {
        sink.content(&database, &blob)?;
        if is_known { Ok(()) } else { sink.flush_pieces() }
    })
    .await
}

async fn partial(place: &Place, mut response: Response, blob: Blob, from: u64, to: u64) -> Result<Response, Failure> {
    *response.status_mut() = axum::http::StatusCode::PARTIAL_CONTENT;
    set(&mut response, header::CONTENT_RANGE, &format!("bytes {from}-{to}/{}", blob.length));
    produce::set_length(&mut response, to - from + 1);
    let database = Arc::clone(&place.database);
    produce(response, move |sink| sink.range(&database, &blob, from, to - from + 1)).await
}

async fn several(place: &Place, stored: &Stored, ranges: Vec<(u64, u64)>) -> Result<Response, Failure> {
    let boundary = new_id();
    let response = produce::head(206, &format!("multipart/byteranges; boundary=\"{boundary}\""));
    let (database, blob) = (Arc::clone(&place.database), stored.blob.clone());
    let content_type = stored.content_type.replace(['\r', '\n', '\0'], " ");
    produce(response, move |sink| {
        sink.text(&format!("--{boundary}"))?;
        for (from, to) in ranges {
            sink.text(&format!(
                "\r\nContent-Type: {content_type}\r\nContent-Range: bytes {from}-{to}/{}\r\n\r\n",
                blob.length
            ))?;
            sink.range(&database, &blob, from, to - from + 1)?;
            sink.text(&format!("\r\n--{boundary}"))?;
        }
        sink.text("--")
    })
    .await
}

/// Whether the client takes gzip as it is.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let is_refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
        matches!(name.trim().to_ascii_lowercase().as_str(), "gzip" | "*") && !is_refused
    })
}

/// `PUT /db/doc/attachment`
pub(in crate::serve) async fn put(place: &Place, id: &str, name: &str, request: Request) -> Result<Response, Failure> {
    incoming::check_attachment_name(name)?;
    let is_gzip = match request.headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase())
    {
        None => false,
        Some(encoding) if encoding.trim_ascii() == b"identity" => false,
        Some(encoding) if encoding.trim_ascii() == b"gzip" => true,
        Some(_) => {
            let reason = "Only gzip and identity content-encodings are supported";
            return Err(Failure::new(415, "bad_content_type", reason));
        }
    };
    if body::length(&request.headers).is_some_and(|length| length > LARGEST_ATTACHMENT) {
        body::drain(&mut request.body.into_data_stream()).await;
        return Err(Failure::new(413, "attachment_too_large", name));
    }
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    let before = before(place, id, None, named(&request)?).await?;
    let form = Form { is_gzip, compresses: !is_gzip && digest::is_compressible(&content_type), digest: None };
    let mut intake = Intake::begin(&place.database, form).await;
    let (mut stream, mut arrived) = (request.body.into_data_stream(), 0);
    while let Some(bytes) = body::next(&mut stream).await? {
        arrived += bytes.len() as u64;
        if arrived > LARGEST_ATTACHMENT {
            return Err(Failure::new(413, "attachment_too_large", name));
        }
        intake.write(bytes).await?;
    }
    let source = Source::Stored(intake.finish().await?);
    let added = Attachment { name: name.to_owned(), content_type, revpos: None, source };
    let location = location(&request.headers, &[place.database.name(), id, name]);
    let (keeper, user, owned) = (place.clone(), request.user, id.to_owned());
    let written = blocking(move || {
        let document = changed(owned, before, &added.name.clone(), Some(added))?;
        write::one(&keeper, &user, document, false)
    });
    let mut response = answer(201, &json!({ "ok": true, "id": id, "rev": written.await? }));
    set(&mut response, header::LOCATION, &location);
    Ok(response)
}

/// `DELETE /db/doc/attachment`
pub(in crate::serve) async fn delete(
    place: &Place,
    id: &str,
    name: &str,
    request: Request,
) -> Result<Response, Failure> {
    incoming::check_attachment_name(name)?;
    let before = before(place, id, Some(name), named(&request)?).await?;
    let (keeper, user, owned, removed) = (place.clone(), request.user, id.to_owned(), name.to_owned());
    let written = blocking(move || {
        let document = changed(owned, before, &removed, None)?;
        write::one(&keeper, &user, document, false)
    });
    Ok(answer(200, &json!({ "ok": true, "id": id, "rev": written.await? })))
}

/// The revision that the request names.
fn named(request: &Request) -> Result<Option<(u64, String)>, Failure> {
    matched(&request.headers, request.query.get("rev").map(parse_revision).transpose()?)
}

/// The revision that is changed; none for a new document. What cannot succeed is refused here, before the bytes are read.
async fn before(
    place: &Place,
    id: &str,
    removed: Option<&str>,
    named: Option<(u64, String)>,
) -> Result<Option<Opened>, Failure> {
    incoming::check_id(id)?;
    let (database, owned, removed) = (Arc::clone(&place.database), id.to_owned(), removed.map(str::to_owned));
    blocking(move || {
        let holds = |opened: &Opened| match &removed {
            Some(name) if opened.body.attachments.iter().all(|stored| stored.name != *name) => Err(missing()),
            _ => Ok(()),
        };
        let known = database.document(&owned)?;
        let Some((generation, hash)) = named else {
            if removed.is_some() {
                holds(&open::winner(&database, &owned, &Options::default())?)?;
            }
            return if write::has_chance(known.as_ref(), None) { Ok(None) } else { Err(Failure::conflict()) };
        };
        let revision = incoming::revision_of(&format!("{generation}-{hash}"))?;
        let opened = match &known {
            Some(known) => open::revision(&database, known, &revision)?,
            None => None,
        };
        let opened = opened.ok_or_else(|| Failure::new(409, "not_found", "missing_rev"))?;
        holds(&opened)?;
        if write::has_chance(known.as_ref(), Some(&revision)) { Ok(Some(opened)) } else { Err(Failure::conflict()) }
    })
    .await
}

/// The document with one attachment put in front of the others, or taken away.
fn changed(id: String, before: Option<Opened>, name: &str, added: Option<Attachment>) -> Result<Incoming, Failure> {
    let mut document = Incoming { id, ..Incoming::default() };
    document.attachments.extend(added);
    if let Some(opened) = before {
        if let Some(revision) = opened.revision() {
            (document.generation, document.hashes) = (revision.generation(), vec![revision.hash().to_owned()]);
        }
        let others = opened.body.attachments.into_iter().filter(|stored| stored.name != name);
        document.attachments.extend(others.map(Attachment::from));
        (document.members, document.is_deleted) = (opened.body.members, opened.is_deleted);
    }
    Ok(document)
}

fn missing() -> Failure {
    Failure::not_found("Document is missing attachment")
}
