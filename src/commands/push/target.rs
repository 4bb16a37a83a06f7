//! One app to one target.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use serde_json::{Map, Value};

use super::Rules;
use super::compile;
use super::write::Pushed;
use crate::commands::Context;
use crate::commands::csp;
use crate::commands::listing::listing;
use crate::commands::login::{Reached, with_server};
use crate::commands::prepare::{Place, Prepared};
use crate::couch::{CouchError, Creation, Database, Info, Missing, Progress};
use crate::ddoc::Layout;
use crate::exit::{Exit, Failure};
use crate::local::{LocalError, Lock, State};
use crate::mark::Mark;
use crate::plan::{self, Clash, Counts, Refusal, lines};
use crate::report::{Listing, Start, human_size};
use crate::settings::{Destination, Endpoint};
use crate::snapshot::{App, app_url};

/// Pushes `app`; gives the URL at which it opens, if it has a page.
pub(super) async fn push(
    context: &Context,
    app: &App,
    destination: &Destination,
    endpoint: &Endpoint,
    rules: &Rules,
) -> Result<Option<String>> {
    let address = endpoint.address.with(endpoint.address.database.clone(), Some(app.document.folded.id.clone()));
    let remark = match (&destination.label, context.settings.dry_run) {
        (Some(label), true) => Some(format!("{label}, dry run")),
        (None, true) => Some("dry run".to_owned()),
        (label, false) => label.clone(),
    };
    context.printer.start(&Start {
        command: "push",
        doing: "Pushing",
        from: &app.folder.root().file_name().map_or_else(|| ".".into(), |name| name.to_string_lossy()),
        to: &address.to_string(),
        remark: remark.as_deref(),
    });
    if app.layout == Layout::Web {
        context.printer.note("layout: web, so every file is an attachment");
    } else {
        context.printer.detail("layout: couchapp");
    }
    with_server(context, endpoint, async |reached| {
        let database = reached.database(endpoint)?;
        let Some(info) = existing(context, reached, &database, rules).await? else {
            context.printer.summary("Would create the database and push everything. Nothing was changed", Map::new());
            return Ok(None);
        };
        let place = Place::new(reached, &database, info, app);
        let _lock = hold(context, &place.state)?;
        push_app(context, &place, destination, rules).await
    })
    .await
}

/// Keeps a second push of the same folder out. In a folder that cannot be written to there is nothing to race for.
fn hold(context: &Context, state: &State) -> Result<Option<Lock>> {
    if context.settings.dry_run {
        return Ok(None);
    }
    match state.lock() {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ LocalError::Locked { .. }) => Err(error.into()),
        Err(error) => {
            context.printer.detail(&format!("this folder cannot be locked: {error}"));
            Ok(None)
        }
    }
}

/// The facts about the database, which is made if that was asked for; `None` in a dry run that would make it.
async fn existing(context: &Context, reached: &Reached, database: &Database, rules: &Rules) -> Result<Option<Info>> {
    match database.info().await {
        Ok(info) => return Ok(Some(info)),
        Err(error @ CouchError::NotFound { what: Missing::Database(_), .. }) => {
            if !rules.create_database && !wants_database(context, database) {
                let mut known = reached.known.clone();
                let names = reached.server.databases().await.unwrap_or_default();
                known.databases = names.iter().map(ToString::to_string).collect();
                return Err(crate::commands::explain::explain(error, &known).into());
            }
        }
        Err(error) => return Err(reached.failure(error)),
    }
    if context.settings.dry_run {
        return Ok(None);
    }
    let made = database.create().await.map_err(|error| reached.failure(error))?;
    if made == Creation::Created {
        context.printer.note(&format!("Created the database {}", database.address()));
    }
    database.info().await.map(Some).map_err(|error| reached.failure(error))
}

