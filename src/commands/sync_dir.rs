//! `sync-dir`: a folder of files and a database, or one document, are made to hold the same.

use anyhow::Result;

use super::Context;
use super::follow::{self, Following, Round, Source};
use crate::exit::Exit;
use crate::settings::media::{Direction, SyncDirSettings};
use crate::settings::values::MaxDelete;

mod down;
mod up;

/// Carries the command out, once or for as long as something changes.
pub(super) async fn run(context: &Context, command: &SyncDirSettings) -> Result<Exit> {
    if !command.watch {
        return once(context, command).await;
    }
    let (folder, place) = (command.folder.shown.clone(), follow::shown(&command.place));
    let following = Following {
        command: "sync-dir",
        ends: match command.direction {
            Direction::Up => (folder, place),
            Direction::Down => (place, folder),
        },
        source: match command.direction {
            Direction::Up => Source::Folder(&command.folder.path),
            Direction::Down => Source::Database(&command.place, command.as_document.as_ref()),
        },
        delay: follow::REST,
        keys: &[],
    };
    follow::follow(context, &following, &command).await
}

impl Round for &SyncDirSettings {
    async fn carry_out(&self, context: &Context, beyond: bool) -> Result<Exit> {
        let max_delete = if beyond { Some(MaxDelete::All) } else { self.max_delete };
        once(context, &SyncDirSettings { max_delete, ..(*self).clone() }).await
    }
}

async fn once(context: &Context, command: &SyncDirSettings) -> Result<Exit> {
    match command.direction {
        Direction::Up => up::run(context, command).await,
        Direction::Down => down::run(context, command).await,
    }
}
