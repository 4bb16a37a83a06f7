//! Replications that end: one after the other, each followed, tidied up after, and compared.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::conclude;
use super::super::ended::{self, Ended};
use super::super::observe::observer;
use super::super::places::name;
use super::Work;
use super::keep::Placed;
use super::trouble::{self, Verdict};
use crate::commands::Context;
use crate::commands::explain::explain;
use crate::couch::Phase;
use crate::exit::Failure;
use crate::plan::topology::Route;
use crate::replicator::{self, Outcome};

/// Between two questions, at first and later.
const FIRST: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);
/// Between two looks at both ends.
pub(super) const PROBE: Duration = Duration::from_secs(5);

impl Work {
    /// One after the other.
    pub(super) async fn in_order(&self, context: &Context, order: &[Route]) -> Vec<Ended> {
        let once = async |number| self.once(context, number).await;
        ended::in_order(&self.jobs, &self.routes, order, &self.stop, once).await
    }

    async fn once(&self, context: &Context, number: usize) -> Result<Outcome, Failure> {
        self.check_filter(number).await?;
        let mut placed = self.place(context, number).await?;
        let followed = self.follow_once(context, &mut placed).await;
        self.tidy(context, &placed).await;
        if !followed? {
            return Ok(Outcome { stopped: true, ..Outcome::default() });
        }
        let name = name(&self.places, self.routes[number]);
        let observer = observer(context, Arc::clone(&self.jobs), number, name);
        let outcome = replicator::run(&self.comparison(number), &observer, &self.stop).await;
        let outcome = outcome
            .map_err(|error| conclude::explained(error, &self.places, self.routes[number], &self.options.selection))?;
        if outcome.counts.written > 0 {
            let words =
                super::count(usize::try_from(outcome.counts.written).unwrap_or(usize::MAX), "document", "documents");
            context.printer.note(&format!("{words} that the server had left out came by this computer"));
        }
        Ok(outcome)
    }

    /// A filter that does not exist makes servers try again for ever.
    pub(super) async fn check_filter(&self, number: usize) -> Result<(), Failure> {
        let checked = replicator::check_filter(&self.comparison(number)).await;
        checked.map_err(|error| conclude::explained(error, &self.places, self.routes[number], &self.options.selection))
    }

    /// Follows a job to its end; `false` when it was stopped.
    async fn follow_once(&self, context: &Context, placed: &mut Placed) -> Result<bool, Failure> {
        let before = self.jobs.lines()[placed.number].written;
        let (mut wait, mut probe_at, mut said) = (FIRST, Instant::now() + PROBE, None);
        loop {
            let told = tokio::select! {
                () = self.stop.cancelled() => return Ok(false),
                told = self.server(placed.number).job(&placed.id) => told,
            };
            let known = &self.places[self.keepers[placed.number].place].reached.known;
            let Some(told) = told.map_err(|error| explain(error, known))? else {
                context.printer.note(&format!("the job `{}` was removed at its server", placed.id));
                return Ok(true);
            };
            let told = self.adjusted(placed, &told, true).await;
            self.show(placed.number, before, &told);
            let probe = Instant::now() >= probe_at || told.phase == Phase::Crashing && told.error != said;
            match self.verdict(placed.number, &told, probe).await {
                Verdict::Goes => {}
                Verdict::Done => return Ok(true),
                Verdict::Ended(failure) => return Err(failure),
                Verdict::Double(id) => {
                    let other = self.double(context, placed, id, &told).await?;
                    self.remove(context, placed).await;
                    *placed = other;
                }
            }
            if probe {
                probe_at = Instant::now() + PROBE;
            }
            trouble::say(context, &name(&self.places, self.routes[placed.number]), &told, &mut said);
            tokio::select! {
                () = self.stop.cancelled() => return Ok(false),
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 3 / 2).min(LATER);
        }
    }
}
