//! `diff`: from the server's text to the folder's, file by file.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use super::app;
use super::prepare::{Choice, Place, Prepared, with_place};
use crate::couch::Document;
use crate::ddoc::{UnfoldOptions, unfold};
use crate::exit::{Exit, Failure};
use crate::mark::Mark;
use crate::name::AttName;
use crate::path::RelPath;
use crate::plan::{Line, lines};
use crate::report::{Difference, Side};
use crate::settings::command::DiffSettings;
use crate::transfer;

/// Text up to this many bytes is shown as text.
const SHOWN: u64 = 1 << 20;

/// What a comparison has seen.
#[derive(Default)]
struct Seen {
    differs: bool,
    /// Those of the chosen paths that some file matches.
    paths: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.differs |= other.differs;
        self.paths.extend(other.paths);
    }
}

/// Shows what differs between the folder and the target.
pub(super) async fn run(context: &Context, command: &DiffSettings) -> Result<Exit> {
    let apps = app::load(context, &command.folder, &app::options(context))?;
    app::refuse_incomplete(&apps)?;
    let destination = match &command.destination {
        Some(destination) => destination.clone(),
        None => context.default_destination(super::origin(&command.folder.path).as_ref())?,
    };
    let mut seen = Seen::default();
    for endpoint in &destination.endpoints {
        for app in &apps.apps {
            let compare = async |place: &Place<'_>| one(context, command, place).await;
            seen.add(with_place(context, endpoint, app, compare).await?);
        }
    }
    if let Some(path) = command.paths.iter().find(|path| !seen.paths.contains(*path)) {
        let failure = Failure::new(Exit::Usage, format!("there is no file `{path}`, neither here nor on the server"));
        return Err(failure
            .hint(format!("paths begin at the app's folder; to compare with a target, `--to {path}`"))
            .into());
    }
    Ok(if seen.differs && command.exit_code { Exit::Differs } else { Exit::Ok })
}

async fn one(context: &Context, command: &DiffSettings, place: &Place<'_>) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut items = Vec::new();
    for prepared in place.prepare_all(context, &Choice::default()).await? {
        let server_files = prepared.remote.as_ref().map(files_of).unwrap_or_default();
        for line in lines(&prepared.plan) {
            let below = |path: &&String| is_chosen(std::slice::from_ref(*path), &line.path);
            seen.paths.extend(command.paths.iter().filter(below).cloned());
            if line.mark != Mark::Same && is_chosen(&command.paths, &line.path) {
                show(context, place, (&prepared, &server_files), &line).await?;
                items.push(Map::from_iter([
                    ("op".to_owned(), Value::from(line.mark.word())),
                    ("path".to_owned(), Value::from(line.path.as_str())),
                ]));
            }
        }
    }
    seen.differs = !items.is_empty();
    let items = items.into_iter().map(Value::Object).collect();
    let fields = [("items".to_owned(), Value::Array(items)), ("differs".to_owned(), Value::from(seen.differs))];
    context.printer.document("diff", Map::from_iter(fields));
    Ok(seen)
}

fn is_chosen(paths: &[String], path: &str) -> bool {
    let below = |chosen: &String| {
        let chosen = chosen.trim_end_matches('/');
        path == chosen || path.strip_prefix(chosen).is_some_and(|rest| rest.starts_with('/'))
    };
    paths.is_empty() || paths.iter().any(below)
}

/// The content of one side, as far as it can be shown.
enum Content {
    Absent,
    Bytes(Vec<u8>),
    Large(u64),
}

async fn show(
    context: &Context,
    place: &Place<'_>,
    (prepared, server_files): (&Prepared<'_>, &BTreeMap<RelPath, Vec<u8>>),
    line: &Line,
) -> Result<()> {
    let (server, folder) = match line.path.strip_prefix("_attachments/") {
        Some(name) if line.is_attachment => {
            let name = AttName::new(name)?;
            (remote_attachment(place, prepared, &name).await?, local_attachment(place, prepared, &name)?)
        }
        _ => {
            let server = server_files.get(line.path.as_str()).cloned().map_or(Content::Absent, Content::Bytes);
            (server, local_field(place, &line.path))
        }
    };
    context.printer.difference(&Difference { path: &line.path, server: side(&server), folder: side(&folder) });
    Ok(())
}

fn side(content: &Content) -> Side<'_> {
    match content {
        Content::Absent => Side::Absent,
        Content::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Side::Text(text),
            Err(_) => Side::Binary { bytes: bytes.len() as u64, content_type: None },
        },
        Content::Large(bytes) => Side::Binary { bytes: *bytes, content_type: None },
    }
}

async fn remote_attachment(place: &Place<'_>, prepared: &Prepared<'_>, name: &AttName) -> Result<Content> {
    let Some(remote) = &prepared.remote else { return Ok(Content::Absent) };
    let Some(stub) = remote.attachment(name) else { return Ok(Content::Absent) };
    if stub.length > SHOWN {
        return Ok(Content::Large(stub.length));
    }
    match transfer::content(place.database, &remote.id, &remote.revision, name, stub).await {
        Ok(bytes) => Ok(Content::Bytes(bytes)),
        Err(transfer::TransferError::Couch(error)) => Err(place.reached.failure(error)),
        Err(error) => Err(error.into()),
    }
}

fn local_attachment(place: &Place<'_>, prepared: &Prepared<'_>, name: &AttName) -> Result<Content> {
    match prepared.local.attachments.get(name) {
        None => Ok(Content::Absent),
        Some(file) if file.length > SHOWN => Ok(Content::Large(file.length)),
        Some(file) => Ok(Content::Bytes(place.app.folder.read(&file.path, SHOWN)?)),
    }
}

fn local_field(place: &Place<'_>, path: &str) -> Content {
    let read = RelPath::new(path).ok().and_then(|path| place.app.folder.read(&path, SHOWN).ok());
    read.map_or(Content::Absent, Content::Bytes)
}

/// The fields of a document as the files a clone would write.
fn files_of(document: &Document) -> BTreeMap<RelPath, Vec<u8>> {
    let options = UnfoldOptions { escape_names: true, ..UnfoldOptions::default() };
    unfold(&document.body, &document.id, &[], &options).map(|unfolded| unfolded.files).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_folder_means_what_is_in_it() {
        let chosen = ["views".to_owned(), "a.js".to_owned()];
        for (path, expected) in [("views/x/map.js", true), ("viewsx", false), ("a.js", true), ("b", false)] {
            assert_eq!(is_chosen(&chosen, path), expected, "{path}");
        }
        assert!(is_chosen(&[], "anything"));
    }
}
