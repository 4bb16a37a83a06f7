//! Files on their way into a database: one document each, as fast as the server takes them.
//!
//! A server writes small documents fastest when many come in one request, so files up to [`INLINE`] travel inside of
//! `_bulk_docs` (as base64, which also makes CouchDB store them in one piece: they are read several times faster later);
//! larger ones are streamed from the disk, a document and its file in one multipart request and one revision. Nothing
//! counts as sent before the server has shown that it holds these very bytes: by the revision, which CouchDB computes of
//! the content, or by what it lists afterwards (`confirm`).

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;

use super::TransferError;
use crate::couch::Database;
use crate::couch::digest::Digest;
use crate::local::{Fingerprint, Folder};
use crate::name::{AttName, DocId, Revision};
use crate::path::RelPath;

mod batch;
mod confirm;
mod draft;
mod picture;
mod settle;
mod share;
mod single;
mod sort;

/// Files up to this length travel inside of JSON, in bytes. Beyond it, base64 costs the server more than a stream.
const INLINE: u64 = 512 << 10;

/// What one `_bulk_docs` takes: documents, and bytes of their files.
const BATCH: (usize, u64) = (300, 4 << 20);

/// Batches on their way at once: more keep no server busier, and each holds its files in memory. While they are, others
/// are read and composed.
const BATCHES: usize = 2;
const AHEAD: usize = 1;

/// Files larger than this are sent four at a time, in bytes.
const LARGE: u64 = 10 << 20;
const LARGE_AT_ONCE: usize = 4;

/// A file to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// The file.
    pub path: RelPath,
    /// The file's path in the database: below the prefix, if there is one.
    pub filed: RelPath,
    /// Its document.
    pub id: DocId,
    /// The length when the folder was listed.
    pub length: u64,
    /// What the attachment was when this was decided; `None`: there was no document.
    pub replaces: Option<Replaced>,
}

/// The attachment that a file takes the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The revision of its document.
    pub revision: Box<str>,
    /// The digest of its stored bytes.
    pub digest: Option<Digest>,
}

/// How documents are made of files.
#[derive(Clone, Debug, Default)]
pub struct SendOptions {
    /// Tags of new documents.
    pub tags: Vec<String>,
    /// New documents are tagged with the folders they are in, too.
    pub tags_from_folders: bool,
    /// Look for what the file tells of itself.
    pub facts: bool,
    /// Add a small picture that fits into so many pixels each way.
    pub thumbnails: Option<u32>,
    /// Content types by extension, before the built-in ones.
    pub content_types: BTreeMap<String, String>,
    /// The server compresses text by CouchDB's rule, and takes parts that are compressed already.
    pub compresses: bool,
    /// Overwrite what others put in the place of what was to be replaced.
    pub force: bool,
    /// Files of middle size on their way at once.
    pub jobs: usize,
}

/// A file that the server holds now.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The file as it was sent.
    pub fingerprint: Fingerprint,
    /// The document's revision.
    pub revision: Revision,
    /// The attachment that is the file.
    pub attachment: AttName,
    /// The digest of the stored bytes.
    pub digest: Option<Digest>,
    /// Whether they are stored compressed.
    pub encoded: bool,
    /// Fewer copies were written than the cluster wants.
    pub weak: bool,
    /// The document has losing revisions beside the one that was replaced.
    pub has_conflicts: bool,
}

/// What became of one file.
pub type Outcome = Result<Sent, TransferError>;

/// Files, and what became of each.
type Outcomes = Vec<(Outbound, Outcome)>;

/// Sends files. `done` hears of each when it is settled, `progress` of bytes sent (and, negative, of those that have to
/// go again).
///
/// An error of a single file is that file's outcome; the error of the whole means that nothing more can be sent: every
/// other file would meet it as well, or nobody has answered several writes in a row.
pub async fn send(
    database: &Database,
    folder: &Folder,
    files: Vec<Outbound>,
    options: &SendOptions,
    progress: &(dyn Fn(i64) + Send + Sync),
    done: &mut (dyn FnMut(Outbound, Outcome) + Send),
) -> Result<(), TransferError> {
    let outages = AtomicU32::new(0);
    let lanes = Semaphore::new(BATCHES);
    let sender = Sender { database, folder, options, progress, lanes: &lanes, outages: &outages };
    let [small, middle, large] = by_size(files);
    let mut batches = stream::iter(batches(small)).map(|batch| sender.batch(batch)).buffer_unordered(BATCHES + AHEAD);
    while let Some((outcomes, result)) = batches.next().await {
        outcomes.into_iter().for_each(|(file, outcome)| done(file, outcome));
        result?;
    }
    for (lane, at_once) in [(middle, options.jobs.max(1)), (large, LARGE_AT_ONCE.min(options.jobs.max(1)))] {
        let mut singles = stream::iter(lane).map(|file| sender.single(file)).buffer_unordered(at_once);
        while let Some(settled) = singles.next().await {
            let (file, outcome) = settled?;
            done(file, outcome);
        }
    }
    Ok(())
}

/// What every part of a transfer is given.
#[derive(Clone, Copy)]
struct Sender<'a> {
    database: &'a Database,
    folder: &'a Folder,
    options: &'a SendOptions,
    progress: &'a (dyn Fn(i64) + Send + Sync),
    /// Held by each batch that is on its way.
    lanes: &'a Semaphore,
    /// Requests in a row that nobody answered.
    outages: &'a AtomicU32,
}

/// Files that go inside of JSON, one by one, and a few at a time. There may be very many, so they are not copied.
fn by_size(mut files: Vec<Outbound>) -> [Vec<Outbound>; 3] {
    files.sort_by_key(|file| (file.length > INLINE, file.length > LARGE));
    let large = files.split_off(files.partition_point(|file| file.length <= LARGE));
    let middle = files.split_off(files.partition_point(|file| file.length <= INLINE));
    [files, middle, large]
}

/// Groups files for `_bulk_docs`, in their order.
fn batches(files: Vec<Outbound>) -> impl Iterator<Item = Vec<Outbound>> {
    let (most, room) = BATCH;
    let mut files = files.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = files.next()?;
        let mut bytes = first.length;
        let mut batch = vec![first];
        while let Some(file) = files.next_if(|next| batch.len() < most && bytes + next.length <= room) {
            bytes += file.length;
            batch.push(file);
        }
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, length: u64) -> Outbound {
        let path = RelPath::new(name).unwrap();
        Outbound { filed: path.clone(), id: DocId::new(name).unwrap(), path, length, replaces: None }
    }

    #[test]
    fn a_batch_is_bounded_by_documents_and_bytes() {
        let sizes = |lengths: &[u64]| -> Vec<usize> {
            let files = lengths.iter().enumerate().map(|(index, length)| file(&format!("f{index}"), *length));
            batches(files.collect()).map(|batch| batch.len()).collect()
        };
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[1; 601]), [300, 300, 1]);
        assert_eq!(sizes(&[INLINE; 17]), [8, 8, 1]);
        assert_eq!(sizes(&[1, BATCH.1 - 1, INLINE, 7]), [2, 2]);
        let files: Vec<Outbound> = (0..700).map(|index| file(&format!("f{index}"), index * 100)).collect();
        assert_eq!(batches(files.clone()).flatten().collect::<Vec<_>>(), files);
    }
}
