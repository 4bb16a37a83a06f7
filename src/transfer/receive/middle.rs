//! Files of middle size in one answer, each checked and written while the next one arrives.

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::check::{self, Expected};
use super::tasks::{MIDDLE, Task, halves};
use super::{Arrived, Context, Failure, Fetch, Outcome, Report};
use crate::couch::{BulkGet, CouchError, Document, Piece};
use crate::local::{Destination, WriteOptions, blocking};
use crate::name::{AttName, DocId, Revision};
use crate::transfer::TransferError;

/// Attachments that come along unwanted: beyond so many bytes a request for each of the others is cheaper.
const UNWANTED: u64 = 4 << 20;

/// Receives a batch, whose attachments of one document are neighbours.
pub(super) async fn receive(context: &Context<'_>, batch: Vec<Fetch>) -> Report {
    let mut wanted: Vec<(DocId, Revision)> =
        batch.iter().map(|fetch| (fetch.id.clone(), fetch.revision.clone())).collect();
    wanted.dedup();
    let arriving = match context.database.bulk_get(&wanted).await {
        Ok(arriving) => arriving,
        Err(error) => return Report::failed(halves(batch, Task::Middle), error.into()),
    };
    let mut batch = Batch {
        context,
        missing: batch,
        document: None,
        current: None,
        writing: FuturesUnordered::new(),
        bytes: 0,
        report: Report::default(),
    };
    let end = batch.take_all(arriving).await;
    batch.finish(end).await
}

/// How an answer ended.
enum End {
    /// All of it has come.
    Whole,
    /// The rest of it is not worth the wait.
    Enough,
}

struct Batch<'a> {
    context: &'a Context<'a>,
    /// What has not come yet.
    missing: Vec<Fetch>,
    /// The document that arrives.
    document: Option<Box<Document>>,
    /// The attachment that arrives, if it is wanted.
    current: Option<Current>,
    /// What is being checked and written.
    writing: FuturesUnordered<BoxFuture<'static, (u64, Result<Outcome, TransferError>)>>,
    /// Bytes in [`Batch::writing`].
    bytes: u64,
    report: Report,
}

struct Current {
    fetch: Fetch,
    expected: Expected,
    gzip: bool,
    bytes: Vec<u8>,
}

