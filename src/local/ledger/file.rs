//! The ledger's file: written whole by rename, read only when it is what was written.
//!
//! Its first line names form, version and key, its second says for people what it is about, its third is the sequence.
//! Then a line for each path, in order, and at last their number and the MD5 of all before. Both ways it passes through a
//! buffer: with 200,000 files the text would take as much memory as the ledger itself.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::{Entry, Ledger, line};
use crate::hexadecimal;
use crate::local::state::unusable;
use crate::local::{
    Access, Destination, Existing, Folder, Links, Loaded, LocalError, Lock, WriteOptions, Writer, shown,
};
use crate::path::RelPath;

/// The folder of ledgers inside the state folder.
const FOLDER: &str = "files";

/// How the file begins, with the version of its form.
const HEAD: &str = "couchapp ledger 1";

/// How the last line begins; no other line is without a tab.
const END: &str = "end";

/// How much is read or written at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// The longest line that is read, in bytes: ids can be as long as documents.
const LONGEST_LINE: u64 = 64 << 20;

/// What a ledger is about.
#[derive(Clone, Copy, Debug)]
pub struct LedgerKey<'a> {
    /// The folder, canonical.
    pub folder: &'a Path,
    /// The address of the database or document.
    pub address: &'a str,
    /// What the database says of itself: one that was deleted and made again is another one.
    pub instance_start_time: &'a str,
    /// Which part of the folder is meant, as text.
    pub selection: &'a str,
}

/// Where a ledger is kept.
#[derive(Clone, Debug)]
pub struct LedgerFile {
    folder: PathBuf,
    name: String,
    key: String,
    about: String,
}

impl LedgerFile {
    /// The file for `key` below the state folder. Nothing is read or made yet.
    pub fn of(state_folder: &Path, key: &LedgerKey<'_>) -> Self {
        let parts = [
            key.folder.as_os_str().as_encoded_bytes(),
            key.address.as_bytes(),
            key.instance_start_time.as_bytes(),
            key.selection.as_bytes(),
        ];
        let sum = sum_of(&parts);
        let mut about = shown(key.folder);
        about.push('\t');
        line::escape(&mut about, key.address);
        Self { folder: state_folder.join(FOLDER), name: sum[..32].to_owned(), key: sum, about }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// What is remembered. Never fails: what cannot be used, for whatever reason, is told and then as good as none. Blocks.
    pub fn load(&self) -> Loaded<Ledger> {
        let opened = Folder::open(&self.folder, Links::Inside)
            .and_then(|folder| Ok(folder.open_file(&file_name(&self.name)?)?.0));
        let file = match opened {
            Ok(file) => file,
            Err(LocalError::NotFound { .. }) => return Loaded::Absent,
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
                return Loaded::Unusable(format!("{error}{cause}"));
            }
        };
        match (Reader { file: BufReader::with_capacity(BUFFER, file), line: Vec::new(), sum: Md5::new() })
            .all(&self.key)
        {
            Ok(ledger) => Loaded::Found(ledger),
            Err(reason) => Loaded::Unusable(unusable(&self.path(), &reason)),
        }
    }

    /// Remembers `ledger`, whole or not at all; when this has returned, it is on the disk. Blocks.
    pub fn save(&self, ledger: &Ledger) -> Result<(), LocalError> {
        let options = WriteOptions { existing: Existing::Replace, access: Access::Private, durable: true };
        let writer = Destination::create_private(&self.folder)?.begin(&file_name(&self.name)?, options)?;
        let mut out = Out { writer, text: String::with_capacity(BUFFER + 4096), sum: Md5::new() };
        out.text.push_str(&format!("{HEAD} {}\n{}\n", self.key, self.about));
        if let Some(sequence) = &ledger.sequence {
            out.text.push('=');
            line::escape(&mut out.text, sequence);
        }
        out.text.push_str("\t\n");
        for (path, entry) in &ledger.entries {
            line::write(&mut out.text, path, entry);
            if out.text.len() >= BUFFER {
                out.flush()?;
            }
        }
        out.flush()?;
        let sum = hexadecimal::encode(&out.sum.finalize());
        out.writer.write(format!("{END} {} {sum}\n", ledger.entries.len()).as_bytes())?;
        out.writer.commit()
    }

