//! A document that changed on the server between the plan and the write.
//!
//! Fields that people edit meanwhile are kept; a file that somebody else put there is not overwritten. And what an
//! earlier run, killed before it saw the answer, has written after all is no conflict.

use super::confirm::{Likeness, liken};
use super::{Outbound, Outcome, Sender, Sent, sort};
use crate::couch::Document;
use crate::couch::digest::Digest;
use crate::local::{Fingerprint, Sums, blocking};
use crate::media::{self, Record};
use crate::transfer::TransferError;

impl Sender<'_> {
    /// Settles a file whose document is not as it was when this was planned.
    pub(super) async fn settle(self, file: Outbound, rounds: u32) -> Result<(Outbound, Outcome), TransferError> {
        let clash = |file: Outbound| {
            let id = file.id.clone();
            Ok((file, Err(TransferError::Clash { id })))
        };
        // Somebody writes there as fast as we look.
        let Some(rounds) = rounds.checked_sub(1) else { return clash(file) };
        let found = match sort(self.look(&file).await)? {
            Ok(found) => found,
            Err(error) => return Ok((file, Err(error))),
        };
        match found {
            Found::Gone => {
                let file = Outbound { replaces: None, ..file };
                Box::pin(self.send_onto(file, None, rounds)).await
            }
            Found::Foreign => {
                let id = file.id.clone();
                Ok((file, Err(TransferError::Foreign { id })))
            }
            Found::Ours(sent) => {
                (self.progress)(i64::try_from(sent.fingerprint.length).unwrap_or(i64::MAX));
                Ok((file, Ok(*sent)))
            }
            Found::Edited(document) => Box::pin(self.send_onto(file, Some(*document), rounds)).await,
            Found::Replaced => clash(file),
        }
    }

    /// The document of a file as it is now.
    pub(super) async fn current(&self, file: &Outbound) -> Result<Option<Document>, TransferError> {
        Ok(self.database.documents(std::slice::from_ref(&file.id)).await?.into_iter().next().flatten())
    }

    async fn look(&self, file: &Outbound) -> Result<Found, TransferError> {
        let Some(document) = self.current(file).await? else { return Ok(Found::Gone) };
        let Some(record) = Record::read(&document.id, &document.body) else { return Ok(Found::Foreign) };
        let stub = document.attachment(&record.attachment);
        let (folder, path) = (self.folder.clone(), file.path.clone());
        let reading = move || folder.fingerprint(&path, Sums::Md5AndSha256, &|_| ());
        let fingerprint: Fingerprint = blocking(reading).await.map_err(TransferError::Task)??;
        let same = stub.is_some_and(|stub| {
            let likeness = liken(stub, fingerprint.length, Digest::from_md5(fingerprint.md5), None);
            let claimed = Some(record.sha256) == fingerprint.sha256 && record.size == fingerprint.length;
            claimed && likeness == Likeness::Same && record.attachment == media::file_attachment(&file.filed)
        });
        if let (true, Some(stub)) = (same, stub) {
            let (digest, encoded) = (stub.digest, stub.encoding.is_some());
            let revision = document.revision.clone();
            return Ok(Found::Ours(Box::new(Sent { fingerprint, revision, digest, encoded, weak: false })));
        }
        let is_as_planned = file.replaces.as_ref().is_some_and(|replaced| replaced.is_in(&document));
        // A new document of ours whose text cannot be compared by digests holds what it says, if nobody replaced it: its
        // content is sent again, which changes nothing but the revision.
        let is_own_text = file.replaces.is_none() && Some(record.sha256) == fingerprint.sha256;
        if is_as_planned || is_own_text || self.options.force {
            return Ok(Found::Edited(Box::new(document)));
        }
        Ok(Found::Replaced)
    }
}

/// What stands where a file was to go.
enum Found {
    Gone,
    Foreign,
    /// The file itself is there.
    Ours(Box<Sent>),
    /// The attachment is as it was planned to be replaced, or may be overwritten.
    Edited(Box<Document>),
    /// Another content.
    Replaced,
}
