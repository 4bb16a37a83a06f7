//! What is in a folder: every entry is a file, a folder, left out by a rule, or a problem that is told.

use std::fs::FileType;
use std::io;
use std::path::Path;
use std::sync::Arc;

use walkdir::{DirEntry, WalkDir};

use super::folder::{Folder, Links, Stamp};
use super::{LocalError, shown};
use crate::filter::{Doubt, Reason, Rules, Verdict};
use crate::path::RelPath;

/// How many links may lead to a file, one inside another. Loops are found anyway; this keeps a few links that lead into
/// each other from making millions of paths.
const MAX_NESTED_LINKS: usize = 4;

/// What a folder holds, in byte order of the paths' components.
#[derive(Debug, Default)]
pub struct Listing {
    /// Regular files, and links to them.
    pub files: Vec<FileEntry>,
    /// Folders, the empty ones included.
    pub directories: Vec<RelPath>,
    /// What the rules left out. Nothing is listed below a folder that is left out.
    pub ignored: Vec<Ignored>,
    /// What could not be listed. While there are any, nothing may be concluded from a file that is missing.
    pub problems: Vec<Problem>,
    /// Where couchapp 1.0.2 would have understood `.couchappignore` differently.
    pub doubts: Vec<(RelPath, Doubt)>,
}

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path below the folder.
    pub path: RelPath,
    /// Its length in bytes when it was listed.
    pub length: u64,
    /// When its content last changed, in nanoseconds since 1970.
    pub modified: i64,
    /// Its number on its device; 0 where there are none.
    pub inode: u64,
    /// Its device; 0 where there are none.
    pub device: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// An entry that a rule left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Its path below the folder.
    pub path: RelPath,
    /// Whether it is a folder, with everything below.
    pub is_dir: bool,
    /// The rule.
    pub reason: Reason,
}

/// An entry that is neither listed nor left out by a rule.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{path}` {kind}")]
pub struct Problem {
    /// Its path below the folder, fit for display: it may not even be text.
    pub path: String,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// Why an entry cannot be listed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProblemKind {
    /// The name is not UTF-8.
    #[error("has a name that is not UTF-8")]
    NotUtf8,
    /// A link to nothing.
    #[error("is a broken link")]
    BrokenLink,
    /// A link that leads out of the folder, or an absolute one.
    #[error("is a link that leads out of the folder")]
    LinkLeaves,
    /// A link to a folder that it is in.
    #[error("is a link to a folder that it is in")]
    LinkLoop,
    /// A link reached through too many others.
    #[error("is reached through more than {MAX_NESTED_LINKS} links")]
    TooManyLinks,
    /// Neither a file nor a folder.
    #[error("is {0}, not a file")]
    Special(Special),
    /// The system does not let us look.
    #[error("cannot be read: {0}")]
    Unreadable(Arc<io::Error>),
}

/// An entry that is neither file nor folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// Something else.
    Other,
}

impl std::fmt::Display for Special {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Other => "something special",
        })
    }
}

impl Folder {
    /// Lists the folder, without what `rules` leave out.
    ///
    /// Dot files are listed like any other: whether they are part of an app is for the layout to say. Fails only when
    /// the folder itself cannot be listed; whatever else goes wrong is a [`Problem`]. Blocks.
    pub fn walk(&self, rules: &Rules) -> Result<Listing, LocalError> {
        let mut walk = Walk { folder: self, rules, listing: Listing::default(), links: Vec::new() };
        let entries = WalkDir::new(self.root()).min_depth(1).follow_links(true).sort_by_file_name();
        let mut entries = entries.into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => {
                    let is_dir = entry.file_type().is_dir();
                    if !walk.visit(&entry) && is_dir {
                        entries.skip_current_dir();
                    }
                }
                Err(error) if error.depth() == 0 => {
                    let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
                    return Err(LocalError::from_io("list", self.root(), source));
                }
                Err(error) => walk.note_error(error),
            }
        }
        Ok(walk.listing)
    }
}

struct Walk<'a> {
    folder: &'a Folder,
    rules: &'a Rules,
    listing: Listing,
    /// The depths of the linked folders that the current entry is in.
    links: Vec<usize>,
}

