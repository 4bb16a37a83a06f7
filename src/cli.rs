//! The command line as it is typed: commands, flags and their help. No IO, no environment, no defaults.
//!
//! A flag that was not given is `None` (or `false`); what that means is decided by [`crate::settings`].

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

mod commands;
mod global;
pub mod help;

pub use commands::{
    AppArgs, AuthCommand, BrowseArgs, CloneArgs, ConfigCommand, CspCommand, DiffArgs, Generated, InitArgs, OldArgs,
    PushArgs, Shell, StatusArgs,
};
pub use global::GlobalArgs;

/// The whole command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "couchapp",
    version,
    about = "Keep a folder and a CouchDB design document in step",
    before_help = help::EXAMPLES,
    after_help = help::EXIT_CODES,
    help_template = help::TEMPLATE,
    disable_help_subcommand = false,
    subcommand_required = false,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// The flags that every command takes, before or after its name.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do; without it the concise help is shown.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
#[command(subcommand_help_heading = "Commands", disable_help_subcommand = false)]
pub enum Command {
    /// Start a new app in a folder
    #[command(before_help = help::INIT, after_help = help::INIT_EXITS, help_template = help::TEMPLATE)]
    Init(InitArgs),
    /// Write a folder from a design document
    #[command(before_help = help::CLONE, after_help = help::CLONE_EXITS, help_template = help::TEMPLATE)]
    Clone(CloneArgs),
    /// Send the folder to a design document
    #[command(before_help = help::PUSH, after_help = help::PUSH_EXITS, help_template = help::TEMPLATE)]
    Push(PushArgs),
    /// Show what differs between the folder and the server
    #[command(before_help = help::STATUS, after_help = help::STATUS_EXITS, help_template = help::TEMPLATE)]
    Status(StatusArgs),
    /// Show the differences, from the server's text to the folder's
    #[command(before_help = help::DIFF, after_help = help::DIFF_EXITS, help_template = help::TEMPLATE)]
    Diff(DiffArgs),
    /// Open the app in a browser
    #[command(before_help = help::BROWSE, after_help = help::READ_EXITS, help_template = help::TEMPLATE)]
    Browse(BrowseArgs),
    /// Show the settings and where they come from
    #[command(subcommand, before_help = help::CONFIG, after_help = help::CONFIG_EXITS, help_template = help::TEMPLATE)]
    Config(ConfigCommand),
    /// Check the credentials
    #[command(subcommand, before_help = help::AUTH, after_help = help::READ_EXITS, help_template = help::TEMPLATE)]
    Auth(AuthCommand),
    /// Let apps run their own JavaScript on CouchDB 3.5, or forbid it again
    #[command(subcommand, before_help = help::CSP, after_help = help::CSP_EXITS, help_template = help::TEMPLATE)]
    Csp(CspCommand),
    /// Print the completions of a shell
    #[command(before_help = help::COMPLETIONS, after_help = help::CONFIG_EXITS, help_template = help::TEMPLATE)]
    Completions {
        /// The shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual in another form
    #[command(hide = true)]
    Generate {
        /// The form
        #[arg(value_enum, value_name = "FORM")]
        form: Generated,
        /// Write one file per command into this folder (man pages only)
        #[arg(long, value_name = "DIR")]
        into: Option<std::path::PathBuf>,
    },
    /// The old name of `push --docs`
    #[command(hide = true, disable_help_flag = true)]
    Pushdocs(OldArgs),
    /// The old name of a push of several folders
    #[command(hide = true, disable_help_flag = true)]
    Pushapps(OldArgs),
    /// The old name of a push on every change
    #[command(hide = true, disable_help_flag = true)]
    Autopush(OldArgs),
}

/// Reads the command line; the first argument is the program's name.
///
/// The error is clap's own: `--help` and `--version` are among them ([`crate::report::Printer::usage`] prints them all).
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments)
}

/// The description of the whole command line, for completions and man pages.
pub fn command() -> clap::Command {
    Cli::command()
}
