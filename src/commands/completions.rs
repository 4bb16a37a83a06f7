//! `completions`: the script that teaches a shell our flags.

use anyhow::Result;

use super::Context;
use crate::cli::{self, Shell};
use crate::exit::Exit;

/// Prints the completions of one shell.
pub(super) fn run(context: &Context, shell: Shell) -> Result<Exit> {
    context.printer.data(&cli::generate::completions(shell));
    Ok(Exit::Ok)
}
