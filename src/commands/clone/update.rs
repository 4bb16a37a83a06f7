//! `clone --update`: an earlier clone is brought up to date; what was changed in it is kept.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};

use super::Source;
use crate::commands::Context;
use crate::ddoc::{UnfoldOptions, Unfolded, unfold};
use crate::exit::{Exit, Failure};
use crate::hexadecimal;
use crate::json;
use crate::local::{Base, Destination, Existing, State, WriteOptions};
use crate::mark::Mark;
use crate::name::AttName;
use crate::path::RelPath;
use crate::plan::{File, Files, Merge, MergeInput, Merged, merge};
use crate::report::{Listing, PlanLine, Start};
use crate::settings::command::CloneSettings;
use crate::snapshot::attachments::{LocalBytes, Recorded, Verdict, by_candidates, compare};
use crate::snapshot::{FolderFiles, folder_files};

/// Merges the server's document into the folder.
pub(super) async fn run(
    context: &Context,
    command: &CloneSettings,
    source: &Source<'_>,
    unfolded: Unfolded,
    root: &Path,
    shown: &str,
) -> Result<Exit> {
    let remark = context.settings.dry_run.then_some("dry run");
    let from = source.address.to_string();
    context.printer.start(&Start { command: "clone", doing: "Updating from", from: &from, to: shown, remark });
    let state = State::of(root);
    let loaded = state.base(&source.address, &source.instance_start_time);
    if let Some(warning) = loaded.warning() {
        context.printer.warning("state", warning);
    }
    let base = loaded.found();
    let local = folder_files(root)?;
    let ours = ours(&local);
    let base_files = base.as_ref().map(base_files);
    let theirs = theirs(source, &unfolded, &local, base.as_ref())?;
    let merged = merge(&MergeInput {
        ours: &ours,
        base: base_files.as_ref(),
        theirs: &theirs,
        same: &same,
        force: command.force,
    });
    context.printer.plan(&listing(&merged, &ours, &theirs));
    if !merged.clashes.is_empty() {
        return Err(clash(&merged).into());
    }
    if !context.settings.dry_run {
        apply(context, source, &unfolded, root, &merged, &local).await?;
    }
    let revision = source.document.revision.clone();
    let text = match (merged.actions.len(), context.settings.dry_run) {
        (0, _) => format!("Up to date: rev {}", revision.short()),
        (files, true) => format!("Would update {files} files to rev {}. Nothing was changed", revision.short()),
        (files, false) => format!("Updated {files} files to rev {}", revision.short()),
    };
    let kept = match merged.kept.len() {
        0 => String::new(),
        kept => format!("; {kept} with changes of yours stay"),
    };
    let fields = Map::from_iter([
        ("folder".to_owned(), Value::from(shown)),
        ("rev".to_owned(), Value::from(revision.as_str())),
        ("updated".to_owned(), Value::from(merged.actions.len())),
        ("kept".to_owned(), Value::from(merged.kept.len())),
    ]);
    context.printer.summary(&format!("{text}{kept}"), fields);
    Ok(Exit::Ok)
}

fn clash(merged: &Merged) -> Failure {
    Failure::new(Exit::Conflict, "both sides changed the same places; nothing was written")
        .details(merged.clashes.iter().map(ToString::to_string))
        .hint("`couchapp diff` shows the differences; edit your files to match, take the server's with `--update --force`, \
               or keep yours with `couchapp push --force`")
}

fn ours(local: &FolderFiles) -> Files {
    let fields = local.fields.iter().map(|(path, bytes)| (path.clone(), File::Field(bytes.clone())));
    let attachments =
        local.attachments.values().map(|file| (file.path.clone(), File::Attachment(hexadecimal::encode(&file.md5))));
    fields.chain(attachments).collect()
}

fn base_files(base: &Base) -> Files {
    let names: Vec<AttName> = base.attachments.keys().filter_map(|name| AttName::new(name.as_str()).ok()).collect();
    let id = base.target.rsplit_once("/_design/").map(|(_, name)| format!("_design/{name}"));
    let id = id.or_else(|| base.target.rsplit('/').next().map(str::to_owned)).unwrap_or_default();
    let Ok(id) = crate::name::DocId::new(id) else { return Files::new() };
    let options = UnfoldOptions { escape_names: true, ..UnfoldOptions::default() };
    let Ok(unfolded) = unfold(&base.body, &id, &names, &options) else { return Files::new() };
    let attachment = |name: &AttName| {
        let entry = base.attachments.get(name.as_str())?;
        Some(File::Attachment(entry.md5.clone().unwrap_or_else(|| entry.digest.clone())))
    };
    let fields = unfolded.files.into_iter().map(|(path, bytes)| (path, File::Field(bytes)));
    let attachments = unfolded.attachments.into_iter().filter_map(|(path, name)| Some((path, attachment(&name)?)));
    fields.chain(attachments).collect()
}

