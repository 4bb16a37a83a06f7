//! `_replicate`, `_scheduler` and `_active_tasks`.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/server/common.html#replicate>

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::Server;
use super::body;
use super::dispatch::not_allowed;
use super::documents::new_id;
use super::request::{Query, Request, answer, blocking};
use crate::json::Object;
use crate::replicator::Outcome;
use crate::serve::failure::Failure;
use crate::serve::replication::documents::{self, Job};
use crate::serve::replication::owner::DATABASE;
use crate::serve::replication::task::{Ended, Task};
use crate::serve::replication::wanted::Wanted;
use crate::serve::replication::{Order, told};
use crate::serve::store::StoreError;
use crate::serve::users::{User, access};

/// How our replicator names its checkpoints: not as CouchDB does, which says 4.
const VERSION: u64 = 1;

/// `POST /_replicate`
pub(in crate::serve) async fn replicate(server: &Arc<Server>, request: Request) -> Result<Response, Failure> {
    if request.method != "POST" {
        return Ok(not_allowed("POST"));
    }
    body::require_json(&request.headers)?;
    let user = request.user.clone();
    let members = body::object(request).await?;
    if members.get("cancel") == Some(&Value::Bool(true)) {
        return cancel(server, &user, &members);
    }
    let wanted = Wanted::parse(&members).map_err(|invalid| invalid.for_request())?;
    let (continuous, is_of_ids) = (wanted.continuous, wanted.is_of_ids());
    let loan = Some(server.users().lend(&user));
    let order = Order { wanted, user: user.name, loan, document: None };
    // The same once more is the one that is under way.
    let task = server.replications().begin(order).unwrap_or_else(|same| same);
    if continuous {
        return Ok(answer(202, &json!({ "ok": true, "_local_id": task.id })));
    }
    let mut stopping = server.stopping();
    let ended = tokio::select! {
        ended = task.ended() => ended,
        _ = stopping.wait_for(|stopping| *stopping) => Arc::new(Ended::Stopped),
    };
    match &*ended {
        Ended::Done(outcome) => Ok(answer(200, &done(outcome, is_of_ids))),
        Ended::Failed(trouble) => Err(trouble.failure()),
        Ended::Stopped => Err(Failure::new(500, "replication_cancelled", "the replication was cancelled")),
    }
}

/// What a replication has done, as CouchDB answers it.
fn done(outcome: &Outcome, is_of_ids: bool) -> Value {
    let mut answer = Object::new();
    answer.insert("ok".to_owned(), true.into());
    if !outcome.moved {
        answer.insert("no_changes".to_owned(), true.into());
    }
    let Some(record) = &outcome.record else {
        answer.insert("session_id".to_owned(), new_id().into());
        answer.insert("source_last_seq".to_owned(), 0.into());
        answer.insert("replication_id_version".to_owned(), VERSION.into());
        answer.insert("history".to_owned(), json!([]));
        return Value::Object(answer);
    };
    answer.extend(record.clone());
    let newest = record.get("history").and_then(|history| history.get(0));
    if let Some(newest) = newest.filter(|_| is_of_ids) {
        for key in ["start_time", "end_time", "docs_read", "docs_written", "doc_write_failures"] {
            answer.insert(key.to_owned(), newest.get(key).cloned().unwrap_or(Value::Null));
        }
    }
    Value::Object(answer)
}

/// Ends what was asked for here, named by its id or by the same body.
fn cancel(server: &Server, user: &User, members: &Object) -> Result<Response, Failure> {
    let named = ["replication_id", "_local_id", "id"].iter().find_map(|key| members.get(*key)?.as_str());
    let id = if let Some(id) = named {
        id.to_owned()
    } else {
        let wanted = Wanted::parse(members).map_err(|invalid| invalid.for_request())?;
        wanted.id(server.replications().own(), user.name.as_deref())
    };
    let tasks = server.replications().tasks();
    let task = tasks.iter().find(|task| task.id == id && task.document.is_none());
    let task = task.ok_or_else(|| Failure::not_found("missing"))?;
    if task.user != user.name && !access::is_server_admin(user) {
        return Err(Failure::new(401, "unauthorized", "Can't cancel a replication triggered by another user"));
    }
    server.replications().cancel(task);
    Ok(answer(200, &json!({ "ok": true, "_local_id": id })))
}

