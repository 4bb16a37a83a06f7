//! One file on its way: a temporary name first, the true one when it is whole.

use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::fs::{Dir, File, Metadata};

use super::folder::{Stamp, nanoseconds};
use super::hash::is_old;
use super::{Existing, LocalError, Seen, WriteOptions};

/// A file that is being written. Dropped without [`commit`](Self::commit), it leaves nothing behind, unless it was opened
/// by [`Destination::resume`](super::Destination::resume): then the next try goes on from there.
#[derive(Debug)]
pub struct Writer {
    folder: Dir,
    /// Taken by `commit`.
    file: Option<File>,
    temporary: String,
    name: String,
    path: PathBuf,
    options: WriteOptions,
    /// The bytes that were there when it was opened to go on; `None` for a file that lives once.
    resumed: Option<u64>,
}

impl Writer {
    /// A writer of `name` in `folder`, which fills the temporary file `(its name, its handle)`.
    pub(super) fn new(
        folder: Dir,
        temporary: (String, File),
        name: &str,
        path: PathBuf,
        options: WriteOptions,
    ) -> Self {
        let (temporary, file) = temporary;
        Self { folder, file: Some(file), temporary, name: name.to_owned(), path, options, resumed: None }
    }

    /// A writer that goes on behind the bytes that are there, and leaves them there.
    pub(super) fn resumed(mut self, length: u64) -> Self {
        self.resumed = Some(length);
        self
    }

    /// The bytes that were there when it was opened, from the first on: what is written is appended to them whether they
    /// were read or not.
    pub fn existing(&mut self) -> Result<impl Read, LocalError> {
        let Some(file) = &mut self.file else { return Err(failed_write(&self.path, io::ErrorKind::BrokenPipe.into())) };
        file.seek(SeekFrom::Start(0)).map_err(|source| failed_write(&self.path, source))?;
        Ok(file.take(self.resumed.unwrap_or(0)))
    }

    /// Drops the bytes that are there and begins anew.
    pub fn restart(&mut self) -> Result<(), LocalError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        self.resumed = self.resumed.map(|_| 0);
        let emptied = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        emptied.map(|_| ()).map_err(|source| failed_write(&self.path, source))
    }

    /// Gives up and leaves nothing behind.
    pub fn discard(mut self) {
        self.file = None;
        self.remove_temporary();
    }

    /// Appends `bytes`. Blocks, usually for as long as copying them takes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(|source| failed_write(&self.path, source)),
            None => Ok(()),
        }
    }

    /// Gives the file its modification time.
    pub fn set_modified(&self, modified: std::time::SystemTime) -> Result<(), LocalError> {
        let Some(file) = &self.file else { return Ok(()) };
        let set = file.try_clone().and_then(|file| file.into_std().set_modified(modified));
        set.map_err(|source| failed_write(&self.path, source))
    }

    /// By what the file, whose sums are given, can be recognised once it has its name; `None` when it is too young for
    /// that. The time must have been set.
    pub fn seen(&self, md5: [u8; 16], sha256: [u8; 32]) -> Option<Seen> {
        let metadata = self.file.as_ref()?.try_clone().and_then(|file| file.into_std().metadata());
        let Stamp { length, modified, inode, .. } = Stamp::of(&metadata.ok()?);
        is_old(modified, nanoseconds(SystemTime::now())).then_some(Seen { length, modified, inode, md5, sha256 })
    }

    /// Gives the file its name. Until this has returned, whatever stood there stands there still.
    pub fn commit(mut self) -> Result<(), LocalError> {
        let Some(file) = self.file.take() else { return Ok(()) };
        if let Existing::ReplaceOnly(before) = self.options.existing
            && !before.is_in(&self.folder, &self.name)
        {
            self.remove_temporary();
            return Err(LocalError::Changed { path: self.path.clone() });
        }
        let result = self.finish(&file).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => LocalError::Exists { path: self.path.clone() },
            _ => failed_write(&self.path, source),
        });
        if result.is_err() && self.resumed.is_none() {
            self.remove_temporary();
        }
        result
    }

    fn finish(&self, file: &File) -> io::Result<()> {
        if self.options.durable {
            file.sync_all()?;
        }
        match self.options.existing {
            Existing::Replace | Existing::ReplaceOnly(_) => {
                self.folder.rename(&self.temporary, &self.folder, &self.name)?;
            }
            Existing::Refuse => self.name_new()?,
        }
        if self.options.durable { sync_folder(&self.folder) } else { Ok(()) }
    }

    /// Renaming replaces what is there; a second name for the file does not, but not every file system has those.
    fn name_new(&self) -> io::Result<()> {
        if let Some(done) = rename_new(&self.folder, &self.temporary, &self.name) {
            return done;
        }
        match self.folder.hard_link(&self.temporary, &self.folder, &self.name) {
            Ok(()) => {
                self.remove_temporary();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => match self.folder.symlink_metadata(&self.name) {
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.folder.rename(&self.temporary, &self.folder, &self.name)
                }
                Err(error) => Err(error),
            },
        }
    }

    #[cfg(unix)]
    pub(super) fn keep_permissions(&self, present: &Metadata) -> Result<(), LocalError> {
        use cap_std::fs::PermissionsExt as _;
        let Some(file) = &self.file else { return Ok(()) };
        // Never more than reading, writing and executing: set-user-id belongs to the old content.
        let mode = present.permissions().mode() & 0o777;
        file.set_permissions(cap_std::fs::Permissions::from_mode(mode))
            .map_err(|source| failed_write(&self.path, source))
    }

    #[cfg(not(unix))]
    pub(super) fn keep_permissions(&self, _: &Metadata) -> Result<(), LocalError> {
        Ok(())
    }

    fn remove_temporary(&self) {
        // Nothing can be done about a file that cannot be removed, and its name says what it is.
        let _ = self.folder.remove_file(&self.temporary);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.file.take().is_some() && self.resumed.is_none() {
            self.remove_temporary();
        }
    }
}

/// Renames unless something has the new name, in one call; `None` where there is no such call, or not on this file system.
#[cfg(target_os = "linux")]
fn rename_new(folder: &Dir, from: &str, to: &str) -> Option<io::Result<()>> {
    use rustix::fs::{RenameFlags, renameat_with};
    match renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => None,
        done => Some(done),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_new(_: &Dir, _: &str, _: &str) -> Option<io::Result<()>> {
    None
}

fn failed_write(path: &Path, source: io::Error) -> LocalError {
    LocalError::Io { action: "write", path: path.to_owned(), source }
}

/// Makes new names in `folder` durable. A handle of a folder may be good for walking only, so it is opened anew.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Dir) -> io::Result<()> {
    Ok(())
}