/// The folder as a fresh clone would write it. An attachment is known by the md5 of its content where that can be told,
/// so that it can be compared with a file; by its digest where not.
fn theirs(source: &Source<'_>, unfolded: &Unfolded, local: &FolderFiles, base: Option<&Base>) -> Result<Files> {
    let mut files: Files =
        unfolded.files.iter().map(|(path, bytes)| (path.clone(), File::Field(bytes.clone()))).collect();
    for (path, name) in &unfolded.attachments {
        let Some(stub) = source.document.attachment(name) else { continue };
        let recorded = base.and_then(|base| recorded(base, name));
        let by_digest = || stub.digest.map(|digest| digest.to_string()).unwrap_or_default();
        let known = recorded
            .filter(|recorded| Some(recorded.digest) == stub.digest)
            .map(|recorded| hexadecimal::encode(&recorded.md5));
        let file = local.attachments.values().find(|file| &file.path == path);
        let identity = match (known, file) {
            (Some(md5), _) => md5,
            (None, None) => by_digest(),
            (None, Some(file)) => {
                let bytes = LocalBytes { length: file.length, md5: file.md5 };
                let same = match compare(bytes, stub, recorded) {
                    Verdict::Same => true,
                    Verdict::Different => false,
                    Verdict::Compressed => {
                        let content = local.folder.read(path, file.length)?;
                        by_candidates(stub, &crate::couch::digest::Candidates::of(&content, true))
                    }
                };
                if same { hexadecimal::encode(&file.md5) } else { by_digest() }
            }
        };
        files.insert(path.clone(), File::Attachment(identity));
    }
    Ok(files)
}

fn recorded(base: &Base, name: &AttName) -> Option<Recorded> {
    let entry = base.attachments.get(name.as_str())?;
    Some(Recorded { md5: hexadecimal::decode(entry.md5.as_deref()?)?, digest: entry.digest.parse().ok()? })
}

/// Whether a push would make the same of both texts.
fn same(path: &RelPath, left: &[u8], right: &[u8]) -> bool {
    if path.name().ends_with(".json") {
        return matches!((json::parse(left), json::parse(right)), (Ok(left), Ok(right)) if json::same(&left, &right));
    }
    let text = |bytes: &[u8]| bytes.strip_suffix(b"\n").unwrap_or(bytes).to_vec();
    text(left) == text(right)
}

fn listing(merged: &Merged, ours: &Files, theirs: &Files) -> Listing {
    let mark = |path: &RelPath, action: &Merge| match action {
        Merge::Remove => Mark::Removed,
        _ if ours.contains_key(path) => Mark::Changed,
        _ => Mark::New,
    };
    let line = |mark, path: &RelPath, reason: Option<&str>| PlanLine {
        mark,
        path: path.to_string(),
        bytes: None,
        reason: reason.map(str::to_owned),
    };
    let merged_text = |path: &RelPath| merged.combined.contains(path).then_some("both changed it, merged");
    let mut lines: Vec<PlanLine> =
        merged.actions.iter().map(|(path, action)| line(mark(path, action), path, merged_text(path))).collect();
    lines.extend(merged.clashes.iter().map(|path| line(Mark::Conflict, path, Some("changed on both sides"))));
    lines.sort_by(|left, right| left.path.cmp(&right.path));
    let all = ours.keys().chain(theirs.keys()).collect::<std::collections::BTreeSet<_>>().len();
    let same = all - merged.actions.len() - merged.clashes.len() - merged.kept.len();
    Listing { lines, same, bytes: 0, whole: true }
}

async fn apply(
    context: &Context,
    source: &Source<'_>,
    unfolded: &Unfolded,
    root: &Path,
    merged: &Merged,
    local: &FolderFiles,
) -> Result<()> {
    let destination = Destination::create(root)?;
    let options = WriteOptions { existing: Existing::Replace, ..WriteOptions::default() };
    for directory in &unfolded.directories {
        destination.enter(directory)?;
    }
    for (path, action) in &merged.actions {
        if let Merge::Write(bytes) = action {
            destination.write(path, bytes, options)?;
        }
    }
    let wanted = source.wanted(unfolded, |path| merged.actions.get(path) == Some(&Merge::Fetch));
    let fetched = source.fetch(context, wanted, (&destination, options)).await?;
    for (path, _) in merged.actions.iter().filter(|(_, action)| **action == Merge::Remove) {
        destination.remove(path)?;
        destination.remove_empty_parents(path)?;
    }
    let state = State::of(root);
    let mut md5s: BTreeMap<AttName, [u8; 16]> = unchanged(source, unfolded, merged, local);
    md5s.extend(fetched);
    source.remember(&state, &md5s)?;
    if state.origin().found().is_none() {
        state.set_origin(&source.origin())?;
    }
    state.end_clone()?;
    Ok(())
}

/// The contents of attachments that were not fetched because the folder has them already.
fn unchanged(
    source: &Source<'_>,
    unfolded: &Unfolded,
    merged: &Merged,
    local: &FolderFiles,
) -> BTreeMap<AttName, [u8; 16]> {
    let same = unfolded
        .attachments
        .iter()
        .filter(|(path, _)| !merged.actions.contains_key(*path) && !merged.kept.contains(path));
    same.filter(|(_, name)| source.document.attachment(name).is_some())
        .filter_map(|(path, name)| {
            let file = local.attachments.values().find(|file| &file.path == path)?;
            Some((name.clone(), file.md5))
        })
        .collect()
}
