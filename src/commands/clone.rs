//! `clone`: a document becomes a folder.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use super::login::{Reached, with_server};
use crate::address::Address;
use crate::couch::{Database, Document, Read};
use crate::ddoc::Unfolded;
use crate::exit::{Exit, Failure};
use crate::local::{Base, Destination, Origin, State, WriteOptions};
use crate::name::{AttName, DocId};
use crate::path::RelPath;
use crate::report::{Start, human_size};
use crate::settings::Endpoint;
use crate::settings::command::{CloneInto, CloneSettings};
use crate::snapshot::base_of;
use crate::transfer::{self, TransferError, Wanted};

use laying::{Laid, lay_out};
use place::Way;

mod apply;
mod laying;
mod place;
mod print;
mod sides;
mod update;

/// An attachment that macros may include is read into memory up to this many bytes.
const INCLUDE_LIMIT: u64 = 1 << 20;

/// The document that is cloned, and where it was found.
struct Source<'a> {
    reached: &'a Reached,
    database: &'a Database,
    address: Address,
    document: Document,
    instance_start_time: String,
}

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &CloneSettings) -> Result<Exit> {
    with_server(context, &command.source, async |reached| clone(context, command, reached).await).await
}

async fn clone(context: &Context, command: &CloneSettings, reached: &Reached) -> Result<Exit> {
    let database = reached.database(&command.source)?;
    let info = database.info().await.map_err(|error| reached.failure(error))?;
    let id = match &command.source.address.document {
        Some(id) => id.clone(),
        None => the_only_design(reached, &database, &command.source).await?,
    };
    let rest = &command.source.address.rest;
    if !rest.is_empty() {
        context.printer.note(&format!("cloning {id}; the rest of the URL, /{}, is left aside", rest.join("/")));
    }
    let read = Read { revision: command.revision.clone(), conflicts: command.revision.is_none(), ..Read::default() };
    if command.into == CloneInto::Stdout {
        return print::run(context, reached, &database, &id, &read).await;
    }
    let document = database.document(&id, &read).await.map_err(|error| reached.failure(error))?;
    if !document.conflicts.is_empty() {
        let others = document.conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        context.printer.warning("conflicts", &format!("{id} has conflicting revisions that are not cloned: {others}"));
    }
    let source = Source {
        reached,
        address: command.source.address.with(Some(database.name().clone()), Some(id)),
        database: &database,
        document,
        instance_start_time: info.instance_start_time.unwrap_or_default(),
    };
    let (root, shown) = place::folder(context, command, &source.document.id)?;
    let way = place::way(command, &source.address, &root, &shown)?;
    let escape_names = command.escape_names || (way == Way::Update && place::is_plain(&root)?);
    let laid = source.lay_out(escape_names).await?;
    for finding in &laid.unfolded.findings {
        context.printer.warning("file", &finding.to_string());
    }
    match way {
        Way::Fresh => fresh(context, &source, &laid.unfolded, &root, &shown).await,
        Way::Update => update::run(context, command, &source, &laid, &root, &shown).await,
    }
}

/// `…/_design` without a name, as people type it: the only design document, or a list of them.
async fn the_only_design(reached: &Reached, database: &Database, endpoint: &Endpoint) -> Result<DocId> {
    let designs = database.design_documents().await.map_err(|error| reached.failure(error))?;
    match designs.as_slice() {
        [] => Err(Failure::new(Exit::Missing, format!("`{}` has no design document", database.address())).into()),
        [(id, _)] => Ok(id.clone()),
        several => {
            let message = format!("`{}` has {} design documents: name one", database.address(), several.len());
            let address =
                |id: &DocId| endpoint.address.with(Some(database.name().clone()), Some(id.clone())).to_string();
            let failure = Failure::new(Exit::Usage, message).details(several.iter().map(|(id, _)| address(id)));
            Err(failure.hint(format!("`couchapp clone {}`", address(&several[0].0))).into())
        }
    }
}

