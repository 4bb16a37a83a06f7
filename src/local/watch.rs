//! Tells when something beneath some folders has changed.
//!
//! What has changed is for a new listing to find out: systems lose events, double them and mix up their order
//! (<https://docs.rs/notify/latest/notify/#known-problems>).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::LocalError;
use super::outside::canonical;

/// What this tool and others write for themselves.
const OWN: [&str; 2] = [".couchapp", ".git"];

/// Changes that never end are told of all the same, after so many times the quiet that was waited for.
const PATIENCE: u32 = 20;

/// Folders under watch. Dropped, it ends.
pub struct Watch {
    seen: Arc<Seen>,
    /// The folders, and which they were when the watch began.
    folders: Vec<(PathBuf, Option<Identity>)>,
    _watcher: RecommendedWatcher,
}

/// The numbers of the folders in which something happened since they were asked for.
#[derive(Default)]
struct Seen {
    folders: Mutex<BTreeSet<usize>>,
    news: Notify,
}

/// What tells a folder from another one that takes its name.
type Identity = (u64, u64);

impl Seen {
    fn is_empty(&self) -> bool {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn add(&self, folders: impl Iterator<Item = usize>) {
        let mut known = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.len();
        let mut any = false;
        known.extend(folders.inspect(|_| any = true));
        if any || known.len() > before {
            self.news.notify_one();
        }
    }

    fn take(&self) -> BTreeSet<usize> {
        std::mem::take(&mut *self.folders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watch {
    /// Watches folders and what is in them, now and later. An error names the first that cannot be watched.
    pub fn start(folders: &[PathBuf]) -> Result<Self, LocalError> {
        let seen = Arc::new(Seen::default());
        // Some systems name what has changed by its true path.
        let folders: Vec<PathBuf> = folders.iter().map(|folder| canonical(folder)).collect();
        let telling = teller(folders.clone(), Arc::clone(&seen));
        let first = folders.first().map_or(Path::new("."), PathBuf::as_path);
        // Links that stay inside lead to what is watched anyway, and no command follows others.
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(telling, config).map_err(|error| failed(first, error))?;
        for folder in &folders {
            watcher.watch(folder, RecursiveMode::Recursive).map_err(|error| failed(folder, error))?;
        }
        let folders = folders.into_iter().map(|folder| (folder.clone(), identity(&folder))).collect();
        Ok(Self { seen, folders, _watcher: watcher })
    }

    /// Waits until something has changed and then nothing more for as long as `quiet`. Gives the folders it was in, by
    /// their place in the list.
    pub async fn changed(&self, quiet: Duration) -> BTreeSet<usize> {
        loop {
            if self.seen.is_empty() {
                self.seen.news.notified().await;
            }
            let end = Instant::now() + quiet * PATIENCE;
            while Instant::now() < end && timeout(quiet, self.seen.news.notified()).await.is_ok() {}
            let folders = self.seen.take();
            if !folders.is_empty() {
                return folders;
            }
        }
    }
}

impl Watch {
    /// Whether something changes within the time `soon`, or has changed since the changes were last asked for.
    pub async fn has_news(&self, soon: Duration) -> bool {
        let come = async {
            // What woke somebody may have been taken since.
            while self.seen.is_empty() {
                self.seen.news.notified().await;
            }
        };
        timeout(soon, come).await.is_ok()
    }

    /// Whether each folder is still the one whose watch began. A watch stays with a folder that is renamed or removed.
    pub fn is_current(&self) -> bool {
        self.folders.iter().all(|(folder, known)| identity(folder) == *known)
    }
}

/// Why `folder` cannot be watched.
fn failed(folder: &Path, error: notify::Error) -> LocalError {
    let source = match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            let path = error.paths.into_iter().next().unwrap_or_else(|| folder.to_owned());
            return LocalError::Unwatched { path };
        }
        notify::ErrorKind::Io(source) => source,
        notify::ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        _ => io::Error::other(error),
    };
    LocalError::from_io("watch", folder.to_owned(), source)
}

#[cfg(unix)]
fn identity(folder: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &Path) -> Option<Identity> {
    std::fs::metadata(folder).ok().map(|_| (0, 0))
}

fn teller(folders: Vec<PathBuf>, seen: Arc<Seen>) -> impl Fn(notify::Result<Event>) + Send + 'static {
    move |event| match event {
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
        Ok(event) if event.paths.is_empty() || event.need_rescan() => seen.add(0..folders.len()),
        Ok(event) => seen.add(event.paths.iter().flat_map(|path| touched(&folders, path))),
        // Something was missed.
        Err(_) => seen.add(0..folders.len()),
    }
}

/// The folders that `path` is in and matters to.
fn touched<'a>(folders: &'a [PathBuf], path: &'a Path) -> impl Iterator<Item = usize> + 'a {
    let is_in = move |folder: &Path| {
        let inner = path.strip_prefix(folder).ok()?;
        let is_own = |part: std::path::Component<'_>| OWN.iter().any(|own| part.as_os_str() == *own);
        Some(!inner.components().any(is_own))
    };
    folders.iter().enumerate().filter(move |(_, folder)| is_in(folder) == Some(true)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(20);

    #[test]
    fn a_path_belongs_to_the_folders_around_it() {
        let folders = [PathBuf::from("/a"), PathBuf::from("/a/b"), PathBuf::from("/c")];
        let table: [(&str, &[usize]); 6] = [
            ("/a/x", &[0]),
            ("/a/b/x", &[0, 1]),
            ("/c", &[2]),
            ("/ab", &[]),
            ("/a/.couchapp/data/db", &[]),
            ("/a/b/.git/index", &[]),
        ];
        for (path, expected) in table {
            assert_eq!(touched(&folders, Path::new(path)).collect::<Vec<_>>(), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn changes_are_told_once_they_rest() {
        let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let folders: Vec<PathBuf> = roots.iter().map(|root| root.path().to_owned()).collect();
        let watch = Watch::start(&folders).unwrap();
        std::fs::create_dir(folders[1].join("new")).unwrap();
        std::fs::write(folders[1].join("new/file"), "x").unwrap();
        assert_eq!(watch.changed(QUIET).await, BTreeSet::from([1]));
        std::fs::write(folders[0].join("file"), "x").unwrap();
        std::fs::rename(folders[0].join("file"), folders[1].join("moved")).unwrap();
        assert_eq!(watch.changed(QUIET).await, BTreeSet::from([0, 1]));
        // Reading is no change.
        std::fs::read(folders[1].join("moved")).unwrap();
        assert!(timeout(QUIET * 5, watch.changed(QUIET)).await.is_err());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_lead_nowhere_but_to_the_folder_itself() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (folder, linked) = (root.path().join("folder"), root.path().join("linked"));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&folder, &linked).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.join("out")).unwrap();
        let watch = Watch::start(&[linked]).unwrap();
        std::fs::write(elsewhere.path().join("file"), "x").unwrap();
        assert!(timeout(QUIET * 5, watch.changed(QUIET)).await.is_err());
        std::fs::write(folder.join("file"), "x").unwrap();
        assert_eq!(watch.changed(QUIET).await, BTreeSet::from([0]));
    }

    #[tokio::test]
    async fn what_changes_while_nobody_waits_is_told_afterwards() {
        let root = tempfile::tempdir().unwrap();
        let watch = Watch::start(&[root.path().to_owned()]).unwrap();
        assert!(!watch.has_news(Duration::ZERO).await);
        std::fs::write(root.path().join("file"), "x").unwrap();
        assert!(watch.has_news(Duration::from_mins(1)).await);
        assert!(timeout(QUIET * 500, watch.changed(QUIET)).await.is_ok());
        assert!(!watch.has_news(QUIET).await);
        // Told again of what was taken just then.
        watch.seen.news.notify_one();
        assert!(!watch.has_news(QUIET).await);
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_another_one_replaced_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("app");
        std::fs::create_dir(&folder).unwrap();
        let watch = Watch::start(std::slice::from_ref(&folder)).unwrap();
        assert!(watch.is_current());
        std::fs::rename(&folder, root.path().join("old")).unwrap();
        assert!(!watch.is_current());
        std::fs::create_dir(&folder).unwrap();
        assert!(!watch.is_current());
    }

    #[test]
    fn what_cannot_be_watched_is_named() {
        let full = notify::Error::new(notify::ErrorKind::MaxFilesWatch).add_path("/a/b".into());
        assert!(matches!(failed(Path::new("/a"), full), LocalError::Unwatched { path } if path == Path::new("/a/b")));
        let error = Watch::start(&[PathBuf::from("/no/such/folder")]).err().unwrap();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
    }
}
