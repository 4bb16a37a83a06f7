//! A local document beside the one on the server and the one of the last push: the three snapshots a plan is made from.

use std::collections::{BTreeMap, BTreeSet};

use super::attachments::{Likeness, Recorded, liken, stored};
use super::{LocalAttachment, LocalDocument};
use crate::content_type;
use crate::couch::Document;
use crate::couch::digest::Digest;
use crate::ddoc::adopt;
use crate::ddoc::metadata::Recorded as Metadata;
use crate::ddoc::{Origins, UnfoldOptions, unfold};
use crate::hexadecimal;
use crate::json::Object;
use crate::local::{Base, BaseAttachment, Folder, Kept, LocalError};
use crate::name::AttName;
use crate::plan::{AttachmentEntry, Content, Key, KeyPath, Snapshot};

/// Everything that is compared.
pub struct Sides<'a> {
    /// The app's folder, for attachments that have to be read again.
    pub folder: &'a Folder,
    /// The document as the folder makes it.
    pub local: &'a LocalDocument,
    /// The document on the server, if there is one.
    pub remote: Option<&'a Document>,
    /// The document as of the last push to, or clone from, this target.
    pub base: Option<&'a Base>,
    /// The document as it was cloned, perhaps from elsewhere: it knows the content types a file name does not tell.
    pub origin: Option<&'a Base>,
    /// Content types by extension, from the configuration.
    pub content_types: &'a BTreeMap<String, String>,
}

/// What a plan is made from, and what is needed to carry it out.
#[derive(Debug)]
pub struct Compared {
    /// The folder.
    pub ours: Snapshot,
    /// The server.
    pub theirs: Snapshot,
    /// The base.
    pub base: Option<Snapshot>,
    /// Our body, with the server's own text and spelling where the difference does not matter.
    pub body: Object,
    /// Members that kept the server's text because they differ in outer white space only.
    pub adopted: BTreeMap<String, String>,
    /// Whether the generated metadata differs, so that a push is due although nothing else changed.
    pub metadata_differs: bool,
    /// Attachments that are taken to be the same on the word of a signature in the document alone.
    pub by_signature: BTreeSet<AttName>,
    /// Attachments whose content type was only guessed from their name.
    pub guessed: BTreeSet<AttName>,
    kept: Kept,
    metadata: Metadata,
    origins: Origins,
    remote_origins: Origins,
}

/// Compares; reads only those files again whose attachments the server keeps compressed.
pub fn compare(sides: &Sides<'_>) -> Result<Compared, LocalError> {
    let mut body = sides.local.folded.body.clone();
    let nothing = Object::new();
    let remote_body = sides.remote.map_or(&nothing, |remote| &remote.body);
    let adopted = match sides.base {
        Some(base) => adopt::adopt_again(&mut body, &base.adopted),
        None => adopt::adopt(&mut body, remote_body),
    };
    adopt::keep_spelling(&mut body, remote_body);
    let metadata = Metadata::read(remote_body);
    let theirs = sides.remote.map(remote_snapshot).unwrap_or_default();
    let mut by_signature = BTreeSet::new();
    let ours = Snapshot::new(&body, local_attachments(sides, &metadata, &mut by_signature)?);
    let metadata_differs = sides.remote.is_some() && differs(&Metadata::read(&body), &metadata);
    Ok(Compared {
        ours,
        theirs,
        base: sides.base.map(base_snapshot),
        adopted,
        kept: sides.base.map(|base| base.kept.clone()).unwrap_or_default(),
        metadata_differs,
        by_signature,
        guessed: sides.local.attachments.keys().filter(|name| known_type(sides, name).is_none()).cloned().collect(),
        body,
        metadata,
        origins: sides.local.folded.origins.clone(),
        remote_origins: sides.remote.map(origins_of).unwrap_or_default(),
    })
}

impl Compared {
    /// The path people know a key by: the file it comes from, or the one a clone would write it to.
    pub fn path(&self, key: &Key) -> String {
        match key {
            Key::Attachment(name) => format!("_attachments/{name}"),
            Key::Member(path) => match file_of(&self.origins, path).or_else(|| file_of(&self.remote_origins, path)) {
                Some(file) => file,
                None => path.join("/"),
            },
        }
    }

    /// Whether an earlier push or clone of this folder had `key`: by the base, without one by the metadata that a push
    /// leaves in the document.
    pub fn known(&self, key: &Key) -> bool {
        match &self.base {
            Some(base) => base.has(key) && !is_kept(&self.kept, key),
            None => self.pushed_before(key),
        }
    }

    fn pushed_before(&self, key: &Key) -> bool {
        match key {
            Key::Attachment(name) => self.metadata.signatures.contains_key(name.as_str()),
            Key::Member(path) => self.metadata.manifest.iter().any(|entry| {
                let owned = member_of(entry);
                !entry.ends_with('/') && path.starts_with(&owned)
            }),
        }
    }
}

