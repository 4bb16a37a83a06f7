//! The table of what exists: from method and segments to a handler.

use std::sync::Arc;

use axum::http::header::ALLOW;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::design;
use super::documents::options::Options;
use super::request::{Place, Request, blocking};
use super::{Server, attachments, bulk, changes, databases, documents, empty, listing, mango, server_wide, views};
use crate::serve::failure::Failure;
use crate::serve::users::User;
use crate::serve::users::access;

type Answer = Result<Response, Failure>;

/// What a database of CouchDB has, and one of this endpoint has not.
const ABSENT: [&str; 9] = [
    "_nouveau",
    "_nouveau_cleanup",
    "_partition",
    "_purge",
    "_purged_infos",
    "_search",
    "_search_cleanup",
    "_shards",
    "_sync_shards",
];

/// How often a request may be rewritten (`rewrite_limit`).
const REWRITES: usize = 100;

/// Answers a request, or what it is rewritten to.
pub(super) async fn dispatch(server: &Arc<Server>, mut request: Request) -> Answer {
    for _ in 0..=REWRITES {
        let mut response = once(server, request).await?;
        match design::again(&mut response) {
            None => return Ok(response),
            Some(next) => request = next,
        }
    }
    Err(Failure::bad_request("Exceeded rewrite recursion limit"))
}

/// Finds who answers a request.
async fn once(server: &Arc<Server>, mut request: Request) -> Answer {
    let first = request.segments.first().cloned().unwrap_or_default();
    match first.as_str() {
        ""
        | "_all_dbs"
        | "_dbs_info"
        | "_active_tasks"
        | "_uuids"
        | "_up"
        | "_session"
        | "_node"
        | "_replicate"
        | "_scheduler"
        | "_utils"
        | "_membership"
        | "_cluster_setup"
        | "_db_updates"
        | "_search_analyze"
        | "_nouveau_analyze"
        | "_reshard"
        | "_reload_query_servers"
        | "favicon.ico" => server_wide::handle(server, request).await,
        name => {
            request.segments.remove(0);
            database(server, name, request).await
        }
    }
}

/// What belongs to a database.
async fn database(server: &Arc<Server>, name: &str, request: Request) -> Answer {
    let segments: Vec<String> = request.segments.clone();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    access::authorize_name(&request.method, name, &segments, &request.user)?;
    match (request.method.as_str(), segments.as_slice()) {
        ("PUT", []) => return databases::create(server, name, request).await,
        ("DELETE", []) => return databases::delete(server, name, request).await,
        _ => {}
    }
    let place = enter(server, name, request.segments.clone(), request.user.clone()).await?;
    match segments.as_slice() {
        [] => whole(&place, request).await,
        ["_design", rest @ ..] => app(&place, rest, request).await,
        ["_local", rest @ ..] => local(&place, rest, request).await,
        [first, rest @ ..] if first.starts_with('_') => special(&place, first, rest, request).await,
        [id] => document(&place, id, request).await,
        [id, name @ ..] => attachment(&place, id, &name.join("/"), request).await,
    }
}

/// The database, if whoever asks may ask it for this at all.
async fn enter(server: &Arc<Server>, name: &str, segments: Vec<String>, user: User) -> Result<Place, Failure> {
    // Another thread would cost as much as the rest of a small request.
    if access::is_server_admin(&user)
        && let Some(database) = server.store().opened(name)
    {
        return Ok(Place { server: Arc::clone(server), database });
    }
    let (keeper, name) = (Arc::clone(server), name.to_owned());
    let database = blocking(move || {
        let database = keeper.store().database(&name)?;
        if !access::is_server_admin(&user) {
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            access::authorize_database(&segments, &access::security(&database)?, &user)?;
        }
        Ok(database)
    });
    Ok(Place { server: Arc::clone(server), database: database.await? })
}

/// `/db`
async fn whole(place: &Place, request: Request) -> Answer {
    match request.method.as_str() {
        "GET" => databases::get(place, request).await,
        "POST" => documents::post(place, request).await,
        _ => Ok(not_allowed("DELETE,GET,HEAD,POST")),
    }
}

