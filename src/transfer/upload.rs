//! Files on their way into a write: compressed where the server would do so anyway, streamed from the disk otherwise.
//!
//! CouchDB compresses text with one thread per request, which is what makes a push of an app slow; sent as
//! `"encoding":"gzip"` the parts are stored as they are. Only servers that keep them as encoded get them
//! ([`crate::couch::Kind::takes_encoded_parts`]).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::TransferError;
use crate::content_type;
use crate::couch::digest::{self, Digest};
use crate::couch::{ByteStream, Encoded, NewAttachment, Opening, Source};
use crate::local::{Folder, LocalError, blocking, on_all_cores};
use crate::name::AttName;
use crate::path::RelPath;

/// A text larger than this is streamed and left to the server to compress, in bytes.
const COMPRESS_UP_TO: u64 = 8 << 20;

/// Compressed bytes held in memory for one write; what comes after is streamed.
const MEMORY: u64 = 96 << 20;

/// A file that becomes an attachment.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The attachment's name.
    pub name: AttName,
    /// The file.
    pub path: RelPath,
    /// The length of the file when it was hashed.
    pub length: u64,
    /// The md5 of the file when it was hashed.
    pub md5: [u8; 16],
    /// The content type; when it was only guessed from the name, a charset is added to what is UTF-8 text.
    pub content_type: String,
    /// The content type was guessed from the name.
    pub guessed: bool,
    /// The digest that these bytes had on the server they were cloned from: the same stored bytes are sent again.
    pub stored_as: Option<Digest>,
}

/// A file of the folder as the source of an upload.
#[derive(Debug)]
pub struct FileSource {
    folder: Folder,
    path: RelPath,
    length: u64,
}

impl Source for FileSource {
    fn open(&self) -> Opening<'_> {
        Box::pin(async move {
            let stream = self.folder.stream(&self.path, self.length).map_err(io::Error::other)?;
            Ok(Box::pin(stream.map_err(io::Error::other)) as ByteStream)
        })
    }
}

/// Makes attachments of files; with `encode`, compressible ones are compressed on all cores.
pub async fn prepare(
    folder: &Folder,
    files: Vec<Outgoing>,
    encode: bool,
) -> Result<Vec<(AttName, NewAttachment)>, TransferError> {
    let folder = folder.clone();
    let work = move || {
        let held = AtomicU64::new(0);
        on_all_cores(files, |file| attachment(&folder, file, encode, &held))
    };
    let prepared = blocking(work).await.map_err(TransferError::Task)?;
    prepared.into_iter().map(|attachment| attachment.map_err(TransferError::Local)).collect()
}

/// Makes an attachment of one file; `held` counts the bytes that are kept in memory. Blocks.
pub(super) fn attachment(
    folder: &Folder,
    file: Outgoing,
    encode: bool,
    held: &AtomicU64,
) -> Result<(AttName, NewAttachment), LocalError> {
    let compressible = encode && digest::is_compressible(&file.content_type);
    let wants_charset = file.guessed && content_type::is_text(&file.content_type);
    let small = file.length <= COMPRESS_UP_TO && held.load(Ordering::Relaxed) < MEMORY;
    let bytes = match (compressible || wants_charset) && small {
        true => Some(unchanged(folder, &file)?),
        false => None,
    };
    let is_utf8 = bytes.as_deref().is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
    let content_type = if file.guessed {
        content_type::with_charset(file.content_type.clone(), is_utf8)
    } else {
        file.content_type.clone()
    };
    let attachment = match bytes.filter(|_| compressible) {
        Some(bytes) => {
            let stored = compress(&bytes, file.stored_as);
            held.fetch_add(stored.len() as u64, Ordering::Relaxed);
            NewAttachment {
                content_type,
                length: file.length,
                encoded: Some(Encoded { length: stored.len() as u64 }),
                digest: digest::of(&stored),
                source: Arc::new(Bytes::from(stored)),
            }
        }
        None => NewAttachment {
            content_type,
            length: file.length,
            encoded: None,
            digest: Digest::from_md5(file.md5),
            source: Arc::new(FileSource { folder: folder.clone(), path: file.path, length: file.length }),
        },
    };
    Ok((file.name, attachment))
}

