//! `db create`: a database that is for its members before anything is in it, and apps in it.
//!
//! CouchDB since 3.0 makes databases for admins only (`[couchdb] default_security`), PouchDB Server and older CouchDBs make
//! them for everybody; so who may use it is always written, and first.

use anyhow::Result;
use serde_json::{Map, Value};

use super::list::documents;
use super::people::{fields, in_words, parties, warn_of_unknown};
use super::settle;
use crate::commands::app::Apps;
use crate::commands::login::{Reached, with_server};
use crate::commands::{Context, push};
use crate::couch::{CouchError, Creation, Database, Info, Missing};
use crate::exit::{Exit, Failure};
use crate::json::Object;
use crate::plan::security::{Rights, imposed};
use crate::report::exit_of;
use crate::settings::command::PushSettings;
use crate::settings::database::CreateSettings;
use crate::settings::replicate::Place;
use crate::settings::{Command, Destination, Settings};

/// An app that can be pushed.
struct Ready<'a> {
    context: Context,
    command: &'a PushSettings,
    apps: Apps,
}

/// Carries the command out, one place after the other.
pub(super) async fn run(context: &Context, command: &CreateSettings) -> Result<Exit> {
    // What cannot be pushed makes no database.
    let apps = apps(context, command)?;
    for (done, place) in command.places.iter().enumerate() {
        if let Err(error) = make_and_fill(context, command, place, &apps).await {
            return Err(partly(error, done, command.places.len()));
        }
    }
    Ok(Exit::Ok)
}

fn partly(error: anyhow::Error, done: usize, all: usize) -> anyhow::Error {
    if done == 0 {
        return error;
    }
    let code = exit_of(&error).code();
    Failure::new(Exit::Partial, format!("{done} of {all} databases are done, the next one failed"))
        .detail(format!("the failure ends with code {code} by itself"))
        .because(error)
        .hint("run it again: what is done stays as it is")
        .into()
}

fn apps<'a>(context: &Context, command: &'a CreateSettings) -> Result<Vec<Ready<'a>>> {
    let mut ready = Vec::new();
    for resolved in &command.apps {
        let Command::Push(push) = &resolved.command else { continue };
        for warning in resolved.settings.warnings.iter().filter(|warning| !context.settings.warnings.contains(warning))
        {
            context.printer.warning(warning.code, &warning.message);
        }
        let context = within(context, &resolved.settings);
        let apps = push::load(&context, push)?;
        ready.push(Ready { context, command: push, apps });
    }
    Ok(ready)
}

/// The app's own settings, with what is known of credentials: a password on stdin is there only once.
fn within(context: &Context, settings: &Settings) -> Context {
    let credentials = context.settings.credentials.clone();
    Context {
        settings: Settings { credentials, ..settings.clone() },
        printer: context.printer.clone(),
        environment: context.environment.clone(),
        logins: context.logins.clone(),
    }
}

async fn make_and_fill(context: &Context, command: &CreateSettings, place: &Place, apps: &[Ready<'_>]) -> Result<()> {
    with_server(context, &place.endpoint, async |reached| make(context, command, place, reached).await).await?;
    for app in apps {
        let destination = Destination { label: None, endpoints: vec![place.endpoint.clone()], confirm: false };
        let push = PushSettings {
            destinations: vec![destination],
            // A database that goes meanwhile is not made again without its members.
            create_database: context.settings.dry_run,
            ..app.command.clone()
        };
        Box::pin(push::send(&app.context, &push, &app.apps)).await?;
    }
    Ok(())
}

async fn make(context: &Context, command: &CreateSettings, place: &Place, reached: &Reached) -> Result<()> {
    let database = reached.database(&place.endpoint)?;
    match database.info().await {
        Ok(info) => keep(context, command, (reached, &database), &info).await,
        Err(CouchError::NotFound { what: Missing::Database(_), .. }) => {
            make_new(context, command, reached, &database).await
        }
        Err(error) => Err(reached.failure(error)),
    }
}

fn wanted(command: &CreateSettings, before: &Object) -> Object {
    imposed(before, &parties(&command.members), &parties(&command.admins), command.public)
}

async fn make_new(context: &Context, command: &CreateSettings, reached: &Reached, database: &Database) -> Result<()> {
    let security = wanted(command, &Object::new());
    let (url, people) = (database.address(), in_words(&Rights::of(&security)));
    if context.settings.dry_run {
        let text = format!("Would create the database {url} ({people})");
        context.printer.summary(&text, told(database, &security, true));
        return Ok(());
    }
    warn_of_unknown(context, reached, named(command)).await;
    if database.create().await.map_err(|error| reached.failure(error))? == Creation::Existed {
        // Somebody was faster.
        let info = database.info().await.map_err(|error| reached.failure(error))?;
        return keep(context, command, (reached, database), &info).await;
    }
    if let Err(error) = settle::write(reached, database, &security).await {
        return Err(undone(database, error).await);
    }
    context.printer.summary(&format!("Created the database {url} ({people})"), told(database, &security, true));
    Ok(())
}

/// A database that we made and that cannot be given its members is removed again, if nothing has come into it.
async fn undone(database: &Database, error: anyhow::Error) -> anyhow::Error {
    let message = format!("who may use the new database `{}` could not be set", database.address());
    let failure = Failure::new(exit_of(&error), message).because(error);
    let is_empty = match database.info().await {
        Ok(info) => info.doc_count == 0 && info.raw.get("doc_del_count").and_then(Value::as_u64).unwrap_or(0) == 0,
        Err(_) => false,
    };
    if is_empty && database.remove().await.is_ok() {
        return failure.detail("the database was removed again").into();
    }
    failure.detail("the database is there, as the server makes them: look who may use it before you fill it").into()
}

/// A database that is there keeps who may use it, unless somebody says yes to the change.
async fn keep(
    context: &Context,
    command: &CreateSettings,
    (reached, database): (&Reached, &Database),
    info: &Info,
) -> Result<()> {
    let before = database.security_object().await.map_err(|error| reached.failure(error))?;
    let after = wanted(command, &before);
    let (now, then) = (Rights::of(&before), Rights::of(&after));
    let url = database.address();
    if now == then {
        let text = format!("The database {url} is there already ({})", in_words(&now));
        context.printer.summary(&text, told(database, &before, false));
        return Ok(());
    }
    let text = format!("The database {url} is there already, with {}, and for others:", documents(info));
    context.printer.note(&text);
    settle::show(context, &now.differences(&then));
    if context.settings.dry_run {
        context.printer.summary(&format!("Would change who may use {url}"), told(database, &after, false));
        return Ok(());
    }
    context.confirmed("Change who may use it?", &format!("changing who may use `{url}`"))?;
    warn_of_unknown(context, reached, named(command)).await;
    settle::replace(reached, database, &before, &after).await?;
    let text = format!("Changed who may use {url} ({})", in_words(&then));
    context.printer.summary(&text, told(database, &after, false));
    Ok(())
}

fn named(command: &CreateSettings) -> impl Iterator<Item = &String> {
    command.members.names.iter().chain(&command.admins.names)
}

fn told(database: &Database, security: &Object, is_new: bool) -> Map<String, Value> {
    let mut fields = fields(&database.address(), security);
    fields.insert("created".to_owned(), is_new.into());
    fields
}
