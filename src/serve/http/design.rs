//! What design documents answer with their functions: `_show`, `_list`, `_update` and `_rewrite`.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/ddoc/render.html>, `chttpd_show.erl` and `chttpd_rewrite.erl`.

use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use self::external::External;
use self::object::Asked;
use super::body;
use super::designs::Known;
use super::documents::incoming::Incoming;
use super::documents::open::{self, Opened};
use super::documents::options::Options;
use super::documents::{is_known, not_modified, show as shown, write};
use super::path;
use super::request::{Place, Request, blocking};
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::Updated;

mod external;
mod lines;
mod list;
mod object;
mod rewrite;
mod rules;

pub(in crate::serve) use self::list::list;
pub(in crate::serve) use self::rewrite::{again, rewrite};

/// So many ancestors are told to functions (`query_server_config/revs_limit`).
const REVISIONS: usize = 20;

/// Opens the design document of a request. Blocks.
fn known(place: &Place, name: &str) -> Result<Known, Failure> {
    let id = format!("_design/{name}");
    let document = place.database.document(&id)?.ok_or_else(|| Failure::not_found("missing"))?;
    let leaf = document.tree.winner().ok_or_else(|| Failure::not_found("missing"))?;
    if leaf.is_deleted {
        return Err(Failure::not_found("deleted"));
    }
    place.server.design(&place.database, &id, &leaf.revision)?.ok_or_else(|| Failure::not_found("missing"))
}

/// Whether a function is there, before anything else is done.
fn require(document: &Object, kind: &str, name: &str) -> Result<(), Failure> {
    let missing = |key: &str| Failure::not_found(format!("missing json key: {key}"));
    let functions = document.get(kind).ok_or_else(|| missing(kind))?;
    functions.get(name).map(drop).ok_or_else(|| missing(name))
}

/// A request whose body was read.
struct Whole {
    method: Method,
    segments: Vec<String>,
    headers: HeaderMap,
    asked: Asked,
}

impl Whole {
    async fn read(request: Request) -> Result<Self, Failure> {
        let has_body =
            request.headers.contains_key("content-length") || request.headers.contains_key("transfer-encoding");
        let bytes = body::bytes(&request.headers, request.body, body::LARGEST_JSON).await?;
        let asked = Asked {
            method: request.method.clone(),
            target: request.target,
            query: request.query,
            headers: request.headers.clone(),
            body: (has_body || !bytes.is_empty()).then_some(bytes),
            json: None,
            user: request.user,
        };
        Ok(Self { method: request.method, segments: request.segments, headers: request.headers, asked })
    }

    /// The segment at `at`.
    fn segment(&self, at: usize) -> &str {
        self.segments.get(at).map_or("", String::as_str)
    }

    /// The document's id: everything from `at` on.
    fn id(&self, at: usize) -> Option<String> {
        self.segments.get(at..).filter(|rest| !rest.is_empty()).map(|rest| rest.join("/"))
    }
}

/// The winner of a document as functions see it, if it is there. Blocks.
fn document(place: &Place, id: Option<&str>) -> Result<Option<(Opened, String)>, Failure> {
    let Some(id) = id else { return Ok(None) };
    let options = Options { conflicts: true, revs: true, ..Options::default() };
    let mut opened = match open::winner(&place.database, id, &options) {
        Ok(opened) => opened,
        Err(failure) if failure.status == StatusCode::NOT_FOUND => return Ok(None),
        Err(failure) => return Err(failure),
    };
    opened.history.truncate(REVISIONS);
    let text = Value::Object(shown::stubbed(&opened, &options)).to_string();
    Ok(Some((opened, text)))
}

/// `/db/_design/app/_show/name[/doc]`
pub(in crate::serve) async fn show(place: &Place, request: Request) -> Result<Response, Failure> {
    if request.segments.len() < 4 {
        return Err(Failure::new(404, "show_error", "Invalid path."));
    }
    let whole = Whole::read(request).await?;
    let keeper = place.clone();
    blocking(move || {
        let (place, name, id) = (keeper, whole.segment(3), whole.id(4));
        let document = document(&place, id.as_deref())?;
        let known = known(&place, whole.segment(1))?;
        require(&known.document, "shows", name)?;
        let revision = document.as_ref().and_then(|(opened, _)| opened.revision());
        let etag = etag(&whole, &known, revision.map_or("", |revision| revision.as_str()));
        if is_known(&whole.headers, &etag) {
            return Ok(not_modified(&etag));
        }
        let object = whole.asked.object(&place, &whole.segments, id.as_deref(), &object::FIELDS)?;
        let text = document.as_ref().map(|(_, text)| text.as_str());
        let told = place.server.functions().show(&known.design, name, text, &object.to_string())?;
        let mut external = External::parse(&told)?;
        external.set("ETag", &etag);
        external.set("Vary", "Accept");
        external.respond(place.server.csp())
    })
    .await
}

/// What an answer of a show depends on.
fn etag(whole: &Whole, known: &Known, revision: &str) -> String {
    use sha2::{Digest, Sha256};
    let accept = whole.headers.get("accept").map(|value| value.as_bytes().to_vec()).unwrap_or_default();
    let design = known.document.get("_rev").and_then(Value::as_str).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [design.as_bytes(), revision.as_bytes(), &accept, whole.asked.user.roles.join("\n").as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    let digest = crate::hexadecimal::encode(&hash.finalize()).to_uppercase();
    format!("\"{}\"", digest.get(..25).unwrap_or(&digest))
}

/// `/db/_design/app/_update/name[/doc]`
pub(in crate::serve) async fn update(place: &Place, request: Request) -> Result<Response, Failure> {
    if request.segments.len() < 4 {
        return Err(Failure::new(404, "update_error", "Invalid path."));
    }
    let whole = Whole::read(request).await?;
    let keeper = place.clone();
    blocking(move || {
        let (place, name, id) = (keeper, whole.segment(3), whole.id(4));
        let document = document(&place, id.as_deref())?;
        let known = known(&place, whole.segment(1))?;
        require(&known.document, "updates", name)?;
        let object = whole.asked.object(&place, &whole.segments, id.as_deref(), &object::FIELDS)?;
        let text = document.as_ref().map(|(_, text)| text.as_str());
        let functions = place.server.functions();
        let Updated { document, response } = functions.update(&known.design, name, text, &object.to_string())?;
        let mut external = External::parse(&response)?;
        if let Some(document) = document {
            let document = Incoming::parse(body::parse(document.as_bytes())?)?;
            super::documents::incoming::check_id(&document.id)?;
            let id = document.id.clone();
            let revision = write::one(&place, &whole.asked.user, document, false)?;
            external.set("X-Couch-Update-NewRev", &revision);
            external.set("X-Couch-Id", &path::encode(&id));
            external.code.get_or_insert(201);
        }
        external.respond(place.server.csp())
    })
    .await
}

/// The body of a request that goes on.
fn body_of(bytes: Option<Bytes>) -> Body {
    bytes.map_or_else(Body::empty, Body::from)
}
