//! `clone --update`: an earlier clone is brought up to date; what was changed in it is kept.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};

use super::Source;
use super::apply::apply;
use super::laying::Laid;
use super::sides::{self, Places, Side};
use crate::commands::{Context, app};
use crate::couch::digest;
use crate::ddoc::{Layout, detect, text};
use crate::exit::{Exit, Failure};
use crate::hexadecimal;
use crate::json;
use crate::local::{self, Base, State};
use crate::mark::Mark;
use crate::name::{AttName, DocId};
use crate::path::{RelPath, portable};
use crate::plan::{Files, Merge, MergeInput, Merged, merge};
use crate::report::{Listing, PlanLine, Start};
use crate::settings::command::CloneSettings;
use crate::snapshot::{FolderFiles, folder_files};

/// Where an update takes place.
struct Sides<'a> {
    places: Places<'a>,
    state: &'a State,
    root: &'a Path,
    base: Option<&'a Base>,
}

impl<'a> Sides<'a> {
    fn merged(self, source: &Source<'_>, laid: &Laid, force: bool) -> Result<Update<'a>> {
        let Self { places, state, root, base } = self;
        let ours = sides::ours(places.local);
        let before = base.map(|base| sides::base(&places, source, laid, base)).transpose()?;
        let theirs = sides::theirs(&places, source, laid, base)?;
        let merged = merge(&MergeInput {
            ours: &ours,
            base: before.as_ref().map(|before| &before.files),
            theirs: &theirs.files,
            same: &|path, left, right| same(path, left, right, base),
            force,
        });
        Ok(Update { places, state, root, ours, theirs, before, base, merged })
    }
}

/// What an update carries out.
pub(super) struct Update<'a> {
    pub places: Places<'a>,
    pub state: &'a State,
    pub root: &'a Path,
    pub ours: Files,
    pub theirs: Side,
    /// The folder as it was last pushed or cloned.
    pub before: Option<Side>,
    /// What was remembered then.
    pub base: Option<&'a Base>,
    pub merged: Merged,
}

/// Merges the server's document into the folder.
pub(super) async fn run(
    context: &Context,
    command: &CloneSettings,
    source: &Source<'_>,
    laid: &Laid,
    root: &Path,
    shown: &str,
) -> Result<Exit> {
    let remark = context.settings.dry_run.then_some("dry run");
    let from = source.address.to_string();
    context.printer.start(&Start { command: "clone", doing: "Updating from", from: &from, to: shown, remark });
    let state = State::of(root);
    let _lock = context.hold(&state)?;
    let loaded = state.base(&source.address, &source.instance_start_time);
    if let Some(warning) = loaded.warning() {
        context.printer.warning("state", warning);
    }
    let base = loaded.found();
    let local = folder_files(root).map_err(|error| app::explain(error, shown))?;
    refuse_misjudged(&local, base.as_ref())?;
    refuse_other_document(&local, &source.document.id, base.is_some() || state.incomplete().is_some(), shown)?;
    let needs_id = base.is_none() && (state.incomplete().is_some() || !is_named(root, &source.document.id)?);
    let places = Places::new(&local, needs_id);
    let sides = Sides { places, state: &state, root, base: base.as_ref() };
    let update = sides.merged(source, laid, command.force)?;
    update.refuse_impossible(&local)?;
    context.printer.plan(&listing(&update.merged, &update.ours, &update.theirs.files));
    if !update.merged.clashes.is_empty() {
        return Err(clash(&update.merged).into());
    }
    if !context.settings.dry_run {
        apply(context, source, &update).await?;
    }
    conclude(context, source, &update.merged, shown);
    Ok(Exit::Ok)
}

/// Refuses to unpack a document over the app of another one, unless it was pushed to or cloned from there before.
fn refuse_other_document(local: &FolderFiles, id: &DocId, known: bool, shown: &str) -> Result<()> {
    let named = ["_id", "_ddoc/_id"].iter().find_map(|path| local.fields.get(*path));
    let named = named.map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    match named.filter(|named| !known && named != id.as_str()) {
        None => Ok(()),
        Some(named) => {
            let message = format!("`{shown}` is the app `{named}`, not `{id}`");
            Err(Failure::new(Exit::Refused, message).hint("nothing was written; clone it into another folder").into())
        }
    }
}

