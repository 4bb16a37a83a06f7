//! Another command, as if it had been typed.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use crate::commands::login::Logins;
use crate::commands::{Context, dispatch, explain};
use crate::exit::{Exit, Failure};
use crate::report::Printer;
use crate::settings::Found;
use crate::{cli, settings};

/// What a command is run with.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Whom it signs in as, whatever else is known of such an address.
    pub(super) credentials: Option<&'a Found>,
    /// Where it remembers folders and databases.
    pub(super) state: &'a Path,
    /// Whether its answer is known already.
    pub(super) terse: bool,
}

/// Carries a command line out. What fails is told, and the endpoint goes on. Says whether it was done.
pub(super) async fn run(context: &Context, arguments: &[OsString], surroundings: Surroundings<'_>) -> bool {
    let printer = context.printer.part(surroundings.terse);
    match carry_out(context, &printer, arguments, surroundings).await {
        Ok(exit) => exit == Exit::Ok,
        Err(error) => {
            printer.error(&explain::settle(error));
            false
        }
    }
}

async fn carry_out(
    context: &Context,
    printer: &Printer,
    arguments: &[OsString],
    Surroundings { credentials, state, .. }: Surroundings<'_>,
) -> Result<Exit> {
    let typed = [OsString::from("couchapp")].into_iter().chain(arguments.iter().cloned());
    let cli = cli::parse(typed).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let mut environment = context.environment.clone();
    environment.variables.insert("XDG_STATE_HOME".into(), state.into());
    let mut resolved = settings::resolve(&cli, &environment)?;
    resolved.settings.credentials = resolved.settings.credentials.settled(credentials.cloned());
    // What was said of waiting and of limits holds for the whole run.
    resolved.settings.network = context.settings.network.clone();
    let logins = Logins::default();
    let context = Context { settings: resolved.settings, printer: printer.clone(), environment, logins };
    Box::pin(dispatch(&context, &resolved.command)).await
}
