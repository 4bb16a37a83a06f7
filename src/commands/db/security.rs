//! `db security`: who may use a database, and others instead.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::people::{fields, in_words, parties, warn_of_unknown};
use super::settle;
use crate::commands::Context;
use crate::commands::database;
use crate::commands::login::{Reached, with_server};
use crate::couch::Database;
use crate::exit::{Exit, Failure};
use crate::json::Object;
use crate::plan::security::{Edit, Parties, Party, Readers, Rights, edited};
use crate::settings::database::SecuritySettings;

/// Shows or changes it.
pub(super) async fn run(context: &Context, command: &SecuritySettings) -> Result<Exit> {
    let endpoint = &command.place.endpoint;
    with_server(context, endpoint, async |reached| {
        let database = reached.database(endpoint)?;
        database::required(reached, &database).await?;
        let before = database.security_object().await.map_err(|error| reached.failure(error))?;
        match edit(command) {
            None => {
                show(context, &database, &before);
                Ok(())
            }
            Some(edit) => change(context, (reached, &database), &before, &edit).await,
        }
    })
    .await?;
    Ok(Exit::Ok)
}

/// What is to change; `None` when nothing was asked for.
fn edit(command: &SecuritySettings) -> Option<Edit> {
    let readers = match (command.set_public, command.set_private) {
        (true, _) => Some(Readers::Everybody),
        (_, true) => Some(Readers::AdminsOnly),
        _ => None,
    };
    let edit = Edit {
        readers,
        add_members: parties(&command.add_members),
        remove_members: parties(&command.remove_members),
        add_admins: parties(&command.add_admins),
        remove_admins: parties(&command.remove_admins),
    };
    (edit != Edit::default()).then_some(edit)
}

fn show(context: &Context, database: &Database, object: &Object) {
    let rights = Rights::of(object);
    context.printer.answer(&database.address().to_string());
    context.printer.answer(&format!("  members  {}", rights.members_in_words()));
    context.printer.answer(&format!("  admins   {}", rights.admins_in_words()));
    context.printer.document("security", fields(&database.address(), object));
}

async fn change(
    context: &Context,
    (reached, database): (&Reached, &Database),
    before: &Object,
    edit: &Edit,
) -> Result<()> {
    let after = edited(before, edit);
    let (now, then) = (Rights::of(before), Rights::of(&after));
    let url = database.address();
    warn_of_nobody(context, &now, edit);
    if now == then {
        context.printer.summary(&format!("Nothing to do for {url} ({})", in_words(&now)), told(database, &after, 0));
        return Ok(());
    }
    let session = reached.server.session().await.map_err(|error| reached.failure(error))?;
    let is_admin = |rights: &Rights| session.is_admin() || rights.has_admin(session.user.as_deref(), &session.roles);
    if !is_admin(&now) && session.user.is_some() {
        // CouchDB's own words are `500 no_majority`.
        let user = session.user.unwrap_or_default();
        let failure = Failure::new(Exit::Auth, format!("`{user}` is no admin of `{url}`"));
        return Err(failure.hint("only its admins and the server's may change who may use it").into());
    }
    context.printer.note(&format!("Who may use {url}:"));
    let differences = now.differences(&then);
    settle::show(context, &differences);
    warn_of_unknown(context, reached, edit.add_members.names.iter().chain(&edit.add_admins.names)).await;
    let locks_out = is_admin(&now) && !is_admin(&then);
    if locks_out {
        let text = "you would be no admin of this database any longer, and could not undo this";
        context.printer.warning("lockout", text);
    }
    if context.settings.dry_run {
        let text = format!("Would change who may use {url} ({})", in_words(&then));
        context.printer.summary(&text, told(database, &after, differences.len()));
        return Ok(());
    }
    let losers = now.loses(&then);
    if !now.is_public() && then.is_public() {
        let question = "Everybody who reaches the server will read and write its documents, signed in or not. Go on?";
        context.confirmed(question, "opening the database to everybody")?;
    } else if !losers.is_empty() || locks_out {
        let question = format!("This takes rights away from: {}. Go on?", losers.join(", "));
        context.confirmed(&question, &format!("taking rights away from {}", losers.join(", ")))?;
    }
    settle::replace(reached, database, before, &after).await?;
    let text = format!("Changed who may use {url} ({})", in_words(&then));
    context.printer.summary(&text, told(database, &after, differences.len()));
    Ok(())
}

/// A mistyped name would take nothing from anybody, unnoticed.
fn warn_of_nobody(context: &Context, now: &Rights, edit: &Edit) {
    let nobody = BTreeSet::new();
    let members = now.members.as_ref().unwrap_or(&nobody);
    for (word, named, asked) in [("member", members, &edit.remove_members), ("admin", &now.admins, &edit.remove_admins)]
    {
        let Parties { names, roles } = asked.clone();
        let asked = names.into_iter().map(Party::Name).chain(roles.into_iter().map(Party::Role));
        for party in asked.filter(|party| !named.contains(party)) {
            context.printer.warning("not_named", &format!("{party} is no {word} of it"));
        }
    }
}

fn told(database: &Database, security: &Object, changes: usize) -> Map<String, Value> {
    let mut fields = fields(&database.address(), security);
    fields.insert("changes".to_owned(), json!(changes));
    fields
}
