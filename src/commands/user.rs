//! `user`: the users of a server.

use anyhow::Result;

use super::Context;
use super::login::{Reached, with_server};
use crate::couch::{CouchError, Missing, Session};
use crate::exit::{Exit, Failure};
use crate::name::UserName;
use crate::secret::Secret;
use crate::settings::credentials::NewPassword;
use crate::settings::user::{UserSettings, UserVerb};

mod add;
mod list;
mod password;
mod remove;

/// Carries the command out, on one server after the other.
pub(super) async fn run(context: &Context, command: &UserSettings) -> Result<Exit> {
    for endpoint in context.servers(&command.servers)? {
        with_server(context, &endpoint, async |reached| match &command.verb {
            UserVerb::Add { name, roles, password } => add::run(context, reached, (name, roles), password).await,
            UserVerb::Password { name, password } => password::run(context, reached, name, password).await,
            UserVerb::Remove { name } => remove::run(context, reached, name).await,
            UserVerb::List => list::run(context, reached).await,
        })
        .await?;
    }
    Ok(Exit::Ok)
}

async fn session(reached: &Reached) -> Result<Session> {
    reached.server.session().await.map_err(|error| reached.failure(error))
}

/// Whether the server's configuration names an admin of this name, as far as this can be seen: `couchapp serve` names its
/// admin only to that admin.
async fn is_administrator(reached: &Reached, session: &Session, name: &UserName) -> bool {
    if !session.is_admin() {
        return false;
    }
    let known = reached.server.administrators().await.unwrap_or_default();
    // No document makes an admin.
    session.user.as_deref() == Some(name.as_str()) || known.iter().any(|known| known == name.as_str())
}

/// The failure for a user who is not there, or not to be seen.
async fn missing(reached: &Reached, session: &Session, name: &UserName) -> anyhow::Error {
    let host = reached.server.address().authority();
    if is_administrator(reached, session, name).await {
        let message = format!("`{name}` is an admin of `{host}` by its configuration, and no user in `_users`");
        let hint = "admins and their passwords stand in the section `admins` of the server's configuration";
        return Failure::new(Exit::Missing, message).hint(hint).into();
    }
    let failure = Failure::new(Exit::Missing, format!("there is no user `{name}` on `{host}`"));
    if session.is_admin() {
        return failure.hint("`couchapp user list` names those that there are").into();
    }
    failure.hint("only admins see others than themselves").into()
}

/// A failure about `_users`, which CouchDB since 3.0 keeps closed to everybody but its admins.
fn refused(reached: &Reached, error: CouchError) -> anyhow::Error {
    let host = reached.server.address().authority().to_owned();
    match error {
        CouchError::Forbidden { .. } => {
            let reason = error.answer().and_then(|answer| answer.reason.clone()).unwrap_or_default();
            if !reason.contains("allowed to access this db") {
                return Failure::new(Exit::Auth, error.to_string()).because(error).into();
            }
            Failure::new(Exit::Auth, format!("only the admins of `{host}` may read and change its users"))
                .because(error)
                .hint("CouchDB keeps `_users` closed since 3.0, for users' own passwords as well: ask an admin")
                .into()
        }
        CouchError::NotFound { what: Missing::Database(_), .. } => {
            Failure::new(Exit::Missing, format!("`{host}` has no users yet: there is no database `_users`"))
                .because(error)
                .hint("finish the set-up of the server, which makes it")
                .into()
        }
        error => reached.failure(error),
    }
}

/// Reads or asks for a new password.
fn new_password(context: &Context, reached: &Reached, name: &UserName, source: &NewPassword) -> Result<Secret> {
    if let Some(password) = source.read()? {
        return Ok(password);
    }
    let host = reached.server.address().authority();
    context.printer.prompt_new_password(name.as_str(), host).ok_or_else(|| {
        Failure::new(Exit::Refused, format!("there is no new password for `{name}`"))
            .hint("on a terminal it is asked for; `--new-password-stdin`, `--new-password-file` and `--new-password-command` give it elsewhere")
            .into()
    })
}

/// Looks how the server keeps the password, where this is to be seen.
async fn warn_of_clear_text(context: &Context, reached: &Reached, name: &UserName) {
    if let Ok(Some(account)) = reached.server.account(name).await
        && account.is_clear
    {
        let text = "this server keeps the password as it is: whoever reads its files knows it";
        context.printer.warning("clear_password", text);
    }
}
