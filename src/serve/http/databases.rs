//! Databases: made, removed, described, and their settings.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/database/common.html>

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::changes::sequence;
use super::dispatch::not_allowed;
use super::documents::{is_known, location, not_modified, set};
use super::request::{Place, Query, Request, answer, blocking};
use super::{Server, body};
use crate::hexadecimal;
use crate::name::DbName;
use crate::serve::failure::Failure;
use crate::serve::store::{Database, StoreError};
use crate::serve::users::password::seal;
use crate::serve::users::{access, account};

/// So many at once at most: CouchDB's `max_db_number_for_dbs_info_req`.
const MOST_INFOS: usize = 100;

/// How many revisions a database remembers of a document, unless it is told otherwise.
pub(in crate::serve) const REVISIONS: u64 = 1_000;

/// `PUT /{db}`
pub(in crate::serve) async fn create(server: &Arc<Server>, name: &str, request: Request) -> Result<Response, Failure> {
    access::require_server_admin(&request.user)?;
    check_name(name)?;
    check_options(&request)?;
    let (keeper, owned) = (Arc::clone(server), name.to_owned());
    blocking(move || {
        let database = keeper.store().create(&owned)?;
        Ok(database.set("security", &access::default_security())?)
    })
    .await?;
    let mut response = answer(201, &json!({ "ok": true }));
    set(&mut response, header::LOCATION, &location(&request.headers, &[name]));
    Ok(response)
}

fn check_name(name: &str) -> Result<(), Failure> {
    if name.starts_with('_') && !matches!(name, "_users" | "_replicator" | "_global_changes")
        || DbName::new(name).is_err()
    {
        let reason = format!(
            "Name: '{name}'. Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, and \
             / are allowed. Must begin with a letter."
        );
        return Err(Failure::new(400, "illegal_database_name", reason));
    }
    Ok(())
}

/// One node has one copy of everything, in one piece.
fn check_options(request: &Request) -> Result<(), Failure> {
    for name in ["q", "n"] {
        let is_number = |text: &str| text.parse::<u32>().is_ok_and(|number| number > 0);
        if request.query.get(name).is_some_and(|text| !is_number(text)) {
            return Err(Failure::bad_request(format!("The `{name}` value should be a positive integer.")));
        }
    }
    match request.query.get("partitioned") {
        None | Some("false") => Ok(()),
        Some("true") => Err(Failure::absent("a partitioned database")),
        Some(_) => Err(Failure::bad_request("Invalid `partitioned` parameter")),
    }
}

/// `DELETE /{db}`
pub(in crate::serve) async fn delete(server: &Arc<Server>, name: &str, request: Request) -> Result<Response, Failure> {
    access::require_server_admin(&request.user)?;
    if request.query.get("rev").is_some() {
        let reason =
            "You tried to DELETE a database with a ?=rev parameter. Did you mean to DELETE a document instead?";
        return Err(Failure::bad_request(reason));
    }
    let (keeper, owned) = (Arc::clone(server), name.to_owned());
    blocking(move || Ok(keeper.store().delete(&owned)?)).await?;
    Ok(answer(200, &json!({ "ok": true })))
}

/// `GET /{db}`
pub(in crate::serve) async fn get(place: &Place, _request: Request) -> Result<Response, Failure> {
    let database = Arc::clone(&place.database);
    let info = blocking(move || Ok(info(&database)?)).await?;
    Ok(answer(200, &info))
}

/// What is told of a database. Blocks.
pub(in crate::serve) fn info(database: &Database) -> Result<Value, StoreError> {
    let info = database.info()?;
    Ok(json!({
        "instance_start_time": started(info.instance),
        "db_name": database.name(),
        "purge_seq": sequence::text(info.instance, 0),
        "update_seq": sequence::text(info.instance, info.sequence),
        "sizes": { "file": info.file_size, "external": info.active_size, "active": info.active_size },
        "props": {},
        "doc_del_count": info.deleted,
        "doc_count": info.documents,
        "disk_format_version": 8,
        "compact_running": false,
        "cluster": { "q": 1, "n": 1, "w": 1, "r": 1 },
    }))
}

