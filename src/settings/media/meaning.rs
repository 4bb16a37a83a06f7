//! From the arguments of `sync-dir` and `dump` to their settings.

use std::ffi::OsStr;

use super::super::destination::Endpoint;
use super::super::layers::{self, Layers};
use super::super::typed::Typed;
use super::super::values::{MaxDelete, MetadataChoice, ThumbnailSize};
use super::super::{Destination, Environment, Targets};
use super::{Direction, DumpInto, DumpSettings, MediaFolder, Selection, SyncDirSettings, sides};
use crate::cli::{self, Cli, DumpArgs, SelectionArgs, SyncDirArgs};
use crate::exit::{Exit, Failure};
use crate::name::DocId;
use crate::path::RelPath;
use crate::path::portable::escaped_component;

/// What comes through the layers.
#[derive(Clone, Copy)]
pub(in crate::settings) struct MediaDefaults {
    metadata: MetadataChoice,
    thumbnails: ThumbnailSize,
    tags_from_folders: bool,
    times: bool,
    max_delete: Option<MaxDelete>,
    fsync: bool,
    checksum: bool,
}

impl MediaDefaults {
    pub(in crate::settings) fn take(cli: &Cli, typed: &Typed, layers: &mut Layers<'_>) -> Result<Self, Failure> {
        let nothing = SyncDirArgs::default();
        let sync = if let Some(cli::Command::SyncDir(sync)) = &cli.command { sync } else { &nothing };
        Ok(Self {
            metadata: layers.get(&layers::SYNC_METADATA, sync.metadata, MetadataChoice::Basic, str::parse)?,
            thumbnails: layers.get(&layers::SYNC_THUMBNAILS, sync.thumbnails, ThumbnailSize::default(), str::parse)?,
            tags_from_folders: layers.switch(&layers::SYNC_TAGS_FROM_FOLDERS, sync.tags_from_folders)?,
            times: layers.switch(&layers::SYNC_TIMES, sync.times)?,
            max_delete: layers.take(&layers::SYNC_MAX_DELETE, typed.max_delete, str::parse)?,
            fsync: layers.switch(&layers::SYNC_FSYNC, typed.fsync)?,
            checksum: layers.switch(&layers::SYNC_CHECKSUM, typed.checksum)?,
        })
    }
}

/// What the arguments mean, given all this.
pub(in crate::settings) struct Meaning<'a> {
    pub(in crate::settings) defaults: MediaDefaults,
    pub(in crate::settings) targets: &'a Targets,
    pub(in crate::settings) environment: &'a Environment,
    pub(in crate::settings) force: bool,
    pub(in crate::settings) delete: bool,
    pub(in crate::settings) allow_empty: bool,
    pub(in crate::settings) create_database: bool,
    pub(in crate::settings) escape_names: bool,
}

impl Meaning<'_> {
    pub(in crate::settings) fn sync_dir(&self, sync: &SyncDirArgs) -> Result<SyncDirSettings, Failure> {
        let sides = sides::tell_apart(&sync.from, &sync.to, self.targets, self.environment)?;
        let (place, as_document) = self.targets.place(sides.place)?;
        refuse_without_effect(sync, sides.direction, is_document(&place))?;
        Ok(SyncDirSettings {
            direction: sides.direction,
            folder: sides::folder(sides.folder, sides.direction == Direction::Down, self.environment)?,
            place,
            as_document,
            selection: self.selection(&sync.selection)?,
            tags: tags(&sync.tag)?,
            tags_from_folders: self.defaults.tags_from_folders,
            delete: self.delete,
            delete_excluded: sync.delete_excluded,
            max_delete: self.defaults.max_delete,
            allow_empty: self.allow_empty,
            force: self.force,
            create_database: self.create_database,
            checksum: self.defaults.checksum,
            metadata: self.defaults.metadata == MetadataChoice::Basic,
            thumbnails: self.defaults.thumbnails.0,
            times: self.defaults.times,
            fsync: self.defaults.fsync,
            escape_names: self.escape_names,
            watch: sync.watch,
        })
    }

    pub(in crate::settings) fn dump(&self, dump: &DumpArgs) -> Result<DumpSettings, Failure> {
        let (place, as_document) = self.dump_source(dump)?;
        let into = self.dump_into(dump, &place)?;
        let view = dump.view.as_deref().map(view).transpose()?;
        let selected = [("--tag", !dump.tag.is_empty()), ("--view", view.is_some()), ("--since", dump.since.is_some())];
        refuse_for(is_document(&place), &selected, "selects documents of a database, and one document was named")?;
        let written = [
            ("--delete", dump.delete),
            ("--force", dump.force),
            ("--verify", dump.verify),
            ("--fsync", dump.fsync),
            ("--escape-names", dump.escape_names),
            ("--watch", dump.watch),
        ];
        refuse_for(into == DumpInto::Stdout, &written, "is about a folder, and `-` is stdout")?;
        let selection = &dump.selection;
        let files = [
            ("--exclude", !selection.exclude.is_empty()),
            ("--include", !selection.include.is_empty()),
            ("--exclude-from", !selection.exclude_from.is_empty()),
            ("--conflicts", dump.conflicts),
            ("--checksum", dump.checksum),
        ];
        refuse_for(into == DumpInto::Stdout, &files, "is about files, and `-` prints whole documents")?;
        Ok(DumpSettings {
            place,
            as_document,
            into,
            selection: self.selection(&dump.selection)?,
            tags: tags(&dump.tag)?,
            view,
            docs: dump.docs,
            conflicts: dump.conflicts,
            since: dump.since.as_deref().map(|since| given("--since", since).map(str::to_owned)).transpose()?,
            delete: self.delete && !dump.verify,
            max_delete: self.defaults.max_delete,
            verify: dump.verify,
            force: self.force,
            checksum: self.defaults.checksum,
            fsync: self.defaults.fsync,
            escape_names: self.escape_names,
            watch: dump.watch,
        })
    }

    fn dump_source(&self, dump: &DumpArgs) -> Result<(Destination, Option<Endpoint>), Failure> {
        if dump.source.is_empty() || dump.folder.as_deref().is_some_and(OsStr::is_empty) {
            return Err(sides::empty());
        }
        let source = dump.source.to_str();
        let source = source.ok_or_else(|| Failure::new(Exit::Usage, "the source is not valid UTF-8"))?;
        if sides::is_folder(&dump.source, self.targets, self.environment) {
            let failure =
                Failure::new(Exit::Usage, format!("`{source}` is a folder; the source of a dump is on a server"));
            return Err(match &dump.folder {
                Some(place) => failure.hint(format!("`couchapp dump {} {source}`", place.to_string_lossy())),
                None => failure.hint(format!("`couchapp dump http://127.0.0.1:5984/mydb {source}`")),
            });
        }
        self.targets.place(source)
    }

    fn dump_into(&self, dump: &DumpArgs, place: &Destination) -> Result<DumpInto, Failure> {
        let folder = match &dump.folder {
            Some(folder) if folder == "-" => return Ok(DumpInto::Stdout),
            Some(folder) if folder.to_str().is_some_and(|text| text.contains("://") || text.starts_with(':')) => {
                let message = format!("`{}` is no folder", folder.to_string_lossy());
                return Err(Failure::new(Exit::Usage, message).hint("a dump goes from a server to a folder"));
            }
            Some(folder) => sides::folder(folder, true, self.environment)?,
            None => self.named_like(place)?,
        };
        Ok(DumpInto::Folder(folder))
    }

    /// The folder for a dump that names none: it is called like the document or the database.
    fn named_like(&self, place: &Destination) -> Result<MediaFolder, Failure> {
        let address = place.endpoints.first().map(|endpoint| &endpoint.address);
        let document = address.and_then(|address| address.document.as_ref()).map(DocId::stem);
        let database = || address.and_then(|address| address.database.as_ref()).map(crate::name::DbName::as_str);
        let name = escaped_component(document.or_else(database).unwrap_or_default());
        sides::folder(OsStr::new(&name), true, self.environment)
    }

    fn selection(&self, given: &SelectionArgs) -> Result<Selection, Failure> {
        let prefix = given.prefix.as_deref().map(|text| {
            let trimmed = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
            RelPath::new(trimmed).map_err(|error| Failure::new(Exit::Usage, format!("`--prefix`: `{text}` {error}")))
        });
        Ok(Selection {
            prefix: prefix.transpose()?,
            include: given.include.clone(),
            exclude: given.exclude.clone(),
            exclude_from: given.exclude_from.iter().map(|file| self.environment.directory.join(file)).collect(),
        })
    }
}

