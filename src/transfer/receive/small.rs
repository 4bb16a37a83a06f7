//! Many small files in one answer, written by one thread while the next answer arrives.

use super::check::{self, Expected};
use super::tasks::{Task, halves};
use super::{Context, Failure, Fetch, Outcome, Report};
use crate::couch::Contents;
use crate::local::{Destination, WriteOptions, blocking};
use crate::transfer::TransferError;

/// What a document may have beside the content that is wanted, in bytes of JSON.
const ROOM: usize = 16 << 10;

/// Receives a batch, whose attachments of one document are neighbours.
pub(super) async fn receive(context: &Context<'_>, batch: Vec<Fetch>) -> Report {
    let mut ids: Vec<_> = batch.iter().map(|fetch| fetch.id.clone()).collect();
    ids.dedup();
    let bytes = batch.iter().fold(0, |bytes, fetch| bytes + usize::try_from(fetch.length).unwrap_or(0));
    let limit = (1 << 20) + bytes * 2 + ids.len() * ROOM;
    let contents = match context.database.contents(&ids, limit).await {
        Ok(contents) => contents,
        Err(error) => return Report::failed(halves(batch, Task::Small), error.into()),
    };
    let into = context.into.clone();
    let options: Vec<WriteOptions> = batch.iter().map(|fetch| context.write_options(fetch)).collect();
    match blocking(move || place_all(batch, &options, &contents, &into)).await {
        Ok(outcomes) => {
            let arrived = outcomes.iter().filter_map(|(_, result)| result.as_ref().ok());
            context.tell(arrived.map(|arrived| arrived.length).sum());
            Report { outcomes, ..Report::default() }
        }
        Err(error) => Report::failed(Vec::new(), TransferError::Task(error)),
    }
}

fn place_all(
    batch: Vec<Fetch>,
    options: &[WriteOptions],
    contents: &[Option<Contents>],
    into: &Destination,
) -> Vec<Outcome> {
    // As the ids were made of the batch, so the batch is led along the contents.
    let mut contents = contents.iter().peekable();
    let mut current = None;
    let mut last = None;
    let mut outcomes = Vec::with_capacity(batch.len());
    for (fetch, options) in batch.into_iter().zip(options) {
        if last.as_ref() != Some(&fetch.id) {
            current = contents.next().and_then(Option::as_ref);
            last = Some(fetch.id.clone());
        }
        let result = current.map_or(Err(Failure::Again), |contents| place(&fetch, *options, contents, into));
        outcomes.push((fetch, result));
    }
    outcomes
}

fn place(
    fetch: &Fetch,
    options: WriteOptions,
    contents: &Contents,
    into: &Destination,
) -> Result<super::Arrived, Failure> {
    let expected = Expected::arriving(fetch, &contents.document).ok_or(Failure::Again)?;
    let Some(Ok(content)) = contents.content(&fetch.name) else { return Err(Failure::Again) };
    let (content, sums) = check::whole(&expected, content, false).map_err(|_| Failure::Again)?;
    if !sums.is_proven && !check::compresses_to(&content, &expected) {
        return Err(Failure::Again);
    }
    let written = into.begin(&fetch.path, options).and_then(|mut writer| {
        writer.write(&content)?;
        check::finish(writer, expected, sums)
    });
    written.map_err(|error| Failure::Final(error.into()))
}
