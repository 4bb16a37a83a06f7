//! What a server tells of a job, made true: without what earlier sessions had written, and with what is left.

use super::Work;
use super::keep::Placed;
use crate::couch::{Feed, Phase, Selection, Sequence, Told};
use crate::report::JobState;

impl Work {
    /// Takes what is told of a job for what it is. `ask`: asks the source what is left.
    pub(super) async fn adjusted(&self, placed: &mut Placed, told: &Told, ask: bool) -> Told {
        let mut told = told.clone();
        let number = placed.number;
        if let (None, Some(replication)) = (&placed.earlier, &told.replication) {
            let target = self.spec(number).target;
            placed.earlier = target.earlier_sessions(replication, told.started.as_deref()).await.ok();
        }
        if let Some(earlier) = &placed.earlier {
            told.written = told.written.map(|written| written.saturating_sub(earlier.written));
            told.refused = told.refused.saturating_sub(earlier.refused);
            if told.through.is_none() {
                told.through.clone_from(&earlier.through);
            }
        }
        if ask && told.phase == Phase::Running && told.through.is_some() {
            told.pending = self.left(number, told.through.as_ref()).await;
        }
        told
    }

    /// How many changes are left for a job. What a filter will let pass is not known before it was asked.
    async fn left(&self, number: usize, through: Option<&Sequence>) -> Option<u64> {
        let spec = self.spec(number);
        let selection = spec.effective();
        let winners_only = spec.winning_revisions_only;
        let feed = Feed { since: through, limit: 1, selection: &selection, winners_only, wait: false };
        let page = spec.source.feed(&feed).await.ok()?;
        match selection {
            _ if page.rows.is_empty() => Some(0),
            Selection::Everything => page.pending.map(|pending| pending + 1),
            _ => None,
        }
    }

    /// Puts what is told onto the line of a job, on top of what it had written `before`.
    pub(super) fn show(&self, number: usize, before: u64, told: &Told) {
        self.jobs.update(number, |line| {
            if let Some(written) = told.written {
                line.written = before + written;
            }
            line.pending = told.pending;
            line.state = match told.phase {
                Phase::Waiting => JobState::Queued,
                Phase::Running if told.pending == Some(0) && self.options.continuous => JobState::CaughtUp,
                Phase::Running => JobState::Running,
                Phase::Crashing => JobState::Waiting,
                Phase::Completed => JobState::Comparing,
                Phase::Failed => JobState::Failed,
            };
            if self.options.continuous {
                line.refused = line.refused.max(told.refused);
            }
        });
    }
}
