//! One app to one target.

use anyhow::Result;
use serde_json::{Map, Value};

use super::write::Pushed;
use super::{Rules, compile, conclude, refuse};
use crate::commands::Context;
use crate::commands::database;
use crate::commands::listing::listing;
use crate::commands::login::{Reached, with_server};
use crate::commands::prepare::{Place, Prepared};
use crate::commands::sending::forward;
use crate::commands::valve;
use crate::couch::{Database, Document, Info, Write};
use crate::ddoc::Layout;
use crate::exit::{Exit, Failure};
use crate::local::State;
use crate::mark::Mark;
use crate::plan::{self, Counts, Key, lines};
use crate::report::{Listing, Start, human_size};
use crate::settings::{Destination, Endpoint};
use crate::snapshot::App;

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
        let info = database::existing(context, reached, &database, rules.create_database).await?;
        let _lock = context.hold(&State::of(app.folder.root()))?;
        push_app(context, (reached, &database, info), (app, destination), rules).await
    })
    .await
}

async fn push_app(
    context: &Context,
    (reached, database, info): (&Reached, &Database, Option<Info>),
    (app, destination): (&App, &Destination),
    rules: &Rules,
) -> Result<Option<String>> {
    let is_missing = info.is_none();
    let mut place = Place::new(reached, database, info, app);
    let prepared = place.prepare_all(context, &rules.choice).await?;
    refuse::clashes(&place, &prepared)?;
    refuse::idle_selection(rules, &prepared)?;
    let due: Vec<&Prepared> = prepared.iter().filter(|prepared| !prepared.plan.is_empty()).collect();
    let (shown, counts) = show(context, &prepared);
    let [main, ..] = prepared.as_slice() else { return Ok(None) };
    if due.is_empty() {
        for prepared in prepared.iter().filter(|_| !context.settings.dry_run) {
            if let Some(document) = &prepared.remote {
                remember(context, &place, document, prepared);
            }
        }
        return Ok(conclude::up_to_date(context, &place, main, &counts));
    }
    for prepared in &due {
        plan::guard(&prepared.plan, rules.limit, rules.allow_empty).map_err(|refusal| valve::refused(&refusal))?;
    }
    notes(context, &prepared);
    if context.settings.dry_run {
        would(context, is_missing, &counts, shown);
        return Ok(None);
    }
    confirm(context, destination, &due, rules)?;
    if is_missing {
        place = Place::new(reached, database, Some(database::create(context, reached, database).await?), app);
    }
    // The server compiles while the first document's files are compressed.
    let first = async {
        match due.first() {
            Some(first) => place.assemble(first, true).await.map(Some),
            None => Ok(None),
        }
    };
    let ((), first) = tokio::try_join!(compile_validations(&place, &due, rules), first)?;
    let pushed = write_all(context, &place, (&due, first), &counts).await?;
    conclude::pushed(context, &place, main, pushed, &counts).await
}

/// The end of a dry run.
fn would(context: &Context, creates: bool, counts: &Counts, shown: Map<String, Value>) {
    let text = format!(
        "Would {}send {}, change {} and remove {}. Nothing was changed",
        if creates { "create the database, " } else { "" },
        human_size(counts.bytes),
        counts.new + counts.changed,
        counts.removed
    );
    context.printer.summary(&text, shown);
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
/// `--force` over a known base has answered it: what they changed was listed when the push was stopped.
fn confirm(context: &Context, destination: &Destination, due: &[&Prepared<'_>], rules: &Rules) -> Result<()> {
    let asks = |prepared: &&&Prepared<'_>| prepared.is_unknown() || !rules.choice.policy.force;
    let effective = due.iter().filter(asks).flat_map(|prepared| prepared.plan.effective());
    let overwritten = effective.filter(|change| change.overwrites).count();
    if overwritten > 0 {
        let unknown = due.iter().any(|prepared| prepared.is_unknown());
        let why = if unknown {
            "this folder has not been pushed there before"
        } else {
            "no push of this folder put it there"
        };
        let things = if overwritten == 1 { "1 thing".to_owned() } else { format!("{overwritten} things") };
        let what = format!("overwriting or removing {things} on the server ({why})");
        let question = format!("This overwrites or removes {things} on the server: {why}. Go on?");
        return context.confirmed(&question, &what);
    }
    if destination.confirm {
        let question = "This target asks before every push (confirm = true). Go on?";
        return context.confirmed(question, "a push to a target with `confirm = true`");
    }
    Ok(())
}

async fn compile_validations(place: &Place<'_>, due: &[&Prepared<'_>], rules: &Rules) -> Result<()> {
    for prepared in due.iter().filter(|_| rules.check) {
        compile_validation(place, prepared).await?;
    }
    Ok(())
}

async fn compile_validation(place: &Place<'_>, prepared: &Prepared<'_>) -> Result<()> {
    let key = Key::Member(vec!["validate_doc_update".to_owned()]);
    let is_new = prepared.plan.find(&key).is_some_and(|change| matches!(change.mark, Mark::New | Mark::Changed));
    if !prepared.local.folded.id.is_design() || !is_new {
        return Ok(());
    }
    if let Some(source) = compile::new_validation(&prepared.compared.body) {
        let file = Some(prepared.compared.path(&key));
        compile::validation(place.reached, place.database, (&prepared.local.folded.id, source), file).await?;
    }
    Ok(())
}

async fn write_all(
    context: &Context,
    place: &Place<'_>,
    (due, mut first): (&[&Prepared<'_>], Option<Write>),
    counts: &Counts,
) -> Result<Vec<Pushed>> {
    let progress = context.printer.progress(counts.bytes, due.len() as u64);
    let mut pushed = Vec::new();
    for prepared in due {
        let assembled = match first.take() {
            Some(write) => Ok(write),
            None => place.assemble(prepared, true).await,
        };
        let written = match assembled {
            Ok(write) => place.write(prepared, Write { progress: Some(forward(&progress)), ..write }).await,
            Err(error) => Err(error),
        };
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

fn remember(context: &Context, place: &Place<'_>, document: &Document, prepared: &Prepared<'_>) {
    if let Err(error) = place.remember(document, prepared) {
        let error = anyhow::Error::new(error);
        context.printer.warning("state", &format!("this push cannot be remembered: {error:#}"));
    }
}