/// `GET /_active_tasks`
pub(in crate::serve) fn active(server: &Server, request: &Request) -> Response {
    if request.method != "GET" {
        return not_allowed("GET,HEAD");
    }
    let replications = server.replications();
    let rows = replications.tasks();
    answer(200, &rows.iter().filter_map(|task| told::active(task, replications.own())).collect())
}

/// `/_scheduler/…`; `rest` is what follows.
pub(in crate::serve) async fn scheduler(
    server: &Arc<Server>,
    rest: &[&str],
    request: Request,
) -> Result<Response, Failure> {
    if request.method != "GET" {
        return Ok(not_allowed("GET,HEAD"));
    }
    let (replications, query) = (server.replications(), request.query);
    match rest {
        ["jobs"] => {
            let tasks = replications.tasks();
            let rows = tasks.iter().map(|task| told::job(task, replications.own()));
            page("jobs", rows.collect(), &query)
        }
        ["jobs", id] => {
            let task = replications.tasks().into_iter().find(|task| task.id == *id);
            let task = task.ok_or_else(|| Failure::not_found("missing"))?;
            Ok(answer(200, &told::job(&task, replications.own())))
        }
        ["docs"] | ["docs", DATABASE] => page("docs", rows(server, None).await?, &query),
        ["docs", DATABASE, id @ ..] => {
            let row = rows(server, Some(id.join("/"))).await?.pop();
            Ok(answer(200, &row.ok_or_else(|| Failure::not_found("missing"))?))
        }
        ["docs", _] => Err(Failure::bad_request("Invalid path")),
        _ => Err(Failure::not_found("missing")),
    }
}

/// Rows for documents: one, or all.
async fn rows(server: &Arc<Server>, id: Option<String>) -> Result<Vec<Value>, Failure> {
    let keeper = Arc::clone(server);
    let jobs: Vec<Job> = blocking(move || {
        let database = match keeper.store().database(DATABASE) {
            Err(StoreError::Missing) => return Ok(Vec::new()),
            database => database?,
        };
        Ok(match id {
            Some(id) => documents::jobs(&database, &[&id])?,
            None => documents::all(&database)?,
        })
    })
    .await?;
    let replications = server.replications();
    let row = |job: &Job| {
        let task: Option<Arc<Task>> = replications.of_document(&job.id);
        told::document(job, task.as_deref(), replications.own())
    };
    Ok(jobs.iter().filter(|job| job.members.is_some()).map(row).collect())
}

/// A part of a list, by `skip`, `limit` and `states`.
fn page(name: &str, rows: Vec<Value>, query: &Query) -> Result<Response, Failure> {
    let number = |key: &str, otherwise: usize| match query.get(key) {
        None => Ok(otherwise),
        Some(text) => text.parse().map_err(|_| Failure::query(format!("Invalid value for integer: \"{text}\""))),
    };
    let (skip, limit) = (number("skip", 0)?, number("limit", 100)?);
    let states: Option<Vec<&str>> = query.get("states").map(|states| states.split(',').collect());
    let is_wanted = |row: &Value| {
        let state = row.get("state").and_then(Value::as_str);
        state.is_none_or(|state| states.as_ref().is_none_or(|states| states.contains(&state)))
    };
    let rows: Vec<Value> = rows.into_iter().filter(is_wanted).collect();
    let total = rows.len();
    let shown: Vec<Value> = rows.into_iter().skip(skip).take(limit).collect();
    Ok(answer(200, &json!({ "total_rows": total, "offset": skip, name: shown })))
}
