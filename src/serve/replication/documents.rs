//! Documents of `_replicator` and `*/_replicator` are replications: begun when one is written, replaced when it says
//! something else, ended when it is deleted or its database is.

use std::collections::HashMap;
use std::sync::Arc;

use super::job::{Job, Origin};
use super::jobs::Jobs;
use super::owner::is_replicator;
use super::settle;
use super::wanted::Wanted;
use crate::serve::store::{Database, StoreError};

/// Changes that are looked at in one go.
const PAGE: u64 = 200;

/// Follows all databases of replications, those that come included, until the endpoint ends.
pub(super) async fn follow_all(jobs: Arc<Jobs>) {
    let mut made = jobs.store().made();
    let mut followed: HashMap<String, u64> = HashMap::new();
    loop {
        made.borrow_and_update();
        let keeper = Arc::clone(&jobs);
        let found = tokio::task::spawn_blocking(move || replicators(&keeper)).await.unwrap_or_default();
        for (database, instance) in found {
            if followed.insert(database.name().to_owned(), instance) != Some(instance) {
                let keeper = Arc::clone(&jobs);
                jobs.spawn(async move { follow(keeper, database, instance).await });
            }
        }
        tokio::select! {
            () = jobs.stopping().cancelled() => return,
            changed = made.changed() => if changed.is_err() { return },
        }
    }
}

/// The databases whose documents are replications.
fn replicators(jobs: &Jobs) -> Vec<(Arc<Database>, u64)> {
    let names = jobs.store().names().into_iter().filter(|name| is_replicator(name));
    let opened = names.filter_map(|name| {
        let database = jobs.store().database(&name).ok()?;
        let instance = database.info().ok()?.instance;
        Some((database, instance))
    });
    opened.collect()
}

/// Does what the documents of one database say.
async fn follow(jobs: Arc<Jobs>, database: Arc<Database>, instance: u64) {
    let mut bell = database.bell();
    let mut since = 0;
    loop {
        bell.borrow_and_update();
        let (keeper, read) = (Arc::clone(&jobs), Arc::clone(&database));
        let reached = tokio::task::spawn_blocking(move || catch_up(&keeper, &read, instance, since)).await;
        match reached {
            Ok(Ok(reached)) => since = reached,
            Ok(Err(StoreError::Missing)) => break,
            Ok(Err(error)) => tracing::warn!("{} cannot be followed: {error}", database.name()),
            Err(error) => tracing::warn!("{} cannot be followed: {error}", database.name()),
        }
        tokio::select! {
            () = jobs.stopping().cancelled() => return,
            rung = bell.changed() => if rung.is_err() { break },
        }
    }
    jobs.cancel_where(|job| matches!(&job.origin, Origin::Document { instance: of, .. } if *of == instance));
}

/// Looks at what has changed; gives the sequence from which to go on.
fn catch_up(jobs: &Arc<Jobs>, database: &Arc<Database>, instance: u64, since: u64) -> Result<u64, StoreError> {
    let mut since = since;
    loop {
        let changes = database.changes(since, PAGE, false)?;
        let Some(last) = changes.last() else { return Ok(since) };
        since = last.sequence;
        for change in changes {
            look_at(jobs, database, instance, &change.document.id)?;
        }
    }
}

/// Does what a document says now.
fn look_at(jobs: &Arc<Jobs>, database: &Arc<Database>, instance: u64, id: &str) -> Result<(), StoreError> {
    if id.starts_with("_design/") {
        return Ok(());
    }
    let origin = Origin::Document { database: database.name().to_owned(), instance, id: id.to_owned() };
    jobs.hold(database.name(), id, None);
    let known = database.winners(&[id])?.pop().flatten();
    let is_there = |(document, _): &(crate::serve::store::Document, _)| !document.tree.is_deleted();
    let Some((_, body)) = known.filter(is_there).filter(|(_, body)| !settle::is_settled(&body.members)) else {
        jobs.cancel_where(|job| job.origin == origin);
        return Ok(());
    };
    let wanted = match Wanted::parse_document(&body.members) {
        Ok(wanted) => wanted,
        Err(invalid) => {
            jobs.cancel_where(|job| job.origin == origin);
            settle::fail(database, id, &invalid.for_document().reason.unwrap_or_default());
            return Ok(());
        }
    };
    jobs.cancel_where(|job| job.origin == origin && job.wanted != wanted);
    if let Err(other) = jobs.begin(wanted, origin.clone(), None)
        && other.origin != origin
    {
        refuse(jobs, database, instance, id, &other);
    }
    Ok(())
}

/// Somebody else has begun the same.
fn refuse(jobs: &Arc<Jobs>, database: &Arc<Database>, instance: u64, id: &str, other: &Arc<Job>) {
    let specified = format!("Replication `{}` specified by document `{id}`", other.id);
    match &other.origin {
        Origin::Document { database: place, id: first, .. } => {
            let reason = format!("{specified} already started, triggered by document `{first}` from db `{place}`");
            settle::fail(database, id, &reason);
        }
        Origin::Request { .. } => {
            let reason = format!(
                "{specified} already running as a transient replication, started via `_replicate` API endpoint"
            );
            jobs.hold(database.name(), id, Some(reason));
            let (keeper, other) = (Arc::clone(jobs), Arc::clone(other));
            let (database, id) = (Arc::clone(database), id.to_owned());
            jobs.spawn(async move {
                tokio::select! {
                    () = keeper.stopping().cancelled() => return,
                    _ = other.ended() => {}
                }
                let again = move || look_at(&keeper, &database, instance, &id);
                if let Ok(Err(error)) = tokio::task::spawn_blocking(again).await {
                    tracing::debug!("a replication that waited cannot begin: {error}");
                }
            });
        }
    }
}
