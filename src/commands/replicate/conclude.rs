//! The last word about a replication.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::ended::Ended;
use super::places::{Known, name};
use crate::commands::Context;
use crate::commands::explain::explain;
use crate::commands::sending::chain;
use crate::couch::{CouchError, Missing, Selection};
use crate::exit::{Exit, Failure};
use crate::plan::topology::Route;
use crate::replicator::{End, Outcome, ReplicationError};
use crate::report::{JobLine, Jobs, thousands};
use crate::settings::replicate::ReplicateSettings;

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

/// Says how all jobs have ended. Of a job that was carried out more than once, the last time counts.
pub(super) fn say(context: &Context, command: &ReplicateSettings, jobs: &Jobs, ended: Vec<Ended>) -> Result<Exit> {
    context.printer.clear();
    let lines = jobs.lines();
    let (mut outcomes, mut failed) = (BTreeMap::new(), Vec::new());
    for Ended { number, outcome, .. } in ended {
        match outcome {
            Ok(outcome) => drop(outcomes.insert(number, outcome)),
            Err(failure) => failed.push((number, failure)),
        }
    }
    if let Some(failure) = failure(&lines, failed) {
        return Err(failure.into());
    }
    if lines.iter().any(|line| line.refused > 0) {
        return Err(refusal(&lines, &outcomes).into());
    }
    if outcomes.values().any(|outcome| outcome.stopped) {
        let what = if command.continuous { "Stopped" } else { "Stopped before the end" };
        let written = written(&lines);
        context.printer.note(&format!(
            "{what}: {} {} written; running it again goes on",
            thousands(written),
            noun(written)
        ));
        return Ok(Exit::Interrupted);
    }
    summarise(context, &lines);
    Ok(Exit::Ok)
}

/// What all failures together are. Each was told when it happened only if others went on.
fn failure(lines: &[JobLine], mut failed: Vec<(usize, Failure)>) -> Option<Failure> {
    if failed.len() < 2 {
        let (number, failure) = failed.pop()?;
        return Some(if lines.len() > 1 { failure.detail(words(&lines[number])) } else { failure });
    }
    let mut hints: Vec<&String> = Vec::new();
    for hint in failed.iter().flat_map(|(_, failure)| failure.hints()) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    let message = format!("{} of {} jobs failed", thousands(failed.len() as u64), thousands(lines.len() as u64));
    let details = failed.iter().map(|(number, failure)| format!("{}: {}", words(&lines[*number]), chain(failure)));
    let all = Failure::new(failed[0].1.exit(), message).coded("job_failed").details(details);
    Some(hints.into_iter().fold(all, Failure::hint))
}

/// What was not taken, and why.
fn refusal(lines: &[JobLine], outcomes: &BTreeMap<usize, Outcome>) -> Failure {
    let refused: u64 = lines.iter().map(|line| line.refused).sum();
    let written = written(lines);
    let message = format!(
        "{} {} could not be written; {} {} written",
        thousands(refused),
        noun(refused),
        thousands(written),
        if written == 1 { "was" } else { "were" }
    );
    let details = outcomes.iter().flat_map(|(number, outcome)| {
        outcome.refused.iter().map(|refused| {
            let revision = refused.revision.as_ref().map_or(String::new(), |revision| format!(" ({revision})"));
            format!("{}: {}{revision}: {}", words(&lines[*number]), refused.id, refused.reason)
        })
    });
    let failure = Failure::new(Exit::Partial, message).coded("refused").details(details);
    failure.hint("the database's validate_doc_update functions and its `_security` say who may write what")
}

fn summarise(context: &Context, lines: &[JobLine]) {
    let written = written(lines);
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
}

fn written(lines: &[JobLine]) -> u64 {
    lines.iter().map(|line| line.written).sum()
}

fn words(line: &JobLine) -> String {
    format!("{} → {}", line.from, line.to)
}

fn noun(count: u64) -> &'static str {
    if count == 1 { "document" } else { "documents" }
}

/// What a replication failed for, with what to do about it.
pub(super) fn explained(error: ReplicationError, places: &[Known], route: Route, selection: &Selection) -> Failure {
    match (error, selection) {
        (ReplicationError::Request { end: End::Source, source }, Selection::Filter { name, .. })
            if is_filter(&source) =>
        {
            no_filter(&ReplicationError::NoFilter(name.clone()))
        }
        (ReplicationError::Request { end, source }, _) => {
            let place = if end == End::Source { &places[route.from] } else { &places[route.to] };
            explain(source, &place.reached.known).detail(format!("at {}", place.shown))
        }
        (error @ ReplicationError::NoFilter(_), _) => no_filter(&error),
    }
}

fn no_filter(error: &ReplicationError) -> Failure {
    Failure::new(Exit::Missing, error.to_string()).hint("it belongs into `filters` of the design document")
}

/// The changes of a database that is there are not found when the function that filters them went meanwhile.
fn is_filter(error: &CouchError) -> bool {
    let CouchError::NotFound { what: Missing::Database(_), source, .. } = error else { return false };
    let is_of_documents = |reason: &str| ["missing", "deleted"].iter().any(|word| reason.starts_with(word));
    source.request.contains("/_changes") && source.reason.as_deref().is_some_and(is_of_documents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::couch::Answer;

    #[test]
    fn a_filter_that_went_is_no_missing_database() {
        let error = |request: &str, reason: &str| {
            let (request, reason) = (request.to_owned(), Some(reason.to_owned()));
            let source = Box::new(Answer { request, status: 404, error: None, reason });
            CouchError::NotFound { what: Missing::Database("a".into()), host: "h".into(), source }
        };
        let changes = "GET http://h/a/_changes?filter=x%2Fy";
        for reason in ["missing", "deleted", "missing json key: filters", "missing json key: y"] {
            assert!(is_filter(&error(changes, reason)), "{reason}");
            assert!(!is_filter(&error("GET http://h/a", reason)), "{reason}");
        }
        for reason in ["Database does not exist.", "no_db_file"] {
            assert!(!is_filter(&error(changes, reason)), "{reason}");
        }
    }

    #[test]
    fn every_failure_is_told() {
        let line = |from: &str| JobLine { from: from.into(), to: "c".into(), ..JobLine::default() };
        let lines = [line("a"), line("b"), line("d")];
        let failed =
            |cause: &str| Failure::new(Exit::Missing, cause).hint("the same").because(std::io::Error::other("why"));
        assert!(failure(&lines, Vec::new()).is_none());
        let one = failure(&lines, vec![(1, failed("no `x`"))]).unwrap();
        assert_eq!((one.to_string().as_str(), one.listed()), ("no `x`", &["b → c".to_owned()][..]));
        let two = failure(&lines, vec![(2, failed("no `y`")), (0, Failure::new(Exit::Auth, "no"))]).unwrap();
        assert_eq!((two.to_string().as_str(), two.exit(), two.hints().len()), ("2 of 3 jobs failed", Exit::Missing, 1));
        assert_eq!(two.listed(), ["d → c: no `y`: why", "a → c: no"]);
    }
}
