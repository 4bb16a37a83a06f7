//! Page after page of changes, several under way at once, the checkpoint moved over what is done.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::batch::Shared;
use super::checkpoint::Log;
use super::report::Event;
use super::{End, ReplicationError, Stop, identity};
use crate::couch::{CouchError, Feed, FeedPage, Info, Sequence};
use crate::random;

/// Changes of one page.
const PAGE: usize = 1000;
/// Pages under way at once.
const UNDER_WAY: usize = 4;
/// A checkpoint over changes that the target had anyway can wait so many times as long: without it they are compared once
/// more, and nothing else.
const UNIMPORTANT: u32 = 10;

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Everything that is there.
    Once,
    /// And everything that comes.
    Follow,
    /// Looks at what was done before, carries what is missing after all, and tells what is missing still.
    Compare,
}

/// How a pass ended.
pub(super) enum Passed {
    /// Here was the end of the changes.
    Done(Option<Sequence>),
    /// It was stopped.
    Stopped,
    /// One of the databases was made anew, or the filter is another one: so is the job.
    MadeAnew,
}

/// A page that was carried.
struct Carried {
    last: Sequence,
    pending: Option<u64>,
    /// The target was asked about some of it.
    is_news: bool,
}

type Reading = Pin<Box<dyn Future<Output = Result<FeedPage, ReplicationError>> + Send>>;

/// A page that is carried.
struct Page {
    carrying: AbortOnDropHandle<Result<bool, ReplicationError>>,
    last: Sequence,
    pending: Option<u64>,
}

/// A pass under way.
pub(super) struct Pass<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) log: &'a mut Log,
    pub(super) purpose: Purpose,
    /// Both ends as they were seen last.
    pub(super) ends: &'a mut [Info; 2],
    /// The code of the filter, if there is one.
    pub(super) filter: Option<&'a str>,
}

