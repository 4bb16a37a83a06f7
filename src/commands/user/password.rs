//! `user password`: another password, for others or for oneself.

use anyhow::Result;
use serde_json::{Map, Value};

use super::{missing, new_password, refused, session, warn_of_clear_text};
use crate::commands::Context;
use crate::commands::login::Reached;
use crate::couch::CouchError;
use crate::exit::{Exit, Failure};
use crate::name::UserName;
use crate::settings::credentials::NewPassword;

/// Gives `name` another password; everything else in the user's document stays.
pub(super) async fn run(context: &Context, reached: &Reached, name: &UserName, password: &NewPassword) -> Result<()> {
    let server = &reached.server;
    let session = session(reached).await?;
    let account = server.account(name).await.map_err(|error| refused(reached, error))?;
    let Some(account) = account else { return Err(missing(reached, &session, name).await) };
    let fields = || {
        Map::from_iter([
            ("server".to_owned(), Value::from(server.address().to_string())),
            ("user".to_owned(), Value::from(name.as_str())),
        ])
    };
    if context.settings.dry_run {
        let text = format!("Would give `{name}` another password on {}", server.address());
        context.printer.summary(&text, fields());
        return Ok(());
    }
    let password = new_password(context, reached, name, password)?;
    server.set_password(&account, &password).await.map_err(|error| match error {
        CouchError::Conflict { .. } => {
            let message = format!("somebody else changed the user `{name}` meanwhile");
            Failure::new(Exit::Conflict, message).because(error).hint("run it again").into()
        }
        error => refused(reached, error),
    })?;
    if session.user.as_deref() == Some(name.as_str()) {
        // Nothing can be asked with the old one any longer.
        if let Some(place) = &reached.known.credentials {
            context.printer.warning("stale_password", &format!("the password from {place} is the old one now"));
        }
    } else {
        warn_of_clear_text(context, reached, name).await;
    }
    context.printer.summary(&format!("`{name}` has another password on {}", server.address()), fields());
    Ok(())
}
