//! Writing beneath one folder: whole files only, and through no link.
//!
//! Every component of a path is opened by itself, from the descriptor of the folder before it, so that a folder that is
//! swapped for a link while we write cannot lead anywhere else. cap-std keeps a step beneath the folder it starts from but
//! follows links that stay there; [`Destination`] compares what it looked at with what it opened, and refuses those too.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, OpenOptions};

use super::folder::nanoseconds;
use super::writer::{Writer, sync_folder};
use super::{FileEntry, LocalError, beneath};
use crate::filter::temporary_name;
use crate::path::RelPath;
use crate::random;

/// How often a step is tried again when something else changes the same folders.
const ATTEMPTS: usize = 8;

/// What to do about a file that stands where one is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse with [`LocalError::Exists`]; decided by the system when the file appears, not before.
    Refuse,
    /// Replace it at once, keeping its permissions.
    Replace,
    /// Replace it as long as it is what was seen; refuse with [`LocalError::Changed`] otherwise.
    ReplaceOnly(Before),
}

/// A file as it was seen, by what it would be another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    length: u64,
    modified: i64,
    inode: u64,
}

impl Before {
    /// As a listing has it.
    pub fn of(file: &FileEntry) -> Self {
        Self { length: file.length, modified: file.modified, inode: file.inode }
    }

    /// Whether `name` in `folder` still is this file.
    pub(super) fn is_in(self, folder: &Dir, name: &str) -> bool {
        let Ok(found) = folder.symlink_metadata(name) else { return false };
        let modified = found.modified().map_or(0, |time| nanoseconds(time.into_std()));
        #[cfg(unix)]
        let inode = cap_std::fs::MetadataExt::ino(&found);
        #[cfg(not(unix))]
        let inode = 0;
        found.is_file() && self == Self { length: found.len(), modified, inode }
    }
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Mode 0644, less what the umask takes.
    Shared,
    /// Mode 0600: for state and whatever may hold a secret.
    Private,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// What to do about a file of that name.
    pub existing: Existing,
    /// Who may read it.
    pub access: Access,
    /// Whether it must survive a power cut as soon as it is written: file and folder are synced, which is slow for many
    /// small files.
    pub durable: bool,
}

impl Default for WriteOptions {
    /// A new shared file that is there to stay.
    fn default() -> Self {
        Self { existing: Existing::Refuse, access: Access::Shared, durable: true }
    }
}

/// A folder that is written to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Destination {
    root: PathBuf,
    dir: Arc<Dir>,
}

impl Destination {
    /// Opens `root`, which must be a folder.
    pub fn open(root: &Path) -> Result<Self, LocalError> {
        let dir = Dir::open_ambient_dir(root, ambient_authority())
            .map_err(|source| LocalError::from_io("open", root, source))?;
        Ok(Self { root: root.to_owned(), dir: Arc::new(dir) })
    }

    /// Opens `root`, making it and the folders above it where they are missing.
    pub fn create(root: &Path) -> Result<Self, LocalError> {
        std::fs::create_dir_all(root).map_err(|source| LocalError::from_io("make", root, source))?;
        Self::open(root)
    }