/// `/db/_something`
async fn special(place: &Place, first: &str, rest: &[&str], request: Request) -> Answer {
    match (request.method.as_str(), first, rest) {
        ("POST", "_bulk_docs", []) => bulk::docs(place, request).await,
        ("POST", "_bulk_get", []) => bulk::get::handle(place, request).await,
        ("POST", "_revs_diff", []) => bulk::revs_diff(place, request).await,
        ("POST", "_missing_revs", []) => bulk::missing_revs(place, request).await,
        ("GET" | "POST", "_all_docs" | "_design_docs" | "_local_docs", []) => {
            listing::documents(place, first, request).await
        }
        ("POST", "_all_docs" | "_design_docs" | "_local_docs", ["queries"]) => {
            listing::queries(place, first, request).await
        }
        (_, "_all_docs" | "_design_docs" | "_local_docs", []) => Ok(not_allowed("GET,HEAD,POST")),
        ("POST", "_find", []) => mango::find(place, request).await,
        ("POST", "_explain", []) => mango::explain(place, request).await,
        (_, "_index", rest) => indexes(place, rest, request).await,
        (_, "_changes", []) => changes::changes(place, request).await,
        (_, "_security", []) => databases::security(place, request).await,
        (_, "_purged_infos_limit", []) => databases::purged_infos_limit(&request),
        (_, "_revs_limit", []) => databases::revs_limit(place, request).await,
        (_, "_compact", []) => databases::compact(place, request).await,
        (_, "_ensure_full_commit", []) => databases::ensure_full_commit(place, request).await,
        ("POST", "_view_cleanup", []) => views::clean(place).await,
        ("POST", "_compact", [design]) => views::compact(place, design, request).await,
        (
            _,
            "_bulk_docs" | "_bulk_get" | "_revs_diff" | "_missing_revs" | "_find" | "_explain" | "_view_cleanup",
            [],
        )
        | (_, "_all_docs" | "_design_docs" | "_local_docs", ["queries"])
        | (_, "_compact", [_]) => Ok(not_allowed("POST")),
        (_, "_temp_view", []) => views::temporary(),
        _ if ABSENT.contains(&first) => Err(Failure::absent(first)),
        (_, id, []) => document(place, id, request).await,
        (_, id, name) => attachment(place, id, &name.join("/"), request).await,
    }
}

/// `/db/_index…`
async fn indexes(place: &Place, rest: &[&str], request: Request) -> Answer {
    match (request.method.as_str(), rest) {
        ("GET", []) => mango::list_indexes(place, request).await,
        ("POST", []) => mango::create_index(place, request).await,
        (_, []) => Ok(not_allowed("GET,POST")),
        ("POST", ["_bulk_delete"]) => mango::delete_indexes(place, request).await,
        (_, ["_bulk_delete"]) => Ok(not_allowed("POST")),
        ("DELETE", ["_design", design, kind, name] | [design, kind, name]) => {
            mango::delete_index(place, design, kind, name, request).await
        }
        (_, ["_design", _, _, _] | [_, _, _]) => Ok(not_allowed("DELETE")),
        _ => Err(Failure::not_found("missing")),
    }
}

/// `/db/_design/{ddoc}/_view…`
async fn view(place: &Place, design: &str, rest: &[&str], request: Request) -> Answer {
    match (request.method.as_str(), rest) {
        ("GET" | "POST", [name]) => views::view(place, design, name, request).await,
        ("POST", [name, "queries"]) => views::queries(place, design, name, request).await,
        (_, [_, "queries"]) => Ok(not_allowed("POST")),
        _ => Ok(not_allowed("GET,POST,HEAD")),
    }
}

/// `/db/_design/…`: with a plain slash the name is one segment, and what follows a function or an attachment.
async fn app(place: &Place, rest: &[&str], request: Request) -> Answer {
    let answer = part_of_app(place, rest, request).await;
    let is_refused = answer.as_ref().is_ok_and(|response| response.status() == StatusCode::METHOD_NOT_ALLOWED);
    if let [name, part, ..] = rest
        && part.starts_with('_')
        && is_refused
    {
        // Whether there is such an app is found out before whether it can do that.
        let (database, id) = (Arc::clone(&place.database), format!("_design/{name}"));
        blocking(move || documents::open::winner(&database, &id, &Options::default())).await?;
    }
    answer
}

