//! What our own replicator tells, as the line of its job.

use std::sync::Arc;

use crate::commands::Context;
use crate::replicator::{Counts, Event, Observer};
use crate::report::{JobState, Jobs};

/// Shows what a job tells, on top of what its line has counted as written before. What was refused before is tried
/// again, and counted again where it is refused again.
pub(super) fn observer(context: &Context, jobs: Arc<Jobs>, number: usize, name: String) -> Observer {
    let before = jobs.line(number).map_or(0, |line| line.written);
    jobs.update(number, |line| line.refused = 0);
    let printer = context.printer.clone();
    Arc::new(move |event: &Event| {
        let state = |state: JobState| jobs.update(number, |line| line.state = state);
        let moved = |counts: &Counts, state: Option<JobState>| {
            jobs.update(number, |line| {
                line.written = before + counts.written;
                line.refused = counts.refused;
                line.pending = counts.pending;
                line.state = state.unwrap_or(match line.state {
                    JobState::Comparing => JobState::Comparing,
                    _ => JobState::Running,
                });
            });
        };
        match event {
            Event::Begun { since } => {
                let from = since.as_deref().map_or("the beginning", |_| "the last checkpoint");
                printer.detail(&format!("{name}: from {from}"));
                jobs.update(number, |line| {
                    if line.state != JobState::Comparing {
                        line.state = JobState::Running;
                    }
                });
            }
            Event::Moved(counts) => moved(counts, None),
            Event::CaughtUp(counts) => moved(counts, Some(JobState::CaughtUp)),
            Event::Comparing => state(JobState::Comparing),
            Event::Refused(refused) => {
                jobs.refused(number, &refused.id, refused.revision.as_deref(), &refused.reason);
                jobs.update(number, |line| line.refused += 1);
            }
            Event::Reached { .. } => {}
            Event::Checkpoint { .. } => printer.detail(&format!("{name}: checkpoint")),
            Event::Waiting { wait, cause, .. } => {
                printer.note(&format!("{name}: {cause}; trying again in {:.1} s", wait.as_secs_f64()));
                state(JobState::Waiting);
            }
        }
    })
}
