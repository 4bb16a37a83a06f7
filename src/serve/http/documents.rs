//! Documents: read, written, removed and copied one by one.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use self::incoming::{Incoming, parse_revision};
use self::open::{Found, Opened};
use self::options::{OpenRevs, Options};
use super::produce::{self, produce};
use super::request::{Place, Request, accepts, answer, blocking};
use super::{body, multipart, path};
use crate::serve::failure::Failure;

pub(in crate::serve) mod form;
pub(in crate::serve) mod hooks;
pub(in crate::serve) mod incoming;
pub(in crate::serve) mod local;
pub(in crate::serve) mod open;
pub(in crate::serve) mod options;
pub(in crate::serve) mod show;
pub(in crate::serve) mod storing;
pub(in crate::serve) mod write;

/// `GET /db/doc`
pub(in crate::serve) async fn get(place: &Place, id: &str, request: Request) -> Result<Response, Failure> {
    let options = Options::parse(&request.query)?;
    if id.starts_with("_local/") {
        if options.open_revs.is_some() || request.query.get("rev").is_some() {
            return Err(Failure::not_found("missing"));
        }
        return get_local(place, id, &options, &request.headers).await;
    }
    if let Some(wanted) = options.open_revs.clone() {
        return get_several(place, id, wanted, options, request).await;
    }
    let (keeper, owned, asked, user) = (place.clone(), id.to_owned(), options.clone(), request.user.clone());
    let opened = blocking(move || {
        let mut opened = open::one(&keeper.database, &owned, &asked)?;
        hooks::before_show(&keeper, &user, &mut opened)?;
        Ok(opened)
    });
    let opened = opened.await?;
    let etag = match opened.revision() {
        Some(revision) if opened.meta.is_empty() => Some(format!("\"{revision}\"")),
        _ => None,
    };
    if let Some(etag) = &etag
        && is_known(&request.headers, etag)
    {
        return Ok(not_modified(etag));
    }
    let mut response = shown(place, opened, options, &request.headers).await?;
    if let Some(etag) = etag {
        set(&mut response, header::ETAG, &etag);
    }
    Ok(response)
}

/// A document with what the options ask for.
async fn shown(place: &Place, opened: Opened, options: Options, headers: &HeaderMap) -> Result<Response, Failure> {
    if !options.attachments || opened.body.attachments.is_empty() {
        return Ok(answer(200, &Value::Object(show::stubbed(&opened, &options))));
    }
    // `*/*` means this as well.
    if accepts(headers, "multipart/related") {
        return multipart::related(place, opened, options).await;
    }
    let database = Arc::clone(&place.database);
    let head = produce::head(200, "application/json");
    produce(head, move |sink| {
        show::write(sink, &database, &opened, &options)?;
        sink.text("\n")
    })
    .await
}

/// `GET /db/doc?open_revs=…`
async fn get_several(
    place: &Place,
    id: &str,
    wanted: OpenRevs,
    options: Options,
    request: Request,
) -> Result<Response, Failure> {
    let (keeper, owned, asked, is_latest) = (place.clone(), id.to_owned(), wanted.clone(), options.latest);
    let found = blocking(move || {
        let mut found = open::several(&keeper.database, &owned, &asked, is_latest, open::Order::Ascending)?;
        for found in &mut found {
            if let Found::Opened(opened) = found {
                hooks::before_show(&keeper, &request.user, opened)?;
            }
        }
        Ok(found)
    });
    let found = found.await?;
    if found.is_empty() && wanted == OpenRevs::All {
        return Err(Failure::not_found("missing"));
    }
    if accepts(&request.headers, "multipart/mixed") {
        return multipart::mixed(place, found, options).await;
    }
    let database = Arc::clone(&place.database);
    produce(produce::head(200, "application/json"), move |sink| {
        for (index, found) in found.iter().enumerate() {
            sink.text(if index == 0 { "[" } else { "," })?;
            match found {
                Found::Opened(opened) => {
                    sink.text("{\"ok\":")?;
                    show::write(sink, &database, opened, &options)?;
                    sink.text("}")?;
                }
                Found::Missing(revision) => sink.text(&json!({ "missing": revision.as_str() }).to_string())?,
            }
        }
        sink.text(if found.is_empty() { "[]\n" } else { "]\n" })
    })
    .await
}

