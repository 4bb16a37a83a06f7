//! Database to folder: files of documents become files on the disk. `dump` and `sync-dir URL DIR` differ in what they
//! take and in what they may remove.

use std::collections::HashMap;

use anyhow::Result;
use serde_json::{Map, Value};

use super::{Memory, Tree, Troubles, fields, files, open_tree, outcome, would};
use crate::commands::login::Reached;
use crate::commands::{Context, database, valve};
use crate::couch::{Database, Info};
use crate::exit::{Exit, Failure};
use crate::filter::Rules;
use crate::local::{Before, Destination, Held, outside};
use crate::mark::Mark;
use crate::name::DocId;
use crate::path::RelPath;
use crate::plan::Mirror;
use crate::report::human_size;
use crate::settings::media::MediaFolder;
use crate::settings::values::MaxDelete;
use crate::snapshot::library::{NO_PATH, Scope};

mod list;
mod plan;
mod say;
mod take;
mod write;

pub(in crate::commands) use list::changed_since;

/// What is wanted of a database, and how it is put into a folder.
pub(in crate::commands) struct Order {
    /// The folder.
    pub into: MediaFolder,
    /// Where in the database.
    pub scope: Scope,
    /// What is left out, on both sides.
    pub rules: Rules,
    /// Only documents with all these tags.
    pub tags: Vec<String>,
    /// Only the documents of this view.
    pub view: Option<(DocId, String)>,
    /// Only what changed after this point.
    pub since: Option<String>,
    /// All attachments of all documents, not only the files of `sync-dir`.
    pub everything: bool,
    /// The documents themselves, as JSON.
    pub documents: bool,
    /// The files of losing revisions.
    pub conflicts: bool,
    /// Remove files that the database does not have.
    pub delete: bool,
    /// Also those that no run ever wrote.
    pub delete_strangers: bool,
    /// Also those that the rules leave out.
    pub delete_excluded: bool,
    pub max_delete: Option<MaxDelete>,
    pub allow_empty: bool,
    /// Overwrite files that were changed here.
    pub force: bool,
    /// Compare the files themselves, and write nothing.
    pub verify: bool,
    /// Trust no remembered sums.
    pub checksum: bool,
    /// Make every file durable by itself.
    pub fsync: bool,
    /// Write names that this system should not have in an escaped form.
    pub escape_names: bool,
}

/// One run.
struct Down<'a> {
    context: &'a Context,
    order: &'a Order,
    reached: &'a Reached,
    database: &'a Database,
    /// `None` while the folder does not exist.
    tree: Option<Tree>,
    memory: Memory,
    troubles: Troubles,
    /// A document could not be read, so nothing may be concluded from a file that is missing.
    unreadable: bool,
    /// The files that stood in the folder and are to be replaced or removed, as they were seen.
    before: HashMap<RelPath, Before>,
}

/// Carries an order out. `address` names the place, for the memory.
pub(in crate::commands) async fn run(
    context: &Context,
    order: &Order,
    reached: &Reached,
    database: &Database,
    address: &str,
) -> Result<Exit> {
    let info = database::required(reached, database).await?;
    if !context.settings.dry_run && !order.verify {
        // Made before it is looked at, so that its canonical name can be remembered.
        Destination::create(&order.into.path)?;
    }
    let exists = outside::is_folder(&order.into.path);
    if !exists && order.verify {
        return Err(Failure::new(Exit::Missing, format!("the folder `{}` does not exist", order.into.shown)).into());
    }
    // What the rules leave out is only looked at where it is to be removed.
    let sees_all = order.delete && order.delete_excluded;
    let seen = if sees_all { Rules::none() } else { order.rules.clone() };
    let tree = if exists { Some(open_tree(&order.into.path, seen).await?) } else { None };
    let from = (address, order.selection());
    let known = (Some(&info), reached.welcome.kind);
    let mut memory = match &tree {
        Some(_) => Memory::open(context, &order.into.path, (from.0, &from.1), known)?,
        None => Memory::none(),
    };
    // Where a document of others stands is of no interest on the way down.
    let is_in_the_way = |key: &str, held: &Held| held.foreign && !key.contains(NO_PATH);
    for (key, entry) in &mut memory.ledger.entries {
        entry.remote = entry.remote.take().filter(|held| !is_in_the_way(key, held));
    }
    let down = Down {
        context,
        order,
        reached,
        database,
        tree,
        memory,
        troubles: Troubles::new("`--force` replaces what was changed here"),
        unreadable: false,
        before: HashMap::new(),
    };
    down.work(&info).await
}

impl Order {
    /// What makes a memory useless for another order. A plain mirror shares the memory of the way up, so that what came
    /// down is known when it goes up again.
    fn selection(&self) -> String {
        let selects = !self.tags.is_empty() || self.view.is_some() || self.since.is_some();
        let adds = self.everything || self.documents || self.conflicts || self.escape_names || self.scope.whole;
        if !selects && !adds {
            return self.scope.name();
        }
        let prefix = self.scope.prefix.as_ref().map(ToString::to_string);
        let view = self.view.as_ref().map(|(design, view)| format!("{design}/{view}"));
        let flags = (self.scope.whole, self.everything, self.documents, self.conflicts, self.escape_names);
        format!("down {prefix:?} {:?} {view:?} {:?} {flags:?}", self.tags, self.since)
    }
}

impl Down<'_> {
    async fn work(mut self, info: &Info) -> Result<Exit> {
        self.list(info).await?;
        let plan = self.plan().await?;
        self.show(&plan);
        let all = fields(&plan);
        if self.order.verify {
            return self.conclude_verification(&plan, all);
        }
        let idle = plan.transfers().next().is_none() && plan.count(Mark::Removed) == 0;
        if !idle {
            let removal = plan.removal("files");
            let limit = valve::limit(self.order.max_delete);
            removal.check(limit, self.order.allow_empty).map_err(|refusal| valve::refused(&refusal))?;
        }
        if self.context.settings.dry_run {
            self.foretell(&plan);
            return self.troubles.conclude(self.context, (&would(&plan, "fetch"), all), 0);
        }
        self.confirm(&plan)?;
        if idle {
            self.memory.save_news(self.context);
            self.clear_away();
            let text = format!("Up to date: {}, nothing fetched, {}", files(plan.same), self.seconds());
            return self.troubles.conclude(self.context, (&text, all), 0);
        }
        let (count, bytes) = self.fetch(&plan).await?;
        let removed = self.remove(&plan)?;
        self.keep();
        self.clear_away();
        self.conclude(&plan, (count, bytes, removed), all)
    }

    fn conclude(self, plan: &Mirror, done: (usize, u64, usize), mut all: Map<String, Value>) -> Result<Exit> {
        let (count, bytes, removed) = done;
        let done = [
            (count, format!("fetched {} ({})", files(count), human_size(bytes))),
            (removed, format!("removed {removed}")),
        ];
        let text = outcome(&done, plan.same, self.context.printer.elapsed());
        let figures = [("fetched", count as u64), ("fetched_bytes", bytes), ("removed", removed as u64)];
        all.extend(figures.map(|(name, figure)| (name.to_owned(), figure.into())));
        self.troubles.conclude(self.context, (&text, all), count + removed)
    }

    fn seconds(&self) -> String {
        format!("{:.1} s", self.context.printer.elapsed().as_secs_f64())
    }
}
