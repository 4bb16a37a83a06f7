//! A folder as an app: walked, sorted, read, hashed and folded into the documents that a push would write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::ddoc::{
    self, Finding, Fingerprint, FoldOptions, Folded, Layout, Names, Severity, Sorted, Sources, documents, macros,
};
use crate::filter::{RuleError, Rules, Source};
use crate::local::{FileEntry, Folder, HashCache, Links, Listing, LocalError, Problem, ProblemKind, State, Sums};
use crate::name::{AttName, DocId};
use crate::path::RelPath;

/// The largest file that becomes a member of a document, in bytes; CouchDB's own limit for a body is 8 MB.
const FIELD_LIMIT: u64 = 64 << 20;

/// The largest ignore file, in bytes.
const RULES_LIMIT: u64 = 1 << 20;

/// How to load an app.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// This layout instead of the one the folder seems to have.
    pub layout: Option<Layout>,
    /// This id instead of the one the folder names.
    pub id: Option<DocId>,
    /// What the old tools lost silently is a warning instead of an error.
    pub lenient: bool,
    /// Load the documents of `_docs` too.
    pub documents: bool,
}

/// A file that becomes an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAttachment {
    /// Where it is, below the app's folder.
    pub path: RelPath,
    /// Its length in bytes.
    pub length: u64,
    /// The md5 of its content.
    pub md5: [u8; 16],
}

/// A document as local files make it.
#[derive(Clone, Debug)]
pub struct LocalDocument {
    /// Its id, body and where each member came from.
    pub folded: Folded,
    /// Its attachments.
    pub attachments: BTreeMap<AttName, LocalAttachment>,
}

/// A loaded app.
#[derive(Debug)]
pub struct App {
    /// The folder that was read.
    pub folder: Folder,
    /// How it is laid out.
    pub layout: Layout,
    /// What the folder holds, and what was left out by which rule.
    pub listing: Listing,
    /// The rules themselves, which hold for the server's names as well.
    pub rules: Rules,
    /// The app's own document.
    pub document: LocalDocument,
    /// The documents of `_docs`.
    pub documents: Vec<LocalDocument>,
    /// Warnings about single files.
    pub findings: Vec<Finding>,
    /// What could not be listed; while there is any, a missing file proves nothing.
    pub problems: Vec<Problem>,
}

/// Why a folder cannot be loaded as an app.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An ignore file cannot be understood.
    #[error("`{}:{}`: {}", .0.file, .0.line, .0.message)]
    Rules(RuleError),
    /// Something in the folder cannot be pushed; every finding is listed.
    #[error("{} of the folder cannot be pushed", count(.0, "file"))]
    Findings(Vec<Finding>),
    /// Something in the folder cannot be read.
    #[error("{} of the folder cannot be read", count(.0, "entry"))]
    Problems(Vec<Problem>),
    /// The disk said no.
    #[error(transparent)]
    Local(#[from] LocalError),
}

fn count<T>(list: &[T], one: &str) -> String {
    match (list.len(), one) {
        (1, one) => format!("1 {one}"),
        (many, "entry") => format!("{many} entries"),
        (many, one) => format!("{many} {one}s"),
    }
}

/// Loads the app in `root`.
pub fn load(root: &Path, options: &LoadOptions) -> Result<App, LoadError> {
    let folder = Folder::open(root, Links::Inside)?;
    let rules = rules(&folder)?;
    let listing = folder.walk(&rules)?;
    let unreadable = |problem: &Problem| matches!(problem.kind, ProblemKind::Unreadable(_));
    if !listing.problems.is_empty() && (!options.lenient || listing.problems.iter().any(unreadable)) {
        return Err(LoadError::Problems(listing.problems));
    }
    let loader = Loader::new(&folder, &listing, root)?;
    let paths = || listing.files.iter().map(|file| &file.path).chain(&listing.directories);
    let layout = options.layout.unwrap_or_else(|| ddoc::detect(paths()));
    let entries = listing.files.iter().map(|file| (file.path.clone(), false));
    let entries = entries.chain(listing.directories.iter().map(|path| (path.clone(), true)));
    let sorted = ddoc::sort(entries, layout, &loader.names()?, options.lenient);
    let mut findings = sorted.findings.clone();
    let fold_options = FoldOptions { id: options.id.clone(), lenient: options.lenient, ..FoldOptions::default() };
    let (sources, attachments) = loader.sources(&sorted, true)?;
    let folded = take(ddoc::fold(&sources, &fold_options), &mut findings);
    let documents =
        if options.documents { loader.documents(&sorted, options.lenient, &mut findings)? } else { Vec::new() };
    let documents = documents.into_iter().collect::<Option<Vec<_>>>();
    match (folded, documents) {
        (Some(folded), Some(documents)) if findings.iter().all(|finding| finding.severity != Severity::Error) => {
            loader.remember();
            let document = LocalDocument { folded, attachments };
            let problems = listing.problems.clone();
            Ok(App { folder, layout, listing, rules, document, documents, findings, problems })
        }
        _ => Err(LoadError::Findings(findings)),
    }
}