/// A mistyped name must never become a database, so only a person's own yes counts here.
fn wants_database(context: &Context, database: &Database) -> bool {
    let question = format!("The database `{}` does not exist. Create it?", database.name());
    context.printer.confirm(&question).unwrap_or(false)
}

async fn push_app(
    context: &Context,
    place: &Place<'_>,
    destination: &Destination,
    rules: &Rules,
) -> Result<Option<String>> {
    let prepared = place.prepare_all(context, &rules.choice).await?;
    refuse_clashes(place, &prepared)?;
    let due: Vec<&Prepared> = prepared.iter().filter(|prepared| !prepared.plan.is_empty()).collect();
    let (shown, counts) = show(context, &prepared);
    let [main, ..] = prepared.as_slice() else { return Ok(None) };
    if due.is_empty() {
        for prepared in &prepared {
            if let Some(document) = prepared.remote.as_ref().filter(|_| !context.settings.dry_run) {
                remember(context, place, document, prepared);
            }
        }
        return Ok(up_to_date(context, place, main, &counts));
    }
    for prepared in &due {
        plan::guard(&prepared.plan, rules.limit, rules.allow_empty).map_err(|refusal| valve(&refusal))?;
    }
    notes(context, &prepared);
    if context.settings.dry_run {
        let text = format!(
            "Would send {}, change {} and remove {}. Nothing was changed",
            human_size(counts.bytes),
            counts.new + counts.changed,
            counts.removed
        );
        context.printer.summary(&text, shown);
        return Ok(None);
    }
    confirm(context, destination, &due)?;
    if rules.check {
        for prepared in &due {
            compile_validation(place, prepared).await?;
        }
    }
    let pushed = write_all(context, place, &due, &counts).await?;
    conclude(context, place, main, pushed, &counts).await
}

fn refuse_clashes(place: &Place<'_>, prepared: &[Prepared<'_>]) -> Result<()> {
    for prepared in prepared {
        if let Some(clash) = &prepared.clash {
            return Err(conflict(place, prepared, clash).into());
        }
    }
    Ok(())
}

fn conflict(place: &Place<'_>, prepared: &Prepared<'_>, clash: &Clash) -> Failure {
    let id = &prepared.local.folded.id;
    let ours = prepared.base.as_ref().map_or_else(String::new, |base| base.revision.to_string());
    let message = match &prepared.remote {
        Some(remote) => format!("`{id}` changed on the server since your last push ({ours} → {})", remote.revision),
        None => format!("`{id}` was deleted on the server since your last push ({ours})"),
    };
    let list = |who: &str, paths: &[String]| {
        let shown = if paths.is_empty() { "nothing".to_owned() } else { paths.join(", ") };
        format!("{who}: {shown}")
    };
    let failure =
        Failure::new(Exit::Conflict, message).detail(list("theirs", &clash.theirs)).detail(list("yours", &clash.ours));
    let overlap: Vec<&String> = clash.overlap().collect();
    let origin = place.address(id);
    match (&prepared.remote, overlap.is_empty()) {
        (None, _) => failure.hint("`--force` creates it again"),
        (Some(_), true) => failure.hint(format!(
            "nothing overlaps; `couchapp clone {origin} . --update` merges, then push again. `--force` discards their change"
        )),
        (Some(_), false) => failure.hint(format!(
            "`couchapp diff` shows the differences; `couchapp clone {origin} . --update` merges what it can; `--force` \
             discards their change"
        )),
    }
}

