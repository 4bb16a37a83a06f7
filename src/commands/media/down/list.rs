//! Which files the database has.

use anyhow::Result;

use super::{Down, take};
use crate::couch::{CouchError, Document, Info, Read, Sequence};
use crate::exit::{Exit, Failure};
use crate::local::Ledger;
use crate::media;
use crate::name::{DocId, Revision};
use crate::snapshot::library::{self, Refreshed};

impl Down<'_> {
    /// Brings the memory up to date with the database.
    pub(super) async fn list(&mut self, info: &Info) -> Result<()> {
        let mut ledger = std::mem::take(&mut self.memory.ledger);
        let listed = self.list_into(&mut ledger, info).await;
        self.memory.ledger = ledger;
        let refreshed = listed?;
        self.memory.news |= refreshed.listed || refreshed.changed;
        self.unreadable |= !refreshed.unreadable.is_empty();
        for unreadable in &refreshed.unreadable {
            self.troubles.entry(format!("the document `{}` cannot be read: {}", unreadable.id, unreadable.why));
        }
        self.conflicts(&refreshed.conflicts).await
    }

    async fn list_into(&self, ledger: &mut Ledger, info: &Info) -> Result<Refreshed> {
        let (order, database) = (self.order, self.database);
        let failed = |error| self.reached.failure(error);
        if let Some(id) = &order.scope.document {
            return self.list_one(id, ledger).await;
        }
        let mut taking = |document: &Document| take::take(order, document);
        if let Some((design, view)) = &order.view {
            let ids = database.view_ids(design, view).await.map_err(failed)?;
            return library::select(database, &ids, &order.scope, ledger, &mut taking).await.map_err(failed);
        }
        if let Some(since) = &order.since {
            let since =
                Sequence::new(since).or_else(|| Sequence::new(&serde_json::Value::from(since.as_str()).to_string()));
            let since = since.ok_or_else(|| Failure::new(Exit::Usage, "`--since` is no update sequence"))?;
            let changed = library::changed_since(database, &since, &order.scope.range()).await;
            let ids = changed.map_err(|error| match error {
                error if error.is_bad_request() => {
                    let failure = Failure::new(Exit::Usage, "the server does not take this `--since`").because(error);
                    failure.hint("it is what `last_seq` or `update_seq` of this very database said").into()
                }
                error => failed(error),
            })?;
            return library::select(database, &ids, &order.scope, ledger, &mut taking).await.map_err(failed);
        }
        let trusted = self.memory.trusted;
        library::refresh(database, info, &order.scope, trusted, ledger, &mut taking).await.map_err(failed)
    }

    /// The attachments of the one document.
    async fn list_one(&self, id: &DocId, ledger: &mut Ledger) -> Result<Refreshed> {
        let read = Read { conflicts: true, ..Read::default() };
        let document = self.database.document(id, &read).await.map_err(|error| self.reached.failure(error))?;
        ledger.entries.values_mut().for_each(|entry| entry.remote = None);
        for (name, stub) in &document.attachments {
            let path = match self.order.everything {
                true => Some(name.to_string()),
                false => self.order.scope.path_of_attachment(name).map(|path| path.to_string()),
            };
            let held = crate::local::Held {
                id: Some(id.as_str().into()),
                attachment: Some(name.as_str().into()),
                ..library::held(&document, stub)
            };
            let Some((key, held)) = path.map(|path| take::placed(self.order, &document, &path, held)) else { continue };
            ledger.entries.entry(key).or_default().remote = Some(held);
        }
        let conflicts = if document.conflicts.is_empty() { Vec::new() } else { vec![id.clone()] };
        Ok(Refreshed { listed: true, conflicts, ..Refreshed::default() })
    }

    /// The files of revisions that lost: taken as `name~revision`, or at least told of.
    async fn conflicts(&mut self, ids: &[DocId]) -> Result<()> {
        if !ids.is_empty() && !self.order.conflicts {
            let documents =
                if ids.len() == 1 { "1 document has".to_owned() } else { format!("{} documents have", ids.len()) };
            let message =
                format!("{documents} conflicting revisions, whose files are left out (`--conflicts` takes them)");
            self.context.printer.warning("conflicting_revisions", &message);
            return Ok(());
        }
        for id in ids {
            let read = Read { conflicts: true, ..Read::default() };
            let winner = self.database.document(id, &read).await.map_err(|error| self.reached.failure(error))?;
            for revision in &winner.conflicts {
                self.loser(id, revision).await?;
            }
        }
        Ok(())
    }

    async fn loser(&mut self, id: &DocId, revision: &Revision) -> Result<()> {
        let read = Read { revision: Some(revision.clone()), ..Read::default() };
        let document = match self.database.document(id, &read).await {
            Ok(document) if !document.deleted => document,
            Ok(_) | Err(CouchError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(self.reached.failure(error)),
        };
        for (key, held) in take::take(self.order, &document) {
            // A document as JSON is the winner's.
            let Some(path) = crate::path::RelPath::new(&*key).ok().filter(|_| !is_json(&held)) else { continue };
            let attachment = held
                .attachment
                .clone()
                .unwrap_or_else(|| media::file_attachment(&self.order.scope.filed(&path)).as_str().into());
            let held = crate::local::Held { id: Some(id.as_str().into()), attachment: Some(attachment), ..held };
            let key = format!("{path}~{revision}");
            self.memory.ledger.entries.entry(key.into()).or_default().remote = Some(held);
        }
        Ok(())
    }
}

/// Whether an entry is a document as JSON, and no attachment.
pub(super) fn is_json(held: &crate::local::Held) -> bool {
    held.id.is_some() && held.attachment.is_none()
}
