//! Which files the database has.

use anyhow::Result;

use super::{Down, take};
use crate::commands::login::Reached;
use crate::couch::{CouchError, Database, Document, IdRange, Info, Read, Sequence};
use crate::exit::{Exit, Failure};
use crate::local::{Held, Ledger};
use crate::media;
use crate::name::{DocId, Revision};
use crate::path::RelPath;
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
        self.conflicts(&refreshed.conflicts).await?;
        take::move_up(&mut self.memory.ledger);
        self.tell_of_nothing(info);
        Ok(())
    }

    /// A selection that selects nothing is mistyped more often than meant.
    fn tell_of_nothing(&self, info: &Info) {
        let (prefix, tags) = (&self.order.scope.prefix, &self.order.tags);
        let is_something = self.memory.ledger.entries.values().any(|entry| entry.remote.is_some());
        if is_something || info.doc_count == 0 || (prefix.is_none() && tags.is_empty()) {
            return;
        }
        let prefix = prefix.iter().map(|prefix| format!("`--prefix {prefix}`"));
        let words: Vec<String> = prefix.chain(tags.iter().map(|tag| format!("`--tag {tag}`"))).collect();
        let text = format!("No file is selected by {} of the {} documents", words.join(" and "), info.doc_count);
        self.context.printer.note(&text);
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
            let ids = changed_since(self.reached, database, since, &order.scope.range()).await?;
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
        for (key, held) in take::take(self.order, &document) {
            library::put(&self.order.scope, ledger, &key, held);
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
            let winner = match self.database.document(id, &read).await {
                Ok(winner) => winner,
                // Deleted since it was listed.
                Err(CouchError::NotFound { .. }) => continue,
                Err(error) => return Err(self.reached.failure(error)),
            };
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
        // A document as JSON is the winner's.
        for (key, held) in take::take(self.order, &document).into_iter().filter(|(_, held)| !is_json(held)) {
            // The path told its name, and does so no longer.
            let usual = RelPath::new(&*key).map(|path| media::file_attachment(&self.order.scope.filed(&path)));
            let attachment = held.attachment.or_else(|| usual.ok().map(|name| name.as_str().into()));
            let held = Held { id: Some(id.as_str().into()), attachment, foreign: false, ..held };
            let (key, held) = take::placed(self.order, &document, &format!("{}~{revision}", take::path_of(&key)), held);
            library::put(&self.order.scope, &mut self.memory.ledger, &key, held);
        }
        Ok(())
    }
}

/// The documents that were changed after the `--since` that was typed.
pub(in crate::commands) async fn changed_since(
    reached: &Reached,
    database: &Database,
    since: &str,
    range: &IdRange,
) -> Result<Vec<DocId>> {
    let quoted = || Sequence::new(&serde_json::Value::from(since).to_string());
    let since = Sequence::new(since).or_else(quoted);
    let since = since.ok_or_else(|| Failure::new(Exit::Usage, "`--since` is no update sequence"))?;
    library::changed_since(database, &since, range).await.map_err(|error| match error {
        error if error.is_bad_request() => {
            let failure = Failure::new(Exit::Usage, "the server does not take this `--since`").because(error);
            failure.hint("it is what `last_seq` or `update_seq` of this very database said").into()
        }
        error => reached.failure(error),
    })
}

/// Whether an entry is a document as JSON, and no attachment.
pub(super) fn is_json(held: &Held) -> bool {
    held.id.is_some() && held.attachment.is_none()
}