/// Prints the plan of all documents; gives its JSON fields and counts.
fn show(context: &Context, prepared: &[Prepared<'_>]) -> (Map<String, Value>, Counts) {
    let mut all = Vec::new();
    for prepared in prepared {
        let mut lines = lines(&prepared.plan);
        if prepared.plan.metadata && lines.iter().all(|line| line.mark == Mark::Same) {
            context.printer.detail("only the list of file names changes");
        }
        all.append(&mut lines);
    }
    let counts = Counts::of(&all);
    let listing = Listing { whole: context.settings.dry_run, ..listing(&all, &counts) };
    context.printer.plan(&listing);
    (listing.fields(), counts)
}

fn up_to_date(context: &Context, place: &Place<'_>, main: &Prepared<'_>, counts: &Counts) -> Option<String> {
    let document = main.remote.as_ref()?;
    let url = app_url(&place.address(&document.id), document);
    let text = format!("Up to date: rev {}", document.revision.short());
    context.printer.summary(&text, fields(document.revision.as_str(), url.as_deref(), counts));
    if let Some(url) = &url {
        context.printer.answer(url);
    }
    url
}

fn valve(refusal: &Refusal) -> anyhow::Error {
    let failure = Failure::new(Exit::Refused, refusal.to_string());
    match refusal {
        Refusal::EmptySource => failure.hint("check the path; `--allow-empty` if you mean it"),
        Refusal::TooMany { removed, .. } => {
            failure.hint(format!("check the folder; `--max-delete {removed}` if you mean it"))
        }
    }
    .into()
}

/// What a plan means beyond its lines.
fn notes(context: &Context, prepared: &[Prepared<'_>]) {
    let new = |prepared: &&Prepared<'_>| prepared.base.is_none();
    let kept_text: usize = prepared.iter().filter(new).map(|prepared| prepared.compared.adopted.len()).sum();
    if kept_text > 0 {
        context.printer.note(&format!(
            "{kept_text} fields differ from the server's in outer white space only and stay as they are there"
        ));
    }
    if prepared.iter().any(|prepared| prepared.remote.is_some() && prepared.plan.rebuilds_index()) {
        context.printer.note("the views change, so the server will build their index anew");
    }
}

/// One question, if something is overwritten or removed that no base of ours knows, or if the target always asks.
fn confirm(context: &Context, destination: &Destination, due: &[&Prepared<'_>]) -> Result<()> {
    let overwritten =
        due.iter().flat_map(|prepared| prepared.plan.effective()).filter(|change| change.overwrites).count();
    if overwritten > 0 {
        let unknown = due.iter().any(|prepared| prepared.is_unknown());
        let why =
            if unknown { "this folder has not been pushed there before" } else { "they changed since your last push" };
        let files = if overwritten == 1 { "1 thing".to_owned() } else { format!("{overwritten} things") };
        let what = format!("overwriting {files} on the server ({why})");
        return context.confirmed(&format!("This overwrites {files} on the server: {why}. Go on?"), &what);
    }
    if destination.confirm {
        let question = "This target asks before every push (confirm = true). Go on?";
        return context.confirmed(question, "a push to a target with `confirm = true`");
    }
    Ok(())
}

async fn compile_validation(place: &Place<'_>, prepared: &Prepared<'_>) -> Result<()> {
    if !prepared.local.folded.id.is_design() {
        return Ok(());
    }
    let theirs = prepared.remote.as_ref().map(|remote| &remote.body);
    if let Some(source) = compile::new_validation(&prepared.compared.body, theirs) {
        let key = plan::Key::Member(vec!["validate_doc_update".to_owned()]);
        let file = Some(prepared.compared.path(&key));
        compile::validation(place.reached, place.database, source, file).await?;
    }
    Ok(())
}

async fn write_all(
    context: &Context,
    place: &Place<'_>,
    due: &[&Prepared<'_>],
    counts: &Counts,
) -> Result<Vec<Pushed>> {
    let progress = context.printer.progress(counts.bytes, due.len() as u64);
    let mut pushed = Vec::new();
    for prepared in due {
        let written = place.write(prepared, Some(forward(&progress))).await;
        progress.item_done();
        match written {
            Ok(done) => {
                remember(context, place, &done.document, prepared);
                pushed.push(done);
            }
            Err(error) => {
                progress.finish();
                return Err(partial(error, pushed.len(), due.len()));
            }
        }
    }
    progress.finish();
    Ok(pushed)
}

fn partial(error: anyhow::Error, done: usize, all: usize) -> anyhow::Error {
    if done == 0 {
        return error;
    }
    let message = format!("{done} of {all} documents were pushed, then one failed");
    Failure::new(Exit::Partial, message).because(error).hint("push again: what is done stays done").into()
}

/// The client tells how much of the current try was sent; a retry begins anew.
fn forward(progress: &crate::report::Progress) -> Progress {
    let (progress, shown) = (progress.clone(), AtomicU64::new(0));
    Arc::new(move |sent, _| {
        let before = shown.swap(sent, Ordering::Relaxed);
        match sent.checked_sub(before) {
            Some(more) => progress.add(more),
            None => progress.take_back(before - sent),
        }
    })
}

fn remember(context: &Context, place: &Place<'_>, document: &crate::couch::Document, prepared: &Prepared<'_>) {
    if let Err(error) = place.remember(document, prepared) {
        let error = anyhow::Error::new(error);
        context.printer.warning("state", &format!("this push cannot be remembered: {error:#}"));
    }
}

async fn conclude(
    context: &Context,
    place: &Place<'_>,
    main: &Prepared<'_>,
    pushed: Vec<Pushed>,
    counts: &Counts,
) -> Result<Option<String>> {
    if pushed.iter().any(|pushed| pushed.weak) {
        context.printer.warning("weak_write", "the cluster accepted the write on fewer nodes than it wants (202)");
    }
    let app = pushed.iter().find(|pushed| pushed.document.id == main.local.folded.id);
    let document = app.map(|pushed| &pushed.document).or(main.remote.as_ref());
    let Some(document) = document else { return Ok(None) };
    if app.is_some() {
        warn_of_sandbox(context, place, document).await;
    }
    let url = app_url(&place.address(&document.id), document);
    let revisions = match app {
        Some(Pushed { before: Some(before), after, .. }) => format!("rev {} → {}", before.short(), after.short()),
        Some(Pushed { after, .. }) => format!("rev {}", after.short()),
        None => format!("rev {} (unchanged)", document.revision.short()),
    };
    let others = pushed.len() - usize::from(app.is_some());
    let beside = if others > 0 { format!(", {others} documents beside it") } else { String::new() };
    let text = format!(
        "Pushed: {revisions}{beside}, {} sent, {} unchanged, {:.1} s",
        human_size(counts.bytes),
        human_size(counts.unchanged_bytes),
        context.printer.elapsed().as_secs_f64()
    );
    context.printer.summary(&text, fields(document.revision.as_str(), url.as_deref(), counts));
    if let Some(url) = &url {
        context.printer.answer(url);
    }
    Ok(url)
}

/// Only a server that sandboxes apps says so, with the attachment itself.
async fn warn_of_sandbox(context: &Context, place: &Place<'_>, document: &crate::couch::Document) {
    let page = document.attachments.iter().find(|(_, stub)| stub.content_type.starts_with("text/html"));
    let Some((name, _)) = page else { return };
    let policy = place.database.content_security_policy(&document.id, name).await;
    if policy.ok().flatten().is_some_and(|policy| policy.split(';').any(|part| part.trim().starts_with("sandbox"))) {
        context.printer.warning("sandbox", csp::WARNING);
        context.printer.note(csp::REMEDY);
    }
}

fn fields(revision: &str, url: Option<&str>, counts: &Counts) -> Map<String, Value> {
    Map::from_iter([
        ("rev".to_owned(), Value::from(revision)),
        ("url".to_owned(), url.map_or(Value::Null, Value::from)),
        ("sent_bytes".to_owned(), Value::from(counts.bytes)),
        ("unchanged_bytes".to_owned(), Value::from(counts.unchanged_bytes)),
        ("add".to_owned(), Value::from(counts.new)),
        ("change".to_owned(), Value::from(counts.changed)),
        ("remove".to_owned(), Value::from(counts.removed)),
    ])
}
