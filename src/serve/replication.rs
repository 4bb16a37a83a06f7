//! Replications that the endpoint carries out: asked for by `_replicate`, or by documents of `_replicator`.
//!
//! The replicator is the one of the command line. It knows nothing of this endpoint and reaches its databases as it reaches
//! all others, by HTTP: what a replication may do is what the user may in whose name it asks. Everything that is under way is
//! in one table, by CouchDB's rules: the same replication only once, tried again after errors, ended with its document and
//! with the endpoint.
//! <https://docs.couchdb.org/en/3.5.x/replication/replicator.html>

use std::net::SocketAddr;
use std::sync::Arc;

use self::job::{Job, Origin};
use self::jobs::Jobs;
use self::wanted::Wanted;
use crate::serve::store::{Store, StoreError};
use crate::serve::users::access;
use crate::serve::users::loan::Loan;

mod documents;
mod end;
pub(in crate::serve) mod job;
mod jobs;
pub(in crate::serve) mod owner;
pub(in crate::serve) mod settle;
pub(in crate::serve) mod state;
mod trouble;
pub(in crate::serve) mod wanted;

/// All replications of an endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Replications(Arc<Jobs>);

impl std::fmt::Debug for Replications {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replications").field("own", &self.0.own()).finish_non_exhaustive()
    }
}

impl Replications {
    /// None yet; the database `_replicator` is made where it is missing. `address` is where the endpoint listens. Blocks.
    pub(in crate::serve) fn open(store: &Arc<Store>, address: SocketAddr) -> Result<Self, StoreError> {
        match store.create(owner::DATABASE) {
            Ok(database) => database.set("security", &access::default_security())?,
            Err(StoreError::Exists) => {}
            Err(error) => return Err(error),
        }
        Ok(Self(Arc::new(Jobs::new(Arc::clone(store), address))))
    }

    /// Does what documents say from now on.
    pub(in crate::serve) fn follow_documents(&self) {
        self.0.spawn(documents::follow_all(Arc::clone(&self.0)));
    }

    /// Begins what somebody asks for, or gives what is the same and under way.
    pub(in crate::serve) fn begin(&self, wanted: Wanted, user: Option<String>, loan: Loan) -> Arc<Job> {
        self.0.begin(wanted, Origin::Request { user }, Some(loan)).unwrap_or_else(|known| known)
    }

    /// Where this endpoint is.
    pub(in crate::serve) fn own(&self) -> &str {
        self.0.own()
    }

    /// One that is under way.
    pub(in crate::serve) fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.0.get(id)
    }

    /// Those that are under way, in the order of their ids.
    pub(in crate::serve) fn all(&self) -> Vec<Arc<Job>> {
        self.0.all()
    }

    /// Ends one; `None` when there is none.
    pub(in crate::serve) fn cancel(&self, id: &str) -> Option<Arc<Job>> {
        self.0.cancel(id)
    }

    /// Why a document waits for a replication that somebody else has begun.
    pub(in crate::serve) fn held(&self, database: &str, id: &str) -> Option<String> {
        self.0.held(database, id)
    }

    /// Ends all, and waits a little for their checkpoints.
    pub(in crate::serve) async fn end(&self) {
        self.0.end().await;
    }

    /// Ends all.
    pub(in crate::serve) fn end_now(&self) {
        self.0.stopping().cancel();
    }
}
