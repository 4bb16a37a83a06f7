//! A document as it will be sent, made of a file in one reading. Blocks.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;

use super::{INLINE, Outbound, SendOptions, picture};
use crate::content_type;
use crate::couch::digest::{self, Digest};
use crate::couch::{Attachment, Document, NewAttachment, Stub, Write};
use crate::json::Object;
use crate::local::{Fingerprint, Folder, LocalError, Sums};
use crate::media::{self, Record};
use crate::name::AttName;
use crate::transfer::TransferError;
use crate::transfer::upload::{self, Outgoing};

/// A document ready to be sent, and what is known of the file in it.
pub(super) struct Draft {
    pub(super) file: Outbound,
    pub(super) write: Write,
    /// The attachment that is the file.
    pub(super) own: AttName,
    pub(super) fingerprint: Fingerprint,
    /// The digests that CouchDB will have for the attachments that go along, where they can be told.
    pub(super) stored: Vec<(AttName, Digest)>,
    /// What is replaced has losing revisions beside it.
    pub(super) has_conflicts: bool,
}

impl Draft {
    /// The digest that an attachment of the write will have on a CouchDB.
    pub(super) fn stored(&self, name: &AttName) -> Option<Digest> {
        self.stored.iter().find(|(known, _)| known == name).map(|(_, digest)| *digest)
    }
}

/// A file that was read, before it is known what stands on the server.
struct Reading {
    fingerprint: Fingerprint,
    content_type: String,
    facts: Object,
    thumbnail: Option<media::Thumbnail>,
    attachment: NewAttachment,
    stored: Option<Digest>,
}

/// The document of a small file, which is held in memory.
pub(super) fn inline(
    folder: &Folder,
    file: Outbound,
    parent: Option<&Document>,
    options: &SendOptions,
) -> Result<Draft, Box<(Outbound, TransferError)>> {
    let reading = match read(folder, &file, options) {
        Ok(reading) => reading,
        Err(error) => return Err(Box::new((file, error.into()))),
    };
    compose(file, reading, parent, options)
}

/// The document of a file that is streamed.
pub(super) fn streamed(
    folder: &Folder,
    file: Outbound,
    parent: Option<&Document>,
    options: &SendOptions,
) -> Result<Draft, Box<(Outbound, TransferError)>> {
    let reading = match look_through(folder, &file, options) {
        Ok(reading) => reading,
        Err(error) => return Err(Box::new((file, error.into()))),
    };
    compose(file, reading, parent, options)
}

fn read(folder: &Folder, file: &Outbound, options: &SendOptions) -> Result<Reading, LocalError> {
    let (bytes, fingerprint) = folder.read_with_sums(&file.path, INLINE)?;
    let content_type = content_type::of_name(file.path.name(), &options.content_types);
    let is_utf8 = content_type::is_text(&content_type) && std::str::from_utf8(&bytes).is_ok();
    let content_type = content_type::with_charset(content_type, is_utf8);
    let length = fingerprint.length;
    let facts = if options.facts {
        media::describe(&content_type, file.path.name(), length, &mut Cursor::new(&bytes))
    } else {
        Object::new()
    };
    let thumbnail = options.thumbnails.filter(|_| is_picture(&content_type));
    let thumbnail = thumbnail.and_then(|size| picture::alone(|| media::thumbnail(&mut Cursor::new(&bytes), size)));
    let plain = Digest::from_md5(fingerprint.md5);
    let stored = match digest::is_compressible(&content_type) {
        true if options.compresses => Some(digest::of(&digest::gzip(&bytes, digest::SERVER_LEVEL))),
        true => None,
        false => Some(plain),
    };
    let attachment = NewAttachment {
        content_type: content_type.clone(),
        length,
        encoded: None,
        digest: plain,
        source: Arc::new(Bytes::from(bytes)),
    };
    Ok(Reading { fingerprint, content_type, facts, thumbnail, attachment, stored })
}

