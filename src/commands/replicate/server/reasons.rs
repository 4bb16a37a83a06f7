//! Why documents are refused. A server counts them and does not say which they are: they are tried once more, beside
//! everything else that is followed, and for one job after the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::Work;
use crate::replicator::{self, Event, Observer, Refused};

/// What a job was refused.
pub(super) type Found = (usize, Vec<Refused>);

/// The jobs for which reasons are looked for.
#[derive(Default)]
pub(super) struct Reasons {
    waiting: VecDeque<usize>,
    looking: JoinSet<Found>,
}

impl Reasons {
    /// Has the reasons of a job looked for when its turn comes.
    pub(super) fn want(&mut self, number: usize) {
        if !self.waiting.contains(&number) {
            self.waiting.push_back(number);
        }
    }

    /// What was found meanwhile. Begins with the next job if none is looked at.
    pub(super) fn found(&mut self, work: &Work) -> Option<Found> {
        let found = self.looking.try_join_next();
        self.begin(work);
        found?.ok()
    }

    /// Waits for what is still to be found; nothing more is begun once it is to stop.
    pub(super) async fn next(&mut self, work: &Work) -> Option<Found> {
        loop {
            self.begin(work);
            // One that broke down has found nothing.
            if let Ok(found) = self.looking.join_next().await? {
                return Some(found);
            }
        }
    }

    fn begin(&mut self, work: &Work) {
        if !self.looking.is_empty() || work.stop.is_cancelled() {
            return;
        }
        let Some(number) = self.waiting.pop_front() else { return };
        let (found, jobs) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(&work.jobs));
        let hears = Arc::clone(&found);
        let observer: Observer = Arc::new(move |event: &Event| {
            if let Event::Refused(refused) = event {
                jobs.refused(number, &refused.id, refused.revision.as_deref(), &refused.reason);
                hears.lock().unwrap_or_else(PoisonError::into_inner).push(refused.clone());
            }
        });
        let (job, stop) = (work.comparison(number), work.stop.clone());
        self.looking.spawn(async move {
            // An end that fails is noticed by the next look at it.
            let _ = replicator::run(&job, &observer, &stop).await;
            (number, std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner)))
        });
    }
}
