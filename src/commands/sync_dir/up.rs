//! Folder to database: one document per file.

use std::collections::{BTreeSet, HashSet};

use anyhow::Result;
use serde_json::{Map, Value};

use super::SyncDirSettings;
use crate::commands::login::{Reached, with_server};
use crate::commands::media::{Memory, Tree, Troubles, fields, files, open_tree, outcome, place, rules, would};
use crate::commands::{Context, database, valve};
use crate::couch::{Database, Document, Info, Sequence};
use crate::exit::{Exit, Failure};
use crate::mark::Mark;
use crate::name::DocId;
use crate::path::RelPath;
use crate::plan::Mirror;
use crate::report::{Start, human_size};
use crate::settings::Endpoint;
use crate::snapshot::library::{self, Scope};

mod attachments;
mod plan;
mod remove;
mod send;
mod show;
mod touch;

/// What the run works on.
struct Run<'a> {
    context: &'a Context,
    command: &'a SyncDirSettings,
    reached: &'a Reached,
    database: &'a Database,
    scope: Scope,
    /// The address by which the place is remembered.
    place: String,
    tree: Tree,
    memory: Memory,
    troubles: Troubles,
    /// The one document whose attachments the files are, as it was read.
    document: Option<Document>,
    /// Documents whose conflicts have been told of.
    told: BTreeSet<DocId>,
    /// Files that are the same but for their times, and these, where they are to be corrected.
    touched: Vec<(RelPath, i64)>,
}

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &SyncDirSettings) -> Result<Exit> {
    let endpoint = &place(context, &command.place, command.as_document.as_ref()).await?;
    let remark = context.settings.dry_run.then_some("dry run");
    let (from, to) = (command.folder.shown.as_str(), endpoint.address.to_string());
    context.printer.start(&Start { command: "sync-dir", doing: "Sending", from, to: &to, remark });
    with_server(context, endpoint, async |reached| sync(context, command, endpoint, reached).await).await
}

async fn sync(context: &Context, command: &SyncDirSettings, endpoint: &Endpoint, reached: &Reached) -> Result<Exit> {
    let database = reached.database(endpoint)?;
    let tree = open_tree(&command.folder.path, rules(&command.folder.path, &command.selection)?).await?;
    let info = database::existing(context, reached, &database, command.create_database).await?;
    let document = endpoint.address.document.clone();
    if let Some(document) = document.as_ref().filter(|_| !command.tags.is_empty()) {
        let message =
            format!("`--tag` is for documents that are made, and `{document}` is one that its files are added to");
        return Err(Failure::new(Exit::Usage, message)
            .hint("name the database to make a document of each file")
            .into());
    }
    let scope = Scope { document, prefix: command.selection.prefix.clone(), whole: false };
    let place = (database.address().with(Some(database.name().clone()), scope.document.clone())).to_string();
    let known = (info.as_ref(), reached.welcome.kind);
    let memory = Memory::open(context, &command.folder.path, (&place, &scope.name()), known)?;
    let troubles = Troubles::new("`--force` replaces what was changed in the database");
    let mut run = Run {
        context,
        command,
        reached,
        database: &database,
        scope,
        place,
        tree,
        memory,
        troubles,
        document: None,
        told: BTreeSet::new(),
        touched: Vec::new(),
    };
    run.list(info.as_ref()).await?;
    let plan = run.plan().await?;
    run.show(&plan);
    run.carry_out(plan, info.as_ref()).await
}

