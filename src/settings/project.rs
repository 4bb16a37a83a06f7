//! Where the app is, and which files configure it.

use std::path::{Path, PathBuf};

use super::command::AppFolder;
use super::file::{ConfigFile, Owner};
use super::legacy::LegacyFile;
use super::{Environment, Warning};
use crate::exit::{Exit, Failure};
use crate::local::{self, outside};

/// Files and folders that only the root of an app has.
const ROOT_MARKS: [&str; 6] = ["couchapp.toml", ".couchapprc", ".couchapp", "_id", "couchapp.json", "_ddoc"];

/// What else makes a folder look like an app.
const APP_MARKS: [&str; 13] = [
    "_attachments",
    "_design",
    "_docs",
    "evently",
    "filters",
    "index.html",
    "lists",
    "rewrites.js",
    "rewrites.json",
    "shows",
    "updates",
    "validate_doc_update.js",
    "views",
];

/// Whether a folder looks like an app, or like a folder of web pages that can be pushed as one.
pub(super) fn is_app(folder: &Path, environment: &Environment) -> bool {
    is_root(folder, environment) || APP_MARKS.iter().any(|mark| outside::exists(&folder.join(mark)))
}

fn is_root(folder: &Path, environment: &Environment) -> bool {
    // The old tool keeps its templates in `~/.couchapp`.
    let home = environment.home.as_deref() == Some(folder);
    ROOT_MARKS.iter().any(|mark| !(home && *mark == ".couchapp") && outside::exists(&folder.join(mark)))
}

/// The app around `directory`: the nearest folder upward with the mark of a root, else `directory` itself.
pub(super) fn around(directory: &Path, environment: &Environment) -> AppFolder {
    let root = directory.ancestors().find(|folder| is_root(folder, environment));
    let path = root.unwrap_or(directory);
    let path = local::canonical(path).unwrap_or_else(|_| path.to_owned());
    AppFolder { shown: name_of(&path), is_app: is_app(&path, environment), path, named: false }
}

/// The folder that the user named.
pub(super) fn named(typed: &Path, directory: &Path, environment: &Environment) -> Result<AppFolder, Failure> {
    let path = directory.join(typed);
    let missing = |message: String| Failure::new(Exit::Missing, message);
    let shown = typed.display().to_string();
    if !outside::exists(&path) {
        return Err(missing(format!("the folder `{shown}` does not exist")));
    }
    if !outside::is_folder(&path) {
        return Err(Failure::new(Exit::Usage, format!("`{shown}` is not a folder")));
    }
    let path = local::canonical(&path)
        .map_err(|error| missing(format!("the folder `{shown}` cannot be read")).because(error))?;
    let trimmed = shown.trim_end_matches(['/', std::path::MAIN_SEPARATOR]);
    let shown = if matches!(trimmed, "" | "." | "..") { name_of(&path) } else { trimmed.to_owned() };
    Ok(AppFolder { shown, is_app: is_app(&path, environment), path, named: true })
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The configuration files of one app and its user, read.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigFiles {
    /// The project's.
    pub(super) project: Option<ConfigFile>,
    /// The user's.
    pub(super) user: Option<ConfigFile>,
    /// The old tool's files in the app, the most important first.
    pub(super) legacy_project: Vec<LegacyFile>,
    /// The old tool's files of the user, the most important first.
    pub(super) legacy_user: Vec<LegacyFile>,
    pub(super) warnings: Vec<Warning>,
}

/// Which files are wanted.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// None (`--no-config`).
    Nothing,
    /// This one instead of those of the app (`--config`).
    File(PathBuf),
    /// Those of the app.
    App,
}

impl ConfigFiles {
    /// Reads the files for the app at `folder`.
    pub(super) fn read(folder: &Path, wanted: &Wanted, environment: &Environment) -> Result<Self, Failure> {
        let mut files = Self::default();
        match wanted {
            Wanted::Nothing => return Ok(files),
            Wanted::File(path) => {
                files.project = read_config(path, Owner::Project, environment)?;
                if files.project.is_none() {
                    let message = format!("the configuration file `{}` does not exist", environment.shown(path));
                    return Err(Failure::new(Exit::Usage, message).coded("config"));
                }
            }
            Wanted::App => {
                for ancestor in folder.ancestors() {
                    files.project = read_config(&ancestor.join("couchapp.toml"), Owner::Project, environment)?;
                    if files.project.is_some() {
                        break;
                    }
                }
                files.read_old_files_of(folder, environment)?;
            }
        }
        files.read_files_of_the_user(environment)?;
        Ok(files)
    }

    fn read_old_files_of(&mut self, folder: &Path, environment: &Environment) -> Result<(), Failure> {
        self.legacy_project.extend(read_legacy(&folder.join(".couchapprc"), environment)?);
        // Part of the app itself: what is wrong with it is told when the app is read.
        match read_legacy(&folder.join("couchapp.json"), environment) {
            Ok(file) => self.legacy_project.extend(file),
            Err(failure) => {
                self.warnings.push(Warning { code: "config", message: format!("{failure}; its `env` is not used") });
            }
        }
        Ok(())
    }

    fn read_files_of_the_user(&mut self, environment: &Environment) -> Result<(), Failure> {
        if let Some(path) = environment.user_file() {
            self.user = read_config(&path, Owner::User, environment)?;
            if self.user.as_ref().is_some_and(ConfigFile::has_secrets) && !outside::is_private(&path) {
                let shown = environment.shown(&path);
                let message = format!("`{shown}` holds a password and can be read by others; `chmod 600 {shown}`");
                self.warnings.push(Warning { code: "file_mode", message });
            }
        }
        for path in old_user_files(environment) {
            self.legacy_user.extend(read_legacy(&path, environment)?);
        }
        Ok(())
    }

    /// Project file, then user file.
    pub(super) fn layers(&self) -> Vec<&ConfigFile> {
        self.project.iter().chain(&self.user).collect()
    }
}

/// `COUCHAPPCONF_PATH`: files, or folders with a `couchapp.conf`. Without it `~/.couchapp.conf`. The last one wins in
/// the old tool, so the list is reversed here.
fn old_user_files(environment: &Environment) -> Vec<PathBuf> {
    let Some(list) =
        environment.variables.get(std::ffi::OsStr::new("COUCHAPPCONF_PATH")).filter(|list| !list.is_empty())
    else {
        return environment.home.iter().map(|home| home.join(".couchapp.conf")).collect();
    };
    let mut paths: Vec<PathBuf> = std::env::split_paths(list)
        .map(|path| environment.directory.join(path))
        .map(|path| if outside::is_folder(&path) { path.join("couchapp.conf") } else { path })
        .collect();
    paths.reverse();
    paths
}

fn read_config(path: &Path, owner: Owner, environment: &Environment) -> Result<Option<ConfigFile>, Failure> {
    let shown = environment.shown(path);
    read(path, &shown)?.map(|text| ConfigFile::parse(path, &shown, owner, &text)).transpose()
}

/// One of the old tool's files, `None` when it is not there.
pub(super) fn read_legacy(path: &Path, environment: &Environment) -> Result<Option<LegacyFile>, Failure> {
    let shown = environment.shown(path);
    read(path, &shown)?.map(|text| LegacyFile::parse(&shown, &text)).transpose()
}

fn read(path: &Path, shown: &str) -> Result<Option<String>, Failure> {
    outside::read(path)
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot read `{shown}`")).coded("config").because(error))
}
