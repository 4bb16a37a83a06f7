//! `push`: the folder becomes one new revision of its design document, on every target.

use anyhow::Result;
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::{Map, Value};

use super::Context;
use super::app::{self, Apps};
use super::prepare::Choice;
use super::valve;
use crate::exit::{Exit, Failure};
use crate::json::Object;
use crate::local;
use crate::plan::{Limit, Policy};
use crate::report::exit_of;
use crate::settings::command::{AppFolder, Export, PushSettings};
use crate::settings::{Destination, Endpoint};
use crate::snapshot::{App, LoadOptions, LocalDocument};

mod compile;
mod conclude;
mod refuse;
mod remember;
mod target;
mod write;

/// What a push does with differences, the same for every target.
struct Rules {
    choice: Choice,
    limit: Limit,
    allow_empty: bool,
    create_database: bool,
    check: bool,
}

/// Carries the command out on every target.
pub(super) async fn run(context: &Context, command: &PushSettings) -> Result<Exit> {
    if let Some(export) = &command.export {
        return print(context, &checked(context, command)?, export);
    }
    send(context, command, &load(context, command)?).await
}

/// The apps of the folder, as far as they can be known to be sound without a server.
pub(super) fn load(context: &Context, command: &PushSettings) -> Result<Apps> {
    let apps = checked(context, command)?;
    app::refuse_incomplete(&apps)?;
    Ok(apps)
}

fn checked(context: &Context, command: &PushSettings) -> Result<Apps> {
    let apps = app::load(context, &command.folder, &load_options(command))?;
    if command.check {
        app::check(context, &apps)?;
    }
    Ok(apps)
}

/// Pushes what was loaded to every target.
pub(super) async fn send(context: &Context, command: &PushSettings, apps: &Apps) -> Result<Exit> {
    let destinations = match command.destinations.as_slice() {
        [] => {
            let origin = super::origin(&command.folder.path);
            vec![context.default_destination(origin.as_ref())?]
        }
        named => named.to_vec(),
    };
    let rules = Rules {
        choice: Choice { policy: Policy { delete: command.delete, force: command.force }, only: globs(&command.only)? },
        limit: valve::limit(command.max_delete),
        allow_empty: command.allow_empty,
        create_database: command.create_database,
        check: command.check,
    };
    let mut outcomes = Vec::new();
    for (destination, endpoint) in flat(&destinations) {
        for outcome in push_to(context, command, apps, (destination, endpoint), &rules).await {
            let failed = outcome.is_err();
            outcomes.push((endpoint.address.to_string(), outcome));
            if failed && !command.keep_going {
                return summarise(context, outcomes, command);
            }
        }
    }
    summarise(context, outcomes, command)
}

fn flat(destinations: &[Destination]) -> impl Iterator<Item = (&Destination, &Endpoint)> {
    destinations
        .iter()
        .flat_map(|destination| destination.endpoints.iter().map(move |endpoint| (destination, endpoint)))
}

/// Pushes every app to one target; stops at the first failure unless told to go on.
async fn push_to(
    context: &Context,
    command: &PushSettings,
    apps: &Apps,
    (destination, endpoint): (&Destination, &Endpoint),
    rules: &Rules,
) -> Vec<Result<Option<String>>> {
    let renamed = match renamed(context, command, apps, endpoint) {
        Ok(renamed) => renamed,
        Err(error) => return vec![Err(error)],
    };
    let mut outcomes = Vec::new();
    for app in &renamed.as_ref().unwrap_or(apps).apps {
        outcomes.push(target::push(context, app, destination, endpoint, rules).await);
        if !command.keep_going && outcomes.iter().any(Result::is_err) {
            break;
        }
    }
    outcomes
}

/// The app under the id that a destination names (`…/_design/other`), if that is another one than its own.
fn renamed(context: &Context, command: &PushSettings, apps: &Apps, endpoint: &Endpoint) -> Result<Option<Apps>> {
    let Some(id) = endpoint.address.document.as_ref().filter(|_| command.document.is_none()) else { return Ok(None) };
    match apps.apps.as_slice() {
        [app] if app.document.folded.id == *id => Ok(None),
        [_] => {
            let options = LoadOptions { id: Some(id.clone()), ..load_options(command) };
            app::load(context, &command.folder, &options).map(Some)
        }
        several => {
            let message = format!("`{}` names one document, but there are {} apps", endpoint.address, several.len());
            Err(Failure::new(Exit::Usage, message).hint("name the database alone").into())
        }
    }
}

