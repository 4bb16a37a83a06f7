//! `--via client`: our own replicator, for servers that need not see each other.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

use super::places::{Known, reach};
use super::{conclude, shape};
use crate::commands::ending::Ending;
use crate::commands::{Context, database, handles};
use crate::couch::{Errand, Meter, Selection, Traffic};
use crate::exit::{Exit, Failure};
use crate::plan::topology::{self, Route};
use crate::replicator::{self, Echo, Event, Job, Observer, Options, Outcome, ReplicationError, Stop, Timing};
use crate::report::{JobLine, JobState, Jobs, Start};
use crate::settings::replicate::{ReplicateSettings, Which};

/// How a job ended, and which.
pub(super) struct Ended {
    pub route: Route,
    pub number: usize,
    pub outcome: Result<Outcome, ReplicationError>,
}

/// Each job that goes on waits with a connection of its own; so many more are needed at once.
const SPARE: usize = 150;
/// Between two words about what went over the wire.
const TRAFFIC: Duration = Duration::from_secs(1);

/// Everything that the jobs share.
struct Work {
    places: Vec<Known>,
    routes: Vec<Route>,
    /// What the job of each route shares with the one of the way back.
    echoes: Vec<Option<Echo>>,
    jobs: Arc<Jobs>,
    options: Options,
    stop: Stop,
}

pub(super) async fn run(context: &Context, command: &ReplicateSettings, mut ending: Ending) -> Result<Exit> {
    let stop = Stop::new();
    let work = work(context, command, stop.clone());
    tokio::pin!(work);
    let wanted = ending.wanted();
    tokio::pin!(wanted);
    // What was reached so far has written nothing.
    let work = tokio::select! {
        work = &mut work => work?,
        () = &mut wanted => return Ok(interrupted(context)),
    };
    let Some(work) = work else { return Ok(Exit::Ok) };
    let running = async {
        if command.continuous {
            work.side_by_side(context).await
        } else {
            work.in_order(context, &topology::order(command.places.len(), shape(command), command.both)).await
        }
    };
    let running = async {
        tokio::select! {
            ended = running => ended,
            never = work.tell_traffic() => match never {},
        }
    };
    tokio::pin!(running);
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = &mut wanted => {
            stop.cancel();
            running.await
        }
    };
    work.traffic();
    conclude::say(context, command, &work.places, &work.jobs, ended)
}

fn interrupted(context: &Context) -> Exit {
    context.printer.clear();
    Exit::Interrupted
}

/// Reaches all places and says what begins; `None` for a dry run.
async fn work(context: &Context, command: &ReplicateSettings, stop: Stop) -> Result<Option<Work>> {
    let routes = topology::routes(command.places.len(), shape(command), command.both);
    let remark = context.settings.dry_run.then_some("dry run");
    for route in &routes {
        let (from, to) = (&command.places[route.from].shown, &command.places[route.to].shown);
        context.printer.start(&Start { command: "replicate", doing: "Replicating", from, to, remark });
    }
    let mut places = Vec::with_capacity(command.places.len());
    for (number, place) in command.places.iter().enumerate() {
        let is_written = routes.iter().any(|route| route.to == number);
        let reached = reach(context, place, is_written && command.create_target, &places).await;
        places.push(reached.map_err(|error| match error.downcast::<Failure>() {
            Ok(failure) if failure.exit() == Exit::Missing && is_written => {
                failure.hint("`--create-target` creates databases that are written to").into()
            }
            Ok(failure) => failure.into(),
            Err(error) => error,
        })?);
    }
    if context.settings.dry_run {
        context.printer.note("Nothing was changed");
        return Ok(None);
    }
    let needed = (routes.len() + SPARE) as u64;
    if let Some(limit) = handles::raise().filter(|limit| command.continuous && *limit < needed) {
        let message = format!("{limit} open files are allowed, and this may need {needed} (`ulimit -n`)");
        context.printer.warning("open_files", &message);
    }
    for place in places.iter().filter(|place| place.is_missing) {
        database::create(context, &place.reached, &place.database).await?;
    }
    let line = |route: &Route| JobLine {
        from: command.places[route.from].shown.clone(),
        to: command.places[route.to].shown.clone(),
        ..JobLine::default()
    };
    let jobs = Arc::new(Jobs::new(&context.printer, routes.iter().map(line).collect()));
    let options = options(command, routes.len());
    let echoes = echoes(&routes);
    Ok(Some(Work { places, routes, echoes, jobs, options, stop }))
}

/// What each route shares with its way back, if both are taken.
fn echoes(routes: &[Route]) -> Vec<Option<Echo>> {
    let numbers: HashMap<Route, usize> = routes.iter().enumerate().map(|(number, route)| (*route, number)).collect();
    let mut echoes = vec![None; routes.len()];
    for (number, route) in routes.iter().enumerate() {
        if let Some(back) = numbers.get(&route.back()).filter(|back| **back > number) {
            let (one, other) = replicator::pair();
            (echoes[number], echoes[*back]) = (Some(one), Some(other));
        }
    }
    echoes
}

