//! `watch`: a push at first, and another one whenever the folder changes.

use std::cell::Cell;

use anyhow::Result;

use super::follow::{self, Following, Key, Round, Source};
use super::{Context, browse, diff, push};
use crate::exit::{Exit, Failure};
use crate::local::outside;
use crate::settings::Destination;
use crate::settings::command::{AppFolder, BrowseSettings, DiffSettings, PushSettings, WatchSettings};
use crate::settings::values::MaxDelete;

const KEYS: [Key; 2] = [('o', "[o]pen"), ('d', "[d]iff")];

/// Carries the command out until it is ended.
pub(super) async fn run(context: &Context, command: &WatchSettings) -> Result<Exit> {
    let folder = &command.push.folder;
    if !folder.named && !folder.is_app {
        // Which says why, before a folder is watched that may hold everything somebody has.
        return push::run(context, &command.push).await;
    }
    if !outside::is_folder(&folder.path) {
        return Err(Failure::new(Exit::Missing, format!("the folder `{}` does not exist", folder.shown)).into());
    }
    let destinations = match command.push.destinations.as_slice() {
        [] => vec![context.default_destination(super::origin(&folder.path).as_ref())?],
        named => named.to_vec(),
    };
    let shown: Vec<String> = destinations.iter().map(follow::shown).collect();
    let following = Following {
        command: "watch",
        ends: (folder.shown.clone(), shown.join(", ")),
        source: Source::Folder(&folder.path),
        delay: command.delay,
        keys: &KEYS,
    };
    let main = destinations.first().cloned();
    let first = PushSettings { destinations, ..command.push.clone() };
    let further = PushSettings { open: false, ..first.clone() };
    let pushes = Pushes { folder, main, first, further, is_open: Cell::new(false) };
    follow::follow(context, &following, &pushes).await
}

/// The pushes of one folder.
struct Pushes<'a> {
    folder: &'a AppFolder,
    /// The first destination, which is looked at.
    main: Option<Destination>,
    /// The push that opens the app, if any does.
    first: PushSettings,
    /// All others.
    further: PushSettings,
    /// There was a push.
    is_open: Cell<bool>,
}

impl Round for Pushes<'_> {
    async fn carry_out(&self, context: &Context, beyond: bool) -> Result<Exit> {
        let push = if self.is_open.get() { &self.further } else { &self.first };
        let max_delete = if beyond { Some(MaxDelete::All) } else { push.max_delete };
        let exit = push::run(context, &PushSettings { max_delete, ..push.clone() }).await?;
        self.is_open.set(true);
        Ok(exit)
    }

    async fn press(&self, context: &Context, key: char) -> Result<()> {
        let (folder, destination) = (self.folder.clone(), self.main.clone());
        if key == 'o' {
            browse::run(context, &BrowseSettings { folder, destination, print: false }).await?;
        } else {
            let command = DiffSettings { folder, destination, paths: Vec::new(), exit_code: true };
            if diff::run(context, &command).await? == Exit::Ok {
                context.printer.moment("nothing differs");
            }
        }
        Ok(())
    }
}
