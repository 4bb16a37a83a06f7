//! Another command, as if it had been typed.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use crate::commands::{Context, dispatch};
use crate::exit::{Exit, Failure};
use crate::{cli, settings};

/// Carries a command line out, with the output of this run. What it remembers of folders and databases stays in `state`.
pub(super) async fn run(context: &Context, arguments: &[OsString], state: &Path) -> Result<Exit> {
    let typed = [OsString::from("couchapp")].into_iter().chain(arguments.iter().cloned());
    let cli = cli::parse(typed).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let mut environment = context.environment.clone();
    environment.variables.insert("XDG_STATE_HOME".into(), state.into());
    let resolved = settings::resolve(&cli, &environment)?;
    let context = Context { settings: resolved.settings, printer: context.printer.clone(), environment };
    Box::pin(dispatch(&context, &resolved.command)).await
}
