//! The end of a replication, written into its document: `completed` and `failed` are told there, and nowhere else.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::job::{Job, Origin};
use super::owner::STATE;
use super::state::time;
use super::wanted::Wanted;
use crate::json::Object;
use crate::serve::store::{Database, Edit, Outcome, Store, StoreError, Upon};

const TIME: &str = "_replication_state_time";
/// Why it failed.
pub(in crate::serve) const REASON: &str = "_replication_state_reason";
/// What was done.
pub(in crate::serve) const STATS: &str = "_replication_stats";

/// How often a document is written that others write as well.
const TRIES: usize = 5;

/// Writes that a replication is done.
pub(super) async fn complete(store: &Arc<Store>, job: &Arc<Job>) {
    let (store, job) = (Arc::clone(store), Arc::clone(job));
    let Origin::Document { database, instance, id } = job.origin.clone() else { return };
    let state = job.state();
    let mut stats = state.stats();
    stats["start_time"] = time(state.added).into();
    let work = move || {
        let database = store.database(&database)?;
        if database.info()?.instance != instance {
            return Ok(());
        }
        let is_meant = |members: &Object| Wanted::parse_document(members).is_ok_and(|wanted| wanted == job.wanted);
        settle(&database, &id, "completed", (STATS, stats), &is_meant)
    };
    told(tokio::task::spawn_blocking(work).await.unwrap_or(Ok(())));
}

/// Writes that a replication cannot be. Blocks.
pub(super) fn fail(database: &Database, id: &str, reason: &str) {
    told(settle(database, id, "failed", (REASON, reason.into()), &|_| true));
}

/// Whether this is how a replication ended, as its document says.
pub(super) fn is_settled(members: &Object) -> bool {
    matches!(members.get(STATE).and_then(Value::as_str), Some("completed" | "failed"))
}

fn settle(
    database: &Database,
    id: &str,
    word: &str,
    (key, value): (&str, Value),
    is_meant: &dyn Fn(&Object) -> bool,
) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let Some((document, body)) = database.winners(&[id])?.pop().flatten() else { return Ok(()) };
        let Some(winner) = document.tree.winner().filter(|winner| !winner.is_deleted) else { return Ok(()) };
        if is_settled(&body.members) || !is_meant(&body.members) {
            return Ok(());
        }
        let mut members = body.members;
        for key in [STATE, TIME, REASON, STATS] {
            members.shift_remove(key);
        }
        members.insert(STATE.to_owned(), word.into());
        members.insert(TIME.to_owned(), time(Timestamp::now()).into());
        members.insert(key.to_owned(), value.clone());
        let upon = Upon::Leaf(Some(winner.revision));
        let edit = Edit { id: id.to_owned(), members, attachments: body.attachments, is_deleted: false, upon };
        if !matches!(database.write(vec![edit], &|_, _| Ok(()))?.pop(), Some(Outcome::Conflict)) {
            return Ok(());
        }
    }
    Ok(())
}

fn told(written: Result<(), StoreError>) {
    // A database that is gone needs no end of its replications.
    if let Err(error) = written.or_else(|error| if matches!(error, StoreError::Missing) { Ok(()) } else { Err(error) })
    {
        tracing::warn!("the end of a replication cannot be written: {error}");
    }
}