/// Refuses a folder that was pushed in a layout that it does not show: nothing would be where it is looked for.
fn refuse_misjudged(local: &FolderFiles, base: Option<&Base>) -> Result<()> {
    let Some(base) = base else { return Ok(()) };
    let own: Vec<&String> = base.attachments.keys().filter(|name| !base.kept.attachments.contains(*name)).collect();
    let as_web = own.iter().filter(|name| local.files.contains(name.as_str())).count();
    let as_app =
        own.iter().any(|name| AttName::new(name.as_str()).is_ok_and(|name| local.attachments.contains_key(&name)));
    if local.layout == Layout::Web || as_app || as_web * 2 <= own.len() {
        return Ok(());
    }
    let message = "this folder was pushed as a plain one (`--layout web`), but does not look like one";
    let failure = Failure::new(Exit::Refused, message).coded("layout");
    Err(failure.hint("nothing was written; a folder `_ddoc` in it, empty or not, makes its layout known").into())
}

/// Whether the document has the name that the folder gives it.
fn is_named(root: &Path, id: &DocId) -> Result<bool> {
    let real = local::canonical(root)?;
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(id.as_str() == format!("_design/{name}"))
}

fn conclude(context: &Context, source: &Source<'_>, merged: &Merged, shown: &str) {
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
}

fn clash(merged: &Merged) -> Failure {
    Failure::new(Exit::Conflict, "both sides changed the same places; nothing was written")
        .details(merged.clashes.iter().map(ToString::to_string))
        .hint("`couchapp diff` shows the differences; edit your files to match, take the server's with `--update --force`, \
               or keep yours with `couchapp push --force`")
}

impl Update<'_> {
    /// Whether there is a file at `path` when the update is done.
    pub(super) fn will_have(&self, path: &RelPath) -> bool {
        match self.merged.actions.get(path) {
            Some(action) => *action != Merge::Remove,
            None => self.ours.contains_key(path),
        }
    }

    /// Refuses what this folder cannot hold beside what it has, before anything is written.
    fn refuse_impossible(&self, local: &FolderFiles) -> Result<()> {
        let kept = |name: &str| self.base.is_some_and(|base| base.kept.attachments.contains(name));
        let impossible = self.theirs.impossible.iter().filter(|name| !kept(name.as_str()));
        let mut reasons: Vec<String> =
            impossible.map(|name| format!("`{}` cannot be a path", portable::for_display(name.as_str()))).collect();
        let (present, new): (Vec<_>, Vec<_>) =
            self.theirs.files.keys().cloned().partition(|path| local.files.contains(path));
        // Names that stand beside each other already can do so.
        let clashes = portable::clashes(&[present, new].concat());
        reasons
            .extend(clashes.iter().filter(|clash| !local.files.contains(clash.name.as_str())).map(ToString::to_string));
        if reasons.is_empty() && detect(&self.outcome(local)) != local.layout {
            let moved = self.merged.actions.keys().map(|path| format!("`{path}` makes it look like another"));
            reasons.extend(moved);
        }
        if reasons.is_empty() {
            return Ok(());
        }
        let failure = Failure::new(Exit::Refused, "this folder cannot take everything that is on the server");
        let failure = failure.coded("layout").details(reasons);
        Err(failure.hint("nothing was written; `couchapp clone URL OTHER-DIR` gets all of it").into())
    }

    /// Every path of the folder when the update is done.
    fn outcome(&self, local: &FolderFiles) -> BTreeSet<RelPath> {
        let is_removed = |path: &RelPath| self.merged.actions.get(path) == Some(&Merge::Remove);
        let removed: Vec<&RelPath> = self.merged.actions.keys().filter(|path| is_removed(path)).collect();
        // A folder that loses a file may go with it; one that stays is told by the files that stay.
        let emptied = |folder: &RelPath| removed.iter().any(|path| path.below(folder.as_str()).is_some());
        let files = local.files.iter().filter(|path| !is_removed(path));
        let folders = local.directories.iter().filter(|folder| !emptied(folder));
        let written = self.merged.actions.keys().filter(|path| !is_removed(path));
        files.chain(folders).chain(written).cloned().collect()
    }
}

/// Whether a push would make the same of both texts, or took one for the other before.
fn same(path: &RelPath, left: &[u8], right: &[u8], base: Option<&Base>) -> bool {
    if path.name().ends_with(".json") {
        return matches!((json::parse(left), json::parse(right)), (Ok(left), Ok(right)) if json::same(&left, &right));
    }
    let (left, right) = (text::from_bytes(left), text::from_bytes(right));
    let adopted = |ours: &str, theirs: &String| {
        let taken = base.and_then(|base| base.adopted.get(&hexadecimal::encode(&digest::of(ours.as_bytes()).md5())));
        taken == Some(theirs)
    };
    left == right || adopted(&left, &right) || adopted(&right, &left)
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
    let all = ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>().len();
    let same = all - merged.actions.len() - merged.clashes.len() - merged.kept.len();
    Listing { lines, same, bytes: 0, whole: true }
}