fn load_options(command: &PushSettings) -> LoadOptions {
    LoadOptions {
        layout: app::layout(command.layout),
        id: command.document.clone(),
        lenient: command.lenient,
        documents: command.docs != Some(false),
    }
}

fn globs(patterns: &[String]) -> Result<Option<GlobSet>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // A folder means what is in it.
        for pattern in [pattern.clone(), format!("{}/**", pattern.trim_end_matches('/'))] {
            let glob = Glob::new(&pattern).map_err(|error| {
                Failure::new(Exit::Usage, format!("`--only {pattern}` is no pattern")).because(error)
            })?;
            set.add(glob);
        }
    }
    Ok(Some(set.build()?))
}

/// One failure is the command's own; of several targets the table at the end tells.
fn summarise(
    context: &Context,
    outcomes: Vec<(String, Result<Option<String>>)>,
    command: &PushSettings,
) -> Result<Exit> {
    let succeeded = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    if outcomes.len() > 1 {
        for (target, outcome) in &outcomes {
            let word = outcome.as_ref().map_or_else(|error| format!("failed: {error}"), |_| "done".to_owned());
            context.printer.note(&format!("  {target}  {word}"));
        }
    }
    let mut first_failure = None;
    for (_, outcome) in outcomes {
        match outcome {
            Ok(Some(url)) if command.open => super::browse::open(context, &url),
            Err(error) if first_failure.is_none() => first_failure = Some(error),
            Ok(_) | Err(_) => {}
        }
    }
    match first_failure {
        None => Ok(Exit::Ok),
        Some(error) if succeeded == 0 => Err(error),
        Some(error) => {
            let exit = exit_of(&error);
            let failure = Failure::new(Exit::Partial, format!("{succeeded} targets are done, others are not"));
            Err(failure
                .detail(format!("the first failure ends with code {} by itself", exit.code()))
                .because(error)
                .into())
        }
    }
}

/// The id of the document that the folder makes, for commands that need nothing else of it.
pub(super) fn app_id(context: &Context, folder: &AppFolder) -> Result<crate::name::DocId> {
    let apps = app::load(context, folder, &LoadOptions { lenient: true, ..LoadOptions::default() })?;
    let app = apps.apps.first().ok_or_else(|| Failure::new(Exit::Missing, "there is no app in this folder"))?;
    Ok(app.document.folded.id.clone())
}

/// `--export`: the document as it would be sent, attachments inline.
fn print(context: &Context, apps: &Apps, export: &Export) -> Result<Exit> {
    if let (Export::File(_), true) = (export, apps.apps.len() > 1) {
        let failure = Failure::new(Exit::Usage, format!("{} apps do not fit into one file", apps.apps.len()));
        return Err(failure.hint("name one of them, as in `couchapp push _design/NAME --export`").into());
    }
    for app in &apps.apps {
        let text = crate::json::to_pretty(&Value::Object(exported(context, app, &app.document)?));
        match export {
            Export::Stdout => context.printer.data(text.as_bytes()),
            Export::File(path) if context.settings.dry_run => {
                context.printer.note(&format!("would write {}", path.display()));
            }
            Export::File(path) => local::write_file(path, text.as_bytes())?,
        }
    }
    Ok(Exit::Ok)
}

fn exported(context: &Context, app: &App, document: &LocalDocument) -> Result<Object> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let mut whole = Map::from_iter([("_id".to_owned(), Value::from(document.folded.id.as_str()))]);
    whole.extend(document.folded.body.clone());
    let mut attachments = Map::new();
    for (name, file) in &document.attachments {
        let bytes = app.folder.read(&file.path, file.length)?;
        let guessed = crate::content_type::of_name(name.as_str(), &context.settings.content_types);
        let content_type = crate::content_type::with_charset(guessed, std::str::from_utf8(&bytes).is_ok());
        let entry = [("content_type", content_type), ("data", BASE64_STANDARD.encode(&bytes))];
        let entry = entry.map(|(key, text)| (key.to_owned(), Value::from(text)));
        attachments.insert(name.to_string(), Value::Object(Map::from_iter(entry)));
    }
    if !attachments.is_empty() {
        whole.insert("_attachments".to_owned(), Value::Object(attachments));
    }
    Ok(whole)
}