/// When a database was made, in seconds, as a text.
fn started(instance: u64) -> String {
    (instance / 1_000_000).to_string()
}

/// `GET /_all_dbs`
pub(in crate::serve) async fn all(server: &Arc<Server>, request: Request) -> Result<Response, Failure> {
    if request.method != "GET" {
        return Ok(not_allowed("GET,HEAD"));
    }
    let names = names(server, &request.query).await?;
    Ok(marked(&request.headers, &names.into()))
}

/// A listing with its ETag, unless it is known.
fn marked(headers: &HeaderMap, listing: &Value) -> Response {
    let etag = format!("\"{}\"", hexadecimal::encode(&seal(b"listing", listing.to_string().as_bytes())[..12]));
    if is_known(headers, &etag) {
        return not_modified(&etag);
    }
    let mut response = answer(200, listing);
    set(&mut response, header::ETAG, &etag);
    response
}

/// The names of databases that a query asks for.
async fn names(server: &Arc<Server>, query: &Query) -> Result<Vec<String>, Failure> {
    let keeper = Arc::clone(server);
    let mut names = blocking(move || Ok(keeper.store().names())).await?;
    let text = |keys: [&str; 2]| -> Result<Option<String>, Failure> {
        let value = keys.iter().find_map(|key| query.json(key).transpose()).transpose()?;
        Ok(value.and_then(|value| value.as_str().map(str::to_owned)))
    };
    let number = |key: &str| -> Result<Option<usize>, Failure> {
        let Some(text) = query.get(key) else { return Ok(None) };
        let kind = if text.parse::<i64>().is_ok() { "positive integer" } else { "integer" };
        let number = text.parse().map_err(|_| Failure::query(format!("Invalid value for {kind}: \"{text}\"")));
        number.map(Some)
    };
    let is_descending = query.is("descending");
    names.sort_unstable();
    if is_descending {
        names.reverse();
    }
    let is_before = |name: &str, other: &str| if is_descending { name > other } else { name < other };
    if let Some(key) = text(["key", "key"])? {
        names.retain(|name| *name == key);
    }
    if let Some(start) = text(["startkey", "start_key"])? {
        names.retain(|name| !is_before(name, &start));
    }
    if let Some(end) = text(["endkey", "end_key"])? {
        let excludes_end = query.get("inclusive_end") == Some("false");
        names.retain(|name| is_before(name, &end) || *name == end && !excludes_end);
    }
    let skip = number("skip")?.unwrap_or(0);
    let limit = number("limit")?.unwrap_or(usize::MAX);
    Ok(names.into_iter().skip(skip).take(limit).collect())
}

/// `GET` and `POST /_dbs_info`
pub(in crate::serve) async fn infos(server: &Arc<Server>, request: Request) -> Result<Response, Failure> {
    let request_headers = request.headers.clone();
    let (names, tells_missing) = match request.method.as_str() {
        "GET" => (names(server, &request.query).await?.into_iter().map(Value::from).collect(), false),
        "POST" => {
            body::require_json(&request.headers)?;
            match body::object(request).await?.remove("keys") {
                Some(Value::Array(keys)) if keys.len() > MOST_INFOS => {
                    return Err(Failure::bad_request("too_many_keys"));
                }
                Some(Value::Array(keys)) => (keys, true),
                None => return Err(Failure::bad_request("`keys` member must exist.")),
                Some(_) => return Err(Failure::bad_request("`keys` member must be an array.")),
            }
        }
        _ => return Ok(not_allowed("GET,HEAD,POST")),
    };
    let (server, headers) = (Arc::clone(server), request_headers);
    let rows = blocking(move || {
        let row = |key: &Value| {
            let name = key.as_str().unwrap_or_default();
            match server.store().database(name).and_then(|database| info(&database)) {
                Ok(info) => Ok(Some(json!({ "key": key, "info": info }))),
                Err(StoreError::Missing) if tells_missing => Ok(Some(json!({ "key": key, "error": "not_found" }))),
                Err(StoreError::Missing) => Ok(None),
                Err(error) => Err(error),
            }
        };
        Ok(names.iter().map(row).collect::<Result<Vec<_>, _>>()?)
    })
    .await?;
    let rows: Value = rows.into_iter().flatten().collect();
    Ok(if tells_missing { answer(200, &rows) } else { marked(&headers, &rows) })
}

