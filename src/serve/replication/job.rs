//! One replication that is carried out: begun, tried again after errors, ended.

use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::end::End;
use super::state::State;
use super::trouble;
use super::wanted::Wanted;
use crate::address::{Address, Expect};
use crate::couch::{Database, Network, Server};
use crate::replicator::{self, Event, Observer, Options, Outcome, Stop};
use crate::secret::Credentials;
use crate::serve::failure::Failure;
use crate::serve::users::loan::Loan;

/// The wait after the first failure; each further one is twice as long. CouchDB waits 30 s at first.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Who asked for a replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Origin {
    /// A request to `_replicate`.
    Request {
        /// Whose.
        user: Option<String>,
    },
    /// A document.
    Document {
        /// The name of its database.
        database: String,
        /// Which of that name.
        instance: u64,
        /// Its id.
        id: String,
    },
}

/// How a replication ended.
#[derive(Clone, Debug)]
pub(in crate::serve) enum Ended {
    /// Everything was carried.
    Completed(Box<Outcome>),
    /// It failed, and nobody wants it to be tried again.
    Failed(Failure),
    /// It was cancelled.
    Stopped,
}

/// One replication.
pub(in crate::serve) struct Job {
    /// The replication id.
    pub(in crate::serve) id: String,
    /// A number of its own, as CouchDB's jobs have a process of their own.
    pub(in crate::serve) number: u64,
    /// What is to be done.
    pub(in crate::serve) wanted: Wanted,
    /// Who wants it.
    pub(in crate::serve) origin: Origin,
    /// In whose name local databases are asked.
    pub(super) loan: Option<Loan>,
    /// Where this endpoint is.
    pub(super) own: String,
    pub(super) stop: Stop,
    state: Mutex<State>,
    ended: watch::Sender<Option<Ended>>,
}

impl Job {
    /// `stop` ends it.
    pub(super) fn new(
        (number, id): (u64, String),
        wanted: Wanted,
        origin: Origin,
        loan: Option<Loan>,
        own: String,
        stop: Stop,
    ) -> Self {
        let (state, ended) = (Mutex::new(State::new(Timestamp::now())), watch::Sender::new(None));
        Self { id, number, wanted, origin, loan, own, stop, state, ended }
    }

    /// Where it stands.
    pub(in crate::serve) fn state(&self) -> State {
        self.locked().clone()
    }

    /// Waits for its end.
    pub(in crate::serve) async fn ended(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| ended.clone()).unwrap_or(Ended::Stopped)
    }

    pub(super) fn end(&self, ended: Ended) {
        self.ended.send_replace(Some(ended));
    }

    /// Ends it, with a checkpoint written where that can be done.
    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Carries it out until it ends.
    pub(super) async fn run(self: &Arc<Self>) -> Ended {
        let observer: Observer = {
            let job = Arc::clone(self);
            Arc::new(move |event: &Event| job.locked().hear(Timestamp::now(), event))
        };
        let mut wait = FIRST_WAIT;
        loop {
            self.locked().begin(Timestamp::now());
            let failure = match self.attempt(&observer).await {
                Ok(outcome) if outcome.stopped => return Ended::Stopped,
                Ok(outcome) => {
                    self.locked().complete(Timestamp::now(), outcome.counts);
                    return Ended::Completed(Box::new(outcome));
                }
                Err(_) if self.stop.is_cancelled() => return Ended::Stopped,
                Err(failure) => failure,
            };
            let is_new = self.locked().errors == 0;
            self.locked().fail(Timestamp::now(), &trouble::text(&failure));
            if matches!(self.origin, Origin::Request { .. }) && !self.wanted.continuous {
                return Ended::Failed(failure);
            }
            wait = if is_new { FIRST_WAIT } else { wait };
            tokio::select! {
                () = self.stop.cancelled() => return Ended::Stopped,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn attempt(&self, observer: &Observer) -> Result<Outcome, Failure> {
        let job = replicator::Job {
            source: self.open(&self.wanted.source)?,
            target: self.open(&self.wanted.target)?,
            options: Options {
                continuous: self.wanted.continuous,
                create_target: self.wanted.create_target,
                selection: self.wanted.selection.clone(),
                winning_revisions_only: self.wanted.winning_revisions_only,
                since: self.wanted.since.clone(),
                ..Options::default()
            },
            echo: None,
        };
        let done = replicator::run(&job, observer, &self.stop).await;
        done.map_err(|error| trouble::failure(&error, &self.wanted, &self.own))
    }

    fn open(&self, end: &End) -> Result<Database, Failure> {
        let url = end.shown(&self.own);
        let nowhere = || trouble::not_found(&url);
        let mut network = Network::default();
        let (address, credentials) = match end {
            End::Local(_) => {
                let (address, _) = Address::parse(&url, Expect::Database).map_err(|_| nowhere())?;
                (address, self.loan.as_ref().map(|loan| Credentials::Bearer(loan.token())))
            }
            End::Remote(remote) => {
                network.headers.clone_from(&remote.headers);
                (remote.address.clone(), remote.credentials.clone())
            }
        };
        let server = Server::connect(&address, credentials, &network);
        let server = server.map_err(|error| Failure::new(500, "replication_error", error.to_string()))?;
        Ok(server.database(address.database.as_ref().ok_or_else(nowhere)?))
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