/// The design documents of a project with several: the app folders below `_design/`. Empty for an app of its own.
pub fn designs(root: &Path) -> Result<Vec<RelPath>, LoadError> {
    let folder = Folder::open(root, Links::Inside)?;
    let listing = folder.walk(&rules(&folder)?)?;
    let entries = listing.files.iter().map(|file| (file.path.clone(), false));
    let entries = entries.chain(listing.directories.iter().map(|path| (path.clone(), true)));
    Ok(ddoc::sort(entries, Layout::Couchapp, &Names::default(), true).designs)
}

/// The files of an app as they are, without being made into a document: what an update is merged into.
#[derive(Debug)]
pub struct FolderFiles {
    /// The folder that was read.
    pub folder: Folder,
    /// How it is laid out.
    pub layout: Layout,
    /// The rules that leave files out.
    pub rules: Rules,
    /// Every file that the rules leave, whatever it is.
    pub files: BTreeSet<RelPath>,
    /// Every folder that the rules leave.
    pub directories: BTreeSet<RelPath>,
    /// The bytes of fields, of `_id` and of our `_fields.json` and `_names.json`.
    pub fields: BTreeMap<RelPath, Vec<u8>>,
    /// The attachments.
    pub attachments: BTreeMap<AttName, LocalAttachment>,
}

/// Reads the files of the app in `root`; a broken one is as good as any.
pub fn folder_files(root: &Path) -> Result<FolderFiles, LoadError> {
    let folder = Folder::open(root, Links::Inside)?;
    let rules = rules(&folder)?;
    let listing = folder.walk(&rules)?;
    if !listing.problems.is_empty() {
        return Err(LoadError::Problems(listing.problems));
    }
    let loader = Loader::new(&folder, &listing, root)?;
    let layout = ddoc::detect(listing.files.iter().map(|file| &file.path).chain(&listing.directories));
    let entries = listing.files.iter().map(|file| (file.path.clone(), false));
    let entries = entries.chain(listing.directories.iter().map(|path| (path.clone(), true)));
    let sorted = ddoc::sort(entries, layout, &loader.names()?, true);
    let mut fields = loader.read_all(&sorted.fields)?;
    let names: Vec<RelPath> = loader.all.iter().filter(|path| path.as_str() == "_names.json").cloned().collect();
    fields.extend(loader.read_all(&names)?);
    let attachments = loader.hash(&sorted.attachments)?;
    let (files, directories) = (loader.all.clone(), listing.directories.iter().cloned().collect());
    drop(loader);
    Ok(FolderFiles { folder, layout, rules, files, directories, fields, attachments })
}

/// The rules of the folder: built in, `.ericaignore`, `.couchappignore`.
fn rules(folder: &Folder) -> Result<Rules, LoadError> {
    let read = |name: &str| match RelPath::new(name).map(|path| folder.read(&path, RULES_LIMIT)) {
        Ok(Ok(text)) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Ok(Err(LocalError::NotFound { .. })) | Err(_) => Ok(None),
        Ok(Err(error)) => Err(error),
    };
    let (erica, couchapp) = (read(".ericaignore")?, read(".couchappignore")?);
    let mut sources = Vec::new();
    if let Some(text) = &erica {
        sources.push(Source::EricaIgnore { file: ".ericaignore", text });
    }
    if let Some(text) = &couchapp {
        sources.push(Source::CouchappIgnore { file: ".couchappignore", text });
    }
    Rules::parse(&sources).map_err(LoadError::Rules)
}

/// The result of folding, its findings added to the others.
fn take(folded: Result<Folded, Vec<Finding>>, findings: &mut Vec<Finding>) -> Option<Folded> {
    match folded {
        Ok(folded) => {
            findings.extend(folded.findings.iter().cloned());
            Some(folded)
        }
        Err(found) => {
            findings.extend(found);
            None
        }
    }
}

/// Reads what the sorted listing asks for.
struct Loader<'a> {
    folder: &'a Folder,
    files: BTreeMap<&'a RelPath, &'a FileEntry>,
    all: BTreeSet<RelPath>,
    state: State,
    cache: std::cell::RefCell<HashCache>,
    folder_name: String,
}