impl Batch<'_> {
    async fn take_all(&mut self, mut arriving: BulkGet) -> Result<End, CouchError> {
        while let Some(piece) = arriving.next().await? {
            match piece {
                Piece::Document(document) if self.is_worthwhile(&document) => self.document = Some(document),
                Piece::Document(document) => {
                    self.set_aside(&document);
                    return Ok(End::Enough);
                }
                Piece::Attachment { name, gzip, .. } => self.current = self.begin(&name, gzip),
                Piece::Bytes(bytes) => {
                    if let Some(current) = &mut self.current {
                        current.bytes.extend_from_slice(&bytes);
                    }
                    let is_too_large = |current: &Current| current.bytes.len() as u64 > MIDDLE + UNWANTED;
                    if let Some(current) = self.current.take_if(|current| is_too_large(current)) {
                        self.report.outcomes.push((current.fetch, Err(Failure::Again)));
                    }
                }
                Piece::AttachmentEnd => {
                    if let Some(current) = self.current.take() {
                        self.write(current).await;
                    }
                }
            }
        }
        Ok(End::Whole)
    }

    /// Whether what comes with a document is mostly wanted.
    fn is_worthwhile(&self, document: &Document) -> bool {
        let unwanted = document.attachments.iter().filter(|(name, _)| self.position(document, name).is_none());
        let length = |stub: &crate::couch::Stub| stub.encoded_length.unwrap_or(stub.length);
        unwanted.fold(0, |sum: u64, (_, stub)| sum.saturating_add(length(stub))) <= UNWANTED
    }

    fn position(&self, document: &Document, name: &AttName) -> Option<usize> {
        let is_it =
            |fetch: &Fetch| fetch.name == *name && fetch.id == document.id && fetch.revision == document.revision;
        self.missing.iter().position(is_it)
    }

    /// The attachments of a document get requests of their own.
    fn set_aside(&mut self, document: &Document) {
        let missing = std::mem::take(&mut self.missing);
        let (aside, missing): (Vec<_>, Vec<_>) = missing.into_iter().partition(|fetch| fetch.id == document.id);
        self.missing = missing;
        self.report.outcomes.extend(aside.into_iter().map(|fetch| (fetch, Err(Failure::Again))));
    }

    fn begin(&mut self, name: &AttName, gzip: bool) -> Option<Current> {
        let document = self.document.as_ref()?;
        let at = self.position(document, name)?;
        let expected = Expected::arriving(&self.missing[at], document)?;
        let fetch = self.missing.swap_remove(at);
        let room = expected.encoded_length.unwrap_or(expected.length).min(MIDDLE);
        Some(Current { fetch, expected, gzip, bytes: Vec::with_capacity(usize::try_from(room).unwrap_or(0)) })
    }

    /// Hands an attachment on to another thread; waits while too much is on its way already.
    async fn write(&mut self, current: Current) {
        let length = current.bytes.len() as u64;
        while self.bytes + length > MIDDLE && !self.writing.is_empty() {
            self.written().await;
        }
        let options = self.context.write_options(&current.fetch);
        let into = self.context.into.clone();
        let work = blocking(move || place(current, options, &into));
        self.bytes += length;
        self.writing.push(async move { (length, work.await.map_err(TransferError::Task)) }.boxed());
        // A future does nothing before it is asked.
        if let Some(Some(done)) = self.writing.next().now_or_never() {
            self.record(done);
        }
    }

    async fn written(&mut self) {
        if let Some(done) = self.writing.next().await {
            self.record(done);
        }
    }

    fn record(&mut self, (length, done): (u64, Result<Outcome, TransferError>)) {
        self.bytes = self.bytes.saturating_sub(length);
        match done {
            Ok((fetch, result)) => {
                if let Ok(arrived) = &result {
                    self.context.tell(arrived.length);
                }
                self.report.outcomes.push((fetch, result));
            }
            Err(error) => self.report.error = Some(error),
        }
    }

    async fn finish(mut self, end: Result<End, CouchError>) -> Report {
        while !self.writing.is_empty() {
            self.written().await;
        }
        let mut missing = self.missing;
        missing.extend(self.current.map(|current| current.fetch));
        missing.sort_by(|one, other| (&one.id, &one.revision).cmp(&(&other.id, &other.revision)));
        let mut report = self.report;
        match end {
            // What the answer left out, the server does not have, or not in a form that could be read.
            Ok(End::Whole) => report.outcomes.extend(missing.into_iter().map(|fetch| (fetch, Err(Failure::Again)))),
            Ok(End::Enough) if missing.is_empty() => {}
            Ok(End::Enough) => report.rest.push(Task::Middle(missing)),
            Err(error) => {
                report.rest = halves(missing, Task::Middle);
                report.error = report.error.or(Some(error.into()));
            }
        }
        report
    }
}

fn place(current: Current, options: WriteOptions, into: &Destination) -> Outcome {
    let Current { fetch, expected, gzip, bytes } = current;
    let result = check::whole(&expected, bytes, gzip).map_err(|_| Failure::Again).and_then(|(content, sums)| {
        if !sums.is_proven && !check::compresses_to(&content, &expected) {
            return Err(Failure::Again);
        }
        let written = into.begin(&fetch.path, options).and_then(|mut writer| {
            writer.write(&content)?;
            check::finish(writer, expected, sums)
        });
        written.map_err(|error| Failure::Final(error.into()))
    });
    let result: Result<Arrived, Failure> = result;
    (fetch, result)
}
