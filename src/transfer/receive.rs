//! Many attachments on their way to files, by the means that is fastest for their size.
//!
//! Small ones come by the hundred inside of JSON, middle ones in parts (both by `_bulk_get`), large ones by their own request,
//! which goes on where a broken connection or an earlier run ended. No file gets its name before its length is
//! found right, and the SHA-256 that its document claims or the digest of the stored bytes, as far as they are known; what
//! arrives damaged is asked for again by a request of its own, and one damaged item spoils no other.

use std::collections::VecDeque;
use std::io;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use self::tasks::{Task, tasks};
use super::TransferError;
use crate::couch::digest::Digest;
use crate::couch::{CouchError, Database, Missing};
use crate::local::{Access, Destination, Existing, LocalError, Seen, WriteOptions};
use crate::name::{AttName, DocId, Revision};
use crate::path::RelPath;

mod check;
mod middle;
mod pour;
mod single;
mod small;
mod tasks;

/// An attachment to be written to a file.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Where it goes.
    pub path: RelPath,
    /// The document.
    pub id: DocId,
    /// Its revision as of the listing. If it is there no longer, what the document has now is written.
    pub revision: Revision,
    /// This revision or none: a losing one, or one that somebody named.
    pub pinned: bool,
    /// The attachment.
    pub name: AttName,
    /// The length of the content in bytes.
    pub length: u64,
    /// The digest of the stored bytes; `None` where the server says something else.
    pub digest: Option<Digest>,
    /// The stored bytes are compressed.
    pub encoded: bool,
    /// The SHA-256 that the document claims.
    pub sha256: Option<[u8; 32]>,
    /// The file's modification time, in nanoseconds since 1970; `None` leaves it to the system.
    pub modified: Option<i64>,
    /// What to do about a file that stands there.
    pub existing: Existing,
}

/// A file that is whole and has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The revision that it is of: a later one than was asked for when the document changed meanwhile.
    pub revision: Revision,
    /// Bytes of the content.
    pub length: u64,
    /// MD5 of the content.
    pub md5: [u8; 16],
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// The digest of the stored bytes, as the document says; it was found right if it can be computed at all.
    pub digest: Option<Digest>,
    /// The stored bytes are compressed.
    pub encoded: bool,
    /// The SHA-256 that the document claims.
    pub claimed: Option<[u8; 32]>,
    /// The modification time that the document gives and the file got.
    pub modified: Option<i64>,
    /// By what the file can be recognised later; `None` when it is too young.
    pub seen: Option<Seen>,
}

/// How files are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// Sync each file and its folder; otherwise sync the file system before anything is recorded as done.
    pub durable: bool,
    /// How many requests are in flight at once.
    pub jobs: usize,
}

impl Default for ReceiveOptions {
    /// Four requests, no sync.
    fn default() -> Self {
        Self { durable: false, jobs: 4 }
    }
}

/// What all tasks share.
struct Context<'a> {
    database: &'a Database,
    into: &'a Destination,
    options: ReceiveOptions,
    progress: &'a (dyn Fn(i64) + Sync),
}

/// What became of one file.
type Outcome = (Fetch, Result<Arrived, Failure>);

/// Why a file is not there.
enum Failure {
    /// It is not worth another try.
    Final(TransferError),
    /// A request of its own may bring it.
    Again,
}

/// What became of one task.
#[derive(Default)]
struct Report {
    outcomes: Vec<Outcome>,
    /// What is still to be done.
    rest: Vec<Task>,
    /// Why there is a rest, when it is the request that failed.
    error: Option<TransferError>,
}

/// How often something is asked for that arrives damaged.
const TRIES: u32 = 3;

/// So many requests in a row that break without bringing anything are no accident.
const LOST_IN_A_ROW: u32 = 12;

/// Writes attachments to files. `progress` hears of bytes of content (negative: bytes that have to come again); `done`
/// hears of each file once, in no order.
///
/// The error is one that would befall the rest as well (credentials, an unreachable server, a full disk): then some have
/// not been heard of.
pub async fn receive(
    database: &Database,
    wanted: Vec<Fetch>,
    into: &Destination,
    options: ReceiveOptions,
    progress: &(dyn Fn(i64) + Sync),
    done: &mut dyn FnMut(&Fetch, Result<Arrived, TransferError>),
) -> Result<(), TransferError> {
    let context = Context { database, into, options, progress };
    let mut waiting: VecDeque<Task> = tasks(wanted).into();
    let mut running = FuturesUnordered::new();
    let mut lost = 0;
    loop {
        while running.len() < options.jobs.max(1)
            && let Some(task) = waiting.pop_front()
        {
            running.push(task.run(&context));
        }
        let Some(report) = running.next().await else { return Ok(()) };
        for (fetch, result) in report.outcomes {
            match result {
                Err(Failure::Again) => waiting.push_back(Task::Single(fetch, TRIES - 1)),
                Err(Failure::Final(error)) if ends_all(&error, &mut lost) => return Err(error),
                Err(Failure::Final(error)) => done(&fetch, Err(error)),
                Ok(arrived) => {
                    lost = 0;
                    done(&fetch, Ok(arrived));
                }
            }
        }
        if let Some(error) = report.error.filter(|error| ends_all(error, &mut lost)) {
            return Err(error);
        }
        waiting.extend(report.rest);
    }
}

impl Context<'_> {
    fn write_options(&self, fetch: &Fetch) -> WriteOptions {
        WriteOptions { existing: fetch.existing, access: Access::Shared, durable: self.options.durable }
    }

    fn tell(&self, bytes: u64) {
        (self.progress)(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

impl Report {
    /// Everything of a request that failed, in smaller requests.
    fn failed(rest: Vec<Task>, error: TransferError) -> Self {
        Self { rest, error: Some(error), ..Self::default() }
    }
}

/// Whether the connection broke, so that the same request may succeed another time.
fn is_lost(error: &CouchError) -> bool {
    matches!(error, CouchError::Broken { .. } | CouchError::Timeout { .. })
}

fn is_down(error: &CouchError) -> bool {
    matches!(error, CouchError::Server { source, .. } if source.status != 500)
}

/// Whether all other requests would end like this; `lost` counts those that broke without bringing anything.
fn ends_all(error: &TransferError, lost: &mut u32) -> bool {
    match error {
        // A backend that is down answers the rest alike; a single document may make it stumble (500).
        TransferError::Couch(error) if is_lost(error) || is_down(error) => {
            *lost += 1;
            *lost >= LOST_IN_A_ROW
        }
        TransferError::Couch(
            CouchError::Unauthorized { .. }
            | CouchError::Unreachable { .. }
            | CouchError::Certificate { .. }
            | CouchError::Proxy { .. }
            | CouchError::NotFound { what: Missing::Database(_), .. },
        )
        | TransferError::Task(_) => true,
        TransferError::Local(LocalError::Io { source, .. }) => matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
        ),
        _ => false,
    }
}