impl<'a> Loader<'a> {
    fn new(folder: &'a Folder, listing: &'a Listing, root: &Path) -> Result<Self, LoadError> {
        let state = State::of(root);
        let real = crate::local::canonical(root)?;
        let folder_name = real.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self {
            folder,
            files: listing.files.iter().map(|file| (&file.path, file)).collect(),
            all: listing.files.iter().map(|file| file.path.clone()).collect(),
            cache: state.hashes().found().unwrap_or_default().into(),
            state,
            folder_name,
        })
    }

    /// True names of attachments, from every `_names.json`.
    fn names(&self) -> Result<Names, LoadError> {
        let mut names = Names::default();
        let mut findings = Vec::new();
        for path in self.all.iter().filter(|path| path.name() == "_names.json") {
            let text = self.folder.read(path, FIELD_LIMIT)?;
            findings.extend(names.read(path, &text).err());
        }
        if findings.is_empty() { Ok(names) } else { Err(LoadError::Findings(findings)) }
    }

    fn sources(
        &self,
        sorted: &Sorted,
        with_macros: bool,
    ) -> Result<(Sources, BTreeMap<AttName, LocalAttachment>), LoadError> {
        let attachments = self.hash(&sorted.attachments)?;
        let fingerprint = |attachment: &LocalAttachment| Fingerprint {
            path: attachment.path.clone(),
            md5: attachment.md5,
            length: attachment.length,
        };
        let mut sources = Sources {
            root: sorted.root.clone(),
            fields: self.read_all(&sorted.fields)?,
            directories: sorted.directories.iter().cloned().collect(),
            attachments: attachments.iter().map(|(name, file)| (name.clone(), fingerprint(file))).collect(),
            includes: BTreeMap::new(),
            folder_name: self.folder_name(sorted),
        };
        if with_macros {
            self.include(&mut sources)?;
        }
        Ok((sources, attachments))
    }

    /// Reads what macros include and is no field; what is included may include more.
    fn include(&self, sources: &mut Sources) -> Result<(), LoadError> {
        loop {
            let missing: Vec<RelPath> = macros::missing(sources, &self.all).into_iter().collect();
            if missing.is_empty() {
                return Ok(());
            }
            sources.includes.extend(self.read_all(&missing)?);
        }
    }

    fn folder_name(&self, sorted: &Sorted) -> String {
        match &sorted.root {
            Some(root) if root.first() == "_docs" => root.name().to_owned(),
            _ => self.folder_name.clone(),
        }
    }

    fn documents(
        &self,
        sorted: &Sorted,
        lenient: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Option<LocalDocument>>, LoadError> {
        let mut loaded = Vec::new();
        for path in &sorted.plain_documents {
            let folded = take(documents::plain(path, &self.folder.read(path, FIELD_LIMIT)?), findings);
            loaded.push(folded.map(|folded| LocalDocument { folded, attachments: BTreeMap::new() }));
        }
        let options = FoldOptions { id: None, lenient, macros: false, design: false };
        for sorted in &sorted.folder_documents {
            let (sources, attachments) = self.sources(sorted, false)?;
            let folded = take(ddoc::fold(&sources, &options), findings);
            loaded.push(folded.map(|folded| LocalDocument { folded, attachments }));
        }
        Ok(loaded)
    }

    fn read_all(&self, paths: &[RelPath]) -> Result<BTreeMap<RelPath, Vec<u8>>, LoadError> {
        paths.iter().map(|path| Ok((path.clone(), self.folder.read(path, FIELD_LIMIT)?))).collect()
    }

    fn hash(&self, attachments: &[(AttName, RelPath)]) -> Result<BTreeMap<AttName, LocalAttachment>, LoadError> {
        let entries: Vec<FileEntry> =
            attachments.iter().filter_map(|(_, path)| self.files.get(path).map(|file| (*file).clone())).collect();
        let sums = self.folder.fingerprints(&entries, &self.cache.borrow(), Sums::Md5, &|_| {});
        let mut hashed = BTreeMap::new();
        let mut cache = self.cache.borrow_mut();
        for ((name, path), sum) in attachments.iter().zip(sums) {
            let sum = sum?;
            cache.record(path, &sum);
            let attachment = LocalAttachment { path: path.clone(), length: sum.length, md5: sum.md5 };
            hashed.insert(name.clone(), attachment);
        }
        Ok(hashed)
    }

    /// Keeps the sums for the next time, in folders that have been pushed or cloned before; losing them costs only time.
    fn remember(&self) {
        if matches!(crate::local::kind(self.state.folder()), Ok(Some(crate::local::Kind::Folder))) {
            let _ = self.state.set_hashes(&self.cache.borrow());
        }
    }
}