fn look_through(folder: &Folder, file: &Outbound, options: &SendOptions) -> Result<Reading, LocalError> {
    let fingerprint = folder.fingerprint(&file.path, Sums::Md5AndSha256, &|_| ())?;
    let guessed = content_type::of_name(file.path.name(), &options.content_types);
    let mut facts = Object::new();
    if options.facts {
        let mut reader = folder.open_reader(&file.path)?;
        facts = media::describe(&guessed, file.path.name(), fingerprint.length, &mut reader);
    }
    let mut thumbnail = None;
    if let Some(size) = options.thumbnails.filter(|_| is_picture(&guessed)) {
        let mut reader = folder.open_reader(&file.path)?;
        thumbnail = picture::alone(|| media::thumbnail(&mut reader, size));
    }
    let outgoing = Outgoing {
        name: media::file_attachment(&file.filed),
        path: file.path.clone(),
        length: fingerprint.length,
        md5: fingerprint.md5,
        content_type: guessed,
        guessed: true,
        stored_as: None,
    };
    let (_, attachment) = upload::attachment(folder, outgoing, options.compresses, &AtomicU64::new(0))?;
    let is_left_to_the_server = attachment.encoded.is_none() && digest::is_compressible(&attachment.content_type);
    let stored = (!is_left_to_the_server).then_some(attachment.digest);
    let content_type = attachment.content_type.clone();
    Ok(Reading { fingerprint, content_type, facts, thumbnail, attachment, stored })
}

fn is_picture(content_type: &str) -> bool {
    content_type.starts_with("image/")
}

/// Puts a document together: the file's own record, and of the parent whatever else it has.
fn compose(
    file: Outbound,
    reading: Reading,
    parent: Option<&Document>,
    options: &SendOptions,
) -> Result<Draft, Box<(Outbound, TransferError)>> {
    let earlier = match parent.map(|parent| (parent, Record::read(&parent.id, &parent.body))) {
        Some((_, None)) => {
            let id = file.id.clone();
            return Err(Box::new((file, TransferError::Foreign { id })));
        }
        Some((parent, Some(record))) => Some((parent, record)),
        None => None,
    };
    let own = own_name(&file, earlier.as_ref());
    let others: Vec<&(AttName, Stub)> = earlier.iter().flat_map(|(parent, record)| others(parent, record)).collect();
    let mut facts = reading.facts;
    let mut attachments = Vec::new();
    let mut stored: Vec<(AttName, Digest)> = reading.stored.map(|digest| (own.clone(), digest)).into_iter().collect();
    let name = picture::free_name(&own, &others);
    if let (Some(thumbnail), Some(name)) = (reading.thumbnail, name) {
        facts.insert(media::Thumbnail::FACT.to_owned(), thumbnail.fact(&name));
        let new = picture::attachment(thumbnail);
        stored.push((name.clone(), new.digest));
        attachments.push((name, Attachment::New(new)));
    }
    attachments.push((own.clone(), Attachment::New(reading.attachment)));
    attachments.extend(others.into_iter().map(|(name, stub)| (name.clone(), Attachment::Stub(stub.clone()))));
    let record = Record {
        path: file.filed.clone(),
        size: reading.fingerprint.length,
        content_type: reading.content_type,
        modified: reading.fingerprint.modified,
        sha256: reading.fingerprint.sha256.unwrap_or_default(),
        attachment: own.clone(),
        facts,
    };
    let body = match &earlier {
        Some((parent, _)) => media::updated(&parent.body, &record),
        None => media::created(&record, &tags(&file, options)),
    };
    let has_conflicts = parent.is_some_and(|parent| !parent.conflicts.is_empty());
    let parent = parent.map(|parent| parent.revision.clone());
    let write = Write { id: file.id.clone(), parent, body, attachments, progress: None };
    Ok(Draft { file, write, own, fingerprint: reading.fingerprint, stored, has_conflicts })
}

/// The attachment that the file becomes: the one that its name gives, unless people have put something else there.
fn own_name(file: &Outbound, earlier: Option<&(&Document, Record)>) -> AttName {
    let usual = media::file_attachment(&file.filed);
    match earlier {
        Some((parent, record)) if parent.attachment(&usual).is_some() => record.attachment.clone(),
        _ => usual,
    }
}

/// The attachments of a document that are not the tool's own: neither the file nor its small picture.
fn others<'a>(document: &'a Document, record: &Record) -> impl Iterator<Item = &'a (AttName, Stub)> {
    let (own, thumbnail) = (record.attachment.clone(), picture::own_name(record));
    document.attachments.iter().filter(move |(name, _)| *name != own && Some(name) != thumbnail.as_ref())
}

fn tags(file: &Outbound, options: &SendOptions) -> Vec<String> {
    let mut tags = options.tags.clone();
    if options.tags_from_folders {
        tags.extend(media::folder_tags(&file.path));
    }
    let mut seen = std::collections::BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    tags
}