impl Run<'_> {
    /// Reads what the database holds.
    async fn list(&mut self, info: Option<&Info>) -> Result<()> {
        let Some(info) = info else {
            self.memory.ledger.entries.values_mut().for_each(|entry| entry.remote = None);
            return Ok(());
        };
        if let Some(id) = self.scope.document.clone() {
            return self.list_attachments(&id).await;
        }
        let names: HashSet<&str> = self.tree.listing.files.iter().map(|file| file.path.as_str()).collect();
        let (scope, trusted) = (&self.scope, self.memory.trusted);
        let mut take = |document: &Document| {
            let Some((filed, held)) = library::file_of(document) else {
                let path = scope.path_of(document.id.as_str()).filter(|path| names.contains(path.as_str()));
                return path.map(|path| (path.as_str().into(), library::foreign(document))).into_iter().collect();
            };
            scope.local(&filed).map(|path| (path.as_str().into(), held)).into_iter().collect()
        };
        let ledger = &mut self.memory.ledger;
        let refreshed = library::refresh(self.database, info, scope, trusted, ledger, &mut take).await;
        let refreshed = refreshed.map_err(|error| self.reached.failure(error))?;
        self.memory.news |= refreshed.listed || refreshed.changed;
        for id in refreshed.conflicts.iter().filter(|id| self.told.insert((*id).clone())) {
            tell_of_conflicts(self.context, id);
        }
        Ok(())
    }

    async fn carry_out(mut self, plan: Mirror, info: Option<&Info>) -> Result<Exit> {
        let touched = std::mem::take(&mut self.touched);
        let idle = plan.transfers().next().is_none() && plan.count(Mark::Removed) == 0 && touched.is_empty();
        let mut fields = fields(&plan);
        if !idle {
            let limit = valve::limit(self.command.max_delete);
            let removal = plan.removal("documents");
            removal.check(limit, self.command.allow_empty).map_err(|refusal| valve::refused(&refusal))?;
        }
        if self.context.settings.dry_run {
            self.foretell(&plan);
            return self.troubles.conclude(self.context, (&would(&plan, "send"), fields), 0);
        }
        self.confirm(&plan)?;
        let info = match info {
            Some(info) => info.clone(),
            None => self.create().await?,
        };
        if idle {
            return self.conclude_idle(&plan, fields);
        }
        let sent = match self.scope.document.clone() {
            Some(id) => self.send_attachments(&plan, &id).await?,
            None => self.send(&plan).await?,
        };
        self.warn(&sent);
        let touched = self.touch(touched).await?;
        let removed = self.remove(&plan).await?;
        self.remember(&info, sent.files + touched + removed).await;
        let done = [
            (sent.files, format!("sent {} ({})", files(sent.files), human_size(sent.bytes))),
            (removed, format!("removed {removed}")),
            (touched, format!("corrected {touched} times of files")),
        ];
        let text = outcome(&done, plan.same.saturating_sub(touched), self.context.printer.elapsed());
        fields.insert("sent".to_owned(), Value::from(sent.files));
        fields.insert("sent_bytes".to_owned(), Value::from(sent.bytes));
        fields.insert("removed".to_owned(), Value::from(removed));
        self.troubles.conclude(self.context, (&text, fields), sent.files + removed + touched)
    }

    /// Makes the database, which is remembered from now on.
    async fn create(&mut self) -> Result<Info> {
        let info = database::create(self.context, self.reached, self.database).await?;
        let place = (self.place.as_str(), self.scope.name());
        let known = (&info, self.reached.welcome.kind);
        self.memory.turn_to(self.context, &self.command.folder.path, (place.0, &place.1), known)?;
        self.memory.ledger.sequence = info.sequence().map(|sequence| sequence.text());
        Ok(info)
    }

    /// Whether the database has seen our own writes and no other since it was listed, which its sequence tells in one
    /// small request: what we wrote need not be read again. Then the ledger is as of now.
    async fn is_alone(&mut self, writes: usize) -> bool {
        let before = self.memory.ledger.sequence.as_deref().and_then(Sequence::new);
        let (Some(before), Ok(info)) = (before, self.database.info().await) else { return false };
        let Some(now) = info.sequence().filter(|_| info.has_one_copy()) else { return false };
        let is_alone = now.writes_since(&before) == u64::try_from(writes).ok();
        if is_alone {
            self.memory.ledger.sequence = Some(now.text());
        }
        is_alone
    }

    fn conclude_idle(mut self, plan: &Mirror, fields: Map<String, Value>) -> Result<Exit> {
        self.memory.save_news(self.context);
        let elapsed = self.context.printer.elapsed().as_secs_f64();
        let text = format!("Up to date: {}, nothing sent, {elapsed:.1} s", files(plan.same));
        self.troubles.conclude(self.context, (&text, fields), 0)
    }

    /// Looks at what happened in the database meanwhile beside our own `writes`, and keeps the ledger.
    async fn remember(&mut self, info: &Info, writes: usize) {
        if self.memory.trusted
            && self.scope.document.is_none()
            && !self.is_alone(writes).await
            && let Err(error) = self.list(Some(info)).await
        {
            self.context.printer.detail(&format!("what happened meanwhile cannot be read: {error:#}"));
            self.memory.ledger.sequence = None;
        }
        self.memory.ledger.entries.retain(|_, entry| entry.local.is_some() || entry.remote.is_some());
        self.memory.save(self.context);
    }
}

fn tell_of_conflicts(context: &Context, id: &DocId) {
    let message = format!("`{id}` has conflicting revisions; all of them are kept");
    context.printer.warning("conflicting_revisions", &message);
}

#[derive(Debug, Default)]
struct Totals {
    files: usize,
    bytes: u64,
    weak: usize,
}
