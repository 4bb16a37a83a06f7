//! The three sides of an update as files of this folder: what it holds, what it held when it was last pushed or cloned,
//! and what the server holds now.
//!
//! The document is laid out as a fresh clone would do it, and every file is then given its place in *this* folder: where
//! it is already, else where the folder's layout has such files. What the rules of the folder leave out takes no part.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Source;
use super::laying::{Laid, lay_out};
use crate::ddoc::metadata::Recorded as Metadata;
use crate::ddoc::{Layout, Origins, Unfolded, layout};
use crate::hexadecimal;
use crate::json::Object;
use crate::local::Base;
use crate::name::AttName;
use crate::path::{RelPath, portable};
use crate::plan::{File, Files};
use crate::snapshot::attachments::{Likeness, Recorded, liken};
use crate::snapshot::{FolderFiles, LocalAttachment};
use serde_json::Value;

/// A document as files of the folder.
#[derive(Default)]
pub(super) struct Side {
    pub files: Files,
    pub attachments: BTreeMap<RelPath, AttName>,
    /// The folders of fields, the empty ones included.
    pub directories: BTreeSet<RelPath>,
    /// Which file holds each value.
    pub origins: Origins,
    /// Attachments that have no place here because no path is their name.
    pub impossible: BTreeSet<AttName>,
}

/// Where things go in one folder.
pub(super) struct Places<'a> {
    pub local: &'a FolderFiles,
    /// Where the id is, or goes; `None` where the folder does without.
    pub id: Option<RelPath>,
    by_path: BTreeMap<&'a RelPath, &'a LocalAttachment>,
}

/// The place of an attachment.
enum Place {
    At(RelPath),
    LeftOut,
    Impossible,
}

impl<'a> Places<'a> {
    /// `needs_id`: a folder that does not name its document has to.
    pub(super) fn new(local: &'a FolderFiles, needs_id: bool) -> Self {
        let usual = if local.layout == Layout::Web { "_ddoc/_id" } else { "_id" };
        let path = |name: &str| RelPath::new(name).ok();
        let present = ["_ddoc/_id", "_id"].into_iter().filter_map(path).find(|path| local.fields.contains_key(path));
        let by_path = local.attachments.values().map(|file| (&file.path, file)).collect();
        Self { local, id: present.or_else(|| path(usual).filter(|_| needs_id)), by_path }
    }

    /// The attachment that the folder has at `path`.
    pub(super) fn file(&self, path: &RelPath) -> Option<&'a LocalAttachment> {
        self.by_path.get(path).copied()
    }

    fn field(&self, path: &RelPath) -> Option<RelPath> {
        let placed = match (self.local.layout, path.as_str()) {
            (_, "_id") => self.id.clone(),
            // There attachments have their names as paths, or the author gave them others.
            (Layout::Web, "_names.json") => None,
            (Layout::Web, _) => RelPath::new(format!("_ddoc/{path}")).ok(),
            (Layout::Couchapp, _) => Some(path.clone()),
        };
        placed.filter(|path| !self.local.is_ignored(path))
    }

    fn attachment(&self, name: &AttName, usual: &RelPath) -> Place {
        let path = match (self.local.attachments.get(name), self.local.layout) {
            (Some(file), _) => Some(file.path.clone()),
            (None, Layout::Couchapp) => Some(usual.clone()),
            (None, Layout::Web) => portable::judge(name.as_str())
                .ok()
                .filter(|path| !layout::is_own(path.first()) && !path.as_str().starts_with('_')),
        };
        match path {
            None => Place::Impossible,
            Some(path) if self.local.is_ignored(&path) => Place::LeftOut,
            Some(path) => Place::At(path),
        }
    }

    /// Gives every file of a clone its place here; `identity` tells the bytes of an attachment at a path.
    fn place(
        &self,
        unfolded: &Unfolded,
        identity: impl Fn(&AttName, &RelPath) -> Result<Option<String>>,
    ) -> Result<Side> {
        let mut side = Side::default();
        for (path, bytes) in &unfolded.files {
            side.files.extend(self.field(path).map(|path| (path, File::Field(bytes.clone()))));
        }
        side.directories = unfolded.directories.iter().filter_map(|path| self.field(path)).collect();
        let origins = unfolded.origins.iter();
        side.origins = origins.filter_map(|(keys, path)| Some((keys.clone(), self.field(path)?))).collect();
        for (usual, name) in &unfolded.attachments {
            match self.attachment(name, usual) {
                Place::At(path) => {
                    if let Some(identity) = identity(name, &path)? {
                        side.files.insert(path.clone(), File::Attachment(identity));
                        side.attachments.insert(path, name.clone());
                    }
                }
                Place::Impossible => {
                    side.impossible.insert(name.clone());
                }
                Place::LeftOut => {}
            }
        }
        Ok(side)
    }
}

