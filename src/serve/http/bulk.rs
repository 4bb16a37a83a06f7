//! Many documents in one request: `_bulk_docs`, `_revs_diff`, `_missing_revs`; `_bulk_get` is in `get`.

use axum::response::Response;
use serde_json::{Value, json};

use super::body;
use super::documents::incoming::{Incoming, revisions_of};
use super::documents::{new_id, write};
use super::request::{Place, Request, answer, blocking};
use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;

pub(in crate::serve) mod get;

/// `POST /db/_bulk_docs`
pub(in crate::serve) async fn docs(place: &Place, request: Request) -> Result<Response, Failure> {
    body::require_json(&request.headers)?;
    let user = request.user.clone();
    let mut members = body::object(request).await?;
    let documents = match members.remove("docs") {
        Some(Value::Array(documents)) => documents,
        Some(_) => return Err(Failure::bad_request("`docs` parameter must be an array.")),
        None => return Err(Failure::bad_request("POST body must include `docs` parameter.")),
    };
    let new_edits = members.get("new_edits").cloned().unwrap_or(Value::Bool(true));
    let is_atomic = members.get("all_or_nothing") == Some(&Value::Bool(true));
    let place = place.clone();
    let rows = blocking(move || {
        // Anything but `true` asks for revisions; what is no boolean is refused behind that.
        let is_replicated = new_edits != Value::Bool(true);
        let documents = documents.into_iter().map(|value| take(value, is_replicated));
        let documents = documents.collect::<Result<Vec<Incoming>, Failure>>()?;
        if !new_edits.is_boolean() {
            return Err(Failure::bad_request("`new_edits` parameter must be a boolean."));
        }
        if is_atomic && !is_replicated {
            return Ok((417, Value::Array(documents.iter().map(refuse_atomic).collect())));
        }
        let named: Vec<(String, Option<String>)> = documents.iter().map(name_of).collect();
        let fates = write::many(&place, &user, documents, is_replicated)?;
        let rows = named.iter().zip(fates).filter_map(|((id, revision), fate)| {
            if !is_replicated {
                return Some(fate.row(id));
            }
            let failure = fate.into_revision().err()?;
            Some(json!({ "id": id, "rev": revision, "error": failure.error, "reason": failure.reason }))
        });
        Ok((201, Value::Array(rows.collect())))
    });
    let (status, rows) = rows.await?;
    Ok(answer(status, &rows))
}

fn refuse_atomic(document: &Incoming) -> Value {
    let revision = name_of(document).1.unwrap_or_else(|| "0-".to_owned());
    let reason = "all_or_nothing is not supported";
    json!({ "id": document.id, "rev": revision, "error": "not_implemented", "reason": reason })
}

fn take(value: Value, is_replicated: bool) -> Result<Incoming, Failure> {
    let mut document = Incoming::parse(value)?;
    if is_replicated && document.hashes.is_empty() {
        let reason = "When `new_edits: false`, the document needs `_rev` or `_revisions` specified";
        return Err(Failure::bad_request(reason));
    }
    document.check_attachment_names()?;
    if document.id.is_empty() {
        document.id = new_id();
    }
    Ok(document)
}

fn name_of(document: &Incoming) -> (String, Option<String>) {
    let revision = document.hashes.first().map(|hash| format!("{}-{hash}", document.generation));
    (document.id.clone(), revision)
}

/// What of the revisions that a client has is not here.
struct Difference {
    id: String,
    missing: Vec<Revision>,
    possible_ancestors: Vec<Revision>,
}

async fn differences(place: &Place, request: Request) -> Result<Vec<Difference>, Failure> {
    body::require_json(&request.headers)?;
    let members = body::object(request).await?;
    let place = place.clone();
    blocking(move || {
        let wanted = members.iter().map(|(id, revisions)| Ok((id.as_str(), revisions_of(revisions)?)));
        let wanted = wanted.collect::<Result<Vec<_>, Failure>>()?;
        let ids: Vec<&str> = wanted.iter().map(|(id, _)| *id).collect();
        let documents = place.database.documents(&ids)?;
        let differences = wanted.into_iter().zip(documents).map(|((id, revisions), document)| {
            let (missing, possible_ancestors) = match document {
                None => (revisions, Vec::new()),
                Some(document) => {
                    let missing = document.tree.missing(&revisions);
                    let ancestors = document.tree.possible_ancestors(&missing);
                    (missing, ancestors)
                }
            };
            Difference { id: id.to_owned(), missing, possible_ancestors }
        });
        Ok(differences.filter(|difference| !difference.missing.is_empty()).collect())
    })
    .await
}

/// `POST /db/_revs_diff`
pub(in crate::serve) async fn revs_diff(place: &Place, request: Request) -> Result<Response, Failure> {
    let differences = differences(place, request).await?;
    let members = differences.into_iter().map(|difference| {
        let mut told = Object::new();
        told.insert("missing".to_owned(), texts(&difference.missing));
        if !difference.possible_ancestors.is_empty() {
            told.insert("possible_ancestors".to_owned(), texts(&difference.possible_ancestors));
        }
        (difference.id, Value::Object(told))
    });
    Ok(answer(200, &Value::Object(members.collect())))
}

/// `POST /db/_missing_revs`
pub(in crate::serve) async fn missing_revs(place: &Place, request: Request) -> Result<Response, Failure> {
    let differences = differences(place, request).await?;
    let members: Object =
        differences.into_iter().map(|difference| (difference.id, texts(&difference.missing))).collect();
    Ok(answer(200, &json!({ "missing_revs": members })))
}

fn texts(revisions: &[Revision]) -> Value {
    revisions.iter().map(|revision| Value::from(revision.as_str())).collect()
}
