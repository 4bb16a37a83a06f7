//! What is known of a job at a server that goes on.

use std::time::Duration;

use tokio::time::Instant;

use super::keep::Placed;
use super::reasons::Found;
use crate::couch::{Phase, Told};

/// So many jobs are looked at side by side.
pub(super) const AT_ONCE: usize = 16;

/// A server that cannot open a database says so sooner.
const OPENED: Duration = Duration::from_secs(6);

/// A job that is followed.
pub(super) struct Followed {
    pub placed: Placed,
    /// The last reason that was said.
    pub said: Option<String>,
    /// It runs: both databases were opened.
    pub runs: bool,
    /// Refusals whose reasons were looked for.
    looked: u64,
    /// Since when it is said to run.
    running_since: Option<Instant>,
}

impl Followed {
    pub(super) fn new(placed: Placed) -> Self {
        Self { placed, said: None, looked: 0, running_since: None, runs: false }
    }

    /// Takes in what the server tells; says whether documents were refused of which nobody knows why.
    pub(super) fn lacks_reasons(&mut self, told: &Told) -> bool {
        let caught_up = told.phase == Phase::Running && told.pending == Some(0);
        if told.phase == Phase::Running {
            let since = *self.running_since.get_or_insert_with(Instant::now);
            // A server says that it runs before it has opened the databases.
            self.runs |= caught_up || told.written.is_some() || since.elapsed() >= OPENED;
        } else {
            self.running_since = None;
        }
        let lacks = caught_up && told.refused > self.looked;
        if lacks {
            self.looked = told.refused;
        }
        lacks
    }
}

/// Remembers which documents were refused.
pub(super) fn keep((number, refused): Found, active: &mut [Followed]) {
    if let Some(job) = active.iter_mut().find(|job| job.placed.number == number) {
        job.placed.refused = refused;
    }
}
