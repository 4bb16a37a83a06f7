//! Carrying an update out: everything is fetched first, beside the folder's files; then each file is looked at once more
//! and replaced; what is remembered comes last.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Source;
use super::update::Update;
use crate::commands::Context;
use crate::exit::{Exit, Failure};
use crate::local::{self, Base, Destination, Existing, Kept, WriteOptions};
use crate::name::AttName;
use crate::path::RelPath;
use crate::plan::{KeyPath, Merge, leaves};
use crate::snapshot::attachments::Recorded;

/// Where attachments wait until all of them are there.
const INCOMING: &str = ".couchapp/incoming";
const INCOMING_NAME: &str = "incoming";

/// Replaces, writes and removes what the merge asks for.
pub(super) async fn apply(context: &Context, source: &Source<'_>, update: &Update<'_>) -> Result<()> {
    let destination = Destination::open(update.root)?;
    Incoming::discard(update, &destination);
    let incoming = Incoming::new(update)?;
    let fetched = incoming.fetch(context, source, update, &destination).await;
    let changed = fetched.and_then(|md5s| update.changed_meanwhile().map(|changed| (md5s, changed)));
    let md5s = match changed {
        Ok((md5s, changed)) if changed.is_empty() => md5s,
        other => {
            Incoming::discard(update, &destination);
            let (_, changed) = other?;
            return Err(edited(&changed, "nothing was written").into());
        }
    };
    update.state.begin_clone(&source.address)?;
    let replaced = replace(update, &destination, &incoming);
    Incoming::discard(update, &destination);
    replaced?;
    folders(update, &destination)?;
    update.state.set_base(&source.address, &new_base(source, update, md5s))?;
    if update.state.origin().found().is_none() {
        update.state.set_origin(&source.origin())?;
    }
    update.state.end_clone()?;
    Ok(())
}

fn edited(paths: &[&RelPath], what: &str) -> Failure {
    Failure::new(Exit::Conflict, format!("files were changed during the update; {what}"))
        .details(paths.iter().map(ToString::to_string))
        .hint("run it again to merge with what is there now")
}

/// Attachments on their way, by the path that they are for.
struct Incoming<'a> {
    paths: BTreeMap<&'a RelPath, RelPath>,
}

impl<'a> Incoming<'a> {
    fn new(update: &'a Update<'_>) -> Result<Self> {
        let fetched = update.merged.actions.iter().filter(|(_, action)| **action == Merge::Fetch);
        let numbered =
            fetched.enumerate().map(|(number, (path, _))| Ok((path, RelPath::new(format!("{INCOMING}/{number}"))?)));
        Ok(Self { paths: numbered.collect::<Result<_>>()? })
    }

    async fn fetch(
        &self,
        context: &Context,
        source: &Source<'_>,
        update: &Update<'_>,
        destination: &Destination,
    ) -> Result<BTreeMap<AttName, [u8; 16]>> {
        let named =
            self.paths.iter().filter_map(|(path, waiting)| Some((update.theirs.attachments.get(*path)?, waiting)));
        let wanted = named.filter_map(|(name, waiting)| source.wanted(name, waiting.clone())).collect();
        let options = WriteOptions { existing: Existing::Replace, ..WriteOptions::default() };
        source.fetch(context, wanted, (destination, options)).await
    }

    /// Removes what waits no more, that of a run that was killed included; what cannot be removed waits on.
    fn discard(update: &Update<'_>, destination: &Destination) {
        let Ok(waiting) = local::children(&update.state.folder().join(INCOMING_NAME)) else { return };
        let paths = waiting.iter().map(|child| child.name.as_str()).chain(["-"]);
        for path in paths.filter_map(|name| RelPath::new(format!("{INCOMING}/{name}")).ok()) {
            let _ = destination.remove(&path);
            let _ = destination.remove_empty_parents(&path);
        }
    }
}

impl Update<'_> {
    fn is_as_read(&self, path: &RelPath) -> Result<bool> {
        Ok(self.places.local.is_as_read(path, self.places.file(path))?)
    }

    fn changed_meanwhile(&self) -> Result<Vec<&RelPath>> {
        let mut changed = Vec::new();
        for path in self.merged.actions.keys() {
            if !self.is_as_read(path)? {
                changed.push(path);
            }
        }
        Ok(changed)
    }
}

