//! All replications of an endpoint: each once, whoever asks for it, and all ended with the endpoint.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::job::{Ended, Job, Origin};
use super::settle;
use super::wanted::Wanted;
use crate::replicator::Stop;
use crate::serve::store::Store;
use crate::serve::users::loan::Loan;

/// For so long a replication that was ended may write its checkpoint.
const GRACE: Duration = Duration::from_secs(1);

/// All replications.
pub(in crate::serve) struct Jobs {
    store: Arc<Store>,
    /// Where this endpoint is: `http://127.0.0.1:5984`.
    own: String,
    stop: Stop,
    tasks: TaskTracker,
    count: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// By replication id.
    jobs: BTreeMap<String, Arc<Job>>,
    /// Documents that wait for a replication to end which `_replicate` has begun; with the reason.
    held: BTreeMap<(String, String), String>,
}

impl Jobs {
    /// `address` is where this endpoint listens.
    pub(super) fn new(store: Arc<Store>, address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let own = format!("http://{}", SocketAddr::new(ip, address.port()));
        let (stop, tasks, table) = (Stop::new(), TaskTracker::new(), Mutex::default());
        Self { store, own, stop, tasks, count: AtomicU64::new(1), table }
    }

    /// Where this endpoint is.
    pub(in crate::serve) fn own(&self) -> &str {
        &self.own
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Ends with the endpoint.
    pub(super) fn stopping(&self) -> &Stop {
        &self.stop
    }

    /// Carries something out that ends with the endpoint.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Begins a replication, or gives the one that is the same (`Err`).
    pub(super) fn begin(
        self: &Arc<Self>,
        wanted: Wanted,
        origin: Origin,
        loan: Option<Loan>,
    ) -> Result<Arc<Job>, Arc<Job>> {
        let user = match &origin {
            Origin::Request { user } => user.as_deref(),
            Origin::Document { .. } => None,
        };
        let id = wanted.id(&self.own, user);
        let mut table = self.lock();
        if let Some(job) = table.jobs.get(&id) {
            return Err(Arc::clone(job));
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (own, stop) = (self.own.clone(), self.stop.child_token());
        let job = Arc::new(Job::new((number, id.clone()), wanted, origin, loan, own, stop));
        table.jobs.insert(id, Arc::clone(&job));
        drop(table);
        self.spawn(Arc::clone(self).carry_out(Arc::clone(&job)));
        Ok(job)
    }

    async fn carry_out(self: Arc<Self>, job: Arc<Job>) {
        let ended = tokio::select! {
            ended = job.run() => ended,
            // What cannot be ended orderly is ended all the same.
            () = async { job.stop.cancelled().await; sleep(GRACE).await } => Ended::Stopped,
        };
        if let (Origin::Document { .. }, Ended::Completed(_)) = (&job.origin, &ended)
            && !job.stop.is_cancelled()
        {
            settle::complete(&self.store, &job).await;
        }
        let mut table = self.lock();
        if table.jobs.get(&job.id).is_some_and(|known| Arc::ptr_eq(known, &job)) {
            table.jobs.remove(&job.id);
        }
        drop(table);
        job.end(ended);
    }

    /// Ends a replication; `None` when there is none.
    pub(in crate::serve) fn cancel(&self, id: &str) -> Option<Arc<Job>> {
        let job = self.lock().jobs.remove(id)?;
        job.cancel();
        Some(job)
    }

    /// Ends those that were begun for documents.
    pub(super) fn cancel_where(&self, is_meant: impl Fn(&Job) -> bool) {
        self.lock().jobs.retain(|_, job| {
            let ends = is_meant(job);
            if ends {
                job.cancel();
            }
            !ends
        });
    }

    /// One of them.
    pub(in crate::serve) fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.lock().jobs.get(id).cloned()
    }

    /// All of them, in the order of their ids.
    pub(in crate::serve) fn all(&self) -> Vec<Arc<Job>> {
        self.lock().jobs.values().cloned().collect()
    }

    /// Why a document waits, if it does.
    pub(in crate::serve) fn held(&self, database: &str, id: &str) -> Option<String> {
        self.lock().held.get(&(database.to_owned(), id.to_owned())).cloned()
    }

    pub(super) fn hold(&self, database: &str, id: &str, reason: Option<String>) {
        let key = (database.to_owned(), id.to_owned());
        match reason {
            Some(reason) => self.lock().held.insert(key, reason),
            None => self.lock().held.remove(&key),
        };
    }

    /// Ends all, and waits a little.
    pub(super) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        let _ = timeout(GRACE * 2, self.tasks.wait()).await;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
