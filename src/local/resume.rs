//! Unfinished files: those that go on where a run before them ended, and those that nobody will finish.

use std::io;
use std::path::Path;

use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use sha2::{Digest as _, Sha256};

use super::write::{is_same, new_file};
use super::{Destination, Listing, LocalError, WriteOptions, Writer};
use crate::filter::{temporary_name, temporary_part};
use crate::hexadecimal;
use crate::path::RelPath;

/// How the names of files that can go on differ from those of files that cannot.
const PARTIAL: &str = "part-";

/// How many digits of a sum tell files that can go on apart.
const DIGITS: usize = 32;

/// How many random digits the others have ([`crate::random::hexadecimal`]).
const RANDOM_DIGITS: usize = 16;

/// How often an unfinished file is looked at again when something else changes it.
const ATTEMPTS: usize = 8;

impl Destination {
    /// [`begin`](Self::begin) for a large file: what an earlier try with the same `tag` left is there already, and how many
    /// bytes that are. The tag names the content that is expected (a digest, a revision); another one begins anew.
    ///
    /// Dropped, the writer leaves its bytes for the next try. They may be anything: a kill or a power cut can have left
    /// fewer than were written, or zeros, so they are to be summed with the rest ([`Writer::existing`]).
    pub fn resume(&self, path: &RelPath, options: WriteOptions, tag: &str) -> Result<(Writer, u64), LocalError> {
        let name = partial_name(path, tag);
        let mut length = 0;
        let writer = self.begin_in(path, options, |folder| {
            let file = self.unfinished(folder, &name, path, options)?;
            length = file.metadata().map_err(|source| self.failed("read", path, source))?.len();
            Ok((name.clone(), file))
        })?;
        Ok((writer.resumed(length), length))
    }

    /// Where [`resume`](Self::resume) keeps the unfinished file.
    pub fn partial(path: &RelPath, tag: &str) -> RelPath {
        let name = partial_name(path, tag);
        let whole = path.parent().map_or_else(|| RelPath::new(name.as_str()), |folder| folder.join(&name));
        // The name is one component without anything that a path refuses.
        whole.unwrap_or_else(|_| path.clone())
    }

    /// Removes the unfinished files of runs that were killed, as `listing` found them, but for those that `keep` wants.
    /// How many. Only for who holds the folder's lock: another run's files look the same.
    pub fn remove_temporaries(&self, listing: &Listing, keep: &dyn Fn(&RelPath) -> bool) -> Result<usize, LocalError> {
        let mut removed = 0;
        for ignored in listing.ignored.iter().filter(|ignored| is_ours(ignored.path.name())) {
            if keep(&ignored.path) {
                continue;
            }
            // A listing follows links; nothing behind one is ours.
            let folder = match self.parent(&ignored.path, None) {
                Ok(Some(folder)) => folder,
                Ok(None) | Err(LocalError::Link { .. } | LocalError::NotAFolder { .. }) => continue,
                Err(error) => return Err(error),
            };
            match folder.symlink_metadata(ignored.path.name()) {
                Ok(found) if found.is_file() => removed += usize::from(self.remove(&ignored.path)?),
                _ => {}
            }
        }
        Ok(removed)
    }

    /// Opens the unfinished file `name`, or makes it. Something else under that name, a link for example, is no file of
    /// ours and goes; a file that has other names as well may be anybody's.
    fn unfinished(&self, folder: &Dir, name: &str, path: &RelPath, options: WriteOptions) -> Result<File, LocalError> {
        let mut existing = OpenOptions::new();
        existing.read(true).append(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::custom_flags(&mut existing, super::folder::NONBLOCK);
        let mut new = new_file(options.access);
        new.read(true).append(true);
        for _ in 0..ATTEMPTS {
            let found = match folder.symlink_metadata(name) {
                Ok(found) if found.is_file() && has_one_name(&found) => found,
                Ok(found) if found.is_dir() => {
                    return Err(LocalError::NotAFile {
                        path: self.locate(path).with_file_name(name),
                        what: "a folder",
                    });
                }
                Ok(_) => {
                    let removed = folder.remove_file(name);
                    match removed {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => {
                            return Err(self.failed("remove", path, error));
                        }
                        _ => continue,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => match folder.open_with(name, &new) {
                    Ok(file) => return Ok(file),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    Err(source) => return Err(self.failed("write", path, source)),
                },
                Err(source) => return Err(self.failed("write", path, source)),
            };
            match folder.open_with(name, &existing).and_then(|file| Ok((file.metadata()?, file))) {
                // What is opened can be another file than what was looked at.
                Ok((opened, file)) if is_same(&found, &opened) && opened.is_file() => return Ok(file),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(self.failed("write", path, source)),
            }
        }
        Err(LocalError::Changed { path: self.locate(path) })
    }

    fn failed(&self, action: &'static str, path: &RelPath, source: io::Error) -> LocalError {
        LocalError::from_io(action, self.locate(path), source)
    }
}

/// Waits until everything that was written to the file system of `root` is on its disk. Where there is no such call, it
/// does nothing. Blocks.
pub fn sync_file_system(root: &Path) -> Result<(), LocalError> {
    #[cfg(target_os = "linux")]
    {
        let failed = |source| LocalError::from_io("sync", root, source);
        let folder = std::fs::File::open(root).map_err(failed)?;
        rustix::fs::syncfs(folder).map_err(|error| failed(error.into()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = root;
        Ok(())
    }
}

/// The file's name is part of the sum: two files of one content must not share their unfinished bytes.
fn partial_name(path: &RelPath, tag: &str) -> String {
    let sum = Sha256::digest(format!("{}\0{tag}", path.name()).as_bytes());
    temporary_name(&format!("{PARTIAL}{}", &hexadecimal::encode(&sum)[..DIGITS]))
}

/// Whether a file of that name was made by this tool and by nobody else: stricter than what is left out of an app.
fn is_ours(name: &str) -> bool {
    let Some(unique) = temporary_part(name) else { return false };
    let (digits, count) = unique.strip_prefix(PARTIAL).map_or((unique, RANDOM_DIGITS), |digits| (digits, DIGITS));
    digits.len() == count && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(unix)]
fn has_one_name(found: &Metadata) -> bool {
    use cap_std::fs::MetadataExt as _;
    found.nlink() == 1
}

#[cfg(not(unix))]
fn has_one_name(_: &Metadata) -> bool {
    true
}
