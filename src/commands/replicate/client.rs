//! `--via client`: our own replicator, for servers that need not see each other.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::{self, JoinSet};

use super::conclude;
use super::ended::{self, Ended};
use super::observe::observer;
use super::places::{Known, gather, make, name};
use super::{options, selected, shape};
use crate::commands::ending::Ending;
use crate::commands::{Context, handles};
use crate::couch::{Errand, Meter, Traffic};
use crate::exit::{Exit, Failure};
use crate::plan::topology::{self, Route};
use crate::replicator::{self, Echo, Job, Observer, Options, Outcome, ReplicationError, Stop, Timing};
use crate::report::Jobs;
use crate::settings::replicate::ReplicateSettings;

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
    // Nothing was replicated so far; databases that are wanted may have been made.
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
    conclude::say(context, command, &work.jobs, ended)
}

fn interrupted(context: &Context) -> Exit {
    context.printer.clear();
    Exit::Interrupted
}

/// Reaches all places and says what begins; `None` for a dry run.
async fn work(context: &Context, command: &ReplicateSettings, stop: Stop) -> Result<Option<Work>> {
    let routes = topology::routes(command.places.len(), shape(command), command.both);
    let places = gather(context, command, &routes).await?;
    selected::check(context, &places, &routes, &options(command)).await?;
    if !make(context, &places).await? {
        return Ok(None);
    }
    let needed = (routes.len() + SPARE) as u64;
    if let Some(limit) = handles::raise().filter(|limit| command.continuous && *limit < needed) {
        let message = format!("{limit} open files are allowed, and this may need {needed} (`ulimit -n`)");
        context.printer.warning("open_files", &message);
    }
    let jobs = Arc::new(Jobs::new(&context.printer, conclude::lines(command, &routes)));
    let options = Options { pace: Timing::default().among(routes.len()), ..options(command) };
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

impl Work {
    /// One after the other.
    async fn in_order(&self, context: &Context, order: &[Route]) -> Vec<Ended> {
        ended::in_order(&self.jobs, &self.routes, order, &self.stop, async |number| {
            let outcome = replicator::run(&self.job(number), &self.observer(context, number), &self.stop).await;
            self.explained(number, outcome)
        })
        .await
    }

    /// All at once, until each has ended.
    async fn side_by_side(&self, context: &Context) -> Vec<Ended> {
        let mut running = Tasks::default();
        for number in 0..self.routes.len() {
            let (job, observer, stop) = (self.job(number), self.observer(context, number), self.stop.clone());
            running.spawn(number, async move { replicator::run(&job, &observer, &stop).await });
        }
        let mut ended = Vec::new();
        while let Some((number, outcome)) = running.next().await {
            let outcome = match outcome {
                Some(outcome) => self.explained(number, outcome),
                None => Err(Failure::new(Exit::Failed, "the job broke down, which is a mistake of this program")),
            };
            let settled = Ended::new(&self.jobs, self.routes[number], number, outcome);
            if !running.0.is_empty() {
                // The others go on; the last word comes when all have ended.
                conclude::warn(context, &self.places, &settled);
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

    fn observer(&self, context: &Context, number: usize) -> Observer {
        let name = name(&self.places, self.routes[number]);
        observer(context, Arc::clone(&self.jobs), number, name)
    }

    fn explained(&self, number: usize, outcome: Result<Outcome, ReplicationError>) -> Result<Outcome, Failure> {
        outcome.map_err(|error| conclude::explained(error, &self.places, self.routes[number], &self.options.selection))
    }
}

/// Tasks of which each has a number, whatever becomes of it.
struct Tasks<T>(JoinSet<T>, HashMap<task::Id, usize>);

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self(JoinSet::new(), HashMap::new())
    }
}

impl<T: Send + 'static> Tasks<T> {
    fn spawn(&mut self, number: usize, work: impl Future<Output = T> + Send + 'static) {
        self.1.insert(self.0.spawn(work).id(), number);
    }

    /// The next one that ends, and what it gives: nothing, if it broke down.
    async fn next(&mut self) -> Option<(usize, Option<T>)> {
        let (task, given) = match self.0.join_next_with_id().await? {
            Ok((task, given)) => (task, Some(given)),
            Err(error) => (error.id(), None),
        };
        self.1.remove(&task).map(|number| (number, given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_breaks_down_has_ended_as_well() {
        let mut tasks = Tasks::default();
        tasks.spawn(7, async { 1 });
        tasks.spawn(8, async { panic!("as it is meant to") });
        let mut ended = vec![tasks.next().await, tasks.next().await];
        ended.sort();
        assert_eq!(ended, [Some((7, Some(1))), Some((8, None))]);
        assert_eq!(tasks.next().await, None);
    }
}
