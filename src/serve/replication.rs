//! Replications that the endpoint carries out by itself: what `_replicate` asks for, and the documents of `_replicator`.
//!
//! Each is a task with a job of [`crate::replicator`], which reaches the databases of this endpoint as those of any other:
//! by HTTP, with a token that has the rights of whoever asked. What `_scheduler` tells is the state of these tasks.
//! <https://docs.couchdb.org/en/3.5.x/replication/replicator.html>

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use self::task::{Ended, Task};
use self::wanted::Wanted;
use crate::serve::store::Database;
use crate::serve::users::loan::Loan;

mod carry;
pub(in crate::serve) mod documents;
pub(in crate::serve) mod end;
pub(in crate::serve) mod keeper;
pub(in crate::serve) mod owner;
pub(in crate::serve) mod task;
pub(in crate::serve) mod told;
pub(in crate::serve) mod trouble;
pub(in crate::serve) mod wanted;

/// How long tasks may take for a last checkpoint when the endpoint ends.
const PATIENCE: Duration = Duration::from_secs(1);

/// All replications that are under way.
#[derive(Default)]
pub struct Replications {
    own: OnceLock<String>,
    next: AtomicU64,
    tasks: Mutex<BTreeMap<u64, Arc<Task>>>,
}

/// What is to be begun.
pub(in crate::serve) struct Order {
    /// What is meant.
    pub(in crate::serve) wanted: Wanted,
    /// Who asked; it is shown.
    pub(in crate::serve) user: Option<String>,
    /// The rights at databases of this endpoint.
    pub(in crate::serve) loan: Option<Loan>,
    /// The document that asks for it.
    pub(in crate::serve) document: Option<Asking>,
}

/// A document that asks for a replication.
pub(in crate::serve) struct Asking {
    /// Where it is.
    pub(in crate::serve) database: Arc<Database>,
    /// Its id.
    pub(in crate::serve) id: String,
    /// As which it was read.
    pub(in crate::serve) revision: String,
}

impl Replications {
    /// Where databases of this endpoint are reached from here on.
    pub fn settle(&self, address: SocketAddr) {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let _ = self.own.set(format!("http://{}", SocketAddr::new(ip, address.port())));
    }

    /// Where this endpoint is.
    pub(in crate::serve) fn own(&self) -> &str {
        self.own.get().map_or("http://127.0.0.1:5984", String::as_str)
    }

    /// Begins a replication, unless the same one is under way.
    ///
    /// # Errors
    /// The one that is.
    pub(in crate::serve) fn begin(self: &Arc<Self>, order: Order) -> Result<Arc<Task>, Arc<Task>> {
        let mut tasks = self.lock();
        let task = Task::new(self.next.fetch_add(1, Ordering::Relaxed), self.own(), &order);
        if let Some(same) = tasks.values().find(|known| known.id == task.id) {
            return Err(Arc::clone(same));
        }
        let task = Arc::new(task);
        tasks.insert(task.number, Arc::clone(&task));
        drop(tasks);
        let (all, carried) = (Arc::clone(self), Arc::clone(&task));
        let running = tokio::spawn(async move {
            let ended = carry::carry(all.own(), &carried, order.loan.as_ref()).await;
            if let (Some(asking), Some(ended)) = (order.document, &ended) {
                documents::conclude(&asking, &carried, ended).await;
            }
            all.forget(&carried);
            carried.end(ended.unwrap_or(Ended::Stopped));
        });
        task.runs_as(running.abort_handle());
        Ok(task)
    }

    /// Ends a replication: it is not told of any longer.
    pub(in crate::serve) fn cancel(&self, task: &Task) {
        task.stop.cancel();
        self.forget(task);
    }

    /// All of them, the newest last.
    pub(in crate::serve) fn tasks(&self) -> Vec<Arc<Task>> {
        self.lock().values().cloned().collect()
    }

    /// The one of a document.
    pub(in crate::serve) fn of_document(&self, id: &str) -> Option<Arc<Task>> {
        self.lock().values().find(|task| task.document.as_deref() == Some(id)).cloned()
    }

    /// Ends all of them, and waits a little for their checkpoints.
    pub(in crate::serve) async fn stop(&self) {
        let tasks = self.tasks();
        tasks.iter().for_each(|task| task.stop.cancel());
        let ended = async {
            for task in &tasks {
                task.ended().await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, ended).await;
        self.abort();
    }

    /// Ends all of them at once.
    pub(in crate::serve) fn abort(&self) {
        self.tasks().iter().for_each(|task| task.abort());
    }

    fn forget(&self, task: &Task) {
        self.lock().remove(&task.number);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Task>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