fn is_kept(kept: &Kept, key: &Key) -> bool {
    match key {
        Key::Member(path) => kept.members.contains(path),
        Key::Attachment(name) => kept.attachments.contains(name.as_str()),
    }
}

/// The keys that the file `entry` of a manifest stands for.
fn member_of(entry: &str) -> KeyPath {
    let mut keys: KeyPath = entry.split('/').map(str::to_owned).collect();
    if let Some(last) = keys.last_mut()
        && let Some((stem, _)) = last.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())
    {
        *last = stem.to_owned();
    }
    keys
}

fn file_of(origins: &Origins, path: &KeyPath) -> Option<String> {
    (1..=path.len()).rev().find_map(|length| origins.get(&path[..length])).map(ToString::to_string)
}

fn origins_of(remote: &Document) -> Origins {
    unfold(&remote.body, &remote.id, &[], &UnfoldOptions::default())
        .map(|unfolded| unfolded.origins)
        .unwrap_or_default()
}

fn differs(ours: &Metadata, theirs: &Metadata) -> bool {
    let sorted = |metadata: &Metadata| {
        let mut manifest = metadata.manifest.clone();
        manifest.sort();
        manifest
    };
    // A document without a manifest was not made by a push: the metadata comes with the next real change.
    !theirs.manifest.is_empty() && (sorted(ours) != sorted(theirs) || ours.objects != theirs.objects)
}

fn remote_snapshot(remote: &Document) -> Snapshot {
    let attachments = remote.attachments.iter().map(|(name, stub)| {
        let content = Content::Stored(stored(stub));
        (name.clone(), AttachmentEntry { length: stub.length, content_type: stub.content_type.clone(), content })
    });
    Snapshot::new(&remote.body, attachments.collect())
}

fn base_snapshot(base: &Base) -> Snapshot {
    let attachments = base.attachments.iter().filter_map(|(name, entry)| {
        let content = Content::Stored(entry.digest.clone());
        let entry = AttachmentEntry { length: entry.length, content_type: entry.content_type.clone(), content };
        Some((AttName::new(name.as_str()).ok()?, entry))
    });
    Snapshot::new(&base.body, attachments.collect())
}

fn local_attachments(
    sides: &Sides<'_>,
    metadata: &Metadata,
    by_signature: &mut BTreeSet<AttName>,
) -> Result<BTreeMap<AttName, AttachmentEntry>, LocalError> {
    let mut entries = BTreeMap::new();
    for (name, file) in &sides.local.attachments {
        let content = content(sides, metadata, (name, file), by_signature)?;
        let content_type = content_type(sides, name, file);
        entries.insert(name.clone(), AttachmentEntry { length: file.length, content_type, content });
    }
    Ok(entries)
}

fn content(
    sides: &Sides<'_>,
    metadata: &Metadata,
    (name, file): (&AttName, &LocalAttachment),
    by_signature: &mut BTreeSet<AttName>,
) -> Result<Content, LocalError> {
    let recorded = recorded(sides.base, name);
    if let Some(stub) = sides.remote.and_then(|remote| remote.attachment(name)) {
        let signature = metadata.signatures.get(name.as_str());
        let likeness = liken(sides.folder, file, stub, recorded, signature)?;
        if likeness == Likeness::Signed {
            by_signature.insert(name.clone());
        }
        if likeness != Likeness::Different {
            return Ok(Content::Stored(stored(stub)));
        }
    }
    // Unchanged since the base although the server has something else now: that is their change, not ours.
    Ok(match recorded.filter(|recorded| recorded.md5 == file.md5) {
        Some(recorded) => Content::Stored(recorded.digest.to_string()),
        None => Content::Local(file.md5),
    })
}

fn recorded(base: Option<&Base>, name: &AttName) -> Option<Recorded> {
    let entry = entry(base, name)?;
    Some(Recorded { md5: hexadecimal::decode(entry.md5.as_deref()?)?, digest: entry.digest.parse::<Digest>().ok()? })
}

fn entry<'a>(base: Option<&'a Base>, name: &AttName) -> Option<&'a BaseAttachment> {
    base?.attachments.get(name.as_str())
}

/// A type chosen in the configuration wins, then the one that the file had when it was last pushed or cloned; the name
/// tells the rest.
fn content_type(sides: &Sides<'_>, name: &AttName, file: &LocalAttachment) -> String {
    known_type(sides, name).unwrap_or_else(|| content_type::of_name(file.path.name(), sides.content_types))
}

fn known_type(sides: &Sides<'_>, name: &AttName) -> Option<String> {
    let extension = name.as_str().rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let chosen = extension.and_then(|extension| sides.content_types.get(&extension)).cloned();
    let before = || entry(sides.base, name).or_else(|| entry(sides.origin, name));
    chosen.or_else(|| before().map(|entry| entry.content_type.clone()))
}
