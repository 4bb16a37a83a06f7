//! `status`: what a push would do, without the last step.

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use super::app;
use super::listing::listing;
use super::prepare::{Choice, Place, Prepared, with_place};
use crate::exit::{Exit, Failure};
use crate::filter::RuleKind;
use crate::mark::Mark;
use crate::name::AttName;
use crate::plan::{Clash, Counts, Key, Line, lines};
use crate::report::{Listing, PlanLine, human_size};
use crate::settings::Destination;
use crate::settings::command::StatusSettings;
use crate::snapshot::App;
use crate::transfer;

/// Compares every app of the folder with every target.
pub(super) async fn run(context: &Context, command: &StatusSettings) -> Result<Exit> {
    let apps = app::load(context, &command.folder, &app::options(context))?;
    app::refuse_incomplete(&apps)?;
    if command.ignored {
        for app in &apps.apps {
            show_ignored(context, app);
        }
    }
    let destination = match &command.destination {
        Some(destination) => destination.clone(),
        None => context.default_destination(super::origin(&command.folder.path).as_ref())?,
    };
    let mut differs = false;
    for endpoint in &destination.endpoints {
        for app in &apps.apps {
            let status = async |place: &Place<'_>| one(context, command, &destination, place).await;
            differs |= with_place(context, endpoint, app, status).await?;
        }
    }
    Ok(if differs && command.exit_code { Exit::Differs } else { Exit::Ok })
}

fn show_ignored(context: &Context, app: &App) {
    let own = |kind| kind == RuleKind::Own;
    let lines = app.listing.ignored.iter().filter(|ignored| !own(ignored.reason.kind)).map(|ignored| PlanLine {
        mark: Mark::Ignored,
        path: format!("{}{}", ignored.path, if ignored.is_dir { "/" } else { "" }),
        bytes: None,
        reason: Some(format!("{}, {}", ignored.reason.rule, ignored.reason.source)),
    });
    context.printer.answer_plan(&Listing { lines: lines.collect(), whole: true, ..Listing::default() });
}

/// Whether the folder and this target differ.
async fn one(
    context: &Context,
    command: &StatusSettings,
    destination: &Destination,
    place: &Place<'_>,
) -> Result<bool> {
    let mut shown = Vec::new();
    let mut damaged = Vec::new();
    let mut head = None;
    let mut since_last_push = Vec::new();
    let mut differs = false;
    for prepared in place.prepare_all(context, &Choice::default()).await? {
        if command.verify {
            damaged.extend(verify(place, &prepared).await?);
        }
        differs |= !prepared.plan.is_empty() || prepared.clash.is_some();
        if let Some(clash) = &prepared.clash {
            since_last_push.push(format!("  the server changed since your last push: {}", clash.theirs.join(", ")));
        }
        shown.append(&mut marked(&prepared));
        head.get_or_insert_with(|| heading(place, command, destination, &prepared));
    }
    let (head, fields) = head.unwrap_or_default();
    context.printer.answer(&head);
    for line in since_last_push {
        context.printer.answer(&line);
    }
    report(context, fields, &shown, differs);
    if damaged.is_empty() { Ok(differs) } else { Err(unequal(&damaged).into()) }
}

fn unequal(damaged: &[AttName]) -> Failure {
    Failure::new(Exit::Failed, "the server's attachments are not what the folder has, although it says so")
        .details(damaged.iter().map(|name| format!("_attachments/{name}")))
        .hint("push them again: change them, or remove them on the server first")
}

/// Whose change a line is, where both sides could have made it since the last push.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Theirs,
    Both,
}

/// The lines of a document, and whose changes they are.
fn marked(prepared: &Prepared<'_>) -> Vec<(Line, Whose)> {
    let has = |list: &dyn Fn(&Clash) -> &Vec<String>, path: &String| {
        prepared.clash.as_ref().is_some_and(|clash| list(clash).contains(path))
    };
    let whose = |path: &String| match (has(&|clash| &clash.ours, path), has(&|clash| &clash.theirs, path)) {
        (true, true) => Whose::Both,
        (false, true) => Whose::Theirs,
        (_, false) => Whose::Ours,
    };
    lines(&prepared.plan).into_iter().map(|line| (line.clone(), whose(&line.path))).collect()
}

