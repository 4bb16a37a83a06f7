//! `/_scheduler` and `/_active_tasks`: where replications stand. No password is told.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/server/common.html#scheduler-jobs>

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::dispatch::not_allowed;
use super::request::{Query, Request, answer, blocking};
use super::{NODE, Server};
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::replication::job::{Job, Origin};
use crate::serve::replication::owner::{self, STATE, is_replicator};
use crate::serve::replication::settle::{REASON, STATS};
use crate::serve::replication::state::{Phase, time};
use crate::serve::replication::wanted::Wanted;
use crate::serve::store::{Body, Database, Range};

/// CouchDB's words for where a replication can stand.
const STATES: [&str; 7] = ["initializing", "error", "running", "pending", "crashing", "completed", "failed"];

/// `/_scheduler/…`; `rest` is what follows.
pub(super) async fn scheduler(server: &Arc<Server>, rest: &[&str], request: Request) -> Result<Response, Failure> {
    if !matches!(rest, ["jobs" | "docs", ..]) {
        return Ok(answer(404, &json!({ "error": "not found" })));
    }
    if request.method != "GET" {
        return Ok(not_allowed("GET,HEAD"));
    }
    match rest {
        ["jobs"] => {
            let page = Page::parse(&request.query)?;
            let rows: Vec<Value> = server.replications().all().iter().map(|job| job_row(server, job)).collect();
            Ok(page.answer("jobs", rows.len(), rows))
        }
        ["jobs", id] => {
            // A plus in a path is a space to CouchDB, and there is none in an id.
            let job = server.replications().get(&id.replace(' ', "+"));
            let job = job.ok_or_else(|| Failure::not_found("missing"))?;
            Ok(answer(200, &job_row(server, &job)))
        }
        ["docs", path @ ..] => documents(server, path, &request.query).await,
        _ => Err(Failure::bad_request("Invalid path")),
    }
}

/// `/_scheduler/docs[/DATABASE[/ID]]`
async fn documents(server: &Arc<Server>, path: &[&str], query: &Query) -> Result<Response, Failure> {
    let end = path.iter().position(|segment| is_replicator(segment));
    let (database, id) = match (end, path) {
        (None, []) => (owner::DATABASE.to_owned(), None),
        (Some(end), path) if path.len() <= end + 2 => (path[..=end].join("/"), path.get(end + 1)),
        _ => return Err(Failure::bad_request("Invalid path")),
    };
    let (keeper, page) = (Arc::clone(server), Page::parse(query)?);
    if let Some(id) = id {
        let id = (*id).to_owned();
        let row = blocking(move || {
            let database = keeper.store().database(&database)?;
            let (document, body) =
                database.winners(&[&id])?.pop().flatten().ok_or_else(|| Failure::not_found("missing"))?;
            if document.tree.is_deleted() {
                return Err(Failure::not_found("missing"));
            }
            Ok(document_row(&keeper, &database, &id, &body))
        });
        return Ok(answer(200, &row.await?));
    }
    let (total, rows) = blocking(move || {
        let database = keeper.store().database(&database)?;
        let rows = database.rows(&Range::default())?.into_iter().filter(|row| !row.id.starts_with("_design/"));
        let rows: Vec<_> = rows.collect();
        let wanted: Vec<_> = rows.iter().map(|row| (row.id.as_str(), &row.revision)).collect();
        let bodies = database.bodies(&wanted)?;
        let known = rows.iter().zip(bodies).filter_map(|(row, body)| Some((row, body?)));
        let told: Vec<Value> = known.map(|(row, body)| document_row(&keeper, &database, &row.id, &body)).collect();
        Ok((told.len(), told))
    })
    .await?;
    Ok(page.answer("docs", total, rows))
}

/// Which rows of a listing.
struct Page {
    skip: usize,
    limit: usize,
    states: Vec<String>,
}

impl Page {
    fn parse(query: &Query) -> Result<Self, Failure> {
        let number = |key: &str, default: usize| {
            let Some(text) = query.get(key) else { return Ok(default) };
            text.parse().map_err(|_| Failure::query(format!("Invalid value for integer: \"{text}\"")))
        };
        let states = query.get("states").into_iter().flat_map(|states| states.split(',')).map(str::to_owned);
        let states: Vec<String> = states.collect();
        if states.iter().any(|state| !STATES.contains(&state.as_str())) {
            return Err(Failure::query(format!("States must be one or more of [{}]", STATES.join(","))));
        }
        Ok(Self { skip: number("skip", 0)?, limit: number("limit", usize::MAX)?, states })
    }

    fn answer(&self, name: &str, total: usize, rows: Vec<Value>) -> Response {
        let is_meant = |row: &Value| {
            self.states.is_empty() || row["state"].as_str().is_some_and(|state| self.states.iter().any(|s| s == state))
        };
        let rows: Vec<Value> = rows.into_iter().filter(is_meant).skip(self.skip).take(self.limit).collect();
        let mut listing = json!({ "total_rows": total, "offset": self.skip });
        listing[name] = rows.into();
        answer(200, &listing)
    }
}

