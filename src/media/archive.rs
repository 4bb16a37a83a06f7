//! Single entries of a zip archive.
//!
//! By the [format's description](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT) (4.3): a record at the
//! end tells where the directory is, the directory where each entry is. Archives beyond 4 GB, split and encrypted ones
//! are not read. Nothing is allocated because the archive says so.

use std::io::Read;

use flate2::read::DeflateDecoder;

use super::bounded::{Buffered, bytes_at};

const END_RECORD: &[u8] = b"PK\x05\x06";
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL_HEADER: &[u8] = b"PK\x03\x04";

/// The record at the end is 22 bytes long, and a comment of 16 bits of length may follow.
const LONGEST_END: u64 = 22 + 0xffff;
/// Bytes of the directory that are looked through: some 40,000 entries.
const LONGEST_DIRECTORY: u64 = 4 << 20;

/// An archive whose directory has been read.
pub(super) struct Archive<'a> {
    file: Buffered<'a>,
    directory: Vec<u8>,
    /// Where the archive begins: bytes in front of it are not counted by its own positions.
    start: u64,
}

impl<'a> Archive<'a> {
    /// Reads the directory of the archive that `file`, of `length` bytes, is.
    pub(super) fn new(mut file: Buffered<'a>, length: u64) -> Option<Self> {
        let tail_start = length.saturating_sub(LONGEST_END);
        let tail = bytes_at(&mut file, tail_start, LONGEST_END)?;
        let at = tail.windows(END_RECORD.len()).rposition(|window| window == END_RECORD)?;
        let record = &tail[at..];
        let (size, position) = (number(record, 12, 4)?, number(record, 16, 4)?);
        let directory_start = (tail_start + at as u64).checked_sub(size)?;
        let start = directory_start.checked_sub(position)?;
        let directory = bytes_at(&mut file, directory_start, size.min(LONGEST_DIRECTORY))?;
        Some(Self { file, directory, start })
    }

    /// The content of the entry `name`; `None` when there is none or it is larger than `most`.
    pub(super) fn read(&mut self, name: &str, most: u64) -> Option<Vec<u8>> {
        let entry = entries(&self.directory).find(|entry| entry.name == name.as_bytes())?;
        let (method, size, header) = (entry.method, entry.size, self.start.checked_add(entry.header)?);
        let local = bytes_at(&mut self.file, header, 30).filter(|local| local.starts_with(LOCAL_HEADER))?;
        let content = header.checked_add(30 + number(&local, 26, 2)? + number(&local, 28, 2)?)?;
        let stored = bytes_at(&mut self.file, content, size.min(most))?;
        let mut bytes = Vec::new();
        match method {
            0 if size <= most => bytes = stored,
            8 => {
                DeflateDecoder::new(stored.as_slice()).take(most + 1).read_to_end(&mut bytes).ok()?;
            }
            _ => return None,
        }
        (bytes.len() as u64 <= most).then_some(bytes)
    }
}

/// An entry of the directory.
struct Entry<'a> {
    name: &'a [u8],
    method: u64,
    size: u64,
    header: u64,
}

/// The entries as far as the directory makes sense.
fn entries(directory: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = directory;
    std::iter::from_fn(move || {
        if !rest.starts_with(DIRECTORY_ENTRY) {
            return None;
        }
        let length = |at| Some(usize::try_from(number(rest, at, 2)?).unwrap_or_default());
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let entry = Entry {
            name: rest.get(46..46 + name)?,
            method: number(rest, 10, 2)?,
            size: number(rest, 20, 4)?,
            header: number(rest, 42, 4)?,
        };
        rest = rest.get(46 + name + extra + comment..)?;
        Some(entry)
    })
}

/// The little-endian number of `length` bytes at `at`.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(bytes.get(at..at + length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