impl Walk<'_> {
    /// Files the entry where it belongs; whether its own entries are wanted.
    fn visit(&mut self, entry: &DirEntry) -> bool {
        self.links.retain(|depth| *depth < entry.depth());
        let Some(path) = self.rel_path(entry.path()) else {
            self.problem(entry.path(), ProblemKind::NotUtf8);
            return false;
        };
        let is_dir = entry.file_type().is_dir();
        let verdict = self.rules.verdict_of_entry(path.as_str(), is_dir);
        if let Some(doubt) = self.rules.doubt(&path).filter(|doubt| decides(doubt, &verdict)) {
            self.listing.doubts.push((path.clone(), doubt));
        }
        if let Verdict::Ignored(reason) = verdict {
            self.listing.ignored.push(Ignored { path, is_dir, reason });
            return false;
        }
        match self.list(entry, path) {
            Ok(()) => true,
            Err(kind) => {
                self.problem(entry.path(), kind);
                false
            }
        }
    }

    fn list(&mut self, entry: &DirEntry, path: RelPath) -> Result<(), ProblemKind> {
        let kind = entry.file_type();
        if entry.path_is_symlink() {
            self.follow(&path)?;
            if kind.is_dir() {
                self.links.push(entry.depth());
            }
        }
        if kind.is_dir() {
            self.listing.directories.push(path);
            return Ok(());
        }
        if !kind.is_file() {
            return Err(ProblemKind::Special(special(kind)));
        }
        let metadata = entry.metadata().map_err(|error| unreadable(error.into_io_error()))?;
        let Stamp { length, modified, inode, device, .. } = Stamp::of(&metadata);
        let executable = is_executable(&metadata);
        self.listing.files.push(FileEntry { path, length, modified, inode, device, executable });
        Ok(())
    }

    /// Whether a link may be followed: it stays inside, and not too many of them lead here.
    fn follow(&self, path: &RelPath) -> Result<(), ProblemKind> {
        if self.links.len() >= MAX_NESTED_LINKS {
            return Err(ProblemKind::TooManyLinks);
        }
        if self.folder.links() == Links::Anywhere {
            return Ok(());
        }
        match self.folder.dir().metadata(path.as_str()) {
            Ok(_) => Ok(()),
            // Refused by cap-std and not by the system.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() => {
                Err(ProblemKind::LinkLeaves)
            }
            Err(error) => Err(unreadable(Some(error))),
        }
    }

    /// walkdir's errors are those of links that lead nowhere or to a folder above, and of folders that cannot be listed.
    fn note_error(&mut self, error: walkdir::Error) {
        let path = error.path().unwrap_or(self.folder.root()).to_owned();
        if let Some(rel) = self.rel_path(&path)
            && let Verdict::Ignored(reason) = self.rules.verdict_of_entry(rel.as_str(), false)
        {
            self.listing.ignored.push(Ignored { path: rel, is_dir: false, reason });
            return;
        }
        if error.loop_ancestor().is_some() {
            return self.problem(&path, ProblemKind::LinkLoop);
        }
        let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        let source = error.into_io_error();
        let kind = match source.as_ref().map(io::Error::kind) {
            Some(io::ErrorKind::NotFound) if is_link => ProblemKind::BrokenLink,
            _ => unreadable(source),
        };
        self.problem(&path, kind);
    }

    fn problem(&mut self, path: &Path, kind: ProblemKind) {
        let below = path.strip_prefix(self.folder.root()).unwrap_or(path);
        self.listing.problems.push(Problem { path: shown(below), kind });
    }

    fn rel_path(&self, path: &Path) -> Option<RelPath> {
        let below = path.strip_prefix(self.folder.root()).ok()?;
        let components: Option<Vec<&str>> = below.iter().map(|component| component.to_str()).collect();
        RelPath::new(components?.join("/")).ok()
    }
}

/// Whether the other reading of a rule would have changed the verdict: not where another rule decides anyway.
fn decides(doubt: &Doubt, verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Kept => doubt.ignored_by_1_0,
        Verdict::Ignored(reason) => !doubt.ignored_by_1_0 && reason.source == doubt.source,
    }
}

fn unreadable(source: Option<io::Error>) -> ProblemKind {
    ProblemKind::Unreadable(Arc::new(source.unwrap_or_else(|| io::ErrorKind::Other.into())))
}

#[cfg(unix)]
fn special(kind: FileType) -> Special {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_fifo() {
        Special::Fifo
    } else if kind.is_socket() {
        Special::Socket
    } else if kind.is_block_device() || kind.is_char_device() {
        Special::Device
    } else {
        Special::Other
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> Special {
    Special::Other
}

/// What an entry is, with its article.
pub(super) fn what(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    match special(kind) {
        Special::Fifo => "a named pipe",
        Special::Socket => "a socket",
        Special::Device => "a device",
        Special::Other => "something special",
    }
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}