fn heading(
    place: &Place<'_>,
    command: &StatusSettings,
    destination: &Destination,
    prepared: &Prepared<'_>,
) -> (String, Map<String, Value>) {
    let address = place.address(&prepared.local.folded.id);
    let label = destination.label.as_ref().map_or_else(String::new, |label| format!("{label} "));
    let now = prepared.remote.as_ref().map(|remote| &remote.revision);
    let base = prepared.base.as_ref().map(|base| &base.revision);
    let revisions = match (now, base) {
        (None, _) => "not there yet".to_owned(),
        (Some(now), None) => format!("rev {}, never pushed from here", now.short()),
        (Some(now), Some(base)) => format!("rev {}, last pushed {}", now.short(), base.short()),
    };
    let text = format!("{} ⇄ {label}{address} ({revisions})", command.folder.shown);
    let revision =
        |revision: Option<&crate::name::Revision>| revision.map_or(Value::Null, |it| Value::from(it.as_str()));
    let fields = Map::from_iter([
        ("folder".to_owned(), Value::from(command.folder.shown.as_str())),
        ("target".to_owned(), Value::from(address.to_string())),
        ("rev".to_owned(), revision(now)),
        ("base_rev".to_owned(), revision(base)),
    ]);
    (text, fields)
}

fn report(context: &Context, mut fields: Map<String, Value>, shown: &[(Line, Whose)], differs: bool) {
    let plain: Vec<Line> =
        shown.iter().filter(|(_, whose)| *whose != Whose::Theirs).map(|(line, _)| line.clone()).collect();
    let counts = Counts::of(&plain);
    let mut list = listing(&shown.iter().map(|(line, _)| line.clone()).collect::<Vec<_>>(), &counts);
    for (line, (_, whose)) in list.lines.iter_mut().zip(shown) {
        match whose {
            Whose::Both => (line.mark, line.reason) = (Mark::Conflict, Some("changed on both sides".to_owned())),
            Whose::Theirs => {
                (line.mark, line.bytes, line.reason) = (Mark::Kept, None, Some("changed on the server".to_owned()));
            }
            Whose::Ours => {}
        }
    }
    list.whole = true;
    context.printer.answer_plan(&list);
    let stopped = shown.iter().any(|(_, whose)| *whose != Whose::Ours);
    let outlook = match (differs, stopped) {
        (_, true) => "`couchapp push` would stop at what changed on the server".to_owned(),
        (true, false) => format!("`couchapp push` would upload {}", human_size(counts.bytes)),
        (false, false) => "Nothing to push".to_owned(),
    };
    context.printer.answer(&format!("{}. {outlook}", list.counts()));
    fields.extend(list.fields());
    fields.insert("items".to_owned(), Value::Array(list.items()));
    fields.insert("differs".to_owned(), Value::from(differs));
    context.printer.document("status", fields);
}

/// Downloads every attachment that is said to be the same and compares the contents.
async fn verify(place: &Place<'_>, prepared: &Prepared<'_>) -> Result<Vec<AttName>> {
    let Some(remote) = &prepared.remote else { return Ok(Vec::new()) };
    let mut damaged = Vec::new();
    for change in prepared.plan.changes.iter().filter(|change| change.mark == Mark::Same) {
        let Key::Attachment(name) = &change.key else { continue };
        let (Some(stub), Some(file)) = (remote.attachment(name), prepared.local.attachments.get(name)) else {
            continue;
        };
        let md5 = transfer::content_md5(place.database, &remote.id, &remote.revision, name, stub).await;
        match md5 {
            Ok(md5) if md5 == file.md5 => {}
            Ok(_) | Err(transfer::TransferError::Damaged { .. }) => damaged.push(name.clone()),
            Err(transfer::TransferError::Couch(error)) => return Err(place.reached.failure(error)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(damaged)
}
