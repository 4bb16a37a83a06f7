//! Looking around: which folder is meant, and small files by their path.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::folder::open_ambient;
use super::{Destination, Existing, LocalError, WriteOptions};
use crate::path::RelPath;

/// What stands at a path, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Anything else.
    Other,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its name.
    pub name: String,
    /// What it is, links followed; [`Kind::Other`] for a broken link.
    pub kind: Kind,
}

/// What stands at `path`; `None` when there is nothing.
pub fn kind(path: &Path) -> Result<Option<Kind>, LocalError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(kind_of(&metadata))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(LocalError::from_io("look at", path, source)),
    }
}

/// The entries of `folder` whose names are text, sorted by name.
pub fn children(folder: &Path) -> Result<Vec<Child>, LocalError> {
    let failed = |source| LocalError::from_io("list", folder, source);
    let mut children = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string() {
            let kind = std::fs::metadata(entry.path()).map_or(Kind::Other, |metadata| kind_of(&metadata));
            children.push(Child { name, kind });
        }
    }
    children.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(children)
}

/// The folder nearest to `start`, itself included and going up, that holds an entry of one of `names`.
pub fn find_up(start: &Path, names: &[&str]) -> Option<PathBuf> {
    let start = std::path::absolute(start).ok()?;
    let holds = |folder: &Path| names.iter().any(|name| folder.join(name).symlink_metadata().is_ok());
    start.ancestors().find(|folder| holds(folder)).map(Path::to_owned)
}

/// The folder that the program was started in.
pub fn current_folder() -> Result<PathBuf, LocalError> {
    std::env::current_dir().map_err(|source| LocalError::from_io("open", ".", source))
}

/// `path` as it is from the root of the system, without links, `.` or `..`.
pub fn canonical(path: &Path) -> Result<PathBuf, LocalError> {
    path.canonicalize().map_err(|source| LocalError::from_io("open", path, source))
}

/// The text of a file of at most `limit` bytes: settings, templates, ignore files.
pub fn read_text(path: &Path, limit: u64) -> Result<String, LocalError> {
    let failed = |source| LocalError::from_io("read", path, source);
    let file = open_ambient(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(LocalError::NotAFile { path: path.to_owned(), what: super::walk::what(metadata.file_type()) });
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(LocalError::TooLarge { path: path.to_owned(), limit });
    }
    String::from_utf8(bytes).map_err(|_| LocalError::NotText { path: path.to_owned() })
}

/// [`read_text`], or `None` when there is no such file.
pub fn read_optional_text(path: &Path, limit: u64) -> Result<Option<String>, LocalError> {
    match read_text(path, limit) {
        Ok(text) => Ok(Some(text)),
        Err(LocalError::NotFound { .. } | LocalError::NotAFolder { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether others than its owner may read `path`, which is too many for a file with a password. Always `false` where
/// files have no such mode.
pub fn is_exposed(path: &Path) -> Result<bool, LocalError> {
    let metadata = std::fs::metadata(path).map_err(|source| LocalError::from_io("look at", path, source))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        Ok(metadata.permissions().mode() & 0o044 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        Ok(false)
    }
}

/// Writes a file that the user named, whole or not at all.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), LocalError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| RelPath::new(name).ok());
    let name = name.ok_or_else(|| LocalError::NotAFile { path: path.to_owned(), what: "no file name" })?;
    let options = WriteOptions { existing: Existing::Replace, ..WriteOptions::default() };
    Destination::open(folder)?.write(&name, bytes, options)
}

fn kind_of(metadata: &std::fs::Metadata) -> Kind {
    if metadata.is_file() {
        Kind::File
    } else if metadata.is_dir() {
        Kind::Folder
    } else {
        Kind::Other
    }
}
