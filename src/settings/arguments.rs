//! `push [DIR] [DEST]` and its kin: which of two optional arguments is which.
//!
//! One argument that is a URL, a target or `:db` is the destination; a path with a separator, `.`, or a folder that
//! holds an app is the folder. Where both readings are possible, or neither is, the command is refused: the old tool
//! guessed, and created databases nobody wanted.

use std::ffi::OsStr;
use std::path::Path;

use super::command::AppFolder;
use super::{Environment, Targets, project};
use crate::cli;
use crate::exit::{Exit, Failure};
use crate::local::outside;

/// What the arguments say.
#[derive(Default)]
pub(super) struct Given {
    /// The folder, if one was named.
    pub(super) folder: Option<AppFolder>,
    /// The destination, if one was named: a URL, a target, or `:db`.
    pub(super) target: Option<String>,
}

/// Tells folder and destination apart. `command` is for the hints; `only_folder`: the destination was given by a flag.
pub(super) fn folder_and_target(
    command: &str,
    first: Option<&OsStr>,
    second: Option<&OsStr>,
    only_folder: bool,
    targets: &Targets,
    environment: &Environment,
) -> Result<Given, Failure> {
    if [first, second].into_iter().flatten().any(OsStr::is_empty) {
        let failure = Failure::new(Exit::Usage, "an argument is empty");
        return Err(failure.hint("an unset variable in a script looks like this"));
    }
    match (first, second) {
        (None, _) => Ok(Given::default()),
        (Some(first), Some(second)) => both(command, first, second, environment),
        (Some(only), None) if only_folder => named(Some(Path::new(only)), None, environment),
        (Some(only), None) => one(command, only, targets, environment),
    }
}

/// A folder and a destination that were given by flags of their own.
pub(super) fn named(
    folder: Option<&Path>,
    target: Option<String>,
    environment: &Environment,
) -> Result<Given, Failure> {
    let folder = folder.map(|folder| project::named(folder, &environment.directory, environment)).transpose()?;
    Ok(Given { folder, target })
}

fn both(command: &str, first: &OsStr, second: &OsStr, environment: &Environment) -> Result<Given, Failure> {
    let target = text(second)?;
    let swapped = first.to_str().is_some_and(is_address) && !is_address(target);
    if swapped {
        let (first, second) = (first.to_string_lossy(), second.to_string_lossy());
        return Err(Failure::new(Exit::Usage, "the folder comes first, then the destination")
            .hint(format!("`couchapp {command} {second} {first}`")));
    }
    named(Some(Path::new(first)), Some(target.to_owned()), environment)
}

fn one(command: &str, only: &OsStr, targets: &Targets, environment: &Environment) -> Result<Given, Failure> {
    let as_folder = || named(Some(Path::new(only)), None, environment);
    let Some(word) = only.to_str() else { return as_folder() };
    if is_address(word) {
        return Ok(Given { folder: None, target: Some(word.to_owned()) });
    }
    let path = environment.directory.join(word);
    let app = outside::is_folder(&path) && project::is_app(&path, environment);
    match (targets.has(word), is_path(word) || app) {
        (true, true) => Err(Failure::new(Exit::Usage, format!("`{word}` is both a folder and a target"))
            .coded("ambiguous_argument")
            .hint(format!("`couchapp {command} ./{word}` for the folder"))
            .hint(format!("`couchapp {command} . {word}` for the target"))),
        (true, false) => Ok(Given { folder: None, target: Some(word.to_owned()) }),
        (false, true) => as_folder(),
        (false, false) if outside::is_folder(&path) => {
            Err(Failure::new(Exit::Usage, format!("`{word}` is a folder but does not look like an app"))
                .coded("unknown_target")
                .hint(format!("`couchapp {command} ./{word}` if you mean the folder"))
                .hint(format!(
                    "`couchapp {command} . :{word}` for the database `{word}` on {}",
                    targets.server().address
                )))
        }
        // The error of a destination says what may have been meant.
        (false, false) => targets.destination(word).map(|_| Given { folder: None, target: Some(word.to_owned()) }),
    }
}

fn is_address(word: &str) -> bool {
    word.contains("://") || word.starts_with(':')
}

fn is_path(word: &str) -> bool {
    matches!(word, "." | "..") || word.contains(['/', std::path::MAIN_SEPARATOR])
}

fn text(argument: &OsStr) -> Result<&str, Failure> {
    argument
        .to_str()
        .ok_or_else(|| Failure::new(Exit::Usage, format!("`{}` is not valid UTF-8", argument.to_string_lossy())))
}

/// The old tool's commands: what to type now.
pub(super) fn renamed(command: &cli::Command) -> Option<Failure> {
    let (old, old_arguments, new, hint) = match command {
        cli::Command::Pushdocs(old) => {
            ("pushdocs", old, "push --docs", "the documents of `_docs` are pushed with the app")
        }
        cli::Command::Pushapps(old) => ("pushapps", old, "push", "once for each app's folder"),
        cli::Command::Autopush(old) => ("autopush", old, "watch", "it pushes after each change"),
        _ => return None,
    };
    let mut typed = format!("couchapp {new}");
    for argument in &old_arguments.arguments {
        typed.push(' ');
        typed.push_str(&argument.to_string_lossy());
    }
    let failure = Failure::new(Exit::Usage, format!("`couchapp {old}` is `couchapp {new}` now")).coded("renamed");
    Some(failure.hint(format!("`{typed}`: {hint}")))
}
