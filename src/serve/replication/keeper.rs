//! Follows `_replicator`: what is written there is begun, what is changed is replaced, what is deleted ends.

use std::sync::Arc;

use tokio::sync::watch;

use super::documents::{self, Job};
use super::owner::{DATABASE, STATE};
use super::task::Task;
use super::wanted::Wanted;
use super::{Asking, Order, Replications};
use crate::json::Object;
use crate::serve::store::{Database, Store, StoreError};

/// So many documents are read at once.
const PAGE: u64 = 100;

/// Follows the database, whenever there is one, until the endpoint ends.
pub(in crate::serve) async fn keep(
    replications: Arc<Replications>,
    store: impl Fn() -> Result<Arc<Database>, StoreError> + Clone + Send + 'static,
    mut made: watch::Receiver<u64>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        made.borrow_and_update();
        let open = store.clone();
        if let Ok(Ok(database)) = tokio::task::spawn_blocking(open).await {
            tokio::select! {
                () = follow(&replications, &database) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
        // It is gone, and what it asked for with it.
        let tasks = replications.tasks();
        tasks.iter().filter(|task| task.document.is_some()).for_each(|task| replications.cancel(task));
        tokio::select! {
            made = made.changed() => if made.is_err() { return },
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

/// The database of a store.
pub(in crate::serve) fn database(store: &Store) -> Result<Arc<Database>, StoreError> {
    store.database(DATABASE)
}

/// Until the database is gone.
async fn follow(replications: &Arc<Replications>, database: &Arc<Database>) {
    let (mut bell, mut since) = (database.bell(), 0);
    loop {
        bell.borrow_and_update();
        loop {
            let reader = Arc::clone(database);
            let read = tokio::task::spawn_blocking(move || documents::changed(&reader, since, PAGE)).await;
            let Ok(Ok((jobs, last))) = read else { return };
            for job in jobs {
                heed(replications, database, job).await;
            }
            if last == since {
                break;
            }
            since = last;
        }
        if bell.changed().await.is_err() {
            return;
        }
    }
}

/// Does what a document asks for now.
async fn heed(replications: &Arc<Replications>, database: &Arc<Database>, job: Job) {
    let known = replications.of_document(&job.id);
    let (id, revision) = (job.id, job.revision);
    let Some(members) = job.members.filter(|members| !is_over(members)) else {
        if let Some(task) = known {
            replications.cancel(&task);
        }
        return;
    };
    if let Some(task) = known {
        if task.revision.as_ref() == Some(&revision) {
            return;
        }
        replications.cancel(&task);
    }
    let wanted = match Wanted::parse_document(&members) {
        Ok(wanted) => wanted,
        Err(invalid) => {
            let reason = invalid.for_document().reason.unwrap_or_default();
            return documents::say(database, &id, &revision, documents::failed(&reason)).await;
        }
    };
    let asking = Asking { database: Arc::clone(database), id: id.clone(), revision: revision.clone() };
    let user = wanted.user.clone();
    let order = Order { wanted, user, loan: None, document: Some(asking) };
    if let Err(other) = replications.begin(order) {
        documents::say(database, &id, &revision, documents::failed(&double(&id, &other))).await;
    }
}

/// Whether a replication has come to its end.
pub(in crate::serve) fn is_over(members: &Object) -> bool {
    let state = members.get(STATE).and_then(serde_json::Value::as_str);
    matches!(state, Some("completed" | "failed"))
}

/// The same replication is under way already.
fn double(id: &str, other: &Task) -> String {
    let begin = format!("Replication `{}` specified by document `{id}` already", other.id);
    match &other.document {
        Some(other) => format!("{begin} started, triggered by document `{other}` from db `{DATABASE}`"),
        None => format!("{begin} running as a transient replication, started via `_replicate` API endpoint"),
    }
}
