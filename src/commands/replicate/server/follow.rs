//! Replications that go on: all at once, until each has ended or somebody wants it to stop.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::super::conclude;
use super::super::ended::Ended;
use super::super::places::name;
use super::followed::{AT_ONCE, Followed, keep};
use super::keep::Placed;
use super::made::Made;
use super::once::PROBE;
use super::reasons::Reasons;
use super::trouble::{self, Verdict};
use super::{Carried, Work};
use crate::commands::Context;
use crate::couch::{CouchError, Phase, Told};
use crate::exit::Failure;
use crate::report::JobState;

/// Fewer jobs of one server are asked for one by one.
const FEW: usize = 8;
/// So many jobs are asked for what is left in one round.
const ASKED: usize = 32;

/// What a server tells of a job: nothing, if it does not know it.
type Answer = Result<Option<Told>, CouchError>;

impl Work {
    pub(super) async fn side_by_side(&self, context: &Context, detach: bool) -> Carried {
        let (mut active, mut carried) = self.place_all(context).await;
        let (mut made, mut reasons) = (Made::default(), Reasons::default());
        let mut probe_at = Instant::now();
        while !active.is_empty() && !self.stop.is_cancelled() {
            let probe = Instant::now() >= probe_at;
            if probe {
                let anew = tokio::select! {
                    () = self.stop.cancelled() => break,
                    anew = made.look(&self.places) => anew,
                };
                self.begin_again(context, &mut active, &anew).await;
                // A thousand places are no reason to ask two hundred of them each second.
                let more = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
                probe_at = Instant::now() + PROBE.max(Duration::from_millis(50) * more);
            }
            let round = tokio::select! {
                () = self.stop.cancelled() => break,
                round = self.round(&active) => round,
            };
            for number in self.judge(context, round, &mut active, &mut carried, probe).await {
                reasons.want(number);
            }
            if let Some(found) = reasons.found(self) {
                keep(found, &mut active);
            }
            if detach && active.iter().all(|job| job.runs) {
                break;
            }
            let wait = if active.len() <= FEW { 500 } else { 1000 };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            }
        }
        while let Some(found) = reasons.next(self).await {
            keep(found, &mut active);
        }
        carried.running = active.into_iter().map(|job| job.placed).collect();
        carried
    }

    /// Asks for all jobs.
    async fn place_all(&self, context: &Context) -> (Vec<Followed>, Carried) {
        let (mut active, mut carried) = (Vec::new(), Carried::default());
        for number in 0..self.routes.len() {
            if self.stop.is_cancelled() {
                break;
            }
            let placed = match self.check_filter(number).await {
                Ok(()) => self.place(context, number).await,
                Err(failure) => Err(failure),
            };
            match placed {
                Ok(placed) => active.push(Followed::new(placed)),
                // The others are placed all the same, or were.
                Err(failure) => carried.ended.push(self.failed(context, number, failure, self.routes.len() > 1)),
            }
        }
        (active, carried)
    }

    fn failed(&self, context: &Context, number: usize, failure: Failure, others: bool) -> Ended {
        let ended = Ended::new(&self.jobs, self.routes[number], number, Err(failure));
        if others {
            conclude::warn(context, &self.places, &ended);
        }
        ended
    }

    /// What all servers tell at the moment, in the order of the jobs.
    async fn round(&self, active: &[Followed]) -> Vec<Answer> {
        let mut told: BTreeMap<usize, Answer> = BTreeMap::new();
        let mut servers: HashMap<&str, Vec<&Placed>> = HashMap::new();
        for job in active {
            servers.entry(&self.keepers[job.placed.number].shown).or_default().push(&job.placed);
        }
        for jobs in servers.values() {
            let server = self.server(jobs[0].number);
            if jobs.len() <= FEW {
                for job in jobs {
                    told.insert(job.number, server.job(&job.id).await);
                }
                continue;
            }
            let all = server.jobs().await;
            let mut all: Result<HashMap<String, Told>, CouchError> =
                all.map(|all| all.into_iter().filter_map(|told| Some((told.document.clone()?, told))).collect());
            for job in jobs {
                let one = match &mut all {
                    Ok(all) => Ok(all.remove(job.id.as_str())),
                    // Told once for all of them, and asked for again in the next round.
                    Err(_) => continue,
                };
                told.insert(job.number, one);
            }
            if let (Err(error), Some(first)) = (all, jobs.first()) {
                told.insert(first.number, Err(error));
            }
        }
        let nothing = || Ok(Some(Told { phase: Phase::Running, ..Told::default() }));
        active.iter().map(|job| told.remove(&job.placed.number).unwrap_or_else(nothing)).collect()
    }

    /// What is to be done about each job. All are looked at side by side: an end that does not answer holds up no other.
    async fn verdicts(&self, active: &[Followed], round: &[Answer], probe: bool) -> Vec<Option<Verdict>> {
        let one = async |(job, told): (&Followed, &Answer)| {
            let Ok(Some(told)) = told else { return None };
            let probe = probe || told.phase == Phase::Crashing && told.error != job.said;
            Some(self.verdict(job.placed.number, told, probe).await)
        };
        stream::iter(active.iter().zip(round)).map(one).buffered(AT_ONCE).collect().await
    }

    /// Carries out what is to be done; gives the jobs of which is to be found out why they were refused something.
    async fn judge(
        &self,
        context: &Context,
        round: Vec<Answer>,
        active: &mut Vec<Followed>,
        carried: &mut Carried,
        probe: bool,
    ) -> Vec<usize> {
        let (mut asked, mut refused) = (0, Vec::new());
        let mut verdicts = self.verdicts(active, &round, probe).await;
        for (at, told) in round.into_iter().enumerate().rev() {
            let others = active.len() > 1;
            let verdict = verdicts.pop().flatten();
            let job = &mut active[at];
            let number = job.placed.number;
            let failure = match told {
                Ok(Some(told)) => match verdict.unwrap_or(Verdict::Goes) {
                    Verdict::Goes => {
                        if self.tell(context, job, &told, &mut asked).await {
                            refused.push(number);
                        }
                        continue;
                    }
                    Verdict::Ended(failure) => Some(failure),
                    Verdict::Double(id) => match self.double(context, &job.placed, id, &told).await {
                        Ok(other) => {
                            self.remove(context, &job.placed).await;
                            *job = Followed::new(other);
                            continue;
                        }
                        Err(failure) => Some(failure),
                    },
                    Verdict::Done => Some(trouble::ended(&self.keepers[number].shown, &job.placed.id)),
                },
                Ok(None) => Some(trouble::removed(&self.keepers[number].shown, &job.placed.id)),
                Err(error) => {
                    // The job may well go on: only its state is not known.
                    let cause = Told { phase: Phase::Crashing, error: Some(error.to_string()), ..Told::default() };
                    trouble::say(context, &name(&self.places, self.routes[number]), &cause, &mut job.said);
                    self.jobs.update(number, |line| line.state = JobState::Waiting);
                    None
                }
            };
            if let Some(failure) = failure {
                let job = active.remove(at);
                self.tidy(context, &job.placed).await;
                carried.ended.push(self.failed(context, number, failure, others));
            }
        }
        refused
    }

    /// Shows how far a job is; says whether documents were refused of which nobody knows why.
    async fn tell(&self, context: &Context, job: &mut Followed, told: &Told, asked: &mut usize) -> bool {
        let number = job.placed.number;
        trouble::say(context, &name(&self.places, self.routes[number]), told, &mut job.said);
        *asked += 1;
        let told = tokio::select! {
            () = self.stop.cancelled() => return false,
            told = self.adjusted(&mut job.placed, told, *asked <= ASKED) => told,
        };
        self.show(number, 0, &told);
        job.lacks_reasons(&told)
    }
}
