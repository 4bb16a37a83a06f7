//! One file by a request of its own: any size in little memory, again where it arrives damaged.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join;
use tokio::sync::mpsc;

use super::check::Expected;
use super::pour::{self, Order, Target};
use super::tasks::MIDDLE;
use super::{Context, Failure, Fetch, Outcome, is_lost};
use crate::couch::{CouchError, Download, Missing, Read};
use crate::local::blocking;
use crate::transfer::TransferError;

/// Pieces (64 KiB at most) between network and disk.
const PIECES: usize = 16;

/// How often in a row a connection may break before much has come.
const LOSSES: u32 = 5;

/// So many bytes make a broken connection worth another try.
const MUCH: u64 = 1 << 20;

/// Receives one file; what arrives damaged is asked for `tries` times in all.
pub(super) async fn receive(context: &Context<'_>, fetch: Fetch, tries: u32) -> Outcome {
    let mut expected = Expected::of(&fetch);
    let (mut left, mut is_refreshed) = (tries, false);
    loop {
        let result = once(context, &fetch, &expected).await;
        left = left.saturating_sub(1);
        match result {
            Err(TransferError::Damaged { .. }) if left > 0 => {}
            Err(TransferError::Couch(error)) if is_gone(&error) && !fetch.pinned && !is_refreshed => {
                is_refreshed = true;
                match refreshed(context, &fetch).await {
                    Ok(Some(newer)) => expected = newer,
                    Ok(None) => return (fetch, Err(Failure::Final(error.into()))),
                    Err(other) => return (fetch, Err(Failure::Final(other.into()))),
                }
            }
            result => return (fetch, result.map_err(Failure::Final)),
        }
    }
}

/// The revision was compacted away, or the attachment is in it no longer.
fn is_gone(error: &CouchError) -> bool {
    matches!(error, CouchError::NotFound { what: Missing::Document { .. } | Missing::Attachment(_), .. })
}

/// What the document has now; `None` when there is nothing else.
async fn refreshed(context: &Context<'_>, fetch: &Fetch) -> Result<Option<Expected>, CouchError> {
    let document = match context.database.document(&fetch.id, &Read::default()).await {
        Err(error) if is_gone(&error) => return Ok(None),
        document => document?,
    };
    let is_other = !document.deleted && document.revision != fetch.revision;
    Ok(Expected::arriving(fetch, &document).filter(|_| is_other))
}

async fn once(context: &Context<'_>, fetch: &Fetch, expected: &Expected) -> Result<super::Arrived, TransferError> {
    let options = context.write_options(fetch);
    // What is compressed, the server gives from its beginning only.
    let tag =
        expected.digest.filter(|_| !expected.encoded && expected.length > MIDDLE).map(|digest| digest.to_string());
    let (into, path) = (context.into.clone(), fetch.path.clone());
    let open = move || match &tag {
        Some(tag) => into.resume(&path, options, tag),
        None => into.begin(&path, options).map(|writer| (writer, 0)),
    };
    let (writer, existing) = blocking(open).await.map_err(TransferError::Task)??;
    let (sender, receiver) = mpsc::channel(PIECES);
    let written = Arc::new(AtomicU64::new(0));
    let target = Target {
        writer,
        existing: if existing > expected.length { 0 } else { existing },
        expected: expected.clone(),
        name: fetch.name.clone(),
        written: Arc::clone(&written),
    };
    let feed = Feed { context, fetch, expected, existing: target.existing, written, told: Cell::new(0) };
    // Both at once: the disk works on a piece while the next one arrives.
    let (fed, poured) = join(feed.run(sender), blocking(move || pour::pour(target, receiver))).await;
    let result = match (poured.map_err(TransferError::Task)?, fed) {
        (Ok(Some(arrived)), _) => Ok(arrived),
        (Err(error), _) | (Ok(None), Err(error)) => Err(error),
        (Ok(None), Ok(())) => Err(TransferError::Task(std::io::ErrorKind::UnexpectedEof.into())),
    };
    match &result {
        Ok(_) => feed.tell(),
        Err(_) => feed.take_back(),
    }
    result
}

/// The network's side.
struct Feed<'a> {
    context: &'a Context<'a>,
    fetch: &'a Fetch,
    expected: &'a Expected,
    /// Bytes that were there before.
    existing: u64,
    /// Bytes of content in the file.
    written: Arc<AtomicU64>,
    /// How many of them were told of.
    told: Cell<i64>,
}

/// How an answer ended.
enum End {
    Whole,
    /// The other side has ended: it knows why.
    Refused,
}

impl Feed<'_> {
    /// Sends what arrives to the file, going on after broken connections. Ends early when the file's side does.
    async fn run(&self, orders: mpsc::Sender<Order>) -> Result<(), TransferError> {
        let mut sent = self.existing;
        let mut etag = self.expected.digest.map(etag_of);
        let mut losses = 0;
        while sent == 0 || sent < self.expected.length {
            let mut download = self.open(sent, etag.as_deref()).await?;
            let gzip = download.encoding.as_deref() == Some("gzip");
            if download.offset != sent || sent == 0 {
                if orders.send(Order::Begin { gzip }).await.is_err() {
                    return Ok(());
                }
                sent = 0;
            }
            let began = sent;
            let goes_on = !gzip && !self.expected.encoded && download.etag.is_some();
            etag = download.etag.take();
            match self.pass(&mut download, &orders, &mut sent).await {
                Ok(End::Whole) => break,
                Ok(End::Refused) => return Ok(()),
                Err(error) if is_lost(&error) && losses < LOSSES => {
                    losses = if began > 0 && sent - began > MUCH { 0 } else { losses + 1 };
                    if !goes_on {
                        sent = 0;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        // If nobody listens any longer, the other side tells why.
        let _ = orders.send(Order::Finish).await;
        Ok(())
    }

    async fn open(&self, offset: u64, etag: Option<&str>) -> Result<Download, CouchError> {
        let Fetch { id, name, .. } = self.fetch;
        let revision = &self.expected.revision;
        match etag {
            Some(etag) => self.context.database.attachment_from(id, name, revision, offset, etag).await,
            None => self.context.database.attachment(id, name, revision).await,
        }
    }

    async fn pass(
        &self,
        download: &mut Download,
        orders: &mpsc::Sender<Order>,
        sent: &mut u64,
    ) -> Result<End, CouchError> {
        while let Some(bytes) = download.chunk().await? {
            *sent += bytes.len() as u64;
            if orders.send(Order::Bytes(bytes)).await.is_err() {
                return Ok(End::Refused);
            }
            self.tell();
        }
        Ok(End::Whole)
    }

    /// Tells what was written, or has to come again, since the last time.
    fn tell(&self) {
        let written = i64::try_from(self.written.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let told = self.told.replace(written);
        if written != told {
            (self.context.progress)(written - told);
        }
    }

    fn take_back(&self) {
        let told = self.told.replace(0);
        if told != 0 {
            (self.context.progress)(-told);
        }
    }
}

/// CouchDB's `ETag` of an attachment.
fn etag_of(digest: crate::couch::digest::Digest) -> String {
    format!("\"{}\"", digest.to_string().trim_start_matches("md5-"))
}
