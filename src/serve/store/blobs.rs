//! Bytes of attachments on their way in: hashed while they arrive, kept until a document refers to them.
//!
//! Small ones wait in memory and become rows together with the document, in its transaction. Larger ones go to a file, which
//! has its name before the transaction that refers to it. Both are pinned from then on, so that no sweep takes them away
//! before the document is written. What was never written with a document is given up after an hour.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::error::StoreError;
use super::files::{Address, Files, Temporary};
use super::held;
use super::model::Blob;
use crate::couch::digest::Digest;

/// Attachments of up to so many bytes are rows of the database.
pub(super) const LARGEST_ROW: usize = 64 * 1024;

/// So many bytes may wait in memory for their documents; more become files.
const MOST_WAITING: usize = 32 * 1024 * 1024;

const GIVEN_UP_AFTER: Duration = Duration::from_hours(1);

/// What a database knows of bytes that are not in the database yet.
#[derive(Clone)]
pub(super) struct Blobs(Arc<Shared>);

struct Shared {
    files: Files,
    pins: Mutex<Pins>,
}

#[derive(Default)]
struct Pins {
    by_address: HashMap<Address, Pin>,
    /// In memory.
    waiting: usize,
}

struct Pin {
    /// How many uploads had these bytes.
    count: usize,
    since: Instant,
    content: Content,
}

/// Where bytes wait.
#[derive(Clone)]
pub(super) enum Content {
    Bytes(Bytes),
    File,
}

impl Blobs {
    pub(super) fn open(database: &Path) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Shared { files: Files::open(database)?, pins: Mutex::default() })))
    }

    pub(super) fn begin(&self, is_gzip: bool) -> BlobWriter {
        BlobWriter {
            blobs: self.clone(),
            buffer: Vec::new(),
            file: None,
            length: 0,
            address: Sha256::new(),
            digest: Md5::new(),
            is_gzip,
            expanded: is_gzip.then(|| MultiGzDecoder::new(Counter::default())),
        }
    }

    pub(super) fn files(&self) -> &Files {
        &self.0.files
    }

    /// Where bytes wait, if they do.
    pub(super) fn waiting(&self, address: &Address) -> Option<Content> {
        held(&self.0.pins).by_address.get(address).map(|pin| pin.content.clone())
    }

    /// Documents refer to these bytes now, once for each time they are named.
    pub(super) fn release(&self, addresses: &[Address]) {
        let mut pins = held(&self.0.pins);
        for address in addresses {
            if let Some(pin) = pins.by_address.get_mut(address) {
                pin.count -= 1;
                if pin.count == 0 {
                    pins.drop_pin(address);
                }
            }
        }
    }

    /// Removes a file, unless it waits for a document or `is_used` says that it belongs to one.
    pub(super) fn remove_file(
        &self,
        address: &Address,
        is_used: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        // While the lock is held: who waited before has committed, and is seen by `is_used`; who comes now gives the file
        // its name again afterwards.
        let pins = held(&self.0.pins);
        if !pins.by_address.contains_key(address) && !is_used()? {
            self.0.files.remove(address)?;
        }
        Ok(())
    }

    /// Gives up what nobody came back for.
    pub(super) fn prune(&self) {
        held(&self.0.pins).prune();
    }

    /// Keeps bytes in memory; `false` when there are too many.
    fn pin_bytes(&self, address: Address, bytes: &mut Vec<u8>) -> bool {
        let mut pins = held(&self.0.pins);
        if pins.waiting + bytes.len() > MOST_WAITING {
            pins.prune();
        }
        let has_room = pins.waiting + bytes.len() <= MOST_WAITING;
        if has_room || pins.by_address.contains_key(&address) {
            pins.add(address, Content::Bytes(std::mem::take(bytes).into()));
            return true;
        }
        false
    }
}

impl Pins {
    fn add(&mut self, address: Address, content: Content) {
        if let Some(pin) = self.by_address.get_mut(&address) {
            pin.count += 1;
            pin.since = Instant::now();
            return;
        }
        self.waiting += content.in_memory();
        self.by_address.insert(address, Pin { count: 1, since: Instant::now(), content });
    }

    fn drop_pin(&mut self, address: &Address) {
        if let Some(pin) = self.by_address.remove(address) {
            self.waiting -= pin.content.in_memory();
        }
    }

    fn prune(&mut self) {
        let is_old = |pin: &Pin| pin.since.elapsed() > GIVEN_UP_AFTER;
        let old: Vec<_> = self.by_address.iter().filter(|(_, pin)| is_old(pin)).map(|(address, _)| *address).collect();
        for address in old {
            self.drop_pin(&address);
        }
    }
}

impl Content {
    fn in_memory(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File => 0,
        }
    }
}

/// Bytes being stored. Dropped without an end, it leaves nothing behind.
pub struct BlobWriter {
    blobs: Blobs,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    file: Option<Temporary>,
    length: u64,
    address: Sha256,
    digest: Md5,
    is_gzip: bool,
    /// Counts what comes out of a gzip; `None` where it is none after all.
    expanded: Option<MultiGzDecoder<Counter>>,
}

impl BlobWriter {
    /// Takes the next bytes, as they are stored.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.length += bytes.len() as u64;
        self.address.update(bytes);
        self.digest.update(bytes);
        self.count(bytes);
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > LARGEST_ROW { self.spill() } else { Ok(()) }
    }

    /// Ends; the bytes are there for good when this returns and a revision refers to them. The length of a gzip is that of
    /// what comes out of it; of something else that was announced as gzip it is its own.
    pub fn finish(mut self) -> Result<Blob, StoreError> {
        let length = self.expanded_length().unwrap_or(self.length);
        let address: Address = std::mem::take(&mut self.address).finalize().into();
        let digest = Digest::from_md5(std::mem::take(&mut self.digest).finalize().into());
        if self.file.is_some() || !self.blobs.pin_bytes(address, &mut self.buffer) {
            self.keep_file(address)?;
        }
        Ok(Blob { address, digest, stored_length: self.length, length, is_gzip: self.is_gzip })
    }

    fn spill(&mut self) -> Result<(), StoreError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(self.blobs.files().begin()?),
        };
        file.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn keep_file(&mut self, address: Address) -> Result<(), StoreError> {
        self.spill()?;
        held(&self.blobs.0.pins).add(address, Content::File);
        let kept = self.file.take().map_or(Ok(()), |file| self.blobs.files().keep(file, &address));
        kept.inspect_err(|_| self.blobs.release(&[address]))?;
        Ok(())
    }

    fn count(&mut self, bytes: &[u8]) {
        if let Some(decoder) = &mut self.expanded {
            decoder.get_mut().most += Counter::MOST_EACH * bytes.len() as u64;
            if io::Write::write_all(decoder, bytes).is_err() {
                self.expanded = None;
            }
        }
    }

    fn expanded_length(&mut self) -> Option<u64> {
        let mut decoder = self.expanded.take()?;
        decoder.try_finish().ok()?;
        Some(decoder.get_ref().seen)
    }
}

/// Counts bytes, and refuses more than an honest gzip has.
struct Counter {
    seen: u64,
    most: u64,
}

impl Counter {
    /// A bomb expands a thousandfold, text hardly ever a hundredfold.
    const MOST_EACH: u64 = 100;
    const MOST_ANYWAY: u64 = 1 << 28;
}

impl Default for Counter {
    fn default() -> Self {
        Self { seen: 0, most: Self::MOST_ANYWAY }
    }
}

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.seen += bytes.len() as u64;
        if self.seen > self.most { Err(io::Error::other("too many bytes")) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
