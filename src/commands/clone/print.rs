//! `clone URL -`: the whole document as JSON, attachments inline.

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value};

use crate::commands::Context;
use crate::commands::login::Reached;
use crate::couch::{Database, Read};
use crate::exit::{Exit, Failure};
use crate::json;
use crate::name::DocId;
use crate::transfer::{self, TransferError};

/// Prints the document, every attachment verified.
pub(super) async fn run(
    context: &Context,
    reached: &Reached,
    database: &Database,
    id: &DocId,
    read: &Read,
) -> Result<Exit> {
    let document = database.document(id, read).await.map_err(|error| reached.failure(error))?;
    let mut attachments = Map::new();
    for (name, stub) in &document.attachments {
        let content = transfer::content(database, id, &document.revision, name, stub).await;
        let content = content.map_err(|error| match error {
            TransferError::Couch(error) => reached.failure(error),
            error => Failure::new(Exit::Failed, format!("attachment `{name}` cannot be read")).because(error).into(),
        })?;
        let entry = [("content_type", stub.content_type.clone()), ("data", BASE64_STANDARD.encode(content))];
        let entry = entry.map(|(key, text)| (key.to_owned(), Value::from(text)));
        attachments.insert(name.to_string(), Value::Object(Map::from_iter(entry)));
    }
    let mut whole = Map::from_iter([
        ("_id".to_owned(), Value::from(id.as_str())),
        ("_rev".to_owned(), Value::from(document.revision.as_str())),
    ]);
    whole.extend(document.body);
    if !attachments.is_empty() {
        whole.insert("_attachments".to_owned(), Value::Object(attachments));
    }
    context.printer.data(json::to_pretty(&Value::Object(whole)).as_bytes());
    Ok(Exit::Ok)
}
