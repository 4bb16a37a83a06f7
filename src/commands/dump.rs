//! `dump`: the attachments of a database, a document or a design document become files.

use anyhow::Result;

use super::Context;
use super::follow::{self, Following, Round, Source};
use super::login::with_server;
use super::media::down::{self, Order};
use super::media::{place, rules};
use crate::exit::Exit;
use crate::report::Start;
use crate::settings::media::{DumpInto, DumpSettings, MediaFolder};
use crate::settings::values::MaxDelete;
use crate::snapshot::library::Scope;

mod print;

/// Carries the command out, once or for as long as something changes.
pub(super) async fn run(context: &Context, command: &DumpSettings) -> Result<Exit> {
    let DumpInto::Folder(folder) = command.into.clone() else { return once(context, command).await };
    if !command.watch {
        return once(context, command).await;
    }
    let following = Following {
        command: "dump",
        ends: (follow::shown(&command.place), folder.shown),
        source: Source::Database(&command.place, command.as_document.as_ref()),
        delay: follow::REST,
        keys: &[],
    };
    follow::follow(context, &following, &command).await
}

impl Round for &DumpSettings {
    async fn carry_out(&self, context: &Context, beyond: bool) -> Result<Exit> {
        let max_delete = if beyond { Some(MaxDelete::All) } else { self.max_delete };
        once(context, &DumpSettings { max_delete, ..(*self).clone() }).await
    }
}

async fn once(context: &Context, command: &DumpSettings) -> Result<Exit> {
    let endpoint = &place(context, &command.place, command.as_document.as_ref()).await?;
    let DumpInto::Folder(folder) = &command.into else { return print::run(context, command, endpoint).await };
    let remark = context.settings.dry_run.then_some("dry run");
    let from = endpoint.address.to_string();
    let doing = if command.verify { "Verifying" } else { "Dumping" };
    context.printer.start(&Start { command: "dump", doing, from: &from, to: &folder.shown, remark });
    let order = order(command, endpoint.address.document.clone(), folder)?;
    with_server(context, endpoint, async |reached| {
        down::run(context, &order, reached, &reached.database(endpoint)?, &from).await
    })
    .await
}

fn order(command: &DumpSettings, document: Option<crate::name::DocId>, folder: &MediaFolder) -> Result<Order> {
    Ok(Order {
        into: folder.clone(),
        scope: Scope { document, prefix: command.selection.prefix.clone(), whole: true },
        rules: rules(&folder.path, &command.selection)?,
        tags: command.tags.clone(),
        view: command.view.clone(),
        since: command.since.clone(),
        everything: true,
        documents: command.docs,
        conflicts: command.conflicts,
        delete: command.delete,
        delete_strangers: false,
        delete_excluded: false,
        max_delete: command.max_delete,
        // Nothing but what a dump wrote is ever removed.
        allow_empty: true,
        force: command.force,
        verify: command.verify,
        checksum: command.checksum,
        fsync: command.fsync,
        escape_names: command.escape_names,
    })
}
