//! A job from its beginning to its end: both ends reached, the checkpoint found, passes made, errors outlived.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::batch::Shared;
use super::checkpoint::Log;
use super::pass::{Pass, Passed, Purpose};
use super::report::{Event, Observer, Tally};
use super::{End, Job, Outcome, ReplicationError, Stop, identity};
use crate::couch::{CouchError, Info, Missing, Sequence};

pub(super) async fn run(job: &Arc<Job>, observer: &Observer, stop: &Stop) -> Result<Outcome, ReplicationError> {
    let shared = Arc::new(Shared::new(Job::clone(job), Tally::new(observer)));
    let pace = &job.options.pace;
    let mut wait = pace.first_wait;
    loop {
        let before = shared.tally.count(|_| {});
        let error = match session(&shared, stop).await {
            Ok(Some(compared)) => return Ok(outcome(&shared, compared, false)),
            Ok(None) | Err(_) if stop.is_cancelled() => return Ok(outcome(&shared, false, true)),
            Ok(None) => continue,
            Err(error) => error,
        };
        if !(job.options.continuous && error.is_passing()) {
            return Err(error);
        }
        if shared.tally.count(|_| {}) != before {
            wait = pace.first_wait;
        }
        shared.tally.tell(&waiting(wait, &error));
        tokio::select! {
            () = stop.cancelled() => return Ok(outcome(&shared, false, true)),
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(pace.longest_wait);
    }
}

fn outcome(shared: &Shared, compared: bool, stopped: bool) -> Outcome {
    let record = shared.tally.recorded();
    let moved = shared.moved.load(Ordering::Relaxed);
    Outcome { counts: shared.tally.count(|_| {}), refused: shared.tally.refused(), compared, stopped, record, moved }
}

fn waiting(wait: Duration, error: &ReplicationError) -> Event {
    let (end, cause) = match error {
        ReplicationError::Request { end, source } => (Some(*end), source.to_string()),
        error @ ReplicationError::NoFilter(_) => (None, error.to_string()),
    };
    Event::Waiting { wait, end, cause }
}

/// One attempt. `Some` when it is done and both ends were compared, `None` when it was stopped or has to begin anew.
async fn session(shared: &Arc<Shared>, stop: &Stop) -> Result<Option<bool>, ReplicationError> {
    let job = &shared.job;
    let Some(Opened { mut ends, filter, mut log }) = until(stop, open(job)).await? else { return Ok(None) };
    let filter = filter.as_deref();
    job.echo.iter().for_each(super::Echo::forget);
    shared.tally.begin();
    shared.tally.record(log.record());
    if let Some(since) = &job.options.since {
        log.begin_at(Some(since.clone()));
    }
    shared.tally.tell(&Event::Begun { since: log.since.as_ref().map(Sequence::text) });
    let purpose = if job.options.continuous { Purpose::Follow } else { Purpose::Once };
    let since = log.since.clone();
    let mut pass = Pass { shared, log: &mut log, purpose, ends: &mut ends, filter };
    let passed = match pass.run(since.clone(), stop).await {
        // The sequence is one that the source does not know (any longer).
        Err(ReplicationError::Request { end: End::Source, source }) if since.is_some() && source.is_bad_request() => {
            pass.log.begin_at(None);
            pass.run(None, stop).await?
        }
        passed => passed?,
    };
    match passed {
        Passed::Done(reached) => {
            pass.purpose = Purpose::Compare;
            compare(pass, reached, stop).await
        }
        Passed::Stopped | Passed::MadeAnew => Ok(None),
    }
}

/// Looks at everything of this session again, and carries what is missing after all.
async fn compare(mut pass: Pass<'_>, reached: Option<Sequence>, stop: &Stop) -> Result<Option<bool>, ReplicationError> {
    let shared = pass.shared;
    shared.tally.tell(&Event::Comparing);
    let since = pass.log.since.clone();
    let Some(reached) = reached.filter(|reached| since.as_ref() != Some(reached)) else { return Ok(Some(true)) };
    let before = shared.tally.count(|_| {});
    if let Passed::Stopped | Passed::MadeAnew = pass.run(since, stop).await? {
        return Ok(None);
    }
    let counts = shared.tally.count(|_| {});
    if counts.refused > before.refused {
        // The checkpoint has to tell of it, so that the next session looks again.
        shared.record(pass.log, &reached, &counts).await?;
    }
    Ok(Some(true))
}

/// What a session begins with.
struct Opened {
    /// Both databases as they are now.
    ends: [Info; 2],
    /// The code of the filter, if there is one.
    filter: Option<String>,
    /// How far this job has come.
    log: Log,
}

async fn open(job: &Job) -> Result<Opened, ReplicationError> {
    let source = job.source.info().await.map_err(ReplicationError::source)?;
    let target = match job.target.info().await {
        Err(CouchError::NotFound { what: Missing::Database(_), .. }) if job.options.create_target => {
            job.target.create().await.map_err(ReplicationError::target)?;
            job.target.info().await
        }
        target => target,
    };
    let target = target.map_err(ReplicationError::target)?;
    let filter = identity::filter(job).await?;
    let identity = identity::of(job, &source, &target, filter.as_deref());
    let log = Log::open(job, &identity, source.sequence().as_ref()).await?;
    Ok(Opened { ends: [source, target], filter, log })
}

/// `None` when it was stopped first.
async fn until<T>(
    stop: &Stop,
    work: impl Future<Output = Result<T, ReplicationError>>,
) -> Result<Option<T>, ReplicationError> {
    tokio::select! {
        () = stop.cancelled() => Ok(None),
        done = work => done.map(Some),
    }
}
