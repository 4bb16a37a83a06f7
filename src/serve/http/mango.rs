//! `_find`, `_explain`, `_index`.

use axum::response::Response;
use serde_json::json;

use super::body;
use super::produce::{self, produce};
use super::request::{Place, Request, answer, blocking};
use crate::serve::failure::Failure;
use crate::serve::mango::options::Options;
use crate::serve::mango::{explain, find, indexes};

/// `POST /db/_find`
pub(in crate::serve) async fn find(place: &Place, request: Request) -> Result<Response, Failure> {
    let options = options(request).await?;
    let place = place.clone();
    produce(produce::head(200, "application/json"), move |sink| {
        let server = &place.server;
        let place = find::Place { database: &place.database, views: server.views(), functions: server.functions() };
        find::write(&place, &options, sink)
    })
    .await
}

/// `POST /db/_explain`
pub(in crate::serve) async fn explain(place: &Place, request: Request) -> Result<Response, Failure> {
    let options = options(request).await?;
    let place = place.clone();
    Ok(answer(200, &blocking(move || explain::explain(&place.database, &options)).await?))
}

async fn options(request: Request) -> Result<Options, Failure> {
    body::require_json(&request.headers)?;
    let partition = request.query.get("partition").is_some();
    let members = body::object(request).await?;
    if partition {
        return Err(Failure::query("`partition` parameter is not supported on this db"));
    }
    Options::parse(&members)
}

/// `GET /db/_index`
pub(in crate::serve) async fn list_indexes(place: &Place, request: Request) -> Result<Response, Failure> {
    let place = place.clone();
    let list = move || indexes::list(&place, request.query.get("limit"), request.query.get("skip"));
    Ok(answer(200, &blocking(list).await?))
}

/// `POST /db/_index`
pub(in crate::serve) async fn create_index(place: &Place, request: Request) -> Result<Response, Failure> {
    body::require_json(&request.headers)?;
    let (place, user) = (place.clone(), request.user.clone());
    let members = body::object(request).await?;
    Ok(answer(200, &blocking(move || indexes::create(&place, &user, &members)).await?))
}

/// `DELETE /db/_index/{ddoc}/json/{name}`, with or without `_design/`
pub(in crate::serve) async fn delete_index(
    place: &Place,
    design: &str,
    kind: &str,
    name: &str,
    request: Request,
) -> Result<Response, Failure> {
    if kind != "json" {
        return Err(Failure::not_found("missing"));
    }
    let (place, design, name) = (place.clone(), design.to_owned(), name.to_owned());
    blocking(move || indexes::delete(&place, &request.user, &design, &name)).await?;
    Ok(answer(200, &json!({ "ok": true })))
}

/// `POST /db/_index/_bulk_delete`
pub(in crate::serve) async fn delete_indexes(place: &Place, request: Request) -> Result<Response, Failure> {
    body::require_json(&request.headers)?;
    let (place, user) = (place.clone(), request.user.clone());
    let members = body::object(request).await?;
    Ok(answer(200, &blocking(move || indexes::bulk_delete(&place, &user, &members)).await?))
}
