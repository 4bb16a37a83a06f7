//! Database to folder: what `sync-dir` sent comes back.

use anyhow::Result;

use super::SyncDirSettings;
use crate::commands::Context;
use crate::commands::login::with_server;
use crate::commands::media::down::{self, Order};
use crate::commands::media::{place, rules};
use crate::exit::Exit;
use crate::report::Start;
use crate::snapshot::library::Scope;

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &SyncDirSettings) -> Result<Exit> {
    let endpoint = &place(context, &command.place, command.as_document.as_ref()).await?;
    let remark = context.settings.dry_run.then_some("dry run");
    let (from, to) = (endpoint.address.to_string(), command.folder.shown.as_str());
    context.printer.start(&Start { command: "sync-dir", doing: "Fetching", from: &from, to, remark });
    let document = endpoint.address.document.clone();
    let order = Order {
        into: command.folder.clone(),
        scope: Scope { document, prefix: command.selection.prefix.clone(), whole: false },
        rules: rules(&command.folder.path, &command.selection)?,
        tags: command.tags.clone(),
        view: None,
        since: None,
        everything: false,
        documents: false,
        conflicts: false,
        delete: command.delete,
        delete_strangers: command.delete,
        delete_excluded: command.delete_excluded,
        max_delete: command.max_delete,
        allow_empty: command.allow_empty,
        force: command.force,
        verify: false,
        checksum: command.checksum,
        fsync: command.fsync,
        escape_names: command.escape_names,
    };
    with_server(context, endpoint, async |reached| {
        down::run(context, &order, reached, &reached.database(endpoint)?, &from).await
    })
    .await
}
