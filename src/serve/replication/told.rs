//! What `_scheduler` and `_active_tasks` tell of replications, in CouchDB's shapes and without credentials. Pure.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/server/common.html#scheduler-jobs>

use serde_json::{Value, json};

use super::documents::Job;
use super::end::{End, stripped};
use super::owner::{DATABASE, STATE};
use super::task::{Live, Phase, Task};
use crate::json::Object;

/// The name of the only node.
pub(in crate::serve) const NODE: &str = "couchapp@127.0.0.1";

impl Phase {
    /// CouchDB's word.
    pub(in crate::serve) fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Crashing(_) => "crashing",
        }
    }
}

/// A time as CouchDB tells it.
pub(super) fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn sequence(text: Option<&String>) -> Value {
    text.and_then(|text| crate::json::parse(text.as_bytes()).ok()).unwrap_or_else(|| "0".into())
}

/// The numbers of a replication.
pub(super) fn numbers(live: &Live) -> Object {
    let counts = live.counts;
    let numbers = json!({
        "revisions_checked": counts.checked,
        "missing_revisions_found": counts.missing,
        "docs_read": counts.read,
        "docs_written": counts.written,
        "changes_pending": counts.pending,
        "doc_write_failures": counts.refused,
        "bulk_get_docs": counts.read,
        "bulk_get_attempts": counts.read,
        "checkpointed_source_seq": sequence(live.recorded.as_ref()),
    });
    match numbers {
        Value::Object(numbers) => numbers,
        _ => Object::new(),
    }
}

fn numbers_so_far(live: &Live) -> Object {
    let mut numbers = numbers(live);
    for key in ["source_seq", "through_seq"] {
        numbers.insert(key.to_owned(), sequence(live.reached.as_ref()));
    }
    numbers
}

fn info(live: &Live) -> Value {
    match &live.phase {
        Phase::Pending => Value::Null,
        Phase::Running => Value::Object(numbers_so_far(live)),
        Phase::Crashing(reason) => json!({ "error": reason }),
    }
}

/// A row of `_scheduler/jobs`.
pub(in crate::serve) fn job(task: &Task, own: &str) -> Value {
    let live = task.live();
    let history = live.history.iter().map(|happened| {
        let mut row = json!({ "timestamp": time(happened.at), "type": happened.word });
        if let Some(reason) = &happened.reason {
            row["reason"] = reason.as_str().into();
        }
        row
    });
    json!({
        "database": task.document.as_ref().map(|_| DATABASE),
        "id": task.id,
        "pid": (live.phase == Phase::Running).then(|| pid(task)),
        "source": task.wanted.source.shown(own),
        "target": task.wanted.target.shown(own),
        "user": task.user,
        "doc_id": task.document,
        "info": if live.phase == Phase::Running { info(&live) } else { Value::Null },
        "history": history.collect::<Value>(),
        "node": NODE,
        "start_time": time(live.started),
    })
}

/// A row of `_active_tasks`; `None` when it is not under way at the moment.
pub(in crate::serve) fn active(task: &Task, own: &str) -> Option<Value> {
    let live = task.live();
    let row = json!({
        "node": NODE,
        "pid": pid(task),
        "process_status": "waiting",
        "checkpoint_interval": 5_000,
        "continuous": task.wanted.continuous,
        "database": task.document.as_ref().map(|_| DATABASE),
        "doc_id": task.document,
        "replication_id": task.id,
        "source": task.wanted.source.shown(own),
        "started_on": live.started.as_second(),
        "target": task.wanted.target.shown(own),
        "type": "replication",
        "updated_on": live.updated.as_second(),
        "user": task.user,
    });
    let Value::Object(mut row) = row else { return None };
    row.extend(numbers_so_far(&live));
    row.sort_keys();
    (live.phase == Phase::Running).then_some(Value::Object(row))
}

fn pid(task: &Task) -> String {
    format!("<0.{}.0>", task.number + 1)
}

/// A row of `_scheduler/docs`.
pub(in crate::serve) fn document(job: &Job, task: Option<&Task>, own: &str) -> Value {
    let nothing = Object::new();
    let members = job.members.as_ref().unwrap_or(&nothing);
    let shown = |key: &str| {
        let value = members.get(key).unwrap_or(&Value::Null);
        End::parse(value).map_or_else(|_| stripped(value), |end| end.shown(own).into())
    };
    let (source, target) = (shown("source"), shown("target"));
    let text = |key: &str| members.get(key).cloned().unwrap_or(Value::Null);
    let state = members.get(STATE).and_then(Value::as_str);
    let row = |state: &str, errors: u64, info: Value, started: Value| {
        json!({
            "database": DATABASE, "doc_id": job.id, "id": null, "source": source, "target": target, "state": state,
            "error_count": errors, "info": info, "start_time": started, "last_updated": text("_replication_state_time"),
        })
    };
    match (state, task) {
        (Some("completed"), _) => {
            let mut stats = text("_replication_stats").as_object().cloned().unwrap_or_default();
            let started = stats.shift_remove("start_time").unwrap_or(Value::Null);
            row("completed", 0, Value::Object(stats), started)
        }
        (Some("failed"), _) => {
            let info = json!({ "error": text("_replication_state_reason") });
            row("failed", 1, info, text("_replication_state_time"))
        }
        (_, Some(task)) => {
            let live = task.live();
            json!({
                "database": DATABASE, "doc_id": job.id, "id": task.id, "node": NODE, "source": source, "target": target,
                "state": live.phase.word(), "info": info(&live), "error_count": live.errors,
                "last_updated": time(live.updated), "start_time": time(live.started),
                "source_proxy": null, "target_proxy": null,
            })
        }
        (_, None) => row("initializing", 0, Value::Null, Value::Null),
    }
}
