//! `--via server`: a server carries the documents by itself, asked by a document in its `_replicator` database.
//!
//! Such a document holds the credentials of both ends. That of a replication that ends is removed whatever the ending;
//! that of a continuous one stays only when somebody wants it to. What a server says of its own success is compared
//! with what is there, by our own replicator, which carries what was left out or says why it cannot be.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;

use super::conclude;
use super::ended::Ended;
use super::places::{Known, gather, make};
use super::{options, selected, shape};
use crate::commands::Context;
use crate::commands::ending::{Ending, Sign};
use crate::couch::JobSpec;
use crate::exit::Exit;
use crate::plan::topology::{self, Route};
use crate::replicator::{Job, Options, Outcome, Stop};
use crate::report::Jobs;
use crate::settings::replicate::ReplicateSettings;

mod follow;
mod followed;
mod keep;
mod left;
mod made;
mod once;
mod progress;
mod reasons;
mod trouble;

use keep::{Keeper, Placed};

/// Everything that the jobs share.
struct Work {
    places: Vec<Known>,
    routes: Vec<Route>,
    /// Where the job of each route is kept.
    keepers: Vec<Keeper>,
    jobs: Arc<Jobs>,
    options: Options,
    stop: Stop,
}

/// What became of the jobs.
#[derive(Default)]
struct Carried {
    ended: Vec<Ended>,
    /// Still at their servers.
    running: Vec<Placed>,
}

impl Work {
    fn spec(&self, number: usize) -> JobSpec<'_> {
        let Route { from, to } = self.routes[number];
        JobSpec {
            source: &self.places[from].database,
            target: &self.places[to].database,
            continuous: self.options.continuous,
            selection: &self.options.selection,
            no_design: self.options.no_design,
            winning_revisions_only: self.options.winning_revisions_only,
        }
    }

    /// The same for our own replicator, which ends when it has compared.
    fn comparison(&self, number: usize) -> Job {
        let Route { from, to } = self.routes[number];
        Job {
            source: self.places[from].database.clone(),
            target: self.places[to].database.clone(),
            options: Options { continuous: false, ..self.options.clone() },
            echo: None,
        }
    }
}

pub(super) async fn run(context: &Context, command: &ReplicateSettings, mut ending: Ending) -> Result<Exit> {
    let stop = Stop::new();
    let prepared = tokio::select! {
        prepared = prepare(context, command, stop.clone()) => prepared?,
        // No job was asked for so far; databases that are wanted may have been made.
        () = ending.wanted() => {
            context.printer.clear();
            return Ok(Exit::Interrupted);
        }
    };
    let Some(work) = prepared else { return Ok(Exit::Ok) };
    let running = async {
        if command.continuous {
            work.side_by_side(context, command.detach).await
        } else {
            let order = topology::order(command.places.len(), shape(command), command.both);
            Carried { ended: work.in_order(context, &order).await, running: Vec::new() }
        }
    };
    tokio::pin!(running);
    let mut sign = None;
    let carried = tokio::select! {
        carried = &mut running => carried,
        caught = ending.sign() => {
            sign = Some(caught);
            stop.cancel();
            tokio::select! {
                carried = &mut running => carried,
                // Who asks again does not want to wait.
                () = ending.wanted() => {
                    context.printer.clear();
                    let servers = work.keepers.iter().map(|keeper| keeper.shown.as_str()).collect::<BTreeSet<_>>();
                    for server in servers {
                        let message = format!("a job may still be there: `couchapp replicate list {server}` shows it");
                        context.printer.warning("job_left", &message);
                    }
                    return Ok(Exit::Interrupted);
                }
            }
        }
    };
    work.leave(context, command, carried, &mut ending, sign).await
}

async fn prepare(context: &Context, command: &ReplicateSettings, stop: Stop) -> Result<Option<Work>> {
    let routes = topology::routes(command.places.len(), shape(command), command.both);
    let places = gather(context, command, &routes).await?;
    selected::check(context, &places, &routes, &options(command)).await?;
    let keepers = keep::choose(context, &places, &routes, command).await?;
    if !make(context, &places).await? {
        return Ok(None);
    }
    let jobs = Arc::new(Jobs::new(&context.printer, conclude::lines(command, &routes)));
    Ok(Some(Work { places, routes, keepers, jobs, options: options(command), stop }))
}

impl Work {
    /// What becomes of jobs that are still there, and the last word.
    async fn leave(
        &self,
        context: &Context,
        command: &ReplicateSettings,
        carried: Carried,
        ending: &mut Ending,
        sign: Option<Sign>,
    ) -> Result<Exit> {
        let Carried { mut ended, running } = carried;
        if running.is_empty() {
            let is_unbegun = ended.is_empty() && sign.is_some();
            return if is_unbegun { Ok(Exit::Interrupted) } else { conclude::say(context, command, &self.jobs, ended) };
        }
        let (own, others): (Vec<&Placed>, Vec<&Placed>) = running.iter().partition(|placed| !placed.is_adopted);
        let stays = command.detach
            || !own.is_empty() && sign == Some(Sign::Interrupt) && self.asked(context, &own, ending).await;
        let mut cancelled = 0;
        for placed in own.iter().filter(|_| !stays) {
            cancelled += usize::from(self.remove(context, placed).await);
        }
        self.jobs.finish();
        if !others.is_empty() {
            let words = count(others.len(), "job was there before, and stays", "jobs were there before, and stay");
            context.printer.note(&words);
        }
        if cancelled > 0 {
            context.printer.note(&format!("Cancelled {}", count(cancelled, "job", "jobs")));
        }
        let staying: Vec<&Placed> = running.iter().filter(|placed| stays || placed.is_adopted).collect();
        if ended.iter().any(|ended| ended.outcome.is_err()) || self.jobs.lines().iter().any(|line| line.refused > 0) {
            let stopped =
                |placed: &Placed| Outcome { refused: placed.refused.clone(), stopped: true, ..Outcome::default() };
            let rest = running.iter().map(|placed| (placed.number, stopped(placed)));
            ended.extend(rest.map(|(number, outcome)| Ended {
                route: self.routes[number],
                number,
                outcome: Ok(outcome),
            }));
            self.warn_of_left(context, &staying);
            return conclude::say(context, command, &self.jobs, ended);
        }
        if !stays && sign.is_some() {
            return Ok(Exit::Interrupted);
        }
        self.summarise(context, &staying);
        Ok(Exit::Ok)
    }

    /// Whether the jobs are to stay. A second Ctrl-C means no.
    async fn asked(&self, context: &Context, own: &[&Placed], ending: &mut Ending) -> bool {
        if !context.printer.can_ask() {
            return false;
        }
        let servers: BTreeSet<&str> = own.iter().map(|placed| self.keepers[placed.number].shown.as_str()).collect();
        let which = match own.len() {
            1 => "the job".to_owned(),
            2 => "both jobs".to_owned(),
            count => format!("all {count} jobs"),
        };
        let servers: Vec<&str> = servers.into_iter().collect();
        let question = format!("Leave {which} running on {}?", servers.join(", "));
        let printer = context.printer.clone();
        let asking = tokio::task::spawn_blocking(move || printer.confirm(&question));
        tokio::select! {
            answer = asking => matches!(answer, Ok(Some(true))),
            () = ending.wanted() => false,
        }
    }
}

/// `1 job`, `2 jobs`
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
