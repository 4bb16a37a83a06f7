//! What belongs to the whole server: the greeting, ids, the configuration, and what is not there.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/server/common.html>

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::dispatch::not_allowed;
use super::documents::{new_id, set};
use super::request::{Request, answer};
use super::{NODE, Server, body, databases, empty, replication, scheduler, session};
use crate::serve::failure::Failure;
use crate::serve::users::access;

/// So many ids at once at most: CouchDB's `[uuids] max_count`.
const MOST_IDS: u64 = 1_000;

/// Answers what belongs to the whole server; `segments` are all of the path.
pub(in crate::serve) async fn handle(server: &Arc<Server>, request: Request) -> Result<Response, Failure> {
    let segments: Vec<String> = request.segments.clone();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let may_see_names = matches!(segments.as_slice(), ["_all_dbs" | "_dbs_info", ..])
        && !server.configuration().is("chttpd", "admin_only_all_dbs", true);
    if !may_see_names {
        access::authorize_server_wide(&request.method, &segments, &request.user)?;
    }
    match segments.as_slice() {
        [] => reading(&request, || welcome(server)),
        ["_up"] => reading(&request, || answer(200, &json!({ "status": "ok", "seeds": {} }))),
        ["_uuids"] => ids(&request),
        ["_session"] => session::session(server, request).await,
        ["_all_dbs"] => databases::all(server, request).await,
        ["_dbs_info"] => databases::infos(server, request).await,
        ["_active_tasks"] => reading(&request, || scheduler::tasks(server)),
        ["_replicate"] => replication::replicate(server, request).await,
        ["_scheduler", rest @ ..] => scheduler::scheduler(server, rest, request).await,
        ["_membership"] => {
            let nodes = json!({ "all_nodes": [NODE], "cluster_nodes": [NODE] });
            reading(&request, || answer(200, &nodes))
        }
        ["_node", node, rest @ ..] => configure(server, node, rest, request).await,
        ["_utils", ..] => {
            Err(Failure::absent("/_utils (Fauxton; use `couchapp`, or the pages of the app that you develop)"))
        }
        ["favicon.ico"] => Ok(no_icon()),
        segments => Err(Failure::absent(&format!("/{}", segments.join("/")))),
    }
}

fn reading(request: &Request, respond: impl FnOnce() -> Response) -> Result<Response, Failure> {
    Ok(if request.method == "GET" { respond() } else { not_allowed("GET,HEAD") })
}

/// `GET /`: clients look for CouchDB's words, our own for the vendor.
fn welcome(server: &Server) -> Response {
    let welcome = json!({
        "couchdb": "Welcome",
        "version": "3.5.0",
        "uuid": server.uuid(),
        "features": ["access-ready", "pluggable-storage-engines"],
        "vendor": { "name": "couchapp", "version": env!("CARGO_PKG_VERSION") },
    });
    answer(200, &welcome)
}

/// `GET /_uuids`
fn ids(request: &Request) -> Result<Response, Failure> {
    if request.method != "GET" {
        return Ok(not_allowed("GET"));
    }
    let count = request.query.get("count").map_or(Ok(1), str::parse::<u64>);
    let count = count.map_err(|_| Failure::bad_request("count must be a positive integer"))?;
    if count > MOST_IDS {
        return Err(Failure::bad_request("count parameter too large"));
    }
    let ids: Vec<String> = (0..count).map(|_| new_id()).collect();
    let mut response = answer(200, &json!({ "uuids": ids }));
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::EXPIRES, "Mon, 01 Jan 1990 00:00:00 GMT"),
        (header::PRAGMA, "no-cache"),
        (header::ETAG, &format!("\"{}\"", new_id())),
    ] {
        set(&mut response, name, value);
    }
    Ok(response)
}

fn no_icon() -> Response {
    let mut response = empty(StatusCode::NOT_FOUND);
    set(&mut response, header::CACHE_CONTROL, "public, max-age=31536000");
    response
}

/// `/_node/_local` and what is beneath it.
async fn configure(server: &Server, node: &str, rest: &[&str], request: Request) -> Result<Response, Failure> {
    if node != "_local" && node != NODE {
        return Err(Failure::new(412, "nodedown", format!("{node} is down")));
    }
    let configuration = server.configuration();
    let unknown = || Failure::not_found("unknown_config_value");
    match (rest, request.method.as_str()) {
        ([], "GET") => Ok(answer(200, &json!({ "name": NODE }))),
        (["_config"], "GET") => Ok(answer(200, &Value::Object(configuration.all()))),
        (["_config", section], "GET") => Ok(answer(200, &Value::Object(configuration.section(section)))),
        (["_config", section, key], "GET") => {
            Ok(answer(200, &configuration.get(section, key).ok_or_else(unknown)?.into()))
        }
        (["_config", section, key], "DELETE") => {
            Ok(answer(200, &configuration.remove(section, key).ok_or_else(unknown)?.into()))
        }
        (["_config", section, key], "PUT") => match body::json(request).await? {
            Value::String(value) => Ok(answer(200, &configuration.set(section, key, &value)?.into())),
            _ => Err(Failure::bad_request("a JSON string expected")),
        },
        (["_config", _, _], _) => Ok(not_allowed("GET,PUT,DELETE")),
        (["_stats", path @ ..], "GET") => {
            let all = server.statistics().all();
            // CouchDB has nothing to say of what it does not count, and says that.
            Ok(answer(200, path.iter().try_fold(&all, |part, name| part.get(name)).unwrap_or(&Value::Null)))
        }
        ([] | ["_config"] | ["_config", _] | ["_stats", ..], _) => Ok(not_allowed("GET")),
        _ => Err(Failure::absent(&format!("/_node/_local/{}", rest.join("/")))),
    }
}
