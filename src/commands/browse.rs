//! `browse`: the app in a browser.

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use super::login::with_server;
use crate::couch::{Document, Read};
use crate::exit::{Exit, Failure};
use crate::local;
use crate::settings::Endpoint;
use crate::settings::command::BrowseSettings;
use crate::snapshot::app_url;

/// Prints the app's URL and opens it.
pub(super) async fn run(context: &Context, command: &BrowseSettings) -> Result<Exit> {
    let destination = match &command.destination {
        Some(destination) => destination.clone(),
        None => context.default_destination(super::origin(&command.folder.path).as_ref())?,
    };
    let Some(endpoint) = destination.endpoints.first() else { return Ok(Exit::Ok) };
    let id = match &endpoint.address.document {
        Some(id) => id.clone(),
        None => super::push::app_id(context, &command.folder)?,
    };
    let endpoint = Endpoint {
        address: endpoint.address.with(endpoint.address.database.clone(), Some(id.clone())),
        ..endpoint.clone()
    };
    let document = with_server(context, &endpoint, async |reached| {
        let database = reached.database(&endpoint)?;
        database.document(&id, &Read::default()).await.map_err(|error| reached.failure(error))
    })
    .await?;
    let url = page(&endpoint, &document)?;
    context.printer.answer(&url);
    context.printer.summary("", Map::from_iter([("url".to_owned(), Value::from(url.as_str()))]));
    if !command.print && !context.settings.dry_run {
        open(context, &url);
    }
    Ok(Exit::Ok)
}

fn page(endpoint: &Endpoint, document: &Document) -> Result<String> {
    app_url(&endpoint.address, document).ok_or_else(|| {
        Failure::new(Exit::Missing, format!("`{}` has no page to open", endpoint.address))
            .hint("an app opens at `couchapp.index` of its couchapp.json, or at `_attachments/index.html`")
            .into()
    })
}

/// Starts the desktop's browser; where there is none, the printed URL is all there is.
pub(super) fn open(context: &Context, url: &str) {
    if let Err(error) = local::outside::open_in_browser(url) {
        context.printer.note(&format!("no browser could be started: {error}"));
    }
}