fn options(command: &ReplicateSettings, jobs: usize) -> Options {
    let selection = match &command.which {
        Which::Everything => Selection::Everything,
        Which::Ids(ids) => Selection::Ids(ids.clone()),
        Which::Selector(text) => Selection::Selector(text.clone()),
        Which::Filter { name, query } => Selection::Filter { name: name.clone(), query: query.clone() },
    };
    Options {
        continuous: command.continuous,
        selection,
        no_design: command.no_design,
        winning_revisions_only: command.winning_revisions_only,
        pace: Timing::default().among(jobs),
        ..Options::default()
    }
}

impl Work {
    /// One after the other, each on top of what those before it have brought.
    async fn in_order(&self, context: &Context, order: &[Route]) -> Vec<Ended> {
        let mut ended = Vec::new();
        for route in order {
            if self.stop.is_cancelled() {
                break;
            }
            let Some(number) = self.routes.iter().position(|known| known == route) else { continue };
            let job = self.job(number);
            let outcome = replicator::run(&job, &self.observer(context, number), &self.stop).await;
            let failed = outcome.is_err();
            ended.push(self.settle(context, number, outcome));
            if failed {
                break;
            }
        }
        ended
    }

    /// All at once, until each has ended.
    async fn side_by_side(&self, context: &Context) -> Vec<Ended> {
        let mut running = JoinSet::new();
        for number in 0..self.routes.len() {
            let (job, observer, stop) = (self.job(number), self.observer(context, number), self.stop.clone());
            running.spawn(async move { (number, replicator::run(&job, &observer, &stop).await) });
        }
        let mut ended = Vec::new();
        while let Some(joined) = running.join_next().await {
            let Ok((number, outcome)) = joined else { continue };
            let settled = self.settle(context, number, outcome);
            if let (Err(error), false) = (&settled.outcome, running.is_empty()) {
                // The others go on; the last word comes when all have ended.
                let cause = conclude::words(error);
                context.printer.warning("job_failed", &format!("{}: {cause}", self.name(settled.route)));
            }
            ended.push(settled);
        }
        ended
    }

    fn job(&self, number: usize) -> Job {
        let database = |number: usize| self.places[number].database.clone();
        let (Route { from, to }, echo) = (self.routes[number], self.echoes[number].clone());
        Job { source: database(from), target: database(to), options: self.options.clone(), echo }
    }

    /// Tells from time to time what went over the wire.
    async fn tell_traffic(&self) -> Infallible {
        loop {
            tokio::time::sleep(TRAFFIC).await;
            self.traffic();
        }
    }

    fn traffic(&self) {
        let mut meters: Vec<&Arc<Meter>> = Vec::new();
        for place in &self.places {
            let meter = place.reached.server.meter();
            if !meters.iter().any(|known| Arc::ptr_eq(known, meter)) {
                meters.push(meter);
            }
        }
        let traffic: Traffic = meters.into_iter().map(|meter| meter.traffic()).sum();
        let requests = Errand::ALL.map(|(errand, name)| (name, traffic.requests(errand)));
        self.jobs.traffic(&requests, traffic.sent, traffic.received);
    }

    fn name(&self, route: Route) -> String {
        format!("{} → {}", self.places[route.from].shown, self.places[route.to].shown)
    }

    fn settle(&self, context: &Context, number: usize, outcome: Result<Outcome, ReplicationError>) -> Ended {
        let _ = context;
        self.jobs.update(number, |line| {
            line.state = match &outcome {
                Err(_) => JobState::Failed,
                Ok(outcome) if outcome.stopped => JobState::Stopped,
                Ok(_) => JobState::Done,
            };
        });
        Ended { route: self.routes[number], number, outcome }
    }

    /// Shows what a job tells.
    fn observer(&self, context: &Context, number: usize) -> Observer {
        let jobs = Arc::clone(&self.jobs);
        let before = jobs.line(number).map_or((0, 0), |line| (line.written, line.refused));
        let (printer, name) = (context.printer.clone(), self.name(self.routes[number]));
        Arc::new(move |event: &Event| {
            let state = |state: JobState| jobs.update(number, |line| line.state = state);
            let moved = |counts: &replicator::Counts, state: Option<JobState>| {
                jobs.update(number, |line| {
                    line.written = before.0 + counts.written;
                    line.refused = before.1 + counts.refused;
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
                    state(JobState::Running);
                }
                Event::Moved(counts) => moved(counts, None),
                Event::CaughtUp(counts) => moved(counts, Some(JobState::CaughtUp)),
                Event::Comparing => state(JobState::Comparing),
                Event::Refused(refused) => {
                    jobs.refused(number, &refused.id, refused.revision.as_deref(), &refused.reason);
                    jobs.update(number, |line| line.refused += 1);
                }
                Event::Checkpoint => printer.detail(&format!("{name}: checkpoint")),
                Event::Waiting { wait, cause, .. } => {
                    printer.note(&format!("{name}: {cause}; trying again in {:.1} s", wait.as_secs_f64()));
                    state(JobState::Waiting);
                }
            }
        })
    }
}
