//! The folders and files of the store; the only part of the endpoint that touches the disk, beside SQLite itself.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{hexadecimal, random};

/// SHA-256 of bytes.
pub(super) type Address = [u8; 32];

/// A file that is being read.
pub(super) type Open = File;

/// Keeps other processes out for as long as it lives; given up by the system when the process dies.
pub(super) struct Lock(#[allow(dead_code, reason = "it is the open file that holds the lock")] File);

/// Large attachments of one database, each in a file named by its content.
pub(super) struct Files {
    folder: PathBuf,
}

/// A file that has no name yet. Removed when it is dropped.
pub(super) struct Temporary {
    file: File,
    path: Option<PathBuf>,
}

/// Makes a folder that only its owner may enter, unless it is there.
pub(in crate::serve) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Makes a folder in one that is there, unless it is there: what was deleted does not come back with it.
fn make_one(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Makes a folder for something that begins now. `path` is asked with the microseconds since 1970, or a little more where
/// something is there already.
pub(super) fn make_new(path: impl Fn(u64) -> PathBuf) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let mut instance = u64::try_from(now).unwrap_or(u64::MAX);
    loop {
        let folder = path(instance);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => instance += 1,
            result => return result.map(|()| folder),
        }
    }
}

/// Takes the lock of a data folder, without waiting.
pub(super) fn lock(path: &Path) -> io::Result<Lock> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    file.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => {
            io::Error::new(io::ErrorKind::ResourceBusy, "another process has the data folder open")
        }
        fs::TryLockError::Error(error) => error,
    })?;
    Ok(Lock(file))
}

/// What is in a folder.
pub(in crate::serve) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// How large a file is; 0 when it is not there.
pub(in crate::serve) fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// Removes a file. Whoever has it open keeps it.
pub(in crate::serve) fn remove_file(file: &Path) -> io::Result<()> {
    fs::remove_file(file)
}

/// Renames a folder.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a folder with all that is in it. A link is removed, not what it leads to.
pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    fs::remove_dir_all(folder)
}

impl Files {
    /// The files of a database in its folder. What an earlier process left without a name is removed.
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        let files = Self { folder: database.join("attachments") };
        make_private(&files.incoming())?;
        for left in entries(&files.incoming())? {
            fs::remove_file(left)?;
        }
        Ok(files)
    }

    /// A new file.
    pub(super) fn begin(&self) -> io::Result<Temporary> {
        let path = self.incoming().join(random::hexadecimal());
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Temporary { file, path: Some(path) })
    }

    /// Gives a file its name, in one step.
    pub(super) fn keep(&self, mut temporary: Temporary, address: &Address) -> io::Result<()> {
        let path = self.path(address);
        if let Some(folder) = path.parent() {
            make_one(folder)?;
        }
        if let Some(from) = &temporary.path {
            fs::rename(from, path)?;
        }
        temporary.path = None;
        Ok(())
    }

    /// A file to read and its length.
    pub(super) fn read(&self, address: &Address) -> io::Result<(Open, u64)> {
        let file = File::open(self.path(address))?;
        let length = file.metadata()?.len();
        Ok((file, length))
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, address: &Address) -> io::Result<()> {
        match fs::remove_file(self.path(address)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The addresses of all files.
    pub(super) fn addresses(&self) -> io::Result<Vec<Address>> {
        let mut addresses = Vec::new();
        for folder in entries(&self.folder)? {
            if folder == self.incoming() || !folder.is_dir() {
                continue;
            }
            for file in entries(&folder)? {
                let name = file.file_name().and_then(|name| name.to_str());
                addresses.extend(name.and_then(hexadecimal::decode::<32>));
            }
        }
        Ok(addresses)
    }

    fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    /// Spread over 256 folders, so that none has too many entries.
    fn path(&self, address: &Address) -> PathBuf {
        let name = hexadecimal::encode(address);
        self.folder.join(&name[..2]).join(&name)
    }
}

impl Temporary {
    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What stays is removed when the database is opened again.
            let _ = fs::remove_file(path);
        }
    }
}
