//! `user add`: a new user.

use anyhow::Result;
use serde_json::{Map, Value};

use super::{is_administrator, new_password, refused, session, warn_of_clear_text};
use crate::commands::Context;
use crate::commands::login::Reached;
use crate::couch::CouchError;
use crate::exit::{Exit, Failure};
use crate::name::UserName;
use crate::settings::credentials::NewPassword;

/// Adds `name` with `roles`. Who is there already is left as it is.
pub(super) async fn run(
    context: &Context,
    reached: &Reached,
    (name, roles): (&UserName, &[String]),
    password: &NewPassword,
) -> Result<()> {
    let server = &reached.server;
    let session = session(reached).await?;
    if is_administrator(reached, &session, name).await {
        let host = server.address().authority();
        let message = format!("`{name}` is an admin of `{host}` by its configuration");
        let hint = "a user of that name could never sign in: choose another one";
        return Err(Failure::new(Exit::Conflict, message).hint(hint).into());
    }
    if server.account(name).await.map_err(|error| refused(reached, error))?.is_some() {
        return Err(exists(reached, name));
    }
    let with_roles = if roles.is_empty() { String::new() } else { format!(" (roles: {})", roles.join(", ")) };
    let fields = || {
        let roles = roles.iter().map(|role| Value::from(role.as_str())).collect();
        Map::from_iter([
            ("server".to_owned(), Value::from(server.address().to_string())),
            ("user".to_owned(), Value::from(name.as_str())),
            ("roles".to_owned(), Value::Array(roles)),
        ])
    };
    if context.settings.dry_run {
        let text = format!("Would add the user `{name}` to {}{with_roles}", server.address());
        context.printer.summary(&text, fields());
        return Ok(());
    }
    let password = new_password(context, reached, name, password)?;
    server.add_account(name, roles, &password).await.map_err(|error| match error {
        CouchError::Conflict { .. } => exists(reached, name),
        error => refused(reached, error),
    })?;
    warn_of_clear_text(context, reached, name).await;
    context.printer.summary(&format!("Added the user `{name}` to {}{with_roles}", server.address()), fields());
    Ok(())
}

fn exists(reached: &Reached, name: &UserName) -> anyhow::Error {
    let host = reached.server.address().authority();
    Failure::new(Exit::Conflict, format!("there is a user `{name}` on `{host}` already"))
        .hint("`couchapp user password` gives a user another password")
        .into()
}
