//! `--times`: documents whose file was touched but not changed get its new time.

use anyhow::Result;

use super::Run;
use crate::couch::{Attachment, Document, Write};
use crate::media::{self, Record};
use crate::name::DocId;
use crate::path::RelPath;

/// Documents written in one request.
const AT_ONCE: usize = 500;

impl Run<'_> {
    /// Files that are the same as in the database but for their time.
    pub(super) fn touched(&self) -> Vec<(RelPath, i64)> {
        if !self.command.times || self.scope.document.is_some() {
            return Vec::new();
        }
        let entries = &self.memory.ledger.entries;
        let is_touched = |path: &RelPath, modified: i64| {
            entries.get(path.as_str()).is_some_and(|entry| match (&entry.local, &entry.remote, &entry.base) {
                (Some(seen), Some(held), Some(base)) => {
                    seen.sha256 == base.sha256 && held.digest == base.digest && held.modified != Some(modified)
                }
                _ => false,
            })
        };
        let files = self.tree.listing.files.iter();
        files
            .filter(|file| is_touched(&file.path, file.modified))
            .map(|file| (file.path.clone(), file.modified))
            .collect()
    }

    /// Writes the times; every attachment stays as it is.
    pub(super) async fn touch(&mut self, touched: Vec<(RelPath, i64)>) -> Result<usize> {
        let mut done = 0;
        for slice in touched.chunks(AT_ONCE) {
            let ids: Vec<DocId> = slice.iter().map(|(path, _)| self.scope.id(path)).collect();
            let documents = self.database.documents(&ids).await.map_err(|error| self.reached.failure(error))?;
            let writes: Vec<(&RelPath, i64, Write)> = slice
                .iter()
                .zip(documents)
                .filter_map(|((path, modified), document)| Some((path, *modified, timed(&document?, *modified)?)))
                .collect();
            let sent: Vec<Write> = writes.iter().map(|(_, _, write)| write.clone()).collect();
            let rows = self.database.bulk(&sent).await.map_err(|error| self.reached.failure(error))?;
            for ((path, modified, _), row) in writes.iter().zip(rows) {
                match row.outcome {
                    Ok(written) => {
                        done += 1;
                        let entry = self.memory.ledger.entries.get_mut(path.as_str());
                        if let Some(held) = entry.and_then(|entry| entry.remote.as_mut()) {
                            held.modified = Some(*modified);
                            held.revision = written.revision.as_str().into();
                        }
                    }
                    Err(answer) => self.troubles.file(path.as_str(), &answer),
                }
            }
        }
        Ok(done)
    }
}

fn timed(document: &Document, modified: i64) -> Option<Write> {
    let record = Record { modified, ..Record::read(&document.id, &document.body)? };
    let stubs = document.attachments.iter().map(|(name, stub)| (name.clone(), Attachment::Stub(stub.clone())));
    Some(Write {
        id: document.id.clone(),
        parent: Some(document.revision.clone()),
        body: media::updated(&document.body, &record),
        attachments: stubs.collect(),
        progress: None,
    })
}
