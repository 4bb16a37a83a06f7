//! Reading the files of a folder: whole, as a stream, by descriptor and never by a path that was only checked before.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::{Bytes, BytesMut};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use futures_util::stream::{BoxStream, StreamExt as _, try_unfold};
use tokio::io::AsyncReadExt as _;

use super::{LocalError, beneath};
use crate::path::RelPath;

/// How often a file is read again because it changed meanwhile.
pub(super) const ATTEMPTS: usize = 3;

/// The largest piece of a stream, in bytes.
const CHUNK: usize = 256 * 1024;

/// The bytes of a file, in pieces. Fails when they are not as many as were announced.
pub type ByteStream = BoxStream<'static, Result<Bytes, LocalError>>;

/// How far symbolic links are followed when reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// As long as they stay inside the folder. An absolute link counts as leaving: it would mean another place for
    /// everybody else.
    #[default]
    Inside,
    /// Wherever they lead, which can publish files of other folders.
    Anywhere,
}

/// A folder that is read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    dir: Arc<Dir>,
    links: Links,
}

/// What tells two states of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) length: u64,
    pub(super) modified: i64,
    pub(super) inode: u64,
    pub(super) device: u64,
    /// When the entry itself last changed; cannot be set back, unlike `modified`.
    changed: i64,
}

impl Folder {
    /// Opens `root`, which must be a folder.
    pub fn open(root: &Path, links: Links) -> Result<Self, LocalError> {
        let dir = Dir::open_ambient_dir(root, ambient_authority())
            .map_err(|source| LocalError::from_io("open", root, source))?;
        Ok(Self { root: root.to_owned(), dir: Arc::new(dir), links })
    }

    /// The folder's path, as it was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How far links are followed.
    pub fn links(&self) -> Links {
        self.links
    }

    /// Where `path` is on this system, for messages and for other programs.
    pub fn locate(&self, path: &RelPath) -> PathBuf {
        beneath(&self.root, path)
    }

    /// The whole of a file of at most `limit` bytes.
    ///
    /// A file that changes meanwhile is read again, twice at most.
    pub fn read(&self, path: &RelPath, limit: u64) -> Result<Vec<u8>, LocalError> {
        for _ in 0..ATTEMPTS {
            if let Some((bytes, _)) = self.read_once(path, limit)? {
                return Ok(bytes);
            }
        }
        Err(LocalError::Changed { path: self.locate(path) })
    }

    /// One reading of a whole file; `None` when the file changed meanwhile.
    pub(super) fn read_once(&self, path: &RelPath, limit: u64) -> Result<Option<(Vec<u8>, Stamp)>, LocalError> {
        let (mut file, before) = self.open_file(path)?;
        if before.length > limit {
            return Err(LocalError::TooLarge { path: self.locate(path), limit });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.length).unwrap_or_default());
        let reading = (&mut file).take(limit.saturating_add(1)).read_to_end(&mut bytes);
        let count = reading.map_err(|source| self.error("read", path, source))? as u64;
        if count > limit {
            return Err(LocalError::TooLarge { path: self.locate(path), limit });
        }
        let whole = count == before.length && self.stamp(&file, path)? == before;
        Ok(whole.then_some((bytes, before)))
    }

    /// A regular file, opened to be read from anywhere in it: for what looks into large files. What is read is of no
    /// single moment when the file changes meanwhile.
    pub fn open_reader(&self, path: &RelPath) -> Result<File, LocalError> {
        self.open_file(path).map(|(file, _)| file)
    }

    /// The bytes of a file that was announced with `length`.
    ///
    /// A file that has grown, shrunk or otherwise changed since it was opened ends the stream with an error *before* its
    /// last piece, so that a request that was promised `length` bytes never ends as if all were well.
    pub fn stream(&self, path: &RelPath, length: u64) -> Result<ByteStream, LocalError> {
        let (file, stamp) = self.open_file(path)?;
        let path = self.locate(path);
        if stamp.length != length {
            return Err(LocalError::Changed { path });
        }
        let reading = Reading { file: tokio::fs::File::from_std(file), path, left: length, ended: false, stamp };
        Ok(try_unfold(reading, Reading::next).boxed())
    }

    /// Opens a regular file for reading and says what it looked like then.
    pub(super) fn open_file(&self, path: &RelPath) -> Result<(File, Stamp), LocalError> {
        let opened = match self.links {
            Links::Inside => {
                let mut options = cap_std::fs::OpenOptions::new();
                options.read(true);
                #[cfg(unix)]
                cap_std::fs::OpenOptionsExt::custom_flags(&mut options, NONBLOCK);
                self.dir.open_with(path.as_str(), &options).map(cap_std::fs::File::into_std)
            }
            Links::Anywhere => open_ambient(&self.locate(path)),
        };
        let file = opened.map_err(|source| self.error("open", path, source))?;
        let metadata = file.metadata().map_err(|source| self.error("read", path, source))?;
        if metadata.is_file() {
            return Ok((file, Stamp::of(&metadata)));
        }
        Err(LocalError::NotAFile { path: self.locate(path), what: super::walk::what(metadata.file_type()) })
    }

    /// The stamp of an open file.
    pub(super) fn stamp(&self, file: &File, path: &RelPath) -> Result<Stamp, LocalError> {
        file.metadata().map(|metadata| Stamp::of(&metadata)).map_err(|source| self.error("read", path, source))
    }

    pub(super) fn error(&self, action: &'static str, path: &RelPath, source: std::io::Error) -> LocalError {
        LocalError::from_io(action, self.locate(path), source)
    }

    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }
}

