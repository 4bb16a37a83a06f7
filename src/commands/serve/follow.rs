//! Folders and what becomes of them on the endpoint: pushed or sent at first, and again whenever they change.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::ordinary;
use crate::commands::{Context, explain};
use crate::exit::{Exit, Failure};
use crate::local::{Watch, outside};
use crate::name::DbName;
use crate::settings::command::ServeSettings;

/// How long a folder rests before it is looked at.
const QUIET: Duration = Duration::from_millis(100);

/// A folder and the commands that bring it over.
pub(super) struct Job {
    folder: PathBuf,
    commands: Vec<Vec<OsString>>,
    /// Prints where the app opens.
    opens: Option<Vec<OsString>>,
}

/// What there is to do: each app goes into a database of its folder's name, files into that of the first app.
pub(super) fn jobs(command: &ServeSettings, url: &str) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for app in &command.apps {
        let place = format!("{url}/{}", database(app)?);
        jobs.push(Job {
            folder: app.clone(),
            commands: vec![line(&["push", "--create-db", "--yes"], app, &place)],
            opens: Some(line(&["browse", "--print"], app, &place)),
        });
    }
    if let Some(media) = &command.media {
        let place = format!("{url}/{}", database(command.apps.first().unwrap_or(media))?);
        let commands = vec![line(&["sync-dir", "--create-db", "--yes"], media, &place)];
        jobs.push(Job { folder: media.clone(), commands, opens: None });
    }
    Ok(jobs)
}

fn line(words: &[&str], folder: &Path, place: &str) -> Vec<OsString> {
    words.iter().map(OsString::from).chain([folder.into(), place.into()]).collect()
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

/// Brings everything over. What fails is told, and waits for the next change.
pub(super) async fn all(context: &Context, jobs: &[Job], state: &Path) {
    for job in jobs {
        bring(context, job, state).await;
    }
    for opens in jobs.iter().filter_map(|job| job.opens.as_ref()) {
        tell(context, ordinary::run(context, opens, state).await);
    }
}

/// Brings over what changes, for ever.
pub(super) async fn follow(context: &Context, watch: Option<Watch>, jobs: &[Job], state: &Path) {
    let Some(watch) = watch else { return std::future::pending().await };
    loop {
        for changed in watch.changed(QUIET).await {
            if let Some(job) = jobs.get(changed) {
                bring(context, job, state).await;
            }
        }
    }
}

/// Begins to watch the folders, before anything is brought over, so that no change is missed.
pub(super) fn watch(context: &Context, command: &ServeSettings, jobs: &[Job]) -> Option<Watch> {
    let folders: Vec<PathBuf> = jobs.iter().map(|job| job.folder.clone()).collect();
    if folders.is_empty() || !command.watch {
        return None;
    }
    match Watch::start(&folders) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tell(context, Err(error.into()));
            None
        }
    }
}

async fn bring(context: &Context, job: &Job, state: &Path) {
    for command in &job.commands {
        tell(context, ordinary::run(context, command, state).await);
    }
}

/// The endpoint goes on whatever happens to a folder.
fn tell(context: &Context, outcome: Result<Exit>) {
    if let Err(error) = outcome {
        context.printer.error(&explain::settle(error));
    }
}