    /// [`create`](Self::create) with folders that only their owner can look into.
    pub(super) fn create_private(root: &Path) -> Result<Self, LocalError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(root).map_err(|source| LocalError::from_io("make", root, source))?;
        Self::open(root)
    }

    /// The folder's path, as it was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where `path` is on this system, for messages.
    pub fn locate(&self, path: &RelPath) -> PathBuf {
        beneath(&self.root, path)
    }

    /// Begins a file at `path`, making the folders above it. Nothing is seen under that name before
    /// [`Writer::commit`].
    pub fn begin(&self, path: &RelPath, options: WriteOptions) -> Result<Writer, LocalError> {
        self.begin_in(path, options, |folder| self.temporary(folder, path, options.access))
    }

    /// Begins a file at `path` whose bytes go to what `open` gives: the name of an unfinished file in the folder of `path`,
    /// and its handle.
    pub(super) fn begin_in(
        &self,
        path: &RelPath,
        options: WriteOptions,
        open: impl FnOnce(&Dir) -> Result<(String, File), LocalError>,
    ) -> Result<Writer, LocalError> {
        let folder = self.parent(path, Some(options.durable))?.ok_or_else(|| self.missing(path))?;
        let present = self.present(&folder, path)?;
        if present.is_some() && options.existing == Existing::Refuse {
            return Err(LocalError::Exists { path: self.locate(path) });
        }
        let unfinished = open(&folder)?;
        let writer = Writer::new(folder, unfinished, path.name(), self.locate(path), options);
        if let Some(present) = present.filter(|_| options.access == Access::Shared) {
            writer.keep_permissions(&present)?;
        }
        Ok(writer)
    }

    /// Writes a whole file.
    pub fn write(&self, path: &RelPath, bytes: &[u8], options: WriteOptions) -> Result<(), LocalError> {
        let mut writer = self.begin(path, options)?;
        writer.write(bytes)?;
        writer.commit()
    }

    /// The folder `path`, made with those above it where they are missing.
    pub fn enter(&self, path: &RelPath) -> Result<Self, LocalError> {
        let folder = self.parent(path, Some(false))?.ok_or_else(|| self.missing(path))?;
        let entered = self.step(&folder, path.name(), path.as_str(), Some(false))?;
        let dir = entered.ok_or_else(|| self.missing(path))?;
        Ok(Self { root: self.locate(path), dir: Arc::new(dir) })
    }

    /// Puts the finished file `from` in the place of `to`, whose permissions it takes over.
    pub fn rename(&self, from: &RelPath, to: &RelPath) -> Result<(), LocalError> {
        let source = self.parent(from, None)?.ok_or_else(|| self.missing(from))?;
        let folder = self.parent(to, Some(true))?.ok_or_else(|| self.missing(to))?;
        let failed = |source| LocalError::from_io("write", self.locate(to), source);
        if let Some(present) = self.present(&folder, to)? {
            source.set_permissions(from.name(), present.permissions()).map_err(failed)?;
        }
        source.rename(from.name(), &folder, to.name()).map_err(failed)?;
        sync_folder(&folder).map_err(failed)
    }

    /// Removes the file `path`, or the link itself where it is one. Whether there was anything.
    pub fn remove(&self, path: &RelPath) -> Result<bool, LocalError> {
        let Some(folder) = self.parent(path, None)? else { return Ok(false) };
        match folder.remove_file(path.name()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(LocalError::from_io("remove", self.locate(path), source)),
        }
    }

    /// Removes the file `path` as long as it is what was seen; [`LocalError::Changed`] otherwise.
    pub fn remove_only(&self, path: &RelPath, before: Before) -> Result<bool, LocalError> {
        let Some(folder) = self.parent(path, None)? else { return Ok(false) };
        match before.is_in(&folder, path.name()) {
            true => self.remove(path),
            // Somebody else has removed it.
            false if !self.exists(path)? => Ok(false),
            false => Err(LocalError::Changed { path: self.locate(path) }),
        }
    }

    /// Removes the folders above `path` that are empty, deepest first; never the root.
    pub fn remove_empty_parents(&self, path: &RelPath) -> Result<(), LocalError> {
        let mut current = path.parent();
        while let Some(folder) = current {
            let Some(above) = self.parent(&folder, None)? else { return Ok(()) };
            match above.remove_dir(folder.name()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(()),
                Err(source) => return Err(LocalError::from_io("remove", self.locate(&folder), source)),
            }
            current = folder.parent();
        }
        Ok(())
    }

    /// Whether something, a link included, stands at `path`.
    pub fn exists(&self, path: &RelPath) -> Result<bool, LocalError> {
        let Some(folder) = self.parent(path, None)? else { return Ok(false) };
        match folder.symlink_metadata(path.name()) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(LocalError::from_io("read", self.locate(path), source)),
        }
    }

    /// Whether there is nothing in the folder.
    pub fn is_empty(&self) -> Result<bool, LocalError> {
        let mut entries =
            self.dir.entries().map_err(|source| LocalError::from_io("list", self.root.as_path(), source))?;
        Ok(entries.next().is_none())
    }

    /// Opens the file `path` itself, in place, for something that is no content: a lock.
    pub(super) fn open_for_lock(&self, path: &RelPath, options: &OpenOptions) -> Result<std::fs::File, LocalError> {
        let folder = self.parent(path, None)?.ok_or_else(|| self.missing(path))?;
        self.present(&folder, path)?;
        let opened = folder.open_with(path.name(), options);
        opened.map(File::into_std).map_err(|source| LocalError::from_io("lock", self.locate(path), source))
    }

    /// The folder that `path` is in, reached without a link. With `make`, folders that are missing are made (and synced,
    /// when it holds `true`); without it, `None` when one is missing.
    pub(super) fn parent(&self, path: &RelPath, make: Option<bool>) -> Result<Option<Dir>, LocalError> {
        if let Some(above) = path.ancestors().last()
            && let Some(folder) = straight(&self.dir, above)
        {
            return Ok(Some(folder));
        }
        let root = self.dir.try_clone().map_err(|source| LocalError::from_io("open", self.root.as_path(), source))?;
        let mut folder = root;
        for above in path.ancestors() {
            let name = above.rsplit('/').next().unwrap_or(above);
            match self.step(&folder, name, above, make)? {
                Some(next) => folder = next,
                None => return Ok(None),
            }
        }
        Ok(Some(folder))
    }

    /// Opens (or makes) the folder `name` in `folder`, refusing a link; `whole` is its path for messages.
    fn step(&self, folder: &Dir, name: &str, whole: &str, make: Option<bool>) -> Result<Option<Dir>, LocalError> {
        let path = || self.root.join(whole);
        let failed = |action, source| LocalError::from_io(action, path(), source);
        for _ in 0..ATTEMPTS {
            let seen = match folder.symlink_metadata(name) {
                Ok(seen) => seen,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let Some(durable) = make else { return Ok(None) };
                    match folder.create_dir(name) {
                        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                            return Err(failed("make", error));
                        }
                        _ if durable => sync_folder(folder).map_err(|source| failed("make", source))?,
                        _ => {}
                    }
                    continue;
                }
                Err(source) => return Err(failed("open", source)),
            };
            if seen.is_symlink() {
                return Err(LocalError::Link { path: path() });
            }
            if !seen.is_dir() {
                return Err(LocalError::NotAFolder { path: path() });
            }
            // Between the look and this, the folder can have become a link; then what is opened is another folder.
            match folder.open_dir(name).and_then(|opened| Ok((opened.dir_metadata()?, opened))) {
                Ok((found, opened)) if is_same(&seen, &found) => return Ok(Some(opened)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => match LocalError::from_io("open", path(), source) {
                    // A link out of the folder, since the look: the next look sees it.
                    LocalError::Leaves { .. } | LocalError::NotAFolder { .. } => {}
                    other => return Err(other),
                },
            }
        }
        Err(LocalError::Changed { path: path() })
    }

    /// What stands at `path`; an error when it is no file that could be replaced.
    fn present(&self, folder: &Dir, path: &RelPath) -> Result<Option<Metadata>, LocalError> {
        match folder.symlink_metadata(path.name()) {
            Ok(present) if present.is_symlink() => Err(LocalError::Link { path: self.locate(path) }),
            Ok(present) if present.is_dir() => Err(LocalError::NotAFile { path: self.locate(path), what: "a folder" }),
            Ok(present) if !present.is_file() => {
                Err(LocalError::NotAFile { path: self.locate(path), what: "something special" })
            }
            Ok(present) => Ok(Some(present)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LocalError::from_io("write", self.locate(path), source)),
        }
    }

    /// A new file in `folder`, under a name that no rule takes for part of an app.
    fn temporary(&self, folder: &Dir, path: &RelPath, access: Access) -> Result<(String, File), LocalError> {
        let options = new_file(access);
        for _ in 0..ATTEMPTS {
            let name = temporary_name(&random::hexadecimal());
            match folder.open_with(&name, &options) {
                Ok(file) => return Ok((name, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(LocalError::from_io("write", self.locate(path), source)),
            }
        }
        Err(LocalError::Exists { path: self.locate(path) })
    }

    fn missing(&self, path: &RelPath) -> LocalError {
        LocalError::NotFound { path: self.locate(path) }
    }
}

/// How a file that must not be there yet is made.
pub(super) fn new_file(access: Access) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::mode(&mut options, if access == Access::Private { 0o600 } else { 0o644 });
    #[cfg(not(unix))]
    let _ = access;
    options
}

/// The folder `path` below `root`, in one call in which the kernel itself refuses every link
/// ([openat2](https://man7.org/linux/man-pages/man2/openat2.2.html)), so that many small files do not cost a walk each.
/// `None` where there is no such call, and whenever it fails: going step by step tells why.
#[cfg(target_os = "linux")]
fn straight(root: &Dir, path: &str) -> Option<Dir> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat2(root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS).ok()?;
    Some(Dir::from_std_file(opened.into()))
}

#[cfg(not(target_os = "linux"))]
fn straight(_: &Dir, _: &str) -> Option<Dir> {
    None
}

#[cfg(unix)]
pub(super) fn is_same(seen: &Metadata, found: &Metadata) -> bool {
    use cap_std::fs::MetadataExt as _;
    (seen.dev(), seen.ino()) == (found.dev(), found.ino())
}

#[cfg(not(unix))]
pub(super) fn is_same(_: &Metadata, found: &Metadata) -> bool {
    found.is_dir()
}
