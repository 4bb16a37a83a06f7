//! Folder to database: one document per file.

use anyhow::Result;
use serde_json::Value;

use super::SyncDirSettings;
use crate::commands::login::{Reached, with_server};
use crate::commands::media::{Memory, Tree, Troubles, open_tree, rules};
use crate::commands::{Context, database, valve};
use crate::couch::digest::Digest;
use crate::couch::{Database, Document, Info};
use crate::exit::Exit;
use crate::filter::Verdict;
use crate::local::{Entry, FileEntry, Held, Ledger, Synced, blocking};
use crate::mark::Mark;
use crate::name::AttName;
use crate::path::RelPath;
use crate::plan::{Mirror, MirrorPolicy, Since, Target, fate};
use crate::report::{Listing, PlanLine, Start, human_size};
use crate::settings::Endpoint;
use crate::snapshot::library::{self, Scope};
use crate::snapshot::tree::{Alike, compare};
use crate::transfer::{self, Outbound, Replaced, SendOptions, Sent};

mod attachments;
mod remove;
mod touch;

/// What the run works on.
struct Run<'a> {
    context: &'a Context,
    command: &'a SyncDirSettings,
    reached: &'a Reached,
    database: &'a Database,
    scope: Scope,
    tree: Tree,
    memory: Memory,
    troubles: Troubles,
    /// The one document whose attachments the files are, as it was read.
    document: Option<Document>,
}

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &SyncDirSettings) -> Result<Exit> {
    let Some(endpoint) = command.place.endpoints.first() else { return Ok(Exit::Ok) };
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
    let scope = Scope { document, prefix: command.selection.prefix.clone() };
    let place = scope.prefix.as_ref().map_or_else(String::new, ToString::to_string);
    let memory = Memory::open(
        context,
        &command.folder.path,
        (&endpoint.address.to_string(), &place),
        (info.as_ref(), reached.welcome.kind),
    )?;
    let troubles = Troubles::default();
    let mut run = Run { context, command, reached, database: &database, scope, tree, memory, troubles, document: None };
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
        let names: std::collections::HashSet<&str> =
            self.tree.listing.files.iter().map(|file| file.path.as_str()).collect();
        let (scope, trusted) = (&self.scope, self.memory.trusted);
        let mut take = |document: &Document| match library::file_of(document) {
            Some((filed, held)) => scope.local(&filed).map(|path| (path, held)).into_iter().collect(),
            None => {
                let path = scope.path_of(document.id.as_str()).filter(|path| names.contains(path.as_str()));
                path.map(|path| (path, library::foreign(document))).into_iter().collect()
            }
        };
        let ledger = &mut self.memory.ledger;
        let refreshed = library::refresh(self.database, info, scope, trusted, ledger, &mut take).await;
        let refreshed = refreshed.map_err(|error| self.reached.failure(error))?;
        self.memory.news |= refreshed.listed || refreshed.changed;
        for id in &refreshed.conflicts {
            let message = format!("`{id}` has conflicting revisions; all of them are kept");
            self.context.printer.warning("conflicting_revisions", &message);
        }
        Ok(())
    }

    /// Compares both sides and decides what happens to every file.
    async fn plan(&mut self) -> Result<Mirror> {
        let files = std::mem::take(&mut self.tree.listing.files);
        let (folder, checksum) = (self.tree.folder.clone(), self.command.checksum);
        let mut ledger = std::mem::take(&mut self.memory.ledger);
        let comparing = move || {
            let compared = compare(&folder, &files, &mut ledger, checksum, &|_| ());
            (files, ledger, compared)
        };
        let (files, ledger, compared) = blocking(comparing).await?;
        self.memory.ledger = ledger;
        self.memory.news |= compared.read > 0;
        let policy = MirrorPolicy { delete: self.command.delete, force: self.command.force };
        let mut plan = Mirror::default();
        for (file, alike) in files.iter().zip(compared.alike) {
            let target = match alike {
                None => Target::Absent,
                Some(Err(error)) => {
                    self.troubles.file(file.path.as_str(), &error);
                    continue;
                }
                Some(Ok(alike)) => self.target(file, alike).await?,
            };
            if let Some(fate) = fate(true, target, policy) {
                plan.add(file.path.clone(), fate, file.length);
            }
        }
        self.plan_absent(&files, policy, &mut plan);
        self.tree.listing.files = files;
        Ok(plan)
    }

    /// What stands in the database in the place of a file.
    async fn target(&mut self, file: &FileEntry, alike: Alike) -> Result<Target> {
        let Some(entry) = self.memory.ledger.entries.get_mut(file.path.as_str()) else { return Ok(Target::Absent) };
        let Some(held) = entry.remote.clone() else { return Ok(Target::Absent) };
        if held.foreign {
            return Ok(Target::Foreign);
        }
        match alike {
            Alike::Same => return Ok(Target::Same),
            Alike::Other => {}
            Alike::Unknown => {
                let seen = entry.local.clone();
                if let Some(seen) = seen
                    && self.holds(file, &held, seen.md5).await?
                {
                    let base = Synced { sha256: seen.sha256, digest: held.digest };
                    self.memory.ledger.entries.entry(file.path.as_str().into()).or_default().base = Some(base);
                    return Ok(Target::Same);
                }
            }
        }
        let base = self.memory.ledger.entries.get(file.path.as_str()).and_then(|entry| entry.base.as_ref());
        Ok(Target::Other(since(base, &held)))
    }

    /// Reads what the server holds: it compresses in a way of its own, so that its digest tells nothing.
    async fn holds(&self, file: &FileEntry, held: &Held, md5: [u8; 16]) -> Result<bool> {
        let documents = self.database.documents(&[self.scope.id(&file.path)]).await;
        let documents = documents.map_err(|error| self.reached.failure(error))?;
        let Some(document) = documents.into_iter().flatten().next() else { return Ok(false) };
        let recorded = held.attachment.as_deref().and_then(|name| AttName::new(name).ok());
        let name = recorded.unwrap_or_else(|| self.scope.attachment(&file.path));
        let Some(stub) = document.attachment(&name) else { return Ok(false) };
        let stored = transfer::content_md5(self.database, &document.id, &document.revision, &name, stub).await?;
        Ok(stored == md5)
    }

    /// What is only in the database; what the rules leave out counts on neither side.
    fn plan_absent(&mut self, files: &[FileEntry], policy: MirrorPolicy, plan: &mut Mirror) {
        let here: std::collections::HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let is_incomplete = self.tree.is_incomplete();
        let policy = MirrorPolicy { delete: policy.delete && !is_incomplete, ..policy };
        let mut withheld = 0;
        for (path, entry) in &self.memory.ledger.entries {
            let Some(held) = entry.remote.as_ref().filter(|held| !held.foreign) else { continue };
            let Some(path) = RelPath::new(&**path).ok().filter(|path| !here.contains(path.as_str())) else { continue };
            let is_excluded = matches!(self.tree.rules.verdict(&path, false), Verdict::Ignored(_));
            if is_excluded && !(self.command.delete && self.command.delete_excluded) {
                continue;
            }
            withheld += usize::from(self.command.delete && is_incomplete);
            if let Some(fate) = fate(false, Target::Other(since(entry.base.as_ref(), held)), policy) {
                plan.add(path, fate, held.length);
            }
        }
        if withheld > 0 {
            let message = "nothing is removed, because not everything in the folder could be read";
            self.context.printer.warning("read_errors", message);
        }
    }

    fn show(&mut self, plan: &Mirror) {
        let kept = plan.count(Mark::Kept);
        let lines = plan.changes.iter().filter(|change| change.fate.mark != Mark::Kept);
        let lines = lines.map(|change| PlanLine {
            mark: change.fate.mark,
            path: change.path.to_string(),
            bytes: Some(change.bytes),
            reason: change.fate.reason.map(str::to_owned),
        });
        let bytes = plan.transfers().map(|change| change.bytes).sum();
        let whole = self.context.settings.dry_run;
        self.context.printer.plan(&Listing { lines: lines.collect(), same: plan.same, bytes, whole });
        if kept > 0 {
            let documents = if kept == 1 { "1 document".to_owned() } else { format!("{kept} documents") };
            self.context
                .printer
                .note(&format!("{documents} of the database have no file here and stay (`--delete` removes them)"));
        }
        for problem in &self.tree.listing.problems {
            self.troubles.entry(problem.to_string());
        }
        for folder in self.tree.empty_folders() {
            self.troubles.empty_folder(folder.as_str());
        }
        for change in plan.with(Mark::Conflict) {
            self.troubles.conflict(change.path.as_str(), change.fate.reason.unwrap_or_default());
        }
    }

    async fn carry_out(mut self, plan: Mirror, info: Option<&Info>) -> Result<Exit> {
        let touched = self.touched();
        let idle = plan.transfers().next().is_none() && plan.count(Mark::Removed) == 0 && touched.is_empty();
        let mut fields = fields(&plan);
        if !idle {
            let limit = valve::limit(self.command.max_delete);
            let removal = plan.removal("documents");
            removal.check(limit, self.command.allow_empty).map_err(|refusal| valve::refused(&refusal))?;
        }
        if self.context.settings.dry_run {
            self.context.printer.summary(&would(&plan), fields);
            return self.troubles.settle(self.context, 0);
        }
        self.confirm(&plan)?;
        if idle {
            return self.conclude_idle(&plan, fields, info).await;
        }
        let info = match info {
            Some(info) => info.clone(),
            None => database::create(self.context, self.reached, self.database).await?,
        };
        let sent = match &self.scope.document {
            Some(_) => self.send_attachments(&plan).await?,
            None => self.send(&plan).await?,
        };
        let touched = self.touch(touched).await?;
        let removed = self.remove(&plan).await?;
        self.remember(&info).await;
        let elapsed = self.context.printer.elapsed().as_secs_f64();
        let mut text = format!("Sent {} ({}) in {elapsed:.1} s", files(sent.files), human_size(sent.bytes));
        for (count, word) in [(removed, "removed"), (touched, "times corrected"), (plan.same, "unchanged")] {
            if count > 0 {
                text.push_str(&format!(", {count} {word}"));
            }
        }
        fields.insert("sent".to_owned(), Value::from(sent.files));
        fields.insert("sent_bytes".to_owned(), Value::from(sent.bytes));
        fields.insert("removed".to_owned(), Value::from(removed));
        self.context.printer.summary(&text, fields);
        self.troubles.settle(self.context, sent.files + removed + touched)
    }

    async fn conclude_idle(
        mut self,
        plan: &Mirror,
        fields: serde_json::Map<String, Value>,
        info: Option<&Info>,
    ) -> Result<Exit> {
        if info.is_some() {
            self.memory.save_news(self.context);
        }
        let elapsed = self.context.printer.elapsed().as_secs_f64();
        let text = format!("Up to date: {}, nothing sent, {elapsed:.1} s", files(plan.same));
        self.context.printer.summary(&text, fields);
        self.troubles.settle(self.context, 0)
    }

    /// One question, if something is replaced or removed that no run from this folder put there.
    fn confirm(&self, plan: &Mirror) -> Result<()> {
        let overwritten = plan.overwrites();
        if overwritten > 0 {
            let things = if overwritten == 1 { "1 file".to_owned() } else { format!("{overwritten} files") };
            let why = "which no run from this folder put there";
            let question = format!("This replaces or removes {things} in the database, {why}. Go on?");
            return self
                .context
                .confirmed(&question, &format!("replacing or removing {things} in the database, {why},"));
        }
        if self.command.place.confirm && !plan.changes.is_empty() {
            let question = "This target asks before every change (confirm = true). Go on?";
            return self.context.confirmed(question, "a change of a target with `confirm = true`");
        }
        Ok(())
    }

    async fn send(&mut self, plan: &Mirror) -> Result<Totals> {
        let mut outbound = Vec::new();
        for change in plan.transfers() {
            let held = self.memory.ledger.entries.get(change.path.as_str()).and_then(|entry| entry.remote.as_ref());
            outbound.push(Outbound {
                path: change.path.clone(),
                filed: self.scope.filed(&change.path),
                id: self.scope.id(&change.path),
                length: change.bytes,
                replaces: held.map(|held| Replaced { digest: held.digest.map(Digest::from_md5) }),
            });
        }
        let bytes = outbound.iter().map(|file| file.length).sum();
        let progress = self.context.printer.progress(bytes, outbound.len() as u64);
        let counting = |bytes: i64| match u64::try_from(bytes) {
            Ok(more) => progress.add(more),
            Err(_) => progress.take_back(bytes.unsigned_abs()),
        };
        let options = self.options();
        let (mut totals, context) = (Totals::default(), self.context);
        let (memory, troubles) = (&mut self.memory, &mut self.troubles);
        let mut done = |file: Outbound, outcome: transfer::Outcome| {
            progress.item_done();
            match outcome {
                Ok(sent) => {
                    totals.files += 1;
                    totals.bytes += sent.fingerprint.length;
                    totals.weak += usize::from(sent.weak);
                    note(&mut memory.ledger, &file.path, sent);
                }
                Err(transfer::TransferError::Clash { .. }) => {
                    troubles.conflict(file.path.as_str(), "somebody else changed it meanwhile");
                }
                Err(error) => troubles.file(file.path.as_str(), &chain(&error)),
            }
            if memory.is_due() {
                memory.save(context);
            }
        };
        let outcome = transfer::send(self.database, &self.tree.folder, outbound, &options, &counting, &mut done).await;
        progress.finish();
        if totals.weak > 0 {
            let message = format!("{} were stored on fewer nodes than the cluster wants", files(totals.weak));
            self.context.printer.warning("weak", &message);
        }
        if let Err(error) = outcome {
            self.memory.save(self.context);
            return Err(self.failure(error));
        }
        Ok(totals)
    }

    fn options(&self) -> SendOptions {
        SendOptions {
            tags: self.command.tags.clone(),
            tags_from_folders: self.command.tags_from_folders,
            facts: self.command.metadata,
            thumbnails: self.command.thumbnails,
            content_types: self.context.settings.content_types.clone(),
            compresses: self.reached.welcome.kind.takes_encoded_parts(),
            force: self.command.force,
            jobs: self.context.settings.network.jobs,
        }
    }

    fn failure(&self, error: transfer::TransferError) -> anyhow::Error {
        match error {
            transfer::TransferError::Couch(error) => self.reached.failure(error),
            other => other.into(),
        }
    }

    /// Looks at what happened in the database meanwhile, our own writes included, and keeps the ledger.
    async fn remember(&mut self, info: &Info) {
        if self.memory.ledger.sequence.is_none() {
            self.memory.ledger.sequence = info.sequence().map(|sequence| sequence.text());
        }
        if self.memory.trusted
            && self.scope.document.is_none()
            && let Err(error) = self.list(Some(info)).await
        {
            self.context.printer.detail(&format!("what happened meanwhile cannot be read: {error:#}"));
            self.memory.ledger.sequence = None;
        }
        self.memory.ledger.entries.retain(|_, entry| entry.local.is_some() || entry.remote.is_some());
        self.memory.save(self.context);
    }
}

