//! Our own replicator: what changed in one database is carried to another, by the protocol that CouchDB and PouchDB use
//! between themselves, for servers that cannot see each other.
//!
//! One [`Job`] goes in one direction. It reads the changes of the source from the last checkpoint that both ends agree
//! on, asks the target what it lacks of them, and writes that as it is: revision trees, conflicts and tombstones
//! included. Several pages are under way at once, in bounded memory; a checkpoint is only ever moved over what is done.
//! Success means that a last look at both ends found nothing missing. Nothing is printed: an [`Observer`] hears of all.
//! <https://docs.couchdb.org/en/stable/replication/protocol.html>

use std::sync::Arc;
use std::time::Duration;

use crate::couch::{CouchError, Database, Selection, Sequence};
use crate::json::Object;

mod again;
mod batch;
mod checkpoint;
mod echo;
mod group;
mod habit;
mod identity;
mod pass;
mod report;
mod session;
#[cfg(test)]
mod tests;

pub use echo::{Echo, pair};
pub use report::{Counts, Event, Observer, Refused};
pub use tokio_util::sync::CancellationToken as Stop;

/// One direction between two databases.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is read.
    pub source: Database,
    /// What is written.
    pub target: Database,
    /// What is meant, and how.
    pub options: Options,
    /// What this job and the one in the other direction know of each other, if the same process runs both.
    pub echo: Option<Echo>,
}

/// What a job carries, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Goes on with every further change.
    pub continuous: bool,
    /// Makes the target when it does not exist.
    pub create_target: bool,
    /// Which changes.
    pub selection: Selection,
    /// Leaves out `_design/` documents.
    pub no_design: bool,
    /// Only the winning revision of each document. Conflicts are lost.
    pub winning_revisions_only: bool,
    /// Begins here, whatever a checkpoint says.
    pub since: Option<Sequence>,
    /// How things are paced.
    pub pace: Timing,
}

/// The times of a job. Those of jobs that go on are varied a little, so that many jobs do not come at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two checkpoints, as long as there is much to do.
    pub checkpoint: Duration,
    /// After a change that came to a job that had nothing to do, until there is a checkpoint. As CouchDB has it: a change
    /// costs two writes less for each job that it passes when others come in that time.
    pub following: Duration,
    /// An idle job looks after both ends this often: a database that was deleted does not tell.
    pub probe: Duration,
    /// The first wait of a continuous job after an error; each further one is twice as long.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            checkpoint: Duration::from_secs(5),
            following: Duration::from_secs(30),
            probe: Duration::from_secs(15),
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_mins(1),
        }
    }
}

impl Timing {
    /// The times of one of many jobs of this process: together they do not look after their ends more often than some
    /// twenty times a second.
    #[must_use]
    pub fn among(self, jobs: usize) -> Self {
        let share = Duration::from_millis(u64::try_from(jobs).unwrap_or(u64::MAX).saturating_mul(100));
        Self { probe: self.probe.max(share), ..self }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            continuous: false,
            create_target: false,
            selection: Selection::Everything,
            no_design: false,
            winning_revisions_only: false,
            since: None,
            pace: Timing::default(),
        }
    }
}

/// Which end of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What is read.
    Source,
    /// What is written.
    Target,
}

/// Why a job ended before it was done.
#[derive(Debug, thiserror::Error)]
pub enum ReplicationError {
    /// A request to one end failed for good.
    #[error("the {} failed", match .end { End::Source => "source", End::Target => "target" })]
    Request {
        /// Which end.
        end: End,
        /// Why.
        source: CouchError,
    },
    /// There is no such filter function in the source.
    #[error("the source has no filter `{0}`")]
    NoFilter(String),
}

impl ReplicationError {
    pub(crate) fn source(source: CouchError) -> Self {
        Self::Request { end: End::Source, source }
    }

    pub(crate) fn target(source: CouchError) -> Self {
        Self::Request { end: End::Target, source }
    }

    /// Whether the next try may go well: no connection, or a server that fails.
    pub fn is_passing(&self) -> bool {
        let Self::Request { source, .. } = self else { return false };
        matches!(
            source,
            CouchError::Server { .. }
                | CouchError::Corrupted { .. }
                | CouchError::Unreachable { .. }
                | CouchError::Broken { .. }
                | CouchError::Unconfirmed { .. }
                | CouchError::Timeout { .. }
                | CouchError::Source { .. }
                | CouchError::Proxy { credentials: false, .. }
        )
    }
}

/// How a job ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was done.
    pub counts: Counts,
    /// The first revisions that the target does not have in the end; [`Counts::refused`] counts them all.
    pub refused: Vec<Refused>,
    /// Both ends were compared, and the target lacks nothing but what was refused.
    pub compared: bool,
    /// It was stopped before it was done; a continuous job ends in no other way.
    pub stopped: bool,
    /// What the checkpoint says in the end (`session_id`, `source_last_seq`, `history`…); `None` where none was ever written.
    pub record: Option<Object>,
    /// A checkpoint was written. Without one, there was nothing to do.
    pub moved: bool,
}

/// Carries a job out; `stop` ends it with a checkpoint written.
///
/// Fails when one of the databases does not exist or may not be used, when a request fails after all tries (one that is
/// continuous waits and goes on then), or when there is no such filter. Refused documents are no failure: they are in
/// the [`Outcome`].
pub async fn run(job: &Job, observer: &Observer, stop: &Stop) -> Result<Outcome, ReplicationError> {
    session::run(&Arc::new(job.clone()), observer, stop).await
}

/// Whether the filter function of a job exists.
pub async fn check_filter(job: &Job) -> Result<(), ReplicationError> {
    identity::filter(job).await.map(drop)
}

/// Whether both databases of a job are there and may be read.
pub async fn probe(job: &Job) -> Result<(), ReplicationError> {
    let (source, target) = tokio::join!(job.source.info(), job.target.info());
    source.map_err(ReplicationError::source)?;
    target.map_err(ReplicationError::target).map(drop)
}
