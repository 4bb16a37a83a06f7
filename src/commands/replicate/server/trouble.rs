//! What is behind the word that a server has for a job that does not go on. `crashing` goes on for ever, and `running`
//! stays when the target is gone: both ends are looked at.

use super::super::conclude;
use super::Work;
use super::keep::Placed;
use crate::commands::Context;
use crate::commands::explain::explain;
use crate::couch::{Phase, Told};
use crate::exit::{Exit, Failure};
use crate::name::DocId;
use crate::replicator;

/// After so many failures in a row a job is given up. A server waits twice as long after each.
const FAILURES: u64 = 3;

/// What is to be done about a job.
pub(super) enum Verdict {
    /// Nothing: it goes on, or is tried again.
    Goes,
    /// It is done.
    Done,
    /// It has come to a bad end.
    Ended(Failure),
    /// The same job was there already, by this document.
    Double(Option<DocId>),
}

impl Work {
    /// Judges what is told of a job. `probe`: looks at both ends as well.
    pub(super) async fn verdict(&self, number: usize, told: &Told, probe: bool) -> Verdict {
        let probed = async { if probe { replicator::probe(&self.comparison(number)).await } else { Ok(()) } };
        let probed = tokio::select! {
            () = self.stop.cancelled() => return Verdict::Goes,
            probed = probed => probed,
        };
        if let Err(error) = probed
            && !error.is_passing()
        {
            return Verdict::Ended(conclude::explained(
                error,
                &self.places,
                self.routes[number],
                &self.options.selection,
            ));
        }
        match told.phase {
            Phase::Completed => Verdict::Done,
            Phase::Failed | Phase::Crashing if told.error.as_deref().is_some_and(is_double) => {
                Verdict::Double(told.error.as_deref().and_then(trigger))
            }
            Phase::Failed => Verdict::Ended(self.given_up(number, told)),
            Phase::Crashing if told.errors >= FAILURES => Verdict::Ended(self.given_up(number, told)),
            Phase::Crashing | Phase::Running | Phase::Waiting => Verdict::Goes,
        }
    }

    fn given_up(&self, number: usize, told: &Told) -> Failure {
        let server = &self.keepers[number].shown;
        let cause = told.error.as_deref().unwrap_or("it does not say why");
        let line = &self.jobs.lines()[number];
        let failure = Failure::new(exit_of(cause), format!("{server} could not replicate {} → {}", line.from, line.to));
        failure.coded("job_failed").detail(cause.to_owned()).hint(format!(
            "this computer reaches both ends, {server} may not: `--via client` goes through this computer"
        ))
    }

    /// The job that was there already.
    pub(super) async fn double(
        &self,
        context: &Context,
        placed: &Placed,
        id: Option<DocId>,
        told: &Told,
    ) -> Result<Placed, Failure> {
        let known = &self.places[self.keepers[placed.number].place].reached.known;
        if let Some(id) = id.filter(|id| *id != placed.id) {
            let other = self.server(placed.number).job(&id).await.map_err(|error| explain(error, known))?;
            if other.is_some_and(|other| !other.phase.is_over()) {
                return Ok(self.adopted(context, placed.number, &id));
            }
        }
        let server = &self.keepers[placed.number].shown;
        let failure = Failure::new(Exit::Refused, format!("{server} carries out this job already, for somebody else"));
        Err(failure.coded("duplicate_job").details(told.error.clone()).hint(format!(
            "`couchapp replicate list {server}` shows it, `couchapp replicate cancel {server} JOB` ends it"
        )))
    }
}

/// A job that was to go on has ended without a failure.
pub(super) fn ended(server: &str, id: &DocId) -> Failure {
    Failure::new(Exit::Failed, format!("{server} says that the job `{id}` is done, which was to go on"))
}

/// A job that is followed was removed by somebody else.
pub(super) fn removed(server: &str, id: &DocId) -> Failure {
    Failure::new(Exit::Failed, format!("the job `{id}` was removed at {server}")).coded("job_removed")
}

/// Says why a job does not go on, once for each reason.
pub(super) fn say(context: &Context, name: &str, told: &Told, said: &mut Option<String>) {
    if told.phase != Phase::Crashing {
        *said = None;
    } else if told.error != *said {
        said.clone_from(&told.error);
        let cause = told.error.as_deref().unwrap_or("it failed");
        context.printer.note(&format!("{name}: {cause}; the server will try again"));
    }
}

fn is_double(error: &str) -> bool {
    error.contains("already started") || error.contains("already running as a transient replication")
}

/// The document in "already started, triggered by document `X` from db `_replicator`".
fn trigger(error: &str) -> Option<DocId> {
    let (_, rest) = error.split_once("triggered by document `")?;
    DocId::new(rest.split_once('`')?.0).ok()
}

/// The code for what a server says in its own words.
fn exit_of(cause: &str) -> Exit {
    let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if has(&["db_not_found", "Couldn't open document", "not_found"]) {
        Exit::Missing
    } else if has(&["unauthorized", "forbidden", "auth_error"]) {
        Exit::Auth
    } else if has(&[
        "timeout",
        "econnrefused",
        "nxdomain",
        "conn_failed",
        "could not connect",
        "ECONNREFUSED",
        "closed",
    ]) {
        Exit::Unavailable
    } else {
        Exit::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_has_a_code() {
        for (cause, exit) in [
            ("db_not_found: could not open http://h/b/", Exit::Missing),
            (
                "Couldn't open document `_design/x` from source database `http://h/a/`: {error,<<\"not_found\">>}",
                Exit::Missing,
            ),
            ("unauthorized: unauthorized to access or create database http://h/b/", Exit::Auth),
            ("session_request_unauthorized: admin", Exit::Auth),
            ("{worker_died,<0.1.0>,{process_died,<0.2.0>,kaboom}}", Exit::Failed),
            (
                "{http_request_failed,\"GET\",\"http://h/b/\",{error,{conn_failed,{error,econnrefused}}}}",
                Exit::Unavailable,
            ),
        ] {
            assert_eq!(exit_of(cause), exit, "{cause}");
        }
        let double = "Replication `9a+continuous` specified by document `b` already started, triggered by document `a/b` from db `_replicator`";
        assert!(is_double(double));
        assert_eq!(trigger(double), DocId::new("a/b").ok());
        assert_eq!(trigger("already started"), None);
        assert!(is_double(
            "Replication `9a` specified by document `b` already running as a transient replication, started via `_replicate` API endpoint"
        ));
    }
}