/// The file's bytes, as long as they are those that were hashed: what is sent must be what was compared.
fn unchanged(folder: &Folder, file: &Outgoing) -> Result<Vec<u8>, LocalError> {
    let bytes = folder.read(&file.path, file.length.max(COMPRESS_UP_TO))?;
    if digest::of(&bytes) == Digest::from_md5(file.md5) {
        Ok(bytes)
    } else {
        Err(LocalError::Changed { path: folder.locate(&file.path) })
    }
}

/// Compresses at our level, or at the server's when that gives the bytes that were stored before.
fn compress(bytes: &[u8], stored_as: Option<Digest>) -> Vec<u8> {
    let ours = digest::gzip(bytes, digest::OUR_LEVEL);
    if stored_as.is_none_or(|known| known == digest::of(&ours)) {
        return ours;
    }
    let theirs = digest::gzip(bytes, digest::SERVER_LEVEL);
    if stored_as == Some(digest::of(&theirs)) { theirs } else { ours }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn prepared(name: &str, content: &[u8], encode: bool, stored_as: Option<Digest>) -> NewAttachment {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::write(temporary.path().join(name), content).unwrap();
        let folder = Folder::open(temporary.path(), crate::local::Links::Inside).unwrap();
        let file = Outgoing {
            name: AttName::new(name).unwrap(),
            path: RelPath::new(name).unwrap(),
            length: content.len() as u64,
            md5: digest::of(content).md5(),
            content_type: content_type::of_name(name, &std::collections::BTreeMap::new()),
            guessed: true,
            stored_as,
        };
        let (_, attachment) = prepare(&folder, vec![file], encode).await.unwrap().remove(0);
        let chunks: Vec<Bytes> = attachment.source.open().await.unwrap().try_collect().await.unwrap();
        assert_eq!(digest::of(&chunks.concat()), attachment.digest);
        attachment
    }

    #[tokio::test]
    async fn text_is_compressed_for_servers_that_take_it() {
        let css = b"body { color: red }\n".repeat(50);
        let sent = prepared("a.css", &css, true, None).await;
        assert_eq!(sent.digest, digest::of(&digest::gzip(&css, 6)));
        assert_eq!(sent.content_type, "text/css; charset=utf-8");
        let again = prepared("a.css", &css, true, Some(digest::of(&digest::gzip(&css, 8)))).await;
        assert_eq!(again.digest, digest::of(&digest::gzip(&css, 8)));
        let plain = prepared("a.css", &css, false, None).await;
        assert!(plain.encoded.is_none());
        assert_eq!(plain.digest, digest::of(&css));
    }

    #[tokio::test]
    async fn what_is_no_text_is_streamed_as_it_is() {
        let sent = prepared("a.png", b"\x89PNG\xff", true, None).await;
        assert!(sent.encoded.is_none());
        assert_eq!(sent.content_type, "image/png");
        let latin = prepared("a.txt", b"caf\xe9", true, None).await;
        assert_eq!(latin.content_type, "text/plain");
    }

    #[tokio::test]
    async fn a_file_that_changed_since_it_was_hashed_is_not_sent() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::write(temporary.path().join("a.txt"), "new").unwrap();
        let folder = Folder::open(temporary.path(), crate::local::Links::Inside).unwrap();
        let file = Outgoing {
            name: AttName::new("a.txt").unwrap(),
            path: RelPath::new("a.txt").unwrap(),
            length: 3,
            md5: digest::of(b"old").md5(),
            content_type: "text/plain".into(),
            guessed: true,
            stored_as: None,
        };
        let error = prepare(&folder, vec![file], true).await.unwrap_err();
        assert!(matches!(error, TransferError::Local(LocalError::Changed { .. })), "{error}");
    }
}