impl Pass<'_> {
    /// Reads and carries until there is no more.
    pub(super) async fn run(&mut self, since: Option<Sequence>, stop: &Stop) -> Result<Passed, ReplicationError> {
        let follows = self.purpose == Purpose::Follow;
        let pace = self.shared.job.options.pace.clone();
        let mut under_way: VecDeque<Page> = VecDeque::new();
        let mut reading = Some(self.read(since.clone(), false));
        let mut reached = since;
        let mut write_at: Option<Instant> = None;
        let mut probe_at = Instant::now() + varied(pace.probe);
        loop {
            let is_dirty = reached.is_some() && reached != self.log.recorded && !self.compares();
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    // What is compared was recorded before, and further on.
                    if !self.compares() {
                        self.record(reached.as_ref()).await?;
                    }
                    return Ok(Passed::Stopped);
                }
                carried = first(&mut under_way) => {
                    let Carried { last, pending: left, is_news } = carried?;
                    if !self.compares() {
                        self.shared.tally.tell(&Event::Reached { sequence: last.text() });
                    }
                    reached = Some(last);
                    let idle = under_way.is_empty();
                    let counts = self.shared.tally.count(|counts| counts.pending = left);
                    self.shared.tally.tell(&Event::Moved(counts));
                    let wait = match is_news {
                        true if follows && idle && left == Some(0) => varied(pace.following),
                        true => pace.checkpoint,
                        false => varied(pace.following) * UNIMPORTANT,
                    };
                    let due = Instant::now() + wait;
                    write_at = Some(write_at.map_or(due, |at| at.min(due)));
                    if idle && reading.is_none() {
                        break;
                    }
                    if idle && follows && left == Some(0) {
                        self.shared.tally.tell(&Event::CaughtUp(counts));
                    }
                }
                page = next(&mut reading), if under_way.len() < UNDER_WAY => {
                    let page = page?;
                    let is_end = page.given < PAGE || page.pending == Some(0);
                    reading = (follows || !is_end).then(|| self.read(Some(page.last.clone()), is_end));
                    under_way.push_back(self.carry(page, is_end));
                }
                () = sleep_until(write_at.unwrap_or(probe_at)), if is_dirty && write_at.is_some() => {
                    if !self.record(reached.as_ref()).await? {
                        return Ok(Passed::MadeAnew);
                    }
                    write_at = None;
                }
                () = sleep_until(probe_at), if follows => {
                    if self.is_made_anew().await? || self.is_filtered_anew().await? {
                        return Ok(Passed::MadeAnew);
                    }
                    probe_at = Instant::now() + varied(pace.probe);
                }
            }
        }
        if !self.compares() && !self.record(reached.as_ref()).await? {
            return Ok(Passed::MadeAnew);
        }
        Ok(Passed::Done(reached))
    }

    fn compares(&self) -> bool {
        self.purpose == Purpose::Compare
    }

    fn read(&self, since: Option<Sequence>, wait: bool) -> Reading {
        let shared = Arc::clone(self.shared);
        Box::pin(async move {
            let options = &shared.job.options;
            let feed = Feed {
                since: since.as_ref(),
                limit: PAGE,
                selection: &options.selection,
                winners_only: options.winning_revisions_only,
                wait,
            };
            shared.job.source.feed(&feed).await.map_err(ReplicationError::source)
        })
    }

    fn carry(&self, page: FeedPage, is_end: bool) -> Page {
        let shared = Arc::clone(self.shared);
        let compares = self.compares();
        let FeedPage { rows, odd, last, pending, .. } = page;
        odd.into_iter().for_each(|(id, why)| shared.refuse(id, None, why));
        let carrying = AbortOnDropHandle::new(tokio::spawn(async move {
            if rows.is_empty() { Ok(false) } else { shared.carry(rows, compares).await }
        }));
        // Filters leave pending what they do not let pass.
        Page { carrying, last, pending: if is_end { Some(0) } else { pending } }
    }

    /// Writes a checkpoint; `false` where this job is no longer the one that has come so far.
    async fn record(&mut self, reached: Option<&Sequence>) -> Result<bool, ReplicationError> {
        // At the beginning there is nothing to be remembered.
        let is_news = |reached: &&Sequence| match &self.log.recorded {
            Some(recorded) => recorded != *reached,
            None => !reached.is_beginning(),
        };
        let Some(reached) = reached.filter(is_news) else {
            return Ok(true);
        };
        if self.is_filtered_anew().await? || (!self.log.is_kept() && self.is_made_anew().await?) {
            return Ok(false);
        }
        let counts = self.shared.tally.count(|_| {});
        self.shared.record(self.log, reached, &counts).await
    }

    /// Whether one of the databases is not the one it was; gone is an error. PouchDB Server gives all of them the time at
    /// which it began itself, so that only the number of changes tells.
    async fn is_made_anew(&mut self) -> Result<bool, ReplicationError> {
        let job = &self.shared.job;
        let (source, target) = tokio::join!(job.source.info(), job.target.info());
        let now = [source.map_err(ReplicationError::source)?, target.map_err(ReplicationError::target)?];
        let is_another = |(now, then): (&Info, &Info)| {
            let is_behind = now.sequence().zip(then.sequence()).is_some_and(|(now, then)| now.is_behind(&then));
            is_behind || now.instance_start_time != then.instance_start_time
        };
        let is_made_anew = now.iter().zip(self.ends.iter()).any(is_another);
        *self.ends = now;
        Ok(is_made_anew)
    }

    /// Whether the source has another filter than the one that let pass what came.
    async fn is_filtered_anew(&self) -> Result<bool, ReplicationError> {
        Ok(identity::filter(&self.shared.job).await?.as_deref() != self.filter)
    }
}

/// Waits for the oldest page under way.
async fn first(under_way: &mut VecDeque<Page>) -> Result<Carried, ReplicationError> {
    let Some(page) = under_way.front_mut() else { return pending().await };
    let joined = (&mut page.carrying).await;
    let (last, pending) = (page.last.clone(), page.pending);
    under_way.pop_front();
    let is_news = joined.map_err(|error| {
        // A page that panicked: the job is over, the process need not be.
        let why = error.to_string();
        let source = CouchError::Protocol { origin: "the replicator".to_owned(), why, request: String::new() };
        ReplicationError::Request { end: End::Target, source }
    })??;
    Ok(Carried { last, pending, is_news })
}

/// Waits for the page that is read, if one is.
async fn next(reading: &mut Option<Reading>) -> Result<FeedPage, ReplicationError> {
    let Some(read) = reading.as_mut() else { return pending().await };
    let page = read.await;
    *reading = None;
    page
}

/// Up to a quarter more or less, so that what began together does not go on together.
fn varied(time: Duration) -> Duration {
    let percent = 75 + u32::try_from(random::number() % 51).unwrap_or_default();
    time * percent / 100
}