    /// Keeps other runs of this tool on this machine out of `folder` (canonical), or says that one is at work there.
    pub fn lock_folder(state_folder: &Path, folder: &Path) -> Result<Lock, LocalError> {
        let name = format!("{}.lock", &sum_of(&[folder.as_os_str().as_encoded_bytes()])[..32]);
        let locks = Destination::create_private(&state_folder.join(FOLDER))?;
        Lock::take(&locks, &file_name(&name)?).map_err(|error| match error {
            LocalError::Locked { .. } => LocalError::Locked { path: folder.to_owned() },
            other => other,
        })
    }
}

/// A file on its way out.
struct Out {
    writer: Writer,
    text: String,
    sum: Md5,
}

impl Out {
    fn flush(&mut self) -> Result<(), LocalError> {
        self.sum.update(self.text.as_bytes());
        self.writer.write(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }
}

/// A file that is read line by line. Its errors are the reasons that complete "`file` …".
struct Reader {
    file: BufReader<std::fs::File>,
    line: Vec<u8>,
    /// Of all lines before the current one.
    sum: Md5,
}

impl Reader {
    fn all(mut self, key: &str) -> Result<Ledger, String> {
        let head = self.next()?;
        match head.strip_prefix(HEAD).map(|rest| rest.strip_prefix(' ')) {
            Some(Some(found)) if found == key => {}
            Some(_) => return Err("is about another folder or database".to_owned()),
            None if head.starts_with("couchapp ledger ") => return Err("is of another version".to_owned()),
            None => return Err("is no ledger".to_owned()),
        }
        self.next()?;
        let sequence = match self.next()?.strip_suffix('\t').ok_or_else(damaged)? {
            "" => None,
            text => Some(text.strip_prefix('=').and_then(line::unescape).ok_or_else(damaged)?.into_string()),
        };
        // Filled in order at the end: a tree that grows at its end has nodes half empty.
        let mut entries: Vec<(Box<str>, Box<Entry>)> = Vec::new();
        loop {
            let text = self.next()?;
            if !text.contains('\t') {
                let end = text.to_owned();
                return if end == self.end(entries.len()) && self.ended()? {
                    Ok(Ledger { sequence, entries: entries.into_iter().collect() })
                } else {
                    Err(damaged())
                };
            }
            let (path, entry) = line::read(text).ok_or_else(damaged)?;
            if entries.last().is_some_and(|(last, _)| *last >= path) {
                return Err(damaged());
            }
            entries.push((path, Box::new(entry)));
        }
    }

    /// The next line, without its end.
    fn next(&mut self) -> Result<&str, String> {
        self.sum.update(&self.line);
        self.line.clear();
        let mut limited = (&mut self.file).take(LONGEST_LINE);
        limited.read_until(b'\n', &mut self.line).map_err(|error| format!("cannot be read: {error}"))?;
        let line = self.line.strip_suffix(b"\n").ok_or("is not whole")?;
        std::str::from_utf8(line).map_err(|_| damaged())
    }

    /// What the last line has to be, when the current one is it.
    fn end(&self, count: usize) -> String {
        format!("{END} {count} {}", hexadecimal::encode(&self.sum.clone().finalize()))
    }

    fn ended(&mut self) -> Result<bool, String> {
        self.file.fill_buf().map(<[u8]>::is_empty).map_err(|error| format!("cannot be read: {error}"))
    }
}

fn damaged() -> String {
    "is damaged".to_owned()
}

/// A sum that no two lists of parts share.
fn sum_of(parts: &[&[u8]]) -> String {
    let mut sum = Sha256::new();
    for part in parts {
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part);
    }
    hexadecimal::encode(&sum.finalize())
}

fn file_name(name: &str) -> Result<RelPath, LocalError> {
    RelPath::new(name).map_err(|_| LocalError::NotFound { path: name.into() })
}