#[derive(Debug, Default)]
struct Totals {
    files: usize,
    bytes: u64,
    weak: usize,
}

/// What became of the database's side since both were known to be equal.
fn since(base: Option<&Synced>, held: &Held) -> Since {
    match base {
        None => Since::Unknown,
        Some(base) if base.digest.is_some() && base.digest == held.digest => Since::Unchanged,
        Some(_) => Since::Changed,
    }
}

/// Both sides are equal now.
fn note(ledger: &mut Ledger, path: &RelPath, sent: Sent) {
    let sha256 = sent.fingerprint.sha256.unwrap_or_default();
    let digest = sent.digest.map(Digest::md5);
    let held = Held {
        id: None,
        attachment: None,
        revision: sent.revision.as_str().into(),
        length: sent.fingerprint.length,
        digest,
        encoded: sent.encoded,
        sha256: Some(sha256),
        modified: Some(sent.fingerprint.modified),
        foreign: false,
    };
    let entry = Entry { local: sent.fingerprint.seen(), remote: Some(held), base: Some(Synced { sha256, digest }) };
    ledger.entries.insert(path.as_str().into(), Box::new(entry));
}

fn fields(plan: &Mirror) -> serde_json::Map<String, Value> {
    let marks = [Mark::New, Mark::Changed, Mark::Removed, Mark::Same, Mark::Kept, Mark::Conflict];
    marks.into_iter().map(|mark| (mark.word().to_owned(), Value::from(plan.count(mark)))).collect()
}

fn would(plan: &Mirror) -> String {
    let (bytes, removed) = (plan.transfers().map(|change| change.bytes).sum(), plan.count(Mark::Removed));
    let all = plan.same + plan.changes.len();
    format!(
        "Would send {} ({}), remove {removed} of {all}. Nothing was changed",
        files(plan.transfers().count()),
        human_size(bytes)
    )
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{} files", crate::report::thousands(count)) }
}

/// An error with its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
