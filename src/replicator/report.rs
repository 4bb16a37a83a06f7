//! What is told of a job while it goes on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::End;
use crate::json::Object;

/// Hears of everything that happens.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// Something that happened in a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Both ends were reached.
    Begun {
        /// Where it goes on: `None` is the beginning.
        since: Option<String>,
    },
    /// Some of it was carried.
    Moved(Counts),
    /// The target did not take a revision.
    Refused(Refused),
    /// Everything up to here is done.
    Reached {
        /// A sequence of the source, as JSON text.
        sequence: String,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// How far: a sequence of the source, as JSON text.
        sequence: String,
    },
    /// There is nothing more at the moment.
    CaughtUp(Counts),
    /// Both ends are compared.
    Comparing,
    /// An error that may pass; the next try follows.
    Waiting {
        /// How long.
        wait: Duration,
        /// Which end.
        end: Option<End>,
        /// Why, in words.
        cause: String,
    },
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Revisions that the target was asked about.
    pub checked: u64,
    /// Revisions that it lacked.
    pub missing: u64,
    /// Revisions that were read.
    pub read: u64,
    /// Revisions that were written.
    pub written: u64,
    /// Revisions that the target does not have in the end.
    pub refused: u64,
    /// Changes that are left, where the source says.
    pub pending: Option<u64>,
}

/// A revision that the target does not have in the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// The document.
    pub id: String,
    /// The revision, where it is known.
    pub revision: Option<String>,
    /// Why.
    pub reason: String,
    /// Not allowed (401, 403).
    pub is_forbidden: bool,
}

/// The most refusals that are kept with their reasons.
const KEPT: usize = 1000;

/// The state of a job, shared by what is under way in it.
pub(super) struct Tally {
    observer: Observer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: Counts,
    refused: Vec<Refused>,
    record: Option<Object>,
    /// Refused revisions are counted once in a session, however often they are tried.
    known: HashSet<Key>,
    /// And told once in all sessions.
    told: HashSet<Key>,
}

/// A document and its revision; of a job that goes on for years there may be very many.
type Key = [u8; 16];

fn key(id: &str, revision: Option<&str>) -> Key {
    let digest = Sha256::digest(format!("{}\0{id}", revision.unwrap_or_default()));
    let mut key = Key::default();
    key.copy_from_slice(&digest[..16]);
    key
}

impl Tally {
    pub(super) fn new(observer: &Observer) -> Self {
        Self { observer: Arc::clone(observer), state: Mutex::default() }
    }

    pub(super) fn tell(&self, event: &Event) {
        (self.observer)(event);
    }

    /// Changes the counts.
    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) -> Counts {
        let mut state = self.lock();
        change(&mut state.counts);
        state.counts
    }

    pub(super) fn refuse(&self, refused: Refused) {
        let is_news = {
            let mut state = self.lock();
            let key = key(&refused.id, refused.revision.as_deref());
            if !state.known.insert(key) {
                return;
            }
            state.counts.refused += 1;
            if state.refused.len() < KEPT {
                state.refused.push(refused.clone());
            }
            state.told.insert(key)
        };
        if is_news {
            self.tell(&Event::Refused(refused));
        }
    }

    /// A session begins: what was refused in the one before is tried again, for the target may take it now.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.known.clear();
        state.refused.clear();
        state.counts.refused = 0;
    }

    /// Whether this revision was refused before, in this session.
    pub(super) fn is_refused(&self, id: &str, revision: &str) -> bool {
        self.lock().known.contains(&key(id, Some(revision)))
    }

    /// Keeps what the checkpoint says now.
    pub(super) fn record(&self, record: Option<Object>) {
        self.lock().record = record;
    }

    /// What the checkpoint said last.
    pub(super) fn recorded(&self) -> Option<Object> {
        self.lock().record.clone()
    }

    pub(super) fn refused(&self) -> Vec<Refused> {
        self.lock().refused.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
