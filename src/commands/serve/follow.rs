//! Folders and what becomes of them on the endpoint: pushed or sent at first, and again whenever they change.

use std::cell::Cell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::below;
use super::ordinary::{self, Surroundings};
use crate::commands::{Context, explain};
use crate::exit::{Exit, Failure};
use crate::local::{Watch, outside};
use crate::name::DbName;
use crate::settings::Found;
use crate::settings::command::ServeSettings;

/// How long a folder rests before it is looked at.
const QUIET: Duration = Duration::from_millis(100);

/// A folder and the command that brings it over.
pub(super) struct Job {
    folder: PathBuf,
    /// The folder as people know it.
    shown: PathBuf,
    database: DbName,
    command: Vec<OsString>,
    /// It has been brought over once, so where it is has been said.
    known: Cell<bool>,
}

/// All folders, and the endpoint that they are brought to.
pub(super) struct Folders {
    pub(super) jobs: Vec<Job>,
    /// Where the endpoint is.
    pub(super) url: String,
    pub(super) credentials: Option<Found>,
    /// Where is remembered what was sent.
    pub(super) state: PathBuf,
}

/// What there is to do: each app goes into a database of its folder's name, files into that of the first app.
pub(super) fn jobs(context: &Context, command: &ServeSettings) -> Result<Vec<Job>> {
    let job = |folder: &PathBuf, database: DbName, command: Vec<OsString>| {
        // With a separator, so that it cannot be taken for the name of a target.
        let shown = below(&context.environment.directory, folder);
        let shown = if shown.is_relative() { Path::new(".").join(shown) } else { shown };
        Job { folder: folder.clone(), shown, database, command, known: Cell::new(false) }
    };
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let mut jobs = Vec::new();
    for app in &command.apps {
        let job = job(app, database(app)?, words(&["push", "--create-db", "--yes"]));
        check_is_free(&jobs, &job)?;
        jobs.push(job);
    }
    if let Some(media) = &command.media {
        let mut line = words(&["sync-dir", "--create-db", "--yes"]);
        // How an app wants its files to be stored stands beside it.
        let wishes = command.apps.first().map(|app| app.join("couchapp.toml"));
        if let Some(wishes) = wishes.filter(|wishes| outside::exists(wishes)) {
            line.extend(["--config".into(), wishes.into()]);
        }
        jobs.push(job(media, database(command.apps.first().unwrap_or(media))?, line));
    }
    Ok(jobs)
}

/// Two apps of one name would be the same design document: each push would replace the other.
fn check_is_free(jobs: &[Job], job: &Job) -> Result<()> {
    let Some(other) = jobs.iter().find(|other| other.database == job.database) else { return Ok(()) };
    let (one, two) = (other.shown.display(), job.shown.display());
    let message = format!("`{one}` and `{two}` would both go into the database `{}`", job.database);
    Err(Failure::new(Exit::Usage, message).hint("rename one of the folders").into())
}

/// The database for a folder: its name, as far as CouchDB allows.
fn database(folder: &Path) -> Result<DbName> {
    let true_folder = outside::canonical(folder);
    let name = true_folder.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let allowed = |letter: char| if letter.is_ascii_alphanumeric() || "_-+".contains(letter) { letter } else { '-' };
    let name: String = name.unwrap_or_default().chars().map(allowed).collect();
    let name = name.trim_start_matches(|letter: char| !letter.is_ascii_lowercase());
    DbName::new(name).map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("no database can be named after `{}`", folder.display()));
        failure.because(error).hint("rename the folder").into()
    })
}

impl Folders {
    /// Brings everything over, and then for ever what changes. What fails is told, and waits for the next change.
    pub(super) async fn keep(&self, context: &Context, command: &ServeSettings) {
        let watch = if command.watch { self.watch(context) } else { None };
        for job in &self.jobs {
            self.bring(context, job).await;
        }
        let Some(watch) = watch else { return std::future::pending().await };
        let pages = if command.reload && !command.apps.is_empty() { "; open pages reload by themselves" } else { "" };
        context.printer.note(&format!("Watching for changes{pages}"));
        loop {
            for changed in watch.changed(QUIET).await {
                if let Some(job) = self.jobs.get(changed) {
                    self.bring(context, job).await;
                }
            }
        }
    }

    /// Begins to watch the folders, before anything is brought over, so that no change is missed.
    fn watch(&self, context: &Context) -> Option<Watch> {
        let folders: Vec<PathBuf> = self.jobs.iter().map(|job| job.folder.clone()).collect();
        if folders.is_empty() {
            return None;
        }
        match Watch::start(&folders) {
            Ok(watch) => Some(watch),
            Err(error) => {
                context.printer.error(&explain::settle(error.into()));
                None
            }
        }
    }

    async fn bring(&self, context: &Context, job: &Job) {
        let place = format!("{}/{}", self.url, job.database);
        let arguments = job.command.iter().cloned().chain([job.shown.clone().into(), place.into()]);
        let arguments: Vec<OsString> = arguments.collect();
        let (credentials, terse) = (self.credentials.as_ref(), job.known.get());
        let surroundings = Surroundings { credentials, state: &self.state, terse };
        if ordinary::run(context, &arguments, surroundings).await {
            job.known.set(true);
        }
    }
}