/// Database, document and user of a job.
fn origin(job: &Job) -> [Value; 3] {
    match &job.origin {
        Origin::Request { user } => [Value::Null, Value::Null, json!(user)],
        Origin::Document { database, id, .. } => [database.as_str().into(), id.as_str().into(), json!(job.wanted.user)],
    }
}

fn process(job: &Job, phase: Phase) -> Value {
    if phase == Phase::Running { format!("<0.{}.0>", job.number).into() } else { Value::Null }
}

fn job_row(server: &Server, job: &Job) -> Value {
    let ([database, document, user], state, own) = (origin(job), job.state(), server.replications().own());
    json!({
        "database": database,
        "id": job.id,
        "pid": process(job, state.phase),
        "source": job.wanted.source.shown(own),
        "target": job.wanted.target.shown(own),
        "user": user,
        "doc_id": document,
        "info": state.info(),
        "history": state.history(),
        "node": NODE,
        "start_time": time(state.added),
    })
}

fn document_row(server: &Server, database: &Database, id: &str, body: &Body) -> Value {
    let word = body.members.get(STATE).and_then(Value::as_str).filter(|word| ["completed", "failed"].contains(word));
    if let Some(word) = word {
        return settled_row(server, database.name(), id, word, &body.members);
    }
    let is_its = |job: &Arc<Job>| match &job.origin {
        Origin::Document { database: name, id: of, .. } => name == database.name() && of == id,
        Origin::Request { .. } => false,
    };
    if let Some(job) = server.replications().all().into_iter().find(is_its) {
        let (state, own) = (job.state(), server.replications().own());
        return json!({
            "database": database.name(),
            "doc_id": id,
            "id": job.id,
            "node": NODE,
            "source": job.wanted.source.shown(own),
            "target": job.wanted.target.shown(own),
            "state": state.phase.word(),
            "info": state.info(),
            "error_count": state.errors,
            "last_updated": time(state.changed),
            "start_time": time(state.added),
            "source_proxy": null,
            "target_proxy": null,
        });
    }
    let reason = server.replications().held(database.name(), id);
    json!({
        "database": database.name(),
        "doc_id": id,
        "id": null,
        "state": if reason.is_some() { "error" } else { "initializing" },
        "info": reason.as_ref().map(|reason| json!({ "error": reason })),
        "error_count": u64::from(reason.is_some()),
        "node": NODE,
        "last_updated": null,
        "start_time": null,
    })
}

/// What a document itself tells of its end.
fn settled_row(server: &Server, database: &str, id: &str, word: &str, members: &Object) -> Value {
    let wanted = Wanted::parse(members).ok();
    let own = server.replications().own();
    let (source, target) = wanted.as_ref().map(|wanted| (wanted.source.shown(own), wanted.target.shown(own))).unzip();
    let updated = members.get("_replication_state_time").cloned().unwrap_or(Value::Null);
    let (info, started) = match members.get(STATS).and_then(Value::as_object) {
        _ if word == "failed" => (json!({ "error": members.get(REASON) }), updated.clone()),
        Some(stats) => {
            let mut stats = stats.clone();
            let started = stats.shift_remove("start_time").unwrap_or(Value::Null);
            (Value::Object(stats), started)
        }
        None => (json!({}), Value::Null),
    };
    json!({
        "database": database,
        "doc_id": id,
        "id": null,
        "source": source,
        "target": target,
        "state": word,
        "error_count": u64::from(word == "failed"),
        "info": info,
        "start_time": started,
        "last_updated": updated,
    })
}

/// `GET /_active_tasks`: nothing but replications takes long enough to be listed.
pub(super) fn tasks(server: &Server) -> Response {
    let jobs = server.replications().all();
    let running = jobs.iter().filter(|job| job.state().phase == Phase::Running);
    answer(200, &running.map(|job| task(server, job)).collect())
}

fn task(server: &Server, job: &Job) -> Value {
    let ([database, document, user], state, own) = (origin(job), job.state(), server.replications().own());
    let mut task = Object::new();
    let Value::Object(stats) = state.stats() else { return Value::Null };
    let through = state.info().get("through_seq").cloned();
    for (key, value) in [
        ("node", NODE.into()),
        ("pid", process(job, state.phase)),
        ("process_status", "waiting".into()),
        ("continuous", job.wanted.continuous.into()),
        ("database", database),
        ("doc_id", document),
        ("replication_id", job.id.as_str().into()),
        ("source", job.wanted.source.shown(own).into()),
        ("target", job.wanted.target.shown(own).into()),
        ("source_seq", through.clone().unwrap_or_else(|| "0".into())),
        ("through_seq", through.unwrap_or_else(|| "0".into())),
        ("started_on", state.started.unwrap_or(state.added).as_second().into()),
        ("updated_on", state.heard.as_second().into()),
        ("type", "replication".into()),
        ("user", user),
    ] {
        task.insert(key.to_owned(), value);
    }
    task.extend(stats);
    Value::Object(task)
}