/// The folder as it is.
pub(super) fn ours(local: &FolderFiles) -> Files {
    let fields = local.fields.iter().map(|(path, bytes)| (path.clone(), File::Field(bytes.clone())));
    let attachments =
        local.attachments.values().map(|file| (file.path.clone(), File::Attachment(hexadecimal::encode(&file.md5))));
    let names = |path: &RelPath| local.layout == Layout::Web && path.as_str() == "_names.json";
    fields.filter(|(path, _)| !names(path)).chain(attachments).collect()
}

/// The folder as it was: what a push left on the server as somebody else's was never part of it.
pub(super) fn base(places: &Places<'_>, source: &Source<'_>, laid: &Laid, base: &Base) -> Result<Side> {
    let mut body = base.body.clone();
    for path in &base.kept.members {
        remove(&mut body, path);
    }
    let names = base.attachments.keys().filter(|name| !base.kept.attachments.contains(*name));
    let names: Vec<AttName> = names.filter_map(|name| AttName::new(name.as_str()).ok()).collect();
    let mut contents = BTreeMap::new();
    let unfolded = loop {
        // A name that is gone from the server may be one that had to be escaped.
        let unfolded = lay_out(&body, &source.document.id, &names, laid.escape_names, &contents)
            .or_else(|_| lay_out(&body, &source.document.id, &names, true, &contents));
        let Ok(unfolded) = unfolded else { return Ok(Side::default()) };
        let wanted: Vec<AttName> =
            unfolded.wanted.iter().filter(|name| !contents.contains_key(*name)).cloned().collect();
        if wanted.is_empty() {
            break unfolded;
        }
        for name in wanted {
            let content = former_content(places, source, laid, base, &name)?;
            contents.insert(name, content.unwrap_or_default());
        }
    };
    places.place(&unfolded, |name, _| {
        let entry = base.attachments.get(name.as_str());
        Ok(entry.map(|entry| entry.md5.clone().unwrap_or_else(|| entry.digest.clone())))
    })
}

/// What an included attachment held when the base was remembered, where the folder or the server still has it.
fn former_content(
    places: &Places<'_>,
    source: &Source<'_>,
    laid: &Laid,
    base: &Base,
    name: &AttName,
) -> Result<Option<Vec<u8>>> {
    let Some(entry) = base.attachments.get(name.as_str()) else { return Ok(None) };
    let stub = source.document.attachment(name);
    let is_theirs = stub.and_then(|stub| stub.digest).is_some_and(|digest| digest.to_string() == entry.digest);
    if let (true, Some(bytes)) = (is_theirs, laid.contents.get(name)) {
        return Ok(Some(bytes.clone()));
    }
    let file = places.local.attachments.get(name).filter(|file| file.length <= super::INCLUDE_LIMIT);
    match file.filter(|file| Some(hexadecimal::encode(&file.md5)) == entry.md5) {
        Some(file) => Ok(Some(places.local.folder.read(&file.path, file.length)?)),
        None => Ok(None),
    }
}

fn remove(members: &mut Object, keys: &[String]) {
    match keys {
        [] => {}
        [last] => {
            members.shift_remove(last);
        }
        [first, rest @ ..] => {
            if let Some(Value::Object(inner)) = members.get_mut(first) {
                remove(inner, rest);
                if inner.is_empty() {
                    members.shift_remove(first);
                }
            }
        }
    }
}

/// The folder as a fresh clone would write it. An attachment is known by the md5 of its content where that can be told,
/// so that it can be compared with a file; by its digest where not.
pub(super) fn theirs(places: &Places<'_>, source: &Source<'_>, laid: &Laid, base: Option<&Base>) -> Result<Side> {
    let metadata = Metadata::read(&source.document.body);
    places.place(&laid.unfolded, |name, path| {
        let Some(stub) = source.document.attachment(name) else { return Ok(None) };
        let recorded = base.and_then(|base| base.attachments.get(name.as_str())).and_then(Recorded::of);
        if let Some(recorded) = recorded.filter(|recorded| Some(recorded.digest) == stub.digest) {
            return Ok(Some(hexadecimal::encode(&recorded.md5)));
        }
        if let Some(file) = places.file(path)
            && liken(&places.local.folder, file, stub, recorded, metadata.signatures.get(name.as_str()))?
                != Likeness::Different
        {
            return Ok(Some(hexadecimal::encode(&file.md5)));
        }
        Ok(Some(stub.digest.map(|digest| digest.to_string()).unwrap_or_default()))
    })
}
