//! `dump SRC -`: every document as one line of JSON, its attachments inside.

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use crate::commands::login::{Reached, with_server};
use crate::commands::{Context, database};
use crate::couch::{Database, Document, Read};
use crate::exit::Exit;
use crate::media;
use crate::settings::Endpoint;
use crate::settings::media::DumpSettings;
use crate::snapshot::library::Scope;
use crate::transfer;

/// Documents listed at once.
const PAGE: usize = 200;

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &DumpSettings, endpoint: &Endpoint) -> Result<Exit> {
    with_server(context, endpoint, async |reached| {
        let database = reached.database(endpoint)?;
        database::required(reached, &database).await?;
        let failed = |error| reached.failure(error);
        if let Some(id) = &endpoint.address.document {
            let document = database.document(id, &Read::default()).await.map_err(failed)?;
            print(context, reached, &database, &document).await?;
            return Ok(Exit::Ok);
        }
        let wanted = |document: &Document| media::has_tags(&document.body, &command.tags);
        if let Some((design, view)) = &command.view {
            let ids = database.view_ids(design, view).await.map_err(failed)?;
            for ids in ids.chunks(PAGE) {
                let documents = database.documents(ids).await.map_err(failed)?;
                for document in documents.iter().flatten().filter(|document| wanted(document)) {
                    print(context, reached, &database, document).await?;
                }
            }
            return Ok(Exit::Ok);
        }
        let scope = Scope { prefix: command.selection.prefix.clone(), ..Scope::default() };
        let mut pages = database.pages(&scope.range(), PAGE);
        while let Some(documents) = pages.next().await.map_err(failed)? {
            for document in documents.iter().filter(|document| wanted(document)) {
                print(context, reached, &database, document).await?;
            }
        }
        Ok(Exit::Ok)
    })
    .await
}

/// One line: a document as `_bulk_docs` takes it into another database.
async fn print(context: &Context, reached: &Reached, database: &Database, document: &Document) -> Result<()> {
    let mut line = serde_json::Map::new();
    line.insert("_id".to_owned(), document.id.as_str().into());
    line.extend(document.body.iter().map(|(key, value)| (key.clone(), value.clone())));
    let mut attachments = serde_json::Map::new();
    for (name, stub) in &document.attachments {
        let content = transfer::content(database, &document.id, &document.revision, name, stub).await;
        let content = content.map_err(|error| match error {
            transfer::TransferError::Couch(error) => reached.failure(error),
            other => other.into(),
        })?;
        let inline = serde_json::json!({ "content_type": stub.content_type, "data": BASE64_STANDARD.encode(content) });
        attachments.insert(name.to_string(), inline);
    }
    if !attachments.is_empty() {
        line.insert("_attachments".to_owned(), attachments.into());
    }
    context.printer.data(format!("{}\n", Value::Object(line)).as_bytes());
    Ok(())
}
