//! `POST /_replicate`: a replication that is waited for, or goes on until it is cancelled.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/server/common.html#replicate>

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::dispatch::not_allowed;
use super::request::{Request, answer};
use super::{Server, body};
use crate::json::Object;
use crate::replicator::Outcome;
use crate::serve::failure::Failure;
use crate::serve::replication::job::{Ended, Origin};
use crate::serve::replication::wanted::Wanted;
use crate::serve::users::{User, access};

/// `/_replicate`
pub(super) async fn replicate(server: &Arc<Server>, request: Request) -> Result<Response, Failure> {
    if request.method != "POST" {
        return Ok(not_allowed("POST"));
    }
    body::require_json(&request.headers)?;
    let user = request.user.clone();
    let members = body::object(request).await?;
    let is_cancel = members.get("cancel") == Some(&Value::Bool(true));
    let named = ["replication_id", "_local_id", "id"].iter().find_map(|key| members.get(*key));
    if let (true, Some(id)) = (is_cancel, named) {
        return cancel_known(server, id, &user);
    }
    let wanted = Wanted::parse(&members).map_err(|invalid| invalid.for_request())?;
    let replications = server.replications();
    if is_cancel {
        return cancelled(server, &wanted.id(replications.own(), user.name.as_deref()));
    }
    let is_of_ids = wanted.is_of_ids();
    let continuous = wanted.continuous;
    let job = replications.begin(wanted, user.name.clone(), server.users().lend(&user));
    if continuous {
        return Ok(answer(202, &json!({ "ok": true, "_local_id": job.id })));
    }
    match job.ended().await {
        Ended::Completed(outcome) => Ok(answer(200, &told(*outcome, is_of_ids))),
        Ended::Failed(failure) => Err(failure),
        Ended::Stopped => Err(Failure::new(500, "cancelled", "the replication was cancelled")),
    }
}

/// Ends a replication by its id: administrators every one, others their own.
fn cancel_known(server: &Server, id: &Value, user: &User) -> Result<Response, Failure> {
    let id = id.as_str().ok_or_else(|| Failure::bad_request("parameter `replication_id` must be a text"))?;
    let job = server.replications().get(id).ok_or_else(|| Failure::not_found("missing"))?;
    let is_own = matches!(&job.origin, Origin::Request { user: Some(name) } if user.name.as_ref() == Some(name));
    if !is_own {
        access::require_server_admin(user)?;
    }
    cancelled(server, id)
}

fn cancelled(server: &Server, id: &str) -> Result<Response, Failure> {
    let job = server.replications().cancel(id).ok_or_else(|| Failure::not_found("missing"))?;
    Ok(answer(200, &json!({ "ok": true, "_local_id": job.id })))
}

/// What was done: the checkpoint, as CouchDB tells it.
fn told(outcome: Outcome, is_of_ids: bool) -> Value {
    let mut told = Object::new();
    told.insert("ok".to_owned(), true.into());
    if !outcome.moved {
        told.insert("no_changes".to_owned(), true.into());
    }
    let Some(mut record) = outcome.record else { return Value::Object(told) };
    let history = record.shift_remove("history");
    told.extend(record);
    if is_of_ids {
        // Where documents are named, the last session is told twice.
        let last = history.as_ref().and_then(|history| history.get(0));
        for key in ["start_time", "end_time", "docs_read", "docs_written", "doc_write_failures"] {
            if let Some(value) = last.and_then(|last| last.get(key)) {
                told.insert(key.to_owned(), value.clone());
            }
        }
    }
    if let Some(history) = history {
        told.insert("history".to_owned(), history);
    }
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_as_couchdb_tells_it() {
        let Value::Object(record) = json!({
            "session_id": "s", "source_last_seq": "2-x", "replication_id_version": 1,
            "history": [{ "session_id": "s", "start_time": "a", "end_time": "b", "docs_read": 1, "docs_written": 1,
                "doc_write_failures": 0 }],
        }) else {
            unreachable!()
        };
        let done = |record: Option<&Object>, moved| Outcome { record: record.cloned(), moved, ..Outcome::default() };
        let rows = [
            (done(None, false), false, "ok no_changes"),
            (done(Some(&record), true), false, "ok session_id source_last_seq replication_id_version history"),
            (
                done(Some(&record), false),
                false,
                "ok no_changes session_id source_last_seq replication_id_version history",
            ),
            (
                done(Some(&record), true),
                true,
                "ok session_id source_last_seq replication_id_version start_time end_time docs_read docs_written \
                 doc_write_failures history",
            ),
        ];
        for (outcome, is_of_ids, expected) in rows {
            let Value::Object(told) = told(outcome, is_of_ids) else { unreachable!() };
            assert_eq!(told.keys().map(String::as_str).collect::<Vec<_>>().join(" "), expected);
        }
    }
}
