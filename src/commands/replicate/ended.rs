//! How jobs end, and jobs that are carried out one after the other.

use crate::exit::Failure;
use crate::plan::topology::Route;
use crate::replicator::{Outcome, Stop};
use crate::report::{JobState, Jobs};

/// How a job ended, and which.
pub(super) struct Ended {
    pub route: Route,
    pub number: usize,
    pub outcome: Result<Outcome, Failure>,
}

impl Ended {
    /// The end of the job of a route, which its line shows.
    pub(super) fn new(jobs: &Jobs, route: Route, number: usize, outcome: Result<Outcome, Failure>) -> Self {
        jobs.update(number, |line| {
            line.state = match &outcome {
                Err(_) => JobState::Failed,
                Ok(outcome) if outcome.stopped => JobState::Stopped,
                Ok(_) => JobState::Done,
            };
        });
        Self { route, number, outcome }
    }
}

/// Takes one route after the other, each on top of what those before it have brought, until one fails or it is to stop.
/// `carry` is given the number of the route.
pub(super) async fn in_order(
    jobs: &Jobs,
    routes: &[Route],
    order: &[Route],
    stop: &Stop,
    carry: impl AsyncFn(usize) -> Result<Outcome, Failure>,
) -> Vec<Ended> {
    let mut ended = Vec::new();
    for route in order {
        let Some(number) = routes.iter().position(|known| known == route) else { continue };
        let outcome = match stop.is_cancelled() {
            true => Ok(Outcome { stopped: true, ..Outcome::default() }),
            false => carry(number).await,
        };
        let is_last = !outcome.as_ref().is_ok_and(|outcome| !outcome.stopped);
        ended.push(Ended::new(jobs, *route, number, outcome));
        if is_last {
            break;
        }
    }
    ended
}
