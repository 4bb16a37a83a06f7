//! `--times`: documents whose file was touched but not changed get its new time.

use anyhow::Result;

use super::Run;
use crate::couch::{Attachment, Document, Write};
use crate::media::{self, Record};
use crate::name::DocId;
use crate::path::RelPath;

/// Documents written in one request.
const AT_ONCE: usize = 500;

const MEANWHILE: &str = "changed in the database meanwhile, its time is not corrected";

impl Run<'_> {
    /// Writes the times; every attachment stays as it is.
    pub(super) async fn touch(&mut self, touched: Vec<(RelPath, i64)>) -> Result<usize> {
        let mut done = 0;
        for slice in touched.chunks(AT_ONCE) {
            let ids: Vec<DocId> = slice.iter().map(|(path, _)| self.scope.id(path)).collect();
            let documents = self.database.documents(&ids).await.map_err(|error| self.reached.failure(error))?;
            let mut writes: Vec<(&RelPath, i64, Write)> = Vec::new();
            for ((path, modified), document) in slice.iter().zip(documents) {
                match document.and_then(|document| self.timed(path, &document, *modified)) {
                    Some(write) => writes.push((path, *modified, write)),
                    None => self.troubles.conflict(path.as_str(), MEANWHILE),
                }
            }
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
                    Err(answer) if answer.status == 409 => self.troubles.conflict(path.as_str(), MEANWHILE),
                    Err(answer) => self.troubles.file(path.as_str(), &answer),
                }
            }
        }
        Ok(done)
    }

    /// The document with another time, if it still holds the file that was compared.
    fn timed(&self, path: &RelPath, document: &Document, modified: i64) -> Option<Write> {
        let record = Record { modified, ..Record::read(&document.id, &document.body)? };
        let held = self.memory.ledger.entries.get(path.as_str())?.remote.as_ref()?;
        let digest = document.attachment(&record.attachment)?.digest?.md5();
        if held.digest != Some(digest) {
            return None;
        }
        let stubs = document.attachments.iter().map(|(name, stub)| (name.clone(), Attachment::Stub(stub.clone())));
        Some(Write {
            id: document.id.clone(),
            parent: Some(document.revision.clone()),
            body: media::updated(&document.body, &record),
            attachments: stubs.collect(),
            progress: None,
        })
    }
}
