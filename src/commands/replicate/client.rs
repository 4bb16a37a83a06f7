//! `--via client`: our own replicator, for servers that need not see each other.

use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinSet;

use super::conclude::{self, Ended};
use super::observe::observer;
use super::places::{Known, gather, name};
use super::{options, shape};
use crate::commands::Context;
use crate::commands::ending::Ending;
use crate::exit::Exit;
use crate::plan::topology::{self, Route};
use crate::replicator::{self, Job, Observer, Options, Outcome, ReplicationError, Stop};
use crate::report::{JobState, Jobs};
use crate::settings::replicate::ReplicateSettings;

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
    conclude::say(context, command, &work.jobs, ended)
}

fn interrupted(context: &Context) -> Exit {
    context.printer.clear();
    Exit::Interrupted
}

/// Reaches all places and says what begins; `None` for a dry run.
async fn work(context: &Context, command: &ReplicateSettings, stop: Stop) -> Result<Option<Work>> {
    let routes = topology::routes(command.places.len(), shape(command), command.both);
    let Some(places) = gather(context, command, &routes).await? else { return Ok(None) };
    let jobs = Arc::new(Jobs::new(&context.printer, conclude::lines(command, &routes)));
    Ok(Some(Work { places, routes, jobs, options: options(command), stop }))
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
            ended.push(self.settle(number, outcome));
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
            let settled = self.settle(number, outcome);
            if !running.is_empty() {
                // The others go on; the last word comes when all have ended.
                conclude::warn(context, &self.places, &settled);
            }
            ended.push(settled);
        }
        ended
    }

    fn job(&self, route: Route) -> Job {
        let database = |number: usize| self.places[number].database.clone();
        Job { source: database(route.from), target: database(route.to), options: self.options.clone() }
    }

    fn observer(&self, context: &Context, number: usize) -> Observer {
        let name = name(&self.places, self.routes[number]);
        observer(context, Arc::clone(&self.jobs), number, name)
    }

    fn settle(&self, number: usize, outcome: Result<Outcome, ReplicationError>) -> Ended {
        self.jobs.update(number, |line| {
            line.state = match &outcome {
                Err(_) => JobState::Failed,
                Ok(outcome) if outcome.stopped => JobState::Stopped,
                Ok(_) => JobState::Done,
            };
        });
        let route = self.routes[number];
        Ended { route, number, outcome: outcome.map_err(|error| conclude::explained(error, &self.places, route)) }
    }
}