/// `/{db}/_security`
pub(in crate::serve) async fn security(place: &Place, request: Request) -> Result<Response, Failure> {
    let database = Arc::clone(&place.database);
    match request.method.as_str() {
        "GET" => Ok(answer(200, &blocking(move || Ok(access::security(&database)?)).await?)),
        "PUT" => {
            let is_editable = place.server.configuration().is("couchdb", "users_db_security_editable", false);
            if database.name() == account::DATABASE && !is_editable {
                let reason = "You can't edit the security object of the user database.";
                return Err(Failure::new(403, "forbidden", reason));
            }
            let user = request.user.clone();
            let security = body::json(request).await?;
            blocking(move || {
                access::require_admin(&user, &access::security(&database)?)?;
                access::check_security(&security)?;
                Ok(database.update_setting("security", &security)?)
            })
            .await?;
            Ok(answer(200, &json!({ "ok": true })))
        }
        _ => Ok(not_allowed("PUT,GET")),
    }
}

/// `/{db}/_revs_limit`
pub(in crate::serve) async fn revs_limit(place: &Place, request: Request) -> Result<Response, Failure> {
    let database = Arc::clone(&place.database);
    match request.method.as_str() {
        "GET" => {
            let limit = blocking(move || Ok(database.setting("revs_limit")?)).await?;
            Ok(answer(200, &limit.unwrap_or_else(|| REVISIONS.into())))
        }
        "PUT" => {
            let user = request.user.clone();
            let limit = body::json(request).await?;
            blocking(move || {
                access::require_admin(&user, &access::security(&database)?)?;
                if limit.as_u64().is_none_or(|limit| limit == 0) {
                    return Err(Failure::bad_request("`_revs_limit` must be a positive integer"));
                }
                Ok(database.update_setting("revs_limit", &limit)?)
            })
            .await?;
            Ok(answer(200, &json!({ "ok": true })))
        }
        _ => Ok(not_allowed("PUT,GET")),
    }
}

/// `/{db}/_purged_infos_limit`: nothing is ever purged, so this is only told.
pub(in crate::serve) fn purged_infos_limit(request: &Request) -> Result<Response, Failure> {
    match request.method.as_str() {
        "GET" => Ok(answer(200, &1_000.into())),
        "PUT" => Err(Failure::absent("purging")),
        _ => Ok(not_allowed("GET,PUT")),
    }
}

/// `POST /{db}/_compact`
pub(in crate::serve) async fn compact(place: &Place, request: Request) -> Result<Response, Failure> {
    if request.method != "POST" {
        return Ok(not_allowed("POST"));
    }
    body::require_json(&request.headers)?;
    let database = Arc::clone(&place.database);
    blocking(move || Ok(database.compact()?)).await?;
    Ok(answer(202, &json!({ "ok": true })))
}

/// `POST /{db}/_ensure_full_commit`: what was answered is on the disk already.
pub(in crate::serve) async fn ensure_full_commit(place: &Place, request: Request) -> Result<Response, Failure> {
    if request.method != "POST" {
        return Ok(not_allowed("POST"));
    }
    body::require_json(&request.headers)?;
    let database = Arc::clone(&place.database);
    let info = blocking(move || Ok(database.info()?)).await?;
    Ok(answer(201, &json!({ "ok": true, "instance_start_time": started(info.instance) })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_have_names() {
        for good in ["a", "a0_$()+-/", "_users", "_replicator"] {
            check_name(good).unwrap();
        }
        for bad in ["", "A", "0", "_foo", "_metadata", "a b", "ä", "..", "a%2fb", "_local"] {
            assert_eq!(check_name(bad).unwrap_err().error, "illegal_database_name", "{bad}");
        }
    }

    #[test]
    fn the_time_is_in_seconds() {
        assert_eq!(started(1_795_404_198_123_456), "1795404198");
    }
}
