//! `completions`: the script that teaches a shell our flags.

use anyhow::Result;
use clap_complete::{Shell as Target, generate};

use super::Context;
use crate::cli::{self, Shell};
use crate::exit::Exit;

/// Prints the completions of one shell.
pub(super) fn run(context: &Context, shell: Shell) -> Result<Exit> {
    let target = match shell {
        Shell::Bash => Target::Bash,
        Shell::Zsh => Target::Zsh,
        Shell::Fish => Target::Fish,
        Shell::Powershell => Target::PowerShell,
        Shell::Elvish => Target::Elvish,
    };
    let mut script = Vec::new();
    generate(target, &mut cli::command(), "couchapp", &mut script);
    context.printer.data(&script);
    Ok(Exit::Ok)
}
