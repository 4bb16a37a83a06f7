//! `sync-dir`: files to documents, or back.

use anyhow::Result;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::settings::media::SyncDirSettings;

/// Runs `sync-dir`.
#[allow(clippy::unused_async, reason = "it talks to a server")]
pub(super) async fn run(_: &Context, command: &SyncDirSettings) -> Result<Exit> {
    Err(Failure::new(Exit::Failed, format!("`{}` was not copied", command.folder.shown)).into())
}
