//! `user remove`: a user, and where the name still stands.

use anyhow::Result;
use serde_json::{Map, Value};

use super::{missing, refused, session};
use crate::commands::Context;
use crate::commands::login::Reached;
use crate::commands::survey::survey;
use crate::couch::CouchError;
use crate::exit::{Exit, Failure};
use crate::name::UserName;
use crate::plan::security::Rights;

/// Removes `name`, once that was confirmed.
pub(super) async fn run(context: &Context, reached: &Reached, name: &UserName) -> Result<()> {
    let server = &reached.server;
    let address = server.address().to_string();
    let session = session(reached).await?;
    let account = server.account(name).await.map_err(|error| refused(reached, error))?;
    let Some(account) = account else { return Err(missing(reached, &session, name).await) };
    if !account.roles.is_empty() {
        context.printer.note(&format!("`{name}` has roles: {}", account.roles.join(", ")));
    }
    if session.user.as_deref() == Some(name.as_str()) {
        context.printer.warning("lockout", "this is who you are signed in as");
    }
    let named = databases(context, reached, name).await;
    if !named.is_empty() {
        let text = format!(
            "`{name}` is named in the security of {}: a new user of that name would have the same rights",
            named.join(", ")
        );
        context.printer.warning("still_named", &text);
        let flags = format!("--remove-member {name} --remove-admin {name}");
        context.printer.note(&format!("`couchapp db security PLACE {flags}` takes the name out"));
    }
    let fields = || {
        let named = named.iter().map(|name| Value::from(name.as_str())).collect();
        Map::from_iter([
            ("server".to_owned(), Value::from(address.as_str())),
            ("user".to_owned(), Value::from(name.as_str())),
            ("named_in".to_owned(), Value::Array(named)),
        ])
    };
    if context.settings.dry_run {
        context.printer.summary(&format!("Would remove the user `{name}` from {address}"), fields());
        return Ok(());
    }
    let question = format!("Remove the user `{name}` from {address}?");
    context.confirmed(&question, &format!("removing the user `{name}`"))?;
    server.remove_account(&account).await.map_err(|error| match error {
        CouchError::Conflict { .. } => {
            let message = format!("somebody else changed the user `{name}` meanwhile");
            Failure::new(Exit::Conflict, message).because(error).hint("run it again").into()
        }
        error => refused(reached, error),
    })?;
    context.printer.summary(&format!("Removed the user `{name}` from {address}"), fields());
    Ok(())
}

/// The databases whose security names the user, as far as this can be seen.
async fn databases(context: &Context, reached: &Reached, name: &UserName) -> Vec<String> {
    let Ok(names) = reached.server.databases().await else { return Vec::new() };
    let found = survey(reached, names, context.settings.network.jobs).await.into_iter();
    let named = found
        .filter(|surveyed| surveyed.security.as_ref().is_ok_and(|object| Rights::of(object).has_name(name.as_str())));
    named.map(|surveyed| surveyed.name.to_string()).collect()
}
