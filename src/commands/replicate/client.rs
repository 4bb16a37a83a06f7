//! `--via client`: our own replicator, for servers that need not see each other.

use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinSet;

use super::places::{Known, reach};
use super::{conclude, shape};
use crate::commands::ending::Ending;
use crate::commands::{Context, database};
use crate::couch::Selection;
use crate::exit::{Exit, Failure};
use crate::plan::topology::{self, Route};
use crate::replicator::{self, Event, Job, Observer, Options, Outcome, ReplicationError, Stop};
use crate::report::{JobLine, JobState, Jobs, Start};
use crate::settings::replicate::{ReplicateSettings, Which};

/// How a job ended, and which.
pub(super) struct Ended {
    pub route: Route,
    pub number: usize,
    pub outcome: Result<Outcome, ReplicationError>,
}

/// Everything that the jobs share.
struct Work {
    places: Vec<Known>,
    routes: Vec<Route>,
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
    tokio::pin!(running);
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = &mut wanted => {
            stop.cancel();
            running.await
        }
    };
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
        places.push(reach(context, place, is_written && command.create_target).await.map_err(|error| {
            match error.downcast::<Failure>() {
                Ok(failure) if failure.exit() == Exit::Missing && is_written => {
                    failure.hint("`--create-target` creates databases that are written to").into()
                }
                Ok(failure) => failure.into(),
                Err(error) => error,
            }
        })?);
    }
    if context.settings.dry_run {
        context.printer.note("Nothing was changed");
        return Ok(None);
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
    Ok(Some(Work { places, routes, jobs, options: options(command), stop }))
}

fn options(command: &ReplicateSettings) -> Options {
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
            let job = self.job(*route);
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
        for (number, route) in self.routes.iter().enumerate() {
            let (job, observer, stop) = (self.job(*route), self.observer(context, number), self.stop.clone());
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

    fn job(&self, route: Route) -> Job {
        let database = |number: usize| self.places[number].database.clone();
        Job { source: database(route.from), target: database(route.to), options: self.options.clone() }
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
        let before = jobs.lines().get(number).map_or((0, 0), |line| (line.written, line.refused));
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
                Event::Reached { .. } => {}
                Event::Checkpoint { .. } => printer.detail(&format!("{name}: checkpoint")),
                Event::Waiting { wait, cause, .. } => {
                    printer.note(&format!("{name}: {cause}; trying again in {:.1} s", wait.as_secs_f64()));
                    state(JobState::Waiting);
                }
            }
        })
    }
}