async fn get_local(place: &Place, id: &str, options: &Options, headers: &HeaderMap) -> Result<Response, Failure> {
    let (database, owned) = (Arc::clone(&place.database), id.to_owned());
    let mut shown = blocking(move || local::read(&database, &owned)).await?;
    let etag = local::etag(&shown);
    if options.revs {
        let number = shown.get("_rev").and_then(Value::as_str).unwrap_or_default().trim_start_matches("0-").to_owned();
        shown.insert("_revisions".to_owned(), json!({ "start": 0, "ids": [number] }));
    }
    if is_known(headers, &etag) {
        return Ok(not_modified(&etag));
    }
    let mut response = answer(200, &Value::Object(shown));
    set(&mut response, header::ETAG, &etag);
    Ok(response)
}

/// `PUT /db/doc`
pub(in crate::serve) async fn put(place: &Place, id: &str, request: Request) -> Result<Response, Failure> {
    let options = Options::parse(&request.query)?;
    incoming::check_id(id)?;
    let location = location(&request.headers, &[place.database.name(), id]);
    let is_batch = request.query.get("batch") == Some("ok");
    let (headers, query, user) = (request.headers.clone(), request.query.clone(), request.user.clone());
    let named = query.get("rev").map(parse_revision).transpose()?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let document = if content_type.starts_with("multipart/related;") {
        let settle = |document: &mut Incoming| upon(document, id, named.clone(), &headers);
        multipart::receive(place, content_type, request.body, options.is_replicated, settle).await?
    } else {
        let mut document = Incoming::parse(body::json(request).await?)?;
        upon(&mut document, id, named, &headers)?;
        document
    };
    if options.is_replicated && document.hashes.is_empty() {
        let reason = "When `new_edits: false`, the document needs `_rev` or `_revisions` specified";
        return Err(Failure::bad_request(reason));
    }
    let (keeper, is_deleted, is_replicated) = (place.clone(), document.is_deleted, options.is_replicated);
    let written = blocking(move || write::one(&keeper, &user, document, is_replicated)).await;
    if is_batch && !content_type.starts_with("multipart/related;") {
        return Ok(answer(202, &json!({ "ok": true, "id": id })));
    }
    let mut response = written_as(if is_deleted { 200 } else { 201 }, id, &written?);
    set(&mut response, header::LOCATION, &location);
    Ok(response)
}

/// Settles the id and the revision that a write is upon: `_rev`, `rev=` and `If-Match` have to agree.
fn upon(document: &mut Incoming, id: &str, named: Option<(u64, String)>, headers: &HeaderMap) -> Result<(), Failure> {
    id.clone_into(&mut document.id);
    document.check_attachment_names()?;
    let own = document.hashes.first().map(|hash| (document.generation, hash.clone()));
    if own.is_some() && named.is_some() && own != named {
        let reason = "Document rev from request body and query string have different values";
        return Err(Failure::bad_request(reason));
    }
    let matched = matched(headers, own.clone().or(named))?;
    if own.is_none()
        && let Some((generation, hash)) = matched
    {
        (document.generation, document.hashes) = (generation, vec![hash]);
    }
    Ok(())
}

/// The revision that is named, or else that of `If-Match`.
pub(in crate::serve) fn matched(
    headers: &HeaderMap,
    named: Option<(u64, String)>,
) -> Result<Option<(u64, String)>, Failure> {
    let Some(etag) = headers.get(header::IF_MATCH) else { return Ok(named) };
    let etag = parse_revision(etag.to_str().unwrap_or_default().trim_matches('"'))?;
    if named.as_ref().is_some_and(|named| *named != etag) {
        return Err(Failure::bad_request("Document rev and etag have different values"));
    }
    Ok(Some(etag))
}

/// `DELETE /db/doc`
pub(in crate::serve) async fn delete(place: &Place, id: &str, request: Request) -> Result<Response, Failure> {
    let (keeper, owned, user) = (place.clone(), id.to_owned(), request.user.clone());
    let named = request.query.get("rev").map(parse_revision);
    let headers = request.headers.clone();
    let is_replicated = request.query.get("new_edits") == Some("false");
    let written = blocking(move || {
        if owned.starts_with("_local/") {
            local::read(&keeper.database, &owned)?;
        } else {
            open::winner(&keeper.database, &owned, &Options::default())?;
        }
        let mut document = Incoming { is_deleted: true, ..Incoming::default() };
        upon(&mut document, &owned, named.transpose()?, &headers)?;
        write::one(&keeper, &user, document, is_replicated)
    });
    Ok(written_as(200, id, &written.await?))
}

