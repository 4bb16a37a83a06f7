//! A folder of its own for one test, with a home and the binary at hand.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::run::{Run, Secrets};
use super::{Endpoint, variable};

/// The files beneath a folder: relative paths with `/`, and what stands in them. An empty folder ends with `/`, a
/// symbolic link holds `-> target`.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// A temporary folder with `home/` and `work/`; the binary runs in `work/`.
pub(crate) struct Project {
    root: TempDir,
    environment: RefCell<BTreeMap<String, String>>,
    secrets: RefCell<Secrets>,
    /// What the test itself wrote: it may hold the canary.
    written: RefCell<BTreeSet<PathBuf>>,
}

impl Project {
    /// An empty project.
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("couchapp-test-").tempdir().unwrap();
        for folder in ["home", "config", "state", "cache", "data", "work"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        let project = Self {
            root,
            environment: RefCell::default(),
            secrets: RefCell::new(Secrets::new()),
            written: RefCell::default(),
        };
        let folder = |name: &str| project.root.path().join(name).to_str().unwrap().to_owned();
        let environment = [
            ("HOME", folder("home")),
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_STATE_HOME", folder("state")),
            ("XDG_CACHE_HOME", folder("cache")),
            ("XDG_DATA_HOME", folder("data")),
            ("PATH", variable("PATH").unwrap_or_default()),
            ("LANG", "C.UTF-8".to_owned()),
        ];
        for (name, value) in environment {
            project.set(name, &value);
        }
        project
    }

    /// An empty project whose environment holds the credentials of `endpoint`.
    pub(crate) fn for_endpoint(endpoint: &Endpoint) -> Self {
        let project = Self::new();
        project.authorise(endpoint);
        project
    }

    /// Puts the credentials of `endpoint` into the environment.
    pub(crate) fn authorise(&self, endpoint: &Endpoint) {
        if let Some((user, password)) = endpoint.credentials() {
            self.set("COUCHAPP_USER", user);
            self.set("COUCHAPP_PASSWORD", password);
            self.keep_secret(user, password);
        }
    }

    /// Searches the runs to come for this password, too.
    pub(crate) fn keep_secret(&self, user: &str, password: &str) {
        self.secrets.borrow_mut().add(user, password);
    }

    /// Sets a variable for the runs to come.
    pub(crate) fn set(&self, name: &str, value: &str) -> &Self {
        self.environment.borrow_mut().insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes a variable away from the runs to come.
    pub(crate) fn unset(&self, name: &str) -> &Self {
        self.environment.borrow_mut().remove(name);
        self
    }

    /// The folder that the binary runs in.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// The folder that holds everything of this project, `work` and `home` included.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file, and the folders above it; `path` is relative to `work`, `../home/.netrc` is allowed.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        self.written.borrow_mut().insert(fs::canonicalize(file).unwrap());
        self
    }