impl Source<'_> {
    /// The document as a folder; attachments that macros include are fetched where that lets sources be restored.
    async fn lay_out(&self, escape_names: bool) -> Result<Laid> {
        let names: Vec<AttName> = self.document.attachments.iter().map(|(name, _)| name.clone()).collect();
        let Document { body, id, .. } = &self.document;
        let mut contents = BTreeMap::new();
        loop {
            let unfolded = lay_out(body, id, &names, escape_names, &contents).map_err(|refusals| {
                Failure::new(Exit::Failed, format!("`{id}` has attachments that cannot be files here"))
                    .coded("unsafe_names")
                    .details(refusals.iter().map(ToString::to_string))
                    .hint("nothing was written; `--escape-names` stores them under other names and remembers the true ones")
            })?;
            let wanted: Vec<AttName> =
                unfolded.wanted.iter().filter(|name| !contents.contains_key(*name)).cloned().collect();
            if wanted.is_empty() {
                return Ok(Laid { unfolded, contents, escape_names });
            }
            for name in wanted {
                let bytes = self.include(&name).await?;
                contents.insert(name, bytes);
            }
        }
    }

    async fn include(&self, name: &AttName) -> Result<Vec<u8>> {
        match self.document.attachment(name).filter(|stub| stub.length <= INCLUDE_LIMIT) {
            None => Ok(Vec::new()),
            Some(stub) => {
                let Document { id, revision, .. } = &self.document;
                transfer::content(self.database, id, revision, name, stub).await.map_err(|error| self.failure(error))
            }
        }
    }

    fn failure(&self, error: TransferError) -> anyhow::Error {
        match error {
            TransferError::Couch(error) => self.reached.failure(error),
            error => error.into(),
        }
    }

    /// What is to be fetched for an attachment that goes to `path`.
    fn wanted(&self, name: &AttName, path: RelPath) -> Option<Wanted> {
        let stub = self.document.attachment(name)?.clone();
        Some(Wanted { name: name.clone(), stub, path })
    }

    fn origin(&self) -> Origin {
        Origin { address: self.address.clone(), instance_start_time: self.instance_start_time.clone() }
    }

    /// Fetches attachments into files, with progress.
    async fn fetch(
        &self,
        context: &Context,
        wanted: Vec<Wanted>,
        into: (&Destination, WriteOptions),
    ) -> Result<BTreeMap<AttName, [u8; 16]>> {
        let bytes = wanted.iter().map(|wanted| wanted.stub.length).sum();
        let progress = context.printer.progress(bytes, wanted.len() as u64);
        let told = |bytes: i64| match u64::try_from(bytes) {
            Ok(more) => progress.add(more),
            Err(_) => progress.take_back(bytes.unsigned_abs()),
        };
        let Document { id, revision, .. } = &self.document;
        let jobs = context.settings.network.jobs;
        let fetched = transfer::fetch(self.database, id, revision, wanted, into, jobs, &told).await;
        progress.finish();
        fetched.map_err(|error| self.failure(error))
    }

    /// The base of the next push: the document as it is now.
    fn base(&self, md5s: &BTreeMap<AttName, [u8; 16]>) -> Base {
        base_of(&self.address, &self.instance_start_time, &self.document, &|name| md5s.get(name).copied())
    }
}

/// Into a folder that is missing or empty.
async fn fresh(context: &Context, source: &Source<'_>, unfolded: &Unfolded, root: &Path, shown: &str) -> Result<Exit> {
    let remark = context.settings.dry_run.then_some("dry run");
    let from = source.address.to_string();
    context.printer.start(&Start { command: "clone", doing: "Cloning", from: &from, to: shown, remark });
    let wanted = unfolded.attachments.iter().filter_map(|(path, name)| source.wanted(name, path.clone()));
    let wanted: Vec<Wanted> = wanted.collect();
    let field_bytes: u64 = unfolded.files.values().map(|bytes| bytes.len() as u64).sum();
    let bytes = field_bytes + wanted.iter().map(|wanted| wanted.stub.length).sum::<u64>();
    let files = unfolded.files.len() + wanted.len();
    let revision = source.document.revision.clone();
    let fields = Map::from_iter([
        ("folder".to_owned(), Value::from(shown)),
        ("rev".to_owned(), Value::from(revision.as_str())),
        ("files".to_owned(), Value::from(files)),
        ("bytes".to_owned(), Value::from(bytes)),
    ]);
    if context.settings.dry_run {
        let text = format!("Would clone {files} files ({}) at rev {}", human_size(bytes), revision.short());
        context.printer.summary(&text, fields);
        return Ok(Exit::Ok);
    }
    write(context, source, unfolded, wanted, root).await?;
    let seconds = context.printer.elapsed().as_secs_f64();
    let text = format!("Cloned {files} files ({}) at rev {} in {seconds:.1} s", human_size(bytes), revision.short());
    context.printer.summary(&text, fields);
    context.printer.note(&format!("next: cd {} && couchapp status", shown.strip_prefix("./").unwrap_or(shown)));
    Ok(Exit::Ok)
}

/// Writes every file of a new folder, which is marked as half written until all are there.
async fn write(
    context: &Context,
    source: &Source<'_>,
    unfolded: &Unfolded,
    wanted: Vec<Wanted>,
    root: &Path,
) -> Result<()> {
    let destination = Destination::create(root)?;
    let state = State::of(root);
    let _lock = context.hold(&state)?;
    state.begin_clone(&source.address)?;
    for directory in &unfolded.directories {
        destination.enter(directory)?;
    }
    for (path, bytes) in &unfolded.files {
        destination.write(path, bytes, WriteOptions::default())?;
    }
    let md5s = source.fetch(context, wanted, (&destination, WriteOptions::default())).await?;
    state.set_base(&source.address, &source.base(&md5s))?;
    state.set_origin(&source.origin())?;
    state.end_clone()?;
    Ok(())
}
