//! The database `_replicator`: made when it is not there, read, and told how replications ended.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Asking;
use super::owner::{DATABASE, STATE};
use super::task::{Ended, Task};
use super::told;
use crate::json::Object;
use crate::serve::store::{Database, Edit, Range, Store, StoreError, Upon};
use crate::serve::users::access;

/// A document of `_replicator`, as of its winner.
pub(in crate::serve) struct Job {
    /// The id.
    pub(in crate::serve) id: String,
    /// The revision.
    pub(in crate::serve) revision: String,
    /// What it says; `None` when it is deleted.
    pub(in crate::serve) members: Option<Object>,
}

/// Makes the database if it is not there, as CouchDB's setup does. Blocks.
pub(in crate::serve) fn make(store: &Store) -> Result<(), StoreError> {
    match store.database(DATABASE) {
        Err(StoreError::Missing) => store.create(DATABASE)?.set("security", &access::default_security()),
        database => database.map(drop),
    }
}

/// What has changed since, and the sequence of the last of it. Blocks.
pub(super) fn changed(database: &Database, since: u64, limit: u64) -> Result<(Vec<Job>, u64), StoreError> {
    let changes = database.changes(since, limit, false)?;
    let last = changes.last().map_or(since, |change| change.sequence);
    let ids = changes.iter().map(|change| change.document.id.as_str());
    let ids: Vec<&str> = ids.filter(|id| !id.starts_with("_design/")).collect();
    Ok((jobs(database, &ids)?, last))
}

/// All documents that are there, by their ids. Blocks.
pub(in crate::serve) fn all(database: &Database) -> Result<Vec<Job>, StoreError> {
    let rows = database.rows(&Range::default())?;
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).filter(|id| !id.starts_with("_design/")).collect();
    Ok(jobs(database, &ids)?.into_iter().filter(|job| job.members.is_some()).collect())
}

/// Some documents. Blocks.
pub(in crate::serve) fn jobs(database: &Database, ids: &[&str]) -> Result<Vec<Job>, StoreError> {
    let winners = database.winners(ids)?.into_iter().flatten();
    let job = |(document, body): (crate::serve::store::Document, crate::serve::store::Body)| {
        let winner = document.tree.winner()?;
        let members = (!winner.is_deleted).then_some(body.members);
        Some(Job { id: document.id, revision: winner.revision.to_string(), members })
    };
    Ok(winners.filter_map(job).collect())
}

/// Tells a document how its replication ended.
pub(super) async fn conclude(asking: &Asking, task: &Task, ended: &Ended) {
    let members = match ended {
        Ended::Stopped => return,
        Ended::Failed(trouble) => failed(&trouble.to_string()),
        Ended::Done(outcome) => {
            let mut live = task.live();
            live.counts = outcome.counts;
            let mut stats = told::numbers(&live);
            stats.insert("start_time".to_owned(), told::time(live.started).into());
            state("completed", &[("_replication_stats", Value::Object(stats))])
        }
    };
    say(&asking.database, &asking.id, &asking.revision, members).await;
}

/// What a document is told of a replication that failed for good.
pub(super) fn failed(reason: &str) -> Object {
    state("failed", &[("_replication_state_reason", json!(reason))])
}

fn state(word: &str, more: &[(&str, Value)]) -> Object {
    let mut members = Object::new();
    members.insert(STATE.to_owned(), word.into());
    members.insert("_replication_state_time".to_owned(), told::time(jiff::Timestamp::now()).into());
    members.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    members
}

/// Writes it upon the revision that asked: what was changed meanwhile asks for something else.
pub(super) async fn say(database: &Arc<Database>, id: &str, revision: &str, state: Object) {
    let (database, id, revision) = (Arc::clone(database), id.to_owned(), revision.to_owned());
    let work = move || -> Result<(), StoreError> {
        let winner = database.document(&id)?.and_then(|document| document.tree.winner());
        let Some(winner) = winner.filter(|winner| !winner.is_deleted && winner.revision.as_str() == revision) else {
            return Ok(());
        };
        let Some(body) = database.body(&id, &winner.revision)? else { return Ok(()) };
        let mut members = body.members;
        members.retain(|key, _| !key.starts_with("_replication_"));
        members.extend(state);
        let upon = Upon::Leaf(Some(winner.revision));
        let edit = Edit { id, members, attachments: body.attachments, is_deleted: false, upon };
        database.write(vec![edit], &|_, _| Ok(())).map(drop)
    };
    // Without it, the replication is carried out again at the next start, and finds that there is nothing to do.
    let _ = tokio::task::spawn_blocking(work).await;
}