fn is_document(place: &Destination) -> bool {
    place.endpoints.iter().any(|endpoint| endpoint.address.document.is_some())
}

/// A flag that would do nothing was meant to do something.
fn refuse_without_effect(sync: &SyncDirArgs, direction: Direction, document: bool) -> Result<(), Failure> {
    let new_documents = [
        ("--tags-from-folders", sync.tags_from_folders),
        ("--thumbnails", sync.thumbnails.is_some_and(|size| size.0.is_some())),
        ("--metadata", sync.metadata == Some(MetadataChoice::Basic)),
    ];
    let (up, down) = (direction == Direction::Up, direction == Direction::Down);
    refuse_for(up, &[("--escape-names", sync.escape_names)], "is for what is written to a folder")?;
    refuse_for(down, &new_documents, "is for what is sent to a server")?;
    let sending = [("--create-db", sync.create_db), ("--times", sync.times)];
    refuse_for(down, &sending, "is for what is sent to a server")?;
    let why = "is for a database with one document per file, and one document was named";
    refuse_for(document, &new_documents, why)?;
    refuse_for(document, &[("--tag", !sync.tag.is_empty())], why)
}

fn refuse_for(case: bool, flags: &[(&str, bool)], why: &str) -> Result<(), Failure> {
    match flags.iter().find(|(_, given)| case && *given) {
        Some((flag, _)) => Err(Failure::new(Exit::Usage, format!("`{flag}` {why}"))),
        None => Ok(()),
    }
}

fn tags(tags: &[String]) -> Result<Vec<String>, Failure> {
    let mut wanted: Vec<String> = Vec::new();
    for tag in tags {
        let tag = given("--tag", tag)?;
        if !wanted.iter().any(|known| known == tag) {
            wanted.push(tag.to_owned());
        }
    }
    Ok(wanted)
}

/// The value without the white space around it, which nobody means; an empty one is an unset variable.
fn given<'a>(flag: &str, value: &'a str) -> Result<&'a str, Failure> {
    match value.trim() {
        "" => Err(Failure::new(Exit::Usage, format!("`{flag}` is empty"))),
        value => Ok(value),
    }
}

/// `ddoc/view`, or as in a URL: `_design/ddoc/_view/view`.
fn view(text: &str) -> Result<(DocId, String), Failure> {
    let bad = || {
        Failure::new(Exit::Usage, format!("`--view`: `{text}` is no view"))
            .hint("the design document and the view, as in `--view photos/by_date`")
    };
    let (design, view) = text.strip_prefix("_design/").unwrap_or(text).split_once('/').ok_or_else(bad)?;
    let view = view.strip_prefix("_view/").unwrap_or(view);
    if view.is_empty() {
        return Err(bad());
    }
    let design = DocId::new(format!("_design/{design}")).map_err(|_| bad())?;
    Ok((design, view.to_owned()))
}
