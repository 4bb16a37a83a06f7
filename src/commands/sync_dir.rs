//! `sync-dir`: a folder of files and a database, or one document, are made to hold the same.

use anyhow::Result;

use super::Context;
use crate::exit::Exit;
use crate::settings::media::{Direction, SyncDirSettings};

mod down;
mod up;

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &SyncDirSettings) -> Result<Exit> {
    match command.direction {
        Direction::Up => up::run(context, command).await,
        Direction::Down => down::run(context, command).await,
    }
}