async fn part_of_app(place: &Place, rest: &[&str], request: Request) -> Answer {
    match rest {
        [] => document(place, "_design", request).await,
        [name] => document(place, &format!("_design/{name}"), request).await,
        [name, "_view", rest @ ..] => view(place, name, rest, request).await,
        [name, "_info"] => match request.method.as_str() {
            "GET" => views::info(place, name).await,
            _ => Ok(not_allowed("GET")),
        },
        [_, "_show", ..] => design::show(place, request).await,
        [_, "_list", ..] => design::list(place, request).await,
        [_, "_update", ..] => design::update(place, request).await,
        [_, "_rewrite", ..] => design::rewrite(place, request).await,
        [_, function @ ("_search" | "_search_info" | "_search_disk_size" | "_nouveau" | "_nouveau_info"), ..] => {
            Err(Failure::absent(function))
        }
        [name, attachment_name @ ..] => {
            attachment(place, &format!("_design/{name}"), &attachment_name.join("/"), request).await
        }
    }
}

/// `/db/_local/…`
async fn local(place: &Place, rest: &[&str], request: Request) -> Answer {
    match rest {
        [] => Err(Failure::bad_request("Invalid _local document id.")),
        [name] => document(place, &format!("_local/{name}"), request).await,
        _ => Err(Failure::bad_request("_local documents do not accept attachments.")),
    }
}

/// A document by its id, which may have come as one segment (`_design%2Fx`).
async fn document(place: &Place, id: &str, request: Request) -> Answer {
    if id == "_local/" {
        return Err(Failure::bad_request("Invalid _local document id."));
    }
    match request.method.as_str() {
        "GET" if id.starts_with("_design/") && has_escaped_slash(&request.target) => redirect(&request),
        "GET" => documents::get(place, id, request).await,
        "PUT" => documents::put(place, id, request).await,
        "DELETE" => documents::delete(place, id, request).await,
        "COPY" => documents::copy(place, id, request).await,
        "POST" => documents::form::post(place, id, request).await,
        _ => Ok(not_allowed("DELETE,GET,HEAD,POST,PUT,COPY")),
    }
}

/// An attachment of a document.
async fn attachment(place: &Place, id: &str, name: &str, request: Request) -> Answer {
    match request.method.as_str() {
        "GET" if id.starts_with("_design/") && has_escaped_slash(&request.target) => redirect(&request),
        "GET" => attachments::get(place, id, name, request).await,
        "PUT" => attachments::put(place, id, name, request).await,
        "DELETE" => attachments::delete(place, id, name, request).await,
        _ => Ok(not_allowed("DELETE,GET,HEAD,PUT")),
    }
}

/// Whether a design document was asked for with an escaped slash.
fn has_escaped_slash(target: &str) -> bool {
    escaped_slash(target).is_some()
}

/// `_design/` with its slash escaped.
const ESCAPED: &str = "_design%2F";

/// Where it begins. It counts behind the database only: names of attachments and parameters may be anything.
fn escaped_slash(target: &str) -> Option<usize> {
    let path = target.split('?').next().unwrap_or_default();
    let segments = path.split('/').scan(0, |next, segment| {
        let start = std::mem::replace(next, *next + segment.len() + 1);
        Some((start, segment))
    });
    let (start, id) = segments.filter(|(_, segment)| !segment.is_empty()).nth(1)?;
    id.get(..ESCAPED.len()).filter(|begin| begin.eq_ignore_ascii_case(ESCAPED)).map(|_| start)
}

/// CouchDB sends those who escape the slash of `_design/` to the plain one.
fn redirect(request: &Request) -> Answer {
    let target = request.target.as_str();
    let at = escaped_slash(target).ok_or_else(|| Failure::not_found("missing"))?;
    let (before, behind) = (&target[..at], &target[at + ESCAPED.len()..]);
    let plain = format!("{}{before}_design/{behind}", documents::location(&request.headers, &[]));
    let mut response = empty(StatusCode::MOVED_PERMANENTLY);
    let location = HeaderValue::from_str(&plain).map_err(|_| Failure::bad_request("invalid_url_encoding"))?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// 405, with what is allowed.
pub(in crate::serve) fn not_allowed(methods: &'static str) -> Response {
    let mut response = Failure::new(405, "method_not_allowed", format!("Only {methods} allowed")).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}
