//! `db`: databases, and who may use them.

use anyhow::Result;

use super::Context;
use crate::exit::Exit;
use crate::settings::database::DbSettings;

mod create;
mod delete;
mod list;
mod people;
mod security;
mod settle;

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &DbSettings) -> Result<Exit> {
    match command {
        DbSettings::Create(command) => create::run(context, command).await,
        DbSettings::List { servers, all } => list::run(context, servers, *all).await,
        DbSettings::Security(command) => security::run(context, command).await,
        DbSettings::Delete { place, confirm } => delete::run(context, place, confirm.as_deref()).await,
    }
}