/// Opens for reading without waiting: a FIFO without a writer would block for ever.
pub(super) fn open_ambient(path: &Path) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NONBLOCK);
    options.open(path)
}

/// `O_NONBLOCK`. The standard library takes the flag but does not name it.
#[cfg(unix)]
pub(super) const NONBLOCK: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 0x80 } else { 0o4000 }
} else {
    0x4
};

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = modified_of(metadata);
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let changed = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
            Self { length: metadata.len(), modified, inode: metadata.ino(), device: metadata.dev(), changed }
        }
        #[cfg(not(unix))]
        Self { length: metadata.len(), modified, inode: 0, device: 0, changed: 0 }
    }
}

/// When the content last changed, in nanoseconds since 1970; the nearest that fits beyond 1677 and 2262.
fn modified_of(metadata: &Metadata) -> i64 {
    metadata.modified().map_or(0, nanoseconds)
}

/// A time in nanoseconds since 1970.
pub(super) fn nanoseconds(time: std::time::SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |before| -before),
    }
}

/// A file that is being streamed.
struct Reading {
    file: tokio::fs::File,
    path: PathBuf,
    left: u64,
    ended: bool,
    stamp: Stamp,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, LocalError> {
        if self.ended {
            return Ok(None);
        }
        if self.left == 0 {
            self.ensure_ended().await?;
            return Ok(None);
        }
        let size = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut piece = BytesMut::with_capacity(size);
        let mut reader = (&mut self.file).take(size as u64);
        let count = reader.read_buf(&mut piece).await.map_err(|source| failed(&self.path, source))?;
        if count == 0 {
            return Err(LocalError::Changed { path: self.path });
        }
        self.left -= count as u64;
        if self.left == 0 {
            self.ensure_ended().await?;
            self.ended = true;
        }
        Ok(Some((piece.freeze(), self)))
    }

    async fn ensure_ended(&mut self) -> Result<(), LocalError> {
        let mut byte = [0];
        let more = self.file.read(&mut byte).await.map_err(|source| failed(&self.path, source))?;
        let metadata = self.file.metadata().await.map_err(|source| failed(&self.path, source))?;
        if more == 0 && Stamp::of(&metadata) == self.stamp {
            return Ok(());
        }
        Err(LocalError::Changed { path: self.path.clone() })
    }
}

fn failed(path: &Path, source: std::io::Error) -> LocalError {
    LocalError::from_io("read", path, source)
}
