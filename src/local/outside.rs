//! What belongs to the user and to no app: configuration, secrets, logs, other programs.
//!
//! Unlike the files of an app these may be anything the user points at: a secret may come from a pipe.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file's text; `None` when there is no such file. Not UTF-8 is an error.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether only its owner can read the file. Always so where there are no modes.
pub fn is_private(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The six bits of group and others are all zero.
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode().trailing_zeros() >= 6)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        true
    }
}

/// A folder that goes when it is dropped, in memory where the system has such a place.
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
    _lock: File,
}

/// How the names of such folders begin, and the file in each that is locked while it is used.
const SCRATCH: &str = "couchapp-";
const IN_USE: &str = "in-use";

impl Scratch {
    /// Makes one, and removes those whose processes were killed.
    pub fn new() -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        Self::beneath(memory).or_else(|_| Self::beneath(&tempfile::env::temp_dir()))
    }

    fn beneath(parent: &Path) -> io::Result<Self> {
        for left in fs::read_dir(parent)?.flatten() {
            if left.file_name().to_string_lossy().starts_with(SCRATCH)
                && let Ok(lock) = File::options().write(true).open(left.path().join(IN_USE))
                && lock.try_lock().is_ok()
            {
                // It is of no use to anybody; what cannot be removed is tried again the next time.
                let _ = fs::remove_dir_all(left.path());
            }
        }
        loop {
            let folder = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(parent)?;
            let lock = File::create_new(folder.path().join(IN_USE))?;
            // Somebody who cleans up may have been faster.
            if lock.try_lock().is_ok() {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Whether there is a folder at `path`.
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// `path` without links and dots; as it is when there is nothing.
pub fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Whether there is anything at `path`.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Opens a log file for appending; a new one can be read by its owner only.
pub fn open_log(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// What a command of the user prints. Its messages go to our stderr.
pub fn output_of(command: &str, directory: &Path) -> io::Result<String> {
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let output = Command::new(shell)
        .args([option, command])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("the command failed ({})", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| io::Error::other("the command's output is not UTF-8"))
}

/// Starts the desktop's browser at `url` and does not wait for it.
pub fn open_in_browser(url: &str) -> io::Result<()> {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_of_the_dead_is_removed_and_that_of_others_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let place = |name: &str| parent.path().join(name);
        for (folder, file) in [("couchapp-dead", IN_USE), ("couchapp-other", "data"), ("else", IN_USE)] {
            fs::create_dir(place(folder)).unwrap();
            fs::write(place(folder).join(file), "").unwrap();
        }
        let first = Scratch::beneath(parent.path()).unwrap();
        let second = Scratch::beneath(parent.path()).unwrap();
        assert!(first.path().exists() && second.path().exists());
        assert!(!place("couchapp-dead").exists() && place("couchapp-other").exists() && place("else").exists());
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists());
    }
}
