//! Where a clone goes: a new folder, an earlier clone, or nowhere because something else is there.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::address::Address;
use crate::commands::Context;
use crate::ddoc::{Layout, detect};
use crate::exit::{Exit, Failure};
use crate::local::{self, Kind, State};
use crate::name::DocId;
use crate::path::{RelPath, portable};
use crate::settings::command::{CloneInto, CloneSettings};

/// The state's folder and files inside an app that tell of an earlier push or clone.
const STATE: &str = ".couchapp";
const MEMORIES: [&str; 3] = ["base-", "origin", "incomplete"];

/// Names at an app's root that hardly anything else has.
const MARKS: [&str; 13] = [
    "_id",
    "_attachments",
    "_ddoc",
    "_fields.json",
    "couchapp.json",
    ".couchapprc",
    "index.html",
    "views",
    "shows",
    "lists",
    "updates",
    "rewrites.json",
    "validate_doc_update.js",
];

/// How a folder is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// There is nothing yet.
    Fresh,
    /// What is there is brought up to date.
    Update,
}

/// Where the folder goes, and how people know it.
pub(super) fn folder(context: &Context, command: &CloneSettings, id: &DocId) -> Result<(PathBuf, String)> {
    match &command.into {
        CloneInto::Folder { path, shown } => Ok((path.clone(), shown.clone())),
        _ => match portable::judge_component(id.stem()) {
            Ok(()) => Ok((context.settings.directory.join(id.stem()), format!("./{}", id.stem()))),
            Err(reason) => {
                let message = format!("the name of `{id}` cannot be a folder's: it {reason}");
                Err(Failure::new(Exit::Usage, message).hint("name the folder: `couchapp clone URL DIR`").into())
            }
        },
    }
}

/// How the folder is to be filled from `source`; refuses what is none of this clone's.
pub(super) fn way(command: &CloneSettings, source: &Address, root: &Path, shown: &str) -> Result<Way> {
    match local::kind(root)? {
        None => return Ok(Way::Fresh),
        Some(Kind::Folder) => {}
        Some(_) => return Err(occupied(command, shown).into()),
    }
    let names: Vec<String> = local::children(root)?.into_iter().map(|child| child.name).collect();
    let state = State::of(root);
    let memories = memories(&state)?;
    let is_empty = local::Destination::open(root)?.is_empty()?;
    if is_empty || (names == [STATE] && memories.is_empty()) {
        return Ok(Way::Fresh);
    }
    match state.incomplete() {
        Some(origin) if origin == source.to_string() => return Ok(Way::Update),
        // A mark that cannot be read tells only that something is missing.
        Some(origin) if !(origin.is_empty() && command.update) => return Err(half(&origin, shown).into()),
        _ => {}
    }
    let is_app = !memories.is_empty() || names.iter().any(|name| MARKS.contains(&name.as_str()));
    match (command.update, is_app) {
        (true, true) => Ok(Way::Update),
        (true, false) => Err(no_app(shown).into()),
        (false, _) => Err(occupied(command, shown).into()),
    }
}

/// Whether the folder is one of plain files, where the names that a clone gives to attachments do not matter.
pub(super) fn is_plain(root: &Path) -> Result<bool> {
    let names = local::children(root)?.into_iter().filter_map(|child| RelPath::new(child.name).ok());
    let names: Vec<RelPath> = names.collect();
    Ok(detect(&names) == Layout::Web)
}

/// What is remembered of earlier pushes and clones.
fn memories(state: &State) -> Result<Vec<String>> {
    match local::kind(state.folder())? {
        Some(Kind::Folder) => {
            let names = local::children(state.folder())?.into_iter().map(|child| child.name);
            Ok(names.filter(|name| MEMORIES.iter().any(|memory| name.starts_with(memory))).collect())
        }
        _ => Ok(Vec::new()),
    }
}

fn occupied(command: &CloneSettings, shown: &str) -> Failure {
    let address = &command.source.address;
    let hint = format!("`couchapp clone {address} OTHER-DIR`, or `--update` if it is an earlier clone");
    Failure::new(Exit::Refused, format!("`{shown}` exists and is not empty")).hint(hint)
}

fn half(origin: &str, shown: &str) -> Failure {
    let what = if origin.is_empty() { "a clone" } else { "a clone of another document" };
    let failure = Failure::new(Exit::Refused, format!("`{shown}` holds {what} that was interrupted"));
    let origin = if origin.is_empty() { "URL" } else { origin };
    failure.coded("incomplete").hint(format!("`couchapp clone {origin} DIR --update` completes it"))
}

fn no_app(shown: &str) -> Failure {
    Failure::new(Exit::Refused, format!("`{shown}` is neither an earlier clone nor an app; nothing was written"))
        .hint("name the folder of the clone, or a new one: `couchapp clone URL DIR`")
}
