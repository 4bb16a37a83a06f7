//! Who administers the endpoint: the user that was named, with the password from where every command takes it.

use std::net::SocketAddr;

use anyhow::Result;

use super::PORT;
use crate::address::{Address, Expect};
use crate::commands::Context;
use crate::exit::{Exit, Failure};
use crate::secret::{Credentials, Secret};
use crate::serve::users::Administrator;
use crate::settings::command::ServeSettings;
use crate::settings::{self, Endpoint};

/// The administrator.
pub(super) struct Found {
    name: String,
    password: Secret,
}

impl Found {
    /// For the endpoint.
    pub(super) fn administrator(&self) -> Administrator {
        Administrator { name: self.name.clone(), password: self.password.clone() }
    }

    /// For the commands that talk to it.
    pub(super) fn credentials(self) -> settings::Found {
        let credentials = Credentials::Basic { user: self.name, password: self.password };
        settings::Found { credentials, source: "`--user` of `serve`".to_owned(), exposed: false }
    }
}

/// Finds out who it is. Nobody is fine as long as only this computer can ask: then everybody is an administrator.
pub(super) fn find(context: &Context, command: &ServeSettings) -> Result<Option<Found>> {
    let Some(name) = context.settings.credentials.named_user() else {
        return if command.host.to_canonical().is_loopback() { Ok(None) } else { Err(open(command).into()) };
    };
    let address = SocketAddr::new(command.host, command.port.unwrap_or(PORT));
    let (address, _) = Address::parse(&format!("http://{address}/"), Expect::Server)?;
    let found = context.settings.credentials.look_up(&Endpoint::of(address.clone()))?.found;
    let password = match found.map(|found| found.credentials) {
        Some(Credentials::Basic { user, password }) if user == name => Some(password),
        _ => context.printer.prompt_password(name, address.authority()),
    };
    let password = password.filter(|password| !password.expose().is_empty()).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no password for the administrator `{name}`")).hint(
            "`COUCHAPP_PASSWORD`, `--password-stdin` or `--password-file` gives it; on a terminal it is asked for",
        )
    })?;
    Ok(Some(Found { name: name.to_owned(), password }))
}

fn open(command: &ServeSettings) -> Failure {
    let message =
        format!("without an administrator only this computer may ask, and {} is for others as well", command.host);
    Failure::new(Exit::Usage, message)
        .hint("`--user NAME` and a password make one: `COUCHAPP_PASSWORD` or `--password-stdin`")
}
