//! Replications that go on: all at once, until each has ended or somebody wants it to stop.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::conclude;
use super::super::ended::Ended;
use super::super::places::name;
use super::keep::Placed;
use super::once::PROBE;
use super::trouble::{self, Verdict};
use super::{Carried, Work};
use crate::commands::Context;
use crate::couch::{CouchError, Phase, Sequence, Told};
use crate::exit::Failure;
use crate::replicator::{self, Event, Observer};
use crate::report::JobState;

/// Fewer jobs of one server are asked for one by one.
const FEW: usize = 8;
/// A server that cannot open a database says so sooner.
const OPENED: Duration = Duration::from_secs(6);
/// So many jobs are asked for what is left in one round.
const ASKED: usize = 32;

/// A job that is followed.
struct Followed {
    placed: Placed,
    /// The last reason that was said.
    said: Option<String>,
    /// Refusals whose reasons were looked for.
    looked: u64,
    /// Since when it is said to run.
    running_since: Option<Instant>,
    /// It runs: both databases were opened.
    runs: bool,
}

impl Work {
    pub(super) async fn side_by_side(&self, context: &Context, detach: bool) -> Carried {
        let mut carried = Carried::default();
        let mut active: Vec<Followed> = Vec::new();
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
        let mut made = Made::default();
        let mut probe_at = Instant::now();
        while !active.is_empty() && !self.stop.is_cancelled() {
            let probe = Instant::now() >= probe_at;
            if probe {
                made.look(self, context, &mut active).await;
                // A thousand places are no reason to ask two hundred of them each second.
                let more = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
                probe_at = Instant::now() + PROBE.max(Duration::from_millis(50) * more);
            }
            let round = tokio::select! {
                () = self.stop.cancelled() => break,
                round = self.round(&active) => round,
            };
            self.judge(context, round, &mut active, &mut carried, probe).await;
            if detach && active.iter().all(|job| job.runs) {
                break;
            }
            let wait = if active.len() <= FEW { 500 } else { 1000 };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            }
        }
        carried.running = active.into_iter().map(|job| job.placed).collect();
        carried
    }

    fn failed(&self, context: &Context, number: usize, failure: Failure, others: bool) -> Ended {
        let ended = Ended::new(&self.jobs, self.routes[number], number, Err(failure));
        if others {
            conclude::warn(context, &self.places, &ended);
        }
        ended
    }

    /// What all servers tell at the moment, in the order of the jobs.
    async fn round(&self, active: &[Followed]) -> Vec<Result<Option<Told>, CouchError>> {
        let mut told: BTreeMap<usize, Result<Option<Told>, CouchError>> = BTreeMap::new();
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

    async fn judge(
        &self,
        context: &Context,
        round: Vec<Result<Option<Told>, CouchError>>,
        active: &mut Vec<Followed>,
        carried: &mut Carried,
        probe: bool,
    ) {
        let mut asked = 0;
        for (at, told) in round.into_iter().enumerate().rev() {
            let others = active.len() > 1;
            let job = &mut active[at];
            let number = job.placed.number;
            let failure = match told {
                Ok(Some(told)) => {
                    let probe = probe || told.phase == Phase::Crashing && told.error != job.said;
                    match self.verdict(number, &told, probe).await {
                        Verdict::Goes => {
                            self.tell(context, job, &told, &mut asked).await;
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
                    }
                }
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
    }

    /// Shows how far a job is.
    async fn tell(&self, context: &Context, job: &mut Followed, told: &Told, asked: &mut usize) {
        let number = job.placed.number;
        trouble::say(context, &name(&self.places, self.routes[number]), told, &mut job.said);
        *asked += 1;
        let told = self.adjusted(&mut job.placed, told, *asked <= ASKED).await;
        self.show(number, 0, &told);
        let caught_up = told.phase == Phase::Running && told.pending == Some(0);
        if told.phase == Phase::Running {
            let since = *job.running_since.get_or_insert_with(Instant::now);
            // A server says that it runs before it has opened the databases.
            job.runs |= caught_up || told.written.is_some() || since.elapsed() >= OPENED;
        } else {
            job.running_since = None;
        }
        if caught_up && told.refused > job.looked {
            job.looked = told.refused;
            self.look_for_reasons(job).await;
        }
    }

    /// The server counts what the target did not take, and does not say what it was: it is tried once more.
    async fn look_for_reasons(&self, job: &mut Followed) {
        let number = job.placed.number;
        let found = Arc::new(Mutex::new(Vec::new()));
        let (hears, jobs) = (Arc::clone(&found), Arc::clone(&self.jobs));
        let observer: Observer = Arc::new(move |event: &Event| {
            if let Event::Refused(refused) = event {
                jobs.refused(number, &refused.id, refused.revision.as_deref(), &refused.reason);
                hears.lock().unwrap_or_else(PoisonError::into_inner).push(refused.clone());
            }
        });
        // An end that fails is noticed by the next look at it.
        let _ = replicator::run(&self.comparison(number), &observer, &self.stop).await;
        job.placed.refused = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Followed {
    fn new(placed: Placed) -> Self {
        Self { placed, said: None, looked: 0, running_since: None, runs: false }
    }
}

/// When each database was made, and how far it was. A running job goes on writing what is new to one that was made anew meanwhile, and what
/// was there before is lacking for ever.
#[derive(Default)]
struct Made(HashMap<usize, (Option<String>, Option<Sequence>)>);

impl Made {
    async fn look(&mut self, work: &Work, context: &Context, active: &mut [Followed]) {
        let mut anew = Vec::new();
        for (number, place) in work.places.iter().enumerate() {
            let Ok(info) = place.database.info().await else { continue };
            let now = (info.instance_start_time.clone(), info.sequence());
            // PouchDB gives the same time to all, but starts to count anew.
            let is_another = |before: &(Option<String>, Option<Sequence>)| {
                before.0 != now.0
                    || now.1.as_ref().zip(before.1.as_ref()).is_some_and(|(now, then)| now.is_behind(then))
            };
            if self.0.get(&number).is_some_and(is_another) {
                anew.push(number);
            }
            self.0.insert(number, now);
        }
        for job in active {
            let route = work.routes[job.placed.number];
            if job.placed.is_adopted || !(anew.contains(&route.from) || anew.contains(&route.to)) {
                continue;
            }
            context.printer.note(&format!("{}: a database was made anew; beginning again", name(&work.places, route)));
            work.remove(context, &job.placed).await;
            match work.place(context, job.placed.number).await {
                Ok(placed) => *job = Followed::new(placed),
                // It is gone then, which the next round says.
                Err(failure) => context.printer.warning("job_failed", &failure.to_string()),
            }
        }
    }
}
