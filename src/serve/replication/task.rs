//! A replication under way: what it is, how far it has come, and how it ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Order;
use super::trouble::Trouble;
use super::wanted::Wanted;
use crate::replicator::{Counts, Event, Outcome, Stop};

/// So many events of its history are told.
const EVENTS: usize = 20;

/// One replication.
pub(in crate::serve) struct Task {
    /// The order in which they were begun.
    pub(in crate::serve) number: u64,
    /// What CouchDB calls the replication id.
    pub(in crate::serve) id: String,
    /// What is replicated.
    pub(in crate::serve) wanted: Wanted,
    /// Who asked.
    pub(in crate::serve) user: Option<String>,
    /// The document that asked for it.
    pub(in crate::serve) document: Option<String>,
    /// As which it was read.
    pub(in crate::serve) revision: Option<String>,
    /// Ends it.
    pub(in crate::serve) stop: Stop,
    live: Mutex<Live>,
    ended: watch::Sender<Option<Arc<Ended>>>,
    running: Mutex<Option<AbortHandle>>,
}

/// How a replication ended.
#[derive(Debug)]
pub(in crate::serve) enum Ended {
    /// It is done.
    Done(Outcome),
    /// It failed for good.
    Failed(Trouble),
    /// It was stopped.
    Stopped,
}

/// How far it has come.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Live {
    /// Where it is.
    pub(in crate::serve) phase: Phase,
    /// What was done.
    pub(in crate::serve) counts: Counts,
    /// How far the source was read, as JSON text.
    pub(in crate::serve) reached: Option<String>,
    /// How far a checkpoint tells, as JSON text.
    pub(in crate::serve) recorded: Option<String>,
    /// Failures in a row.
    pub(in crate::serve) errors: u64,
    /// When it was begun.
    pub(in crate::serve) started: jiff::Timestamp,
    /// When its state changed.
    pub(in crate::serve) updated: jiff::Timestamp,
    /// What happened, newest first.
    pub(in crate::serve) history: Vec<Happened>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Happened {
    /// CouchDB's word.
    pub(in crate::serve) word: &'static str,
    /// When.
    pub(in crate::serve) at: jiff::Timestamp,
    /// Why.
    pub(in crate::serve) reason: Option<String>,
}

/// Where a replication is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Phase {
    /// It was asked for.
    Pending,
    /// Under way.
    Running,
    /// It failed, and will be tried again.
    Crashing(String),
}

impl Live {
    fn new() -> Self {
        let now = jiff::Timestamp::now();
        let history = vec![Happened { word: "added", at: now, reason: None }];
        Self {
            phase: Phase::Pending,
            counts: Counts::default(),
            reached: None,
            recorded: None,
            errors: 0,
            started: now,
            updated: now,
            history,
        }
    }

    fn happened(&mut self, word: &'static str, reason: Option<String>) {
        self.updated = jiff::Timestamp::now();
        self.history.insert(0, Happened { word, at: self.updated, reason });
        self.history.truncate(EVENTS);
    }

    /// It is under way (again).
    fn run(&mut self) {
        if self.phase != Phase::Running {
            self.phase = Phase::Running;
            self.happened("started", None);
        }
    }

    fn crash(&mut self, reason: &str) {
        self.errors += 1;
        self.phase = Phase::Crashing(reason.to_owned());
        self.happened("crashed", Some(reason.to_owned()));
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Begun { since } => {
                self.run();
                self.recorded.clone_from(since);
            }
            Event::Moved(counts) => self.counts = *counts,
            Event::CaughtUp(counts) => {
                self.counts = *counts;
                self.errors = 0;
            }
            Event::Refused(_) => self.counts.refused += 1,
            Event::Reached { sequence } => {
                self.reached = Some(sequence.clone());
                self.errors = 0;
            }
            Event::Checkpoint { sequence } => self.recorded = Some(sequence.clone()),
            Event::Comparing => {}
            Event::Waiting { cause, .. } => self.crash(&crate::secret::redact(cause)),
        }
    }
}

impl Task {
    pub(super) fn new(number: u64, own: &str, order: &Order) -> Self {
        let Order { wanted, user, document, .. } = order;
        let revision = document.as_ref().map(|asking| asking.revision.clone());
        let document = document.as_ref().map(|asking| asking.id.clone());
        Self {
            number,
            id: wanted.id(own, user.as_deref().filter(|_| document.is_none())),
            wanted: wanted.clone(),
            user: user.clone(),
            document,
            revision,
            stop: Stop::new(),
            live: Mutex::new(Live::new()),
            ended: watch::Sender::new(None),
            running: Mutex::new(None),
        }
    }

    /// How far it has come.
    pub(in crate::serve) fn live(&self) -> Live {
        self.lock().clone()
    }

    /// Hears of what happens.
    pub(super) fn hear(&self, event: &Event) {
        self.lock().hear(event);
    }

    /// It failed, and is tried again; tells how often it has, in a row.
    pub(super) fn crash(&self, reason: &str) -> u64 {
        let mut live = self.lock();
        live.crash(reason);
        live.errors
    }

    /// Waits for the end.
    pub(in crate::serve) async fn ended(&self) -> Arc<Ended> {
        let mut ended = self.ended.subscribe();
        let told = ended.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        told.unwrap_or_else(|| Arc::new(Ended::Stopped))
    }

    pub(super) fn end(&self, ended: Ended) {
        self.ended.send_replace(Some(Arc::new(ended)));
    }

    pub(super) fn runs_as(&self, handle: AbortHandle) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    pub(super) fn abort(&self) {
        if let Some(handle) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            handle.abort();
        }
        self.end(Ended::Stopped);
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_replication_has_a_state() {
        let waiting =
            Event::Waiting { wait: Duration::ZERO, end: None, cause: "http://jan:canary@h is away".to_owned() };
        let reached = Event::Reached { sequence: "\"7-x\"".to_owned() };
        let (begun, caught_up) = (Event::Begun { since: None }, Event::CaughtUp(Counts::default()));
        let rows = [
            (vec![], "pending", 0),
            (vec![&begun], "running", 0),
            (vec![&begun, &waiting], "crashing", 1),
            (vec![&begun, &waiting, &waiting], "crashing", 2),
            (vec![&begun, &waiting, &begun], "running", 1),
            (vec![&begun, &waiting, &begun, &reached], "running", 0),
            (vec![&begun, &waiting, &begun, &caught_up], "running", 0),
        ];
        for (events, phase, errors) in rows {
            let mut live = Live::new();
            events.iter().for_each(|event| live.hear(event));
            assert_eq!((live.phase.word(), live.errors), (phase, errors), "{events:?}");
            assert!(!format!("{live:?}").contains("canary"));
        }
    }
}
