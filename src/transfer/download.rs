//! Attachments on their way to files: each appears under its name only when its length and digest are right.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};
use md5::{Digest as _, Md5};

use super::TransferError;
use crate::couch::digest::Verifier;
use crate::couch::{Database, Stub};
use crate::local::{Destination, WriteOptions, blocking};
use crate::name::{AttName, DocId, Revision};
use crate::path::RelPath;

/// How often an attachment that arrives damaged is asked for.
const TRIES: u32 = 3;

/// An attachment to be written to a file.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The attachment.
    pub name: AttName,
    /// What the document says of it.
    pub stub: Stub,
    /// Where it goes.
    pub path: RelPath,
}

/// Writes attachments of one revision to files, `jobs` at a time; `progress` hears of bytes written (and, negative, of
/// bytes that have to come again). Gives the md5 of each content.
pub async fn fetch(
    database: &Database,
    id: &DocId,
    revision: &Revision,
    wanted: Vec<Wanted>,
    into: (&Destination, WriteOptions),
    jobs: usize,
    progress: &(dyn Fn(i64) + Sync),
) -> Result<BTreeMap<AttName, [u8; 16]>, TransferError> {
    let work = wanted.into_iter().map(|wanted| async move {
        let md5 = persistently(database, (id, revision), &wanted, into, progress).await?;
        Ok((wanted.name, md5))
    });
    futures_util::stream::iter(work).buffer_unordered(jobs.max(1)).try_collect().await
}

async fn persistently(
    database: &Database,
    source: (&DocId, &Revision),
    wanted: &Wanted,
    into: (&Destination, WriteOptions),
    progress: &(dyn Fn(i64) + Sync),
) -> Result<[u8; 16], TransferError> {
    let mut tries = TRIES;
    loop {
        let mut written = 0;
        let outcome = once(database, source, wanted, into, &mut |bytes| {
            written += bytes;
            progress(bytes);
        })
        .await;
        tries -= 1;
        match outcome {
            Err(TransferError::Damaged { .. }) if tries > 0 => progress(-written),
            outcome => return outcome,
        }
    }
}

async fn once(
    database: &Database,
    (id, revision): (&DocId, &Revision),
    wanted: &Wanted,
    (destination, options): (&Destination, WriteOptions),
    progress: &mut (dyn FnMut(i64) + Send),
) -> Result<[u8; 16], TransferError> {
    let damaged = |source| TransferError::Damaged { name: wanted.name.clone(), source };
    let mut download = database.attachment(id, &wanted.name, revision).await?;
    let is_gzip = download.encoding.as_deref() == Some("gzip");
    let mut verifier = Verifier::new(&wanted.stub, is_gzip);
    let mut writer = destination.begin(&wanted.path, options)?;
    let (mut md5, mut content) = (Md5::new(), Vec::new());
    while let Some(stored) = download.chunk().await? {
        content.clear();
        verifier.update(&stored, &mut content).map_err(damaged)?;
        md5.update(&content);
        writer.write(&content)?;
        progress(i64::try_from(content.len()).unwrap_or(i64::MAX));
    }
    verifier.finish().map_err(damaged)?;
    blocking(move || writer.commit()).await.map_err(TransferError::Task)??;
    Ok(md5.finalize().into())
}

/// The content of a small attachment, verified.
pub async fn content(
    database: &Database,
    id: &DocId,
    revision: &Revision,
    name: &AttName,
    stub: &Stub,
) -> Result<Vec<u8>, TransferError> {
    let mut whole = Vec::new();
    read(database, (id, revision), name, stub, &mut |bytes| whole.extend_from_slice(bytes)).await?;
    Ok(whole)
}

/// The md5 of the content of an attachment, verified against what the document says.
pub async fn content_md5(
    database: &Database,
    id: &DocId,
    revision: &Revision,
    name: &AttName,
    stub: &Stub,
) -> Result<[u8; 16], TransferError> {
    let mut md5 = Md5::new();
    read(database, (id, revision), name, stub, &mut |bytes| md5.update(bytes)).await?;
    Ok(md5.finalize().into())
}

async fn read(
    database: &Database,
    (id, revision): (&DocId, &Revision),
    name: &AttName,
    stub: &Stub,
    take: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<(), TransferError> {
    let damaged = |source| TransferError::Damaged { name: name.clone(), source };
    let mut download = database.attachment(id, name, revision).await?;
    let mut verifier = Verifier::new(stub, download.encoding.as_deref() == Some("gzip"));
    let mut piece = Vec::new();
    while let Some(stored) = download.chunk().await? {
        piece.clear();
        verifier.update(&stored, &mut piece).map_err(damaged)?;
        take(&piece);
    }
    verifier.finish().map_err(damaged)
}