/// `COPY /db/doc`: the winner or a revision, with its attachments, as another document.
pub(in crate::serve) async fn copy(place: &Place, id: &str, request: Request) -> Result<Response, Failure> {
    let named = request.query.get("rev").map(parse_revision).transpose()?;
    let source = matched(&request.headers, named)?;
    let destination = request.headers.get("destination").and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let destination = destination.ok_or_else(|| Failure::bad_request("Destination header is mandatory for COPY."))?;
    let (target, upon) = destination_of(destination)?;
    incoming::check_id(&target)?;
    let location = location(&request.headers, &[place.database.name(), &target]);
    let (keeper, owned, user, copied) = (place.clone(), id.to_owned(), request.user, target.clone());
    let written = blocking(move || {
        let rev =
            source.map(|(generation, hash)| incoming::revision_of(&format!("{generation}-{hash}"))).transpose()?;
        let mut opened = open::one(&keeper.database, &owned, &Options { rev, ..Options::default() })?;
        hooks::before_show(&keeper, &user, &mut opened)?;
        let (generation, hashes) = upon.map_or((0, Vec::new()), |(generation, hash)| (generation, vec![hash]));
        let attachments = opened.body.attachments.into_iter().map(incoming::Attachment::from).collect();
        let members = opened.body.members;
        let (id, is_deleted) = (copied, opened.is_deleted);
        let document = Incoming { id, generation, hashes, is_deleted, members, attachments };
        write::one(&keeper, &user, document, false)
    });
    let mut response = written_as(201, &target, &written.await?);
    set(&mut response, header::LOCATION, &location);
    Ok(response)
}

/// `doc`, `doc?rev=…`, or the same as a whole address.
fn destination_of(destination: &str) -> Result<(String, Option<(u64, String)>), Failure> {
    let destination = destination.trim();
    if destination.starts_with("http://") || destination.starts_with("https://") {
        return Err(Failure::bad_request("Destination URL must be relative."));
    }
    let (id, query) = destination.split_once('?').unwrap_or((destination, ""));
    let revision = match query.strip_prefix("rev=") {
        Some(revision) => Some(parse_revision(&path::decode(revision)?)?),
        None if query.is_empty() => None,
        None => return Err(Failure::bad_request("Invalid destination revision")),
    };
    Ok((path::decode(id)?, revision))
}

/// `POST /db`
pub(in crate::serve) async fn post(place: &Place, request: Request) -> Result<Response, Failure> {
    body::require_json(&request.headers)?;
    let is_batch = request.query.get("batch") == Some("ok");
    let (headers, user) = (request.headers.clone(), request.user.clone());
    let mut document = Incoming::parse(body::json(request).await?)?;
    document.check_attachment_names()?;
    if document.id.is_empty() {
        document.id = new_id();
        (document.generation, document.hashes) = (0, Vec::new());
    }
    let (keeper, id) = (place.clone(), document.id.clone());
    let written = blocking(move || write::one(&keeper, &user, document, false)).await;
    if is_batch {
        return Ok(answer(202, &json!({ "ok": true, "id": id })));
    }
    let mut response = answer(201, &json!({ "ok": true, "id": id, "rev": written? }));
    set(&mut response, header::LOCATION, &location(&headers, &[place.database.name(), &id]));
    Ok(response)
}

/// An id for a document that has none.
pub(in crate::serve) fn new_id() -> String {
    format!("{}{}", crate::random::hexadecimal(), crate::random::hexadecimal())
}

fn written_as(status: u16, id: &str, revision: &str) -> Response {
    let mut response = answer(status, &json!({ "ok": true, "id": id, "rev": revision }));
    set(&mut response, header::ETAG, &format!("\"{revision}\""));
    response
}

/// The address of something, as the client addressed the server.
pub(in crate::serve) fn location(headers: &HeaderMap, segments: &[&str]) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path: String = segments.iter().map(|segment| format!("/{}", path::encode(segment))).collect();
    format!("http://{host}{path}")
}

/// Whether the client has what this ETag is of.
pub(in crate::serve) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let Some(known) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else { return false };
    // A weak tag is taken for the strong one, and `*` for none (`couch_httpd:etag_match`).
    known.split(',').map(str::trim).any(|known| known.strip_prefix("W/").unwrap_or(known) == etag)
}

/// 304
pub(in crate::serve) fn not_modified(etag: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    set(&mut response, header::ETAG, etag);
    response
}

/// Sets a header; what cannot stand in one is left out.
pub(in crate::serve) fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