/// Attachments, then fields, then removals; each file only as long as it is what was read.
fn replace(update: &Update<'_>, destination: &Destination, incoming: &Incoming<'_>) -> Result<()> {
    let options = WriteOptions { existing: Existing::Replace, ..WriteOptions::default() };
    let order = |action: &Merge| match action {
        Merge::Fetch => 0,
        Merge::Write(_) => 1,
        Merge::Remove => 2,
    };
    let mut actions: Vec<(&RelPath, &Merge)> = update.merged.actions.iter().collect();
    actions.sort_by_key(|(_, action)| order(action));
    for (path, action) in actions {
        if !update.is_as_read(path)? {
            return Err(edited(&[path], "the update stopped there").into());
        }
        match (action, incoming.paths.get(path)) {
            (Merge::Fetch, Some(waiting)) => destination.rename(waiting, path)?,
            (Merge::Fetch, None) => {}
            (Merge::Write(bytes), _) => destination.write(path, bytes, options)?,
            (Merge::Remove, _) => {
                destination.remove(path)?;
                destination.remove_empty_parents(path)?;
            }
        }
    }
    Ok(())
}

/// An empty folder is an empty object: those of the server are made unless they were removed here, and those that the
/// server no longer has go.
fn folders(update: &Update<'_>, destination: &Destination) -> Result<()> {
    let before = update.before.as_ref().map(|before| &before.directories);
    let was = |folder: &RelPath| before.is_some_and(|before| before.contains(folder));
    let local = &update.places.local.directories;
    for folder in update.theirs.directories.iter().filter(|folder| !was(folder) || local.contains(*folder)) {
        destination.enter(folder)?;
    }
    for folder in before.into_iter().flatten().filter(|folder| local.contains(*folder)) {
        if !update.theirs.directories.contains(folder) {
            destination.remove_empty_parents(&folder.join("-")?)?;
        }
    }
    Ok(())
}

/// The document as it is now. What the folder did not take is still somebody else's, and the texts that were taken for
/// ours still are.
fn new_base(source: &Source<'_>, update: &Update<'_>, mut md5s: BTreeMap<AttName, [u8; 16]>) -> Base {
    for (name, stub) in &source.document.attachments {
        let entry = update.base.and_then(|base| base.attachments.get(name.as_str()));
        if let Some(known) = entry.and_then(Recorded::of).filter(|known| Some(known.digest) == stub.digest) {
            md5s.entry(name.clone()).or_insert(known.md5);
        }
    }
    let same = update
        .theirs
        .attachments
        .iter()
        .filter(|(path, _)| !update.merged.actions.contains_key(*path) && !update.merged.kept.contains(path));
    for (path, name) in same {
        if let Some(file) = update.places.file(path) {
            md5s.insert(name.clone(), file.md5);
        }
    }
    let adopted = update.base.map(|base| base.adopted.clone()).unwrap_or_default();
    Base { kept: kept(source, update), adopted, ..source.base(&md5s) }
}

/// What is on the server, not in the folder, and was not the folder's before.
fn kept(source: &Source<'_>, update: &Update<'_>) -> Kept {
    let mut kept = Kept::default();
    let placed: BTreeMap<&AttName, &RelPath> =
        update.theirs.attachments.iter().map(|(path, name)| (name, path)).collect();
    for (name, _) in &source.document.attachments {
        let is_here = placed.get(name).is_some_and(|path| update.will_have(path));
        let was_ours = update.base.is_some_and(|base| {
            base.attachments.contains_key(name.as_str()) && !base.kept.attachments.contains(name.as_str())
        });
        if !is_here && !was_ours {
            kept.attachments.insert(name.to_string());
        }
    }
    let former = update.base.map(|base| leaves(&base.body)).unwrap_or_default();
    for path in leaves(&source.document.body).into_keys() {
        let was_ours = former.contains_key(&path) && update.base.is_some_and(|base| !base.kept.members.contains(&path));
        if !was_ours && !is_here(update, &path) {
            kept.members.insert(path);
        }
    }
    kept
}

/// Whether the folder has the file, or the folder, of a member.
fn is_here(update: &Update<'_>, keys: &KeyPath) -> bool {
    let file = (1..=keys.len()).rev().find_map(|length| update.theirs.origins.get(&keys[..length]));
    file.is_some_and(|file| update.will_have(file) || update.theirs.directories.contains(file))
}
