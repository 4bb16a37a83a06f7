//! Bytes of attachments on their way out, checked against their address where they are read from the beginning.

use std::io::{Read as _, Seek as _, SeekFrom};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

use super::blobs::{BlobWriter, Content};
use super::database::Database;
use super::error::StoreError;
use super::files::{Address, Files};
use super::model::Blob;

/// So much of a file is read at a time.
const PIECE: usize = 128 * 1024;

/// Bytes being read.
pub struct BlobReader(Source);

enum Source {
    /// Whole already.
    Memory(Option<Bytes>),
    File(Box<Reading>),
}

struct Reading {
    file: super::files::Open,
    left: u64,
    /// Of what was read, and what it ought to be; only when it is read from the beginning.
    sum: Option<(Sha256, Address)>,
}

impl Database {
    /// Begins to store bytes. What no revision refers to is swept away later.
    pub fn begin_blob(&self, is_gzip: bool) -> Result<BlobWriter, StoreError> {
        self.or_missing(|| Ok(self.blobs.begin(is_gzip)))
    }

    /// Reads stored bytes from a point, in pieces of its own choice. An error when they are damaged.
    pub fn read_blob(&self, blob: &Blob, from: u64) -> Result<BlobReader, StoreError> {
        self.or_missing(|| {
            let bytes = match self.blobs.waiting(&blob.address) {
                Some(Content::Bytes(bytes)) => Some(bytes),
                Some(Content::File) => None,
                None => self.read(|connection| row(connection, &blob.address))?,
            };
            match bytes {
                Some(bytes) => from_memory(&bytes, blob, from),
                None => from_file(self.blobs.files(), blob, from),
            }
        })
    }
}

impl BlobReader {
    /// The next bytes, as they are stored; `None` at the end.
    #[allow(clippy::should_implement_trait, reason = "it can fail, and is asked from a blocking task piece by piece")]
    pub fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        match &mut self.0 {
            Source::Memory(bytes) => Ok(bytes.take().filter(|bytes| !bytes.is_empty())),
            Source::File(reading) => reading.next(),
        }
    }
}

impl Reading {
    fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; usize::try_from(self.left).unwrap_or(PIECE).min(PIECE)];
        self.file.read_exact(&mut piece)?;
        self.left -= piece.len() as u64;
        if let Some((sum, _)) = &mut self.sum {
            sum.update(&piece);
        }
        if self.left == 0
            && let Some((sum, address)) = self.sum.take()
            && sum.finalize()[..] != address
        {
            return Err(damaged());
        }
        Ok(Some(piece.into()))
    }
}

/// The bytes of a row; `None` where they are in a file.
fn row(connection: &Connection, address: &Address) -> Result<Option<Bytes>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM blob WHERE address = ?1")?;
    let bytes: Option<Option<Vec<u8>>> = statement.query_row([&address[..]], |row| row.get(0)).optional()?;
    bytes.map(|bytes| bytes.map(Bytes::from)).ok_or_else(|| StoreError::failed("the bytes of the attachment are gone"))
}

fn from_memory(bytes: &Bytes, blob: &Blob, from: u64) -> Result<BlobReader, StoreError> {
    if bytes.len() as u64 != blob.stored_length || Sha256::digest(bytes)[..] != blob.address {
        return Err(damaged());
    }
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    Ok(BlobReader(Source::Memory(Some(bytes.slice(from..)))))
}

fn from_file(files: &Files, blob: &Blob, from: u64) -> Result<BlobReader, StoreError> {
    let (mut file, length) = files.read(&blob.address)?;
    if length != blob.stored_length {
        return Err(damaged());
    }
    let from = from.min(length);
    file.seek(SeekFrom::Start(from))?;
    let sum = (from == 0).then(|| (Sha256::new(), blob.address));
    Ok(BlobReader(Source::File(Box::new(Reading { file, left: length - from, sum }))))
}

fn damaged() -> StoreError {
    StoreError::failed("the bytes of the attachment are damaged")
}
