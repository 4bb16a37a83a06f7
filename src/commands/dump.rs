//! `dump`: the attachments of a database or document to files.

use anyhow::Result;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::settings::media::DumpSettings;

/// Runs `dump`.
#[allow(clippy::unused_async, reason = "it talks to a server")]
pub(super) async fn run(_: &Context, _: &DumpSettings) -> Result<Exit> {
    Err(Failure::new(Exit::Failed, "nothing was written").into())
}
