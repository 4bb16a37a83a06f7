//! `dump SRC -`: every document as one line of JSON, its attachments inside.

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use crate::commands::login::{Reached, with_server};
use crate::commands::media::{Troubles, down};
use crate::commands::{Context, database};
use crate::couch::digest::{Damage, Verifier};
use crate::couch::{CouchError, Database, Document, Read, Stub, Unreadable};
use crate::exit::Exit;
use crate::media;
use crate::name::{AttName, DocId};
use crate::settings::Endpoint;
use crate::settings::media::DumpSettings;
use crate::snapshot::library::Scope;
use crate::transfer::{self, TransferError};

/// Documents listed at once.
const PAGE: usize = 200;

/// Up to this many bytes an attachment is held in memory until it is found right; what is larger is printed as it comes.
const SMALL: u64 = 1 << 20;

/// How often a small attachment that arrives damaged is asked for.
const TRIES: u32 = 3;

/// One run.
struct Lines<'a> {
    context: &'a Context,
    reached: &'a Reached,
    database: &'a Database,
    troubles: Troubles,
    count: usize,
}

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &DumpSettings, endpoint: &Endpoint) -> Result<Exit> {
    with_server(context, endpoint, async |reached| {
        let database = &reached.database(endpoint)?;
        database::required(reached, database).await?;
        let mut lines = Lines { context, reached, database, troubles: Troubles::new(""), count: 0 };
        lines.select(command, endpoint).await?;
        if lines.troubles.files() == 0 {
            return Ok(Exit::Ok);
        }
        lines.troubles.conclude(context, ("", serde_json::Map::new()), lines.count)
    })
    .await
}

impl Lines<'_> {
    async fn select(&mut self, command: &DumpSettings, endpoint: &Endpoint) -> Result<()> {
        let (reached, database) = (self.reached, self.database);
        let failed = |error| reached.failure(error);
        if let Some(id) = &endpoint.address.document {
            let document = database.document(id, &Read::default()).await.map_err(failed)?;
            return self.print(&document).await;
        }
        let wanted = |document: &Document| media::has_tags(&document.body, &command.tags);
        let range = Scope { prefix: command.selection.prefix.clone(), ..Scope::default() }.range();
        if let Some((design, view)) = &command.view {
            let ids = database.view_ids(design, view).await.map_err(failed)?;
            let ids: Vec<DocId> = ids.into_iter().filter(|id| range.contains(id.as_str())).collect();
            return self.print_all(&ids, &wanted).await;
        }
        if let Some(since) = &command.since {
            let ids = down::changed_since(reached, database, since, &range).await?;
            return self.print_all(&ids, &wanted).await;
        }
        let mut pages = database.pages(&range, PAGE);
        while let Some(documents) = pages.next().await.map_err(failed)? {
            for document in documents.iter().filter(|document| wanted(document)) {
                self.print(document).await?;
            }
        }
        pages.unreadable().iter().for_each(|unreadable| self.unreadable(unreadable));
        Ok(())
    }

    fn unreadable(&mut self, Unreadable { id, why }: &Unreadable) {
        self.troubles.entry(format!("the document `{id}` cannot be read: {why}"));
    }

    async fn print_all(&mut self, ids: &[DocId], wanted: &(dyn Fn(&Document) -> bool + Sync)) -> Result<()> {
        for ids in ids.chunks(PAGE) {
            let documents = self.database.readable_documents(ids).await.map_err(|error| self.reached.failure(error))?;
            for document in documents.into_iter().flatten() {
                match document {
                    Ok(document) if wanted(&document) => self.print(&document).await?,
                    Ok(_) => {}
                    Err(unreadable) => self.unreadable(&unreadable),
                }
            }
        }
        Ok(())
    }

    /// One line: a document as `_bulk_docs` takes it into another database.
    async fn print(&mut self, document: &Document) -> Result<()> {
        let mut line = serde_json::Map::new();
        line.insert("_id".to_owned(), document.id.as_str().into());
        line.extend(document.body.iter().map(|(key, value)| (key.clone(), value.clone())));
        let mut line = Value::Object(line).to_string();
        line.pop();
        self.out(line.as_bytes());
        let mut before = ",\"_attachments\":{";
        for (name, stub) in &document.attachments {
            if self.print_attachment(document, (name, stub), before).await? {
                before = ",";
            }
        }
        let end: &[u8] = if before == "," { b"}}\n" } else { b"}\n" };
        self.out(end);
        self.count += 1;
        Ok(())
    }

    /// Prints `before` and an attachment, unless it is gone. Whether anything was printed.
    async fn print_attachment(
        &mut self,
        document: &Document,
        (name, stub): (&AttName, &Stub),
        before: &str,
    ) -> Result<bool> {
        let begin = format!(
            "{before}{}:{{\"content_type\":{},\"data\":\"",
            Value::from(name.as_str()),
            Value::from(stub.content_type.as_str())
        );
        let outcome = if stub.length <= SMALL {
            self.small(document, (name, stub), &begin).await
        } else {
            self.large(document, (name, stub), &begin).await
        };
        match outcome {
            Ok(()) => {
                self.out(b"\"}");
                Ok(true)
            }
            Err(TransferError::Couch(CouchError::NotFound { .. })) => {
                let words = format!("the attachment `{name}` of the document `{}` is gone meanwhile", document.id);
                self.troubles.entry(words);
                Ok(false)
            }
            Err(TransferError::Couch(error)) => Err(self.reached.failure(error)),
            Err(other) => Err(other.into()),
        }
    }

    async fn small(
        &self,
        document: &Document,
        (name, stub): (&AttName, &Stub),
        begin: &str,
    ) -> Result<(), TransferError> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match transfer::content(self.database, &document.id, &document.revision, name, stub).await {
                Err(TransferError::Damaged { .. }) if tries > 0 => {}
                content => {
                    let content = content?;
                    self.out(begin.as_bytes());
                    self.out(BASE64_STANDARD.encode(content).as_bytes());
                    return Ok(());
                }
            }
        }
    }

    /// Damage is found when the line is half printed, and leaves it so: that ends the run.
    async fn large(
        &self,
        document: &Document,
        (name, stub): (&AttName, &Stub),
        begin: &str,
    ) -> Result<(), TransferError> {
        let damaged = |source: Damage| TransferError::Damaged { name: name.clone(), source };
        let mut download = self.database.attachment(&document.id, name, &document.revision).await?;
        let mut verifier = Verifier::new(stub, download.encoding.as_deref() == Some("gzip"));
        self.out(begin.as_bytes());
        let mut content = Vec::new();
        while let Some(stored) = download.chunk().await? {
            verifier.update(&stored, &mut content).map_err(damaged)?;
            // Three bytes are four characters; what is left over waits for the next piece.
            let whole = content.len() - content.len() % 3;
            self.out(BASE64_STANDARD.encode(&content[..whole]).as_bytes());
            content.drain(..whole);
        }
        verifier.finish().map_err(damaged)?;
        self.out(BASE64_STANDARD.encode(&content).as_bytes());
        Ok(())
    }

    fn out(&self, bytes: &[u8]) {
        self.context.printer.data(bytes);
    }
}
