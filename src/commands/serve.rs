//! `serve`: the embedded endpoint, until it is interrupted.

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::local::outside::Scratch;
use crate::serve::{self, Options};
use crate::settings::command::ServeSettings;

/// Starts the endpoint and waits.
pub(super) async fn run(context: &Context, command: &ServeSettings) -> Result<Exit> {
    // What is kept in memory is a folder that goes with the run.
    let scratch = command.data.is_none().then(Scratch::new).transpose()?;
    let folder = command.data.clone().or_else(|| scratch.as_ref().map(|scratch| scratch.path().to_owned()));
    let folder = folder.ok_or_else(|| Failure::new(Exit::Failed, "there is no place for databases"))?;
    let options = Options { port: command.port, csp: command.csp, ..Options::new(folder) };
    let mut running = serve::start(options).await?;
    let url = format!("http://{}/", running.address);
    let mut fields = Map::new();
    fields.insert("url".to_owned(), Value::from(url.as_str()));
    context.printer.document("serve", fields);
    context.printer.answer(&url);
    running.ended().await?;
    Ok(Exit::Ok)
}