    /// Writes many files.
    pub(crate) fn write_tree<'a>(&self, folder: &str, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> &Self {
        for (path, content) in files {
            self.write(&format!("{folder}/{path}"), content);
        }
        self
    }

    /// Gives a file the time `seconds` and `nanoseconds` after 1970.
    pub(crate) fn touch(&self, path: &str, seconds: u64, nanoseconds: u32) -> &Self {
        let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        let file = fs::OpenOptions::new().write(true).open(self.path().join(path)).unwrap();
        file.set_modified(time).unwrap();
        self
    }

    /// Writes a file of `length` bytes that is a hole but for some places.
    pub(crate) fn write_sparse(&self, path: &str, length: u64, places: &[(u64, &[u8])]) -> &Self {
        use std::io::Seek as _;
        self.write(path, "");
        let mut file = fs::OpenOptions::new().write(true).open(self.path().join(path)).unwrap();
        file.set_len(length).unwrap();
        for (place, bytes) in places {
            file.seek(std::io::SeekFrom::Start(*place)).unwrap();
            file.write_all(bytes).unwrap();
        }
        self
    }

    /// The times of the files beneath a folder of `work`, in nanoseconds since 1970.
    pub(crate) fn times(&self, folder: &str) -> BTreeMap<String, u128> {
        let folder = self.path().join(folder);
        let mut times = BTreeMap::new();
        for entry in walkdir::WalkDir::new(&folder).min_depth(1) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                let path = entry.path().strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
                let modified = entry.metadata().unwrap().modified().unwrap();
                times.insert(path, modified.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos());
            }
        }
        times
    }

    /// What the tool remembers: the files of its state.
    pub(crate) fn state(&self) -> Tree {
        tree_of(&self.root().join("state"))
    }

    /// Takes away what the tool remembers.
    pub(crate) fn forget(&self) -> &Self {
        let state = self.root().join("state");
        fs::remove_dir_all(&state).unwrap();
        fs::create_dir(state).unwrap();
        self
    }

    /// Reads a file.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Reads a file of text.
    #[track_caller]
    pub(crate) fn read_text(&self, path: &str) -> String {
        String::from_utf8(self.read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Whether something stands under this name.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path().join(path).symlink_metadata().is_ok()
    }

    /// Removes a file or a folder with everything in it.
    pub(crate) fn remove(&self, path: &str) -> &Self {
        let place = self.path().join(path);
        let removed = if place.is_dir() { fs::remove_dir_all(place) } else { fs::remove_file(place) };
        removed.unwrap();
        self
    }

    /// Copies a folder that stands beside the sources (`examples/hello`) into `work`.
    pub(crate) fn copy_in(&self, source: &str, to: &str) -> &Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        for (path, content) in tree_of(&source) {
            self.write(&format!("{to}/{path}"), content);
        }
        self
    }

    /// Copies a folder of `work` to another place in it, hidden files included, as `cp -r` would.
    pub(crate) fn copy(&self, from: &str, to: &str) -> &Self {
        for (path, content) in self.tree(from) {
            let file = self.path().join(to).join(&path);
            if path.ends_with('/') {
                fs::create_dir_all(file).unwrap();
            } else {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, content).unwrap();
            }
        }
        self
    }

    /// The files beneath a folder of `work`.
    pub(crate) fn tree(&self, folder: &str) -> Tree {
        tree_of(&self.path().join(folder))
    }

    /// The files of an app without the tool's own: what a person would compare.
    pub(crate) fn app_tree(&self, folder: &str) -> Tree {
        let mut tree = self.tree(folder);
        tree.retain(|path, _| !path.starts_with(".couchapp/"));
        tree
    }

    /// Everything that this project holds outside one folder of `work`: the census before and after a hostile clone.
    pub(crate) fn census_outside(&self, folder: &str) -> Tree {
        let inside = if folder.is_empty() { "work/".to_owned() } else { format!("work/{folder}/") };
        let mut tree = tree_of(self.root());
        tree.retain(|path, _| !path.starts_with(&inside) && path != inside.trim_end_matches('/'));
        tree
    }

    /// Runs the binary in `work`.
    #[track_caller]
    pub(crate) fn couchapp<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Run {
        self.run_in("", arguments, "")
    }

    /// Runs the binary in a folder of `work`.
    #[track_caller]
    pub(crate) fn couchapp_in<S: AsRef<OsStr>>(&self, folder: &str, arguments: &[S]) -> Run {
        self.run_in(folder, arguments, "")
    }

    /// Runs the binary in a folder of `work` with something to read.
    #[track_caller]
    pub(crate) fn run_in<S: AsRef<OsStr>>(&self, folder: &str, arguments: &[S], stdin: &str) -> Run {
        let mut child = self.start(folder, arguments);
        // The binary may end without having read anything.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        self.ended(&child.wait_with_output().unwrap())
    }

    /// What a process that was started here left.
    #[track_caller]
    pub(crate) fn ended(&self, output: &Output) -> Run {
        let run = Run::new(output, self.root().to_str().unwrap(), &self.secrets.borrow());
        self.check_secrets();
        run
    }

    /// Starts the binary in a folder of `work`, for tests that do something to it while it runs.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, folder: &str, arguments: &[S]) -> Child {
        self.command(folder, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The binary in a folder of `work`, to be run whenever it suits the test.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, folder: &str, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_couchapp"));
        command.args(arguments).env_clear().envs(self.environment.borrow().iter());
        command.current_dir(self.path().join(folder));
        command
    }

    /// Panics when a file that the test did not write itself holds a password: state, caches, logs, clones.
    #[track_caller]
    pub(crate) fn check_secrets(&self) {
        let written = self.written.borrow();
        let secrets = self.secrets.borrow();
        for (path, content) in tree_of(self.root()) {
            let file = self.root().join(&path);
            // A whole medium is no place to leave a password by mistake, and slow to search.
            if content.len() < 1 << 20 && !written.contains(&file) {
                secrets.check(&path, &content);
            }
        }
    }
}

/// The paths at which two trees differ.
pub(crate) fn difference(before: &Tree, after: &Tree) -> Vec<String> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

fn tree_of(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/");
        if entry.file_type().is_dir() {
            if fs::read_dir(entry.path()).unwrap().next().is_none() {
                tree.insert(format!("{path}/"), Vec::new());
            }
        } else if entry.file_type().is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            tree.insert(path, format!("-> {}", target.display()).into_bytes());
        } else if entry.file_type().is_file() {
            tree.insert(path, fs::read(entry.path()).unwrap());
        } else {
            // Reading a pipe would wait for somebody to write.
            tree.insert(path, b"special".to_vec());
        }
    }
    tree
}
