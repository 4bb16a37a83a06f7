//! The last word about a replication.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::places::{Known, name};
use crate::commands::Context;
use crate::commands::explain::explain;
use crate::commands::sending::chain;
use crate::exit::{Exit, Failure};
use crate::plan::topology::Route;
use crate::replicator::{End, Outcome, ReplicationError};
use crate::report::{JobLine, Jobs, thousands};
use crate::settings::replicate::ReplicateSettings;

/// How a job ended, and which.
pub(super) struct Ended {
    pub route: Route,
    pub number: usize,
    pub outcome: Result<Outcome, Failure>,
}

/// The lines of all routes, before anything has happened.
pub(super) fn lines(command: &ReplicateSettings, routes: &[Route]) -> Vec<JobLine> {
    let line = |route: &Route| JobLine {
        from: command.places[route.from].shown.clone(),
        to: command.places[route.to].shown.clone(),
        ..JobLine::default()
    };
    routes.iter().map(line).collect()
}

/// Says that a job failed while others go on.
pub(super) fn warn(context: &Context, places: &[Known], ended: &Ended) {
    if let Err(failure) = &ended.outcome {
        let message = format!("{}: {}", name(places, ended.route), chain(failure));
        context.printer.warning("job_failed", &message);
    }
}

/// Says how all jobs have ended.
pub(super) fn say(context: &Context, command: &ReplicateSettings, jobs: &Jobs, ended: Vec<Ended>) -> Result<Exit> {
    context.printer.clear();
    let lines = jobs.lines();
    let written: u64 = lines.iter().map(|line| line.written).sum();
    let refused: u64 = lines.iter().map(|line| line.refused).sum();
    let mut details = Vec::new();
    let (mut compared, mut stopped, mut failure) = (true, false, None);
    for Ended { number, outcome, .. } in ended {
        let name = format!("{} → {}", lines[number].from, lines[number].to);
        match outcome {
            Ok(outcome) => {
                compared &= outcome.compared;
                stopped |= outcome.stopped;
                details.extend(outcome.refused.iter().map(|refused| {
                    let revision = refused.revision.as_ref().map_or(String::new(), |revision| format!(" ({revision})"));
                    format!("{name}: {}{revision}: {}", refused.id, refused.reason)
                }));
            }
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let noun = |count| if count == 1 { "document" } else { "documents" };
    if refused > 0 {
        let message = format!(
            "{} {} could not be written; {} {} written",
            thousands(refused),
            noun(refused),
            thousands(written),
            if written == 1 { "was" } else { "were" }
        );
        let failure = Failure::new(Exit::Partial, message).coded("refused").details(details);
        let hint = "the database's validate_doc_update functions and its `_security` say who may write what";
        return Err(failure.hint(hint).into());
    }
    if stopped {
        let what = if command.continuous { "Stopped" } else { "Stopped before the end" };
        context.printer.note(&format!(
            "{what}: {} {} written; running it again goes on",
            thousands(written),
            noun(written)
        ));
        return Ok(Exit::Interrupted);
    }
    if !compared {
        let message = "the target still lacks some of what the source has";
        return Err(Failure::new(Exit::Partial, message).hint("running it again goes on").into());
    }
    let jobs: Vec<Value> =
        lines.iter().map(|line| json!({ "from": line.from, "to": line.to, "written": line.written })).collect();
    let fields = [("written".to_owned(), Value::from(written)), ("jobs".to_owned(), Value::from(jobs))];
    let seconds = context.printer.elapsed().as_secs_f64();
    let text = if written == 0 {
        "Up to date: both ends were compared".to_owned()
    } else {
        format!("Replicated {} {}, compared both ends, {seconds:.1} s", thousands(written), noun(written))
    };
    context.printer.summary(&text, Map::from_iter(fields));
    Ok(Exit::Ok)
}

/// What a replication failed for, with what to do about it.
pub(super) fn explained(error: ReplicationError, places: &[Known], route: Route) -> Failure {
    match error {
        ReplicationError::Request { end, source } => {
            let place = if end == End::Source { &places[route.from] } else { &places[route.to] };
            explain(source, &place.reached.known).detail(format!("at {}", place.shown))
        }
        error @ ReplicationError::NoFilter(_) => {
            Failure::new(Exit::Missing, error.to_string()).hint("it belongs into `filters` of the design document")
        }
    }
}
