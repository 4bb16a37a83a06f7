//! The arguments of each command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::help;
use crate::settings::values::{Layout, MaxDelete, Period};

/// `couchapp init`
#[derive(Clone, Args)]
pub struct InitArgs {
    /// The new app's folder [default: the current one]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Which files to start with
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,
    /// Write a couchapp.toml from the .couchapprc that is there
    #[arg(long)]
    pub import_rc: bool,
}

/// `couchapp clone`
#[derive(Clone, Args)]
pub struct CloneArgs {
    /// A document's URL, a target, or :database
    #[arg(value_name = "URL")]
    pub source: String,
    /// The folder to write, `-` to print the document [default: the document's name]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// This revision instead of the winning one
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// Bring an earlier clone up to date; what you changed is kept
    #[arg(long)]
    pub update: bool,
    /// With --update: the server's files win over yours
    #[arg(long)]
    pub force: bool,
    /// Store names that some system cannot have in an escaped form
    #[arg(long)]
    pub escape_names: bool,
}

/// The folder and the target, as `push`, `status` and `browse` take them.
#[derive(Clone, Default, Args)]
pub struct AppArgs {
    /// The app's folder [default: the app around the current folder]
    #[arg(value_name = "DIR")]
    pub first: Option<OsString>,
    /// A URL, a target from couchapp.toml, or :database [default: the default target]
    #[arg(value_name = "TARGET")]
    pub second: Option<OsString>,
}

/// `couchapp push`
#[derive(Clone, Default, Args)]
pub struct PushArgs {
    /// What is pushed, where, and how.
    #[command(flatten)]
    pub what: PushingArgs,
    /// Print the document instead of sending it
    #[arg(long, conflicts_with_all = ["to", "open", "keep_going"])]
    pub export: bool,
    /// With --export: write the document to a file
    #[arg(long, value_name = "FILE", requires = "export")]
    pub output: Option<PathBuf>,
}

/// `couchapp watch`
#[derive(Clone, Default, Args)]
pub struct WatchArgs {
    /// What is pushed, where, and how.
    #[command(flatten)]
    pub what: PushingArgs,
    /// How long nothing may change before it is pushed [default: 50ms]
    #[arg(long, value_name = "TIME")]
    pub delay: Option<Period>,
}

/// What is pushed, where, and how, as `push` and `watch` take it.
#[derive(Clone, Default, Args)]
pub struct PushingArgs {
    /// The app's folder [default: the app around the current folder]
    #[arg(value_name = "DIR")]
    pub first: Option<OsString>,
    /// A URL, a target from couchapp.toml, or :database [default: the default target]
    #[arg(value_name = "DEST", conflicts_with = "to")]
    pub second: Option<OsString>,
    /// Where to push; may be given several times
    #[arg(long, value_name = "DEST")]
    pub to: Vec<String>,
    /// Go on with the next target when one fails
    #[arg(long)]
    pub keep_going: bool,
    /// Push only the files that match; the rest stays as it is on the server
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
    /// How the folder is laid out [default: auto]
    #[arg(long, value_enum, value_name = "LAYOUT")]
    pub layout: Option<Layout>,
    /// Push to this document instead of the one the folder names
    #[arg(long, value_name = "ID")]
    pub docid: Option<String>,
    /// Push the documents in _docs as well (as is done when there are any)
    #[arg(long, overrides_with = "no_docs")]
    pub docs: bool,
    /// Leave the documents in _docs alone
    #[arg(long, overrides_with = "docs")]
    pub no_docs: bool,
    /// Open the app in a browser afterwards
    #[arg(long)]
    pub open: bool,

    /// Overwrite what others changed on the server
    #[arg(long, help_heading = "Safety")]
    pub force: bool,
    /// Remove what is only on the server, whoever put it there
    #[arg(long, help_heading = "Safety")]
    pub delete: bool,
    /// Remove at most this many: a number, a percentage, or all
    #[arg(long, value_name = "N", help_heading = "Safety")]
    pub max_delete: Option<MaxDelete>,
    /// Push a folder that has no files
    #[arg(long, help_heading = "Safety")]
    pub allow_empty: bool,
    /// Create the database when it does not exist
    #[arg(long, help_heading = "Safety")]
    pub create_db: bool,
    /// Do not check the functions
    #[arg(long, help_heading = "Safety")]
    pub no_check: bool,
    /// Warn where an old app would otherwise be refused
    #[arg(long, help_heading = "Safety")]
    pub lenient: bool,
}

/// `couchapp status`
#[derive(Clone, Args)]
pub struct StatusArgs {
    /// Folder and target.
    #[command(flatten)]
    pub app: AppArgs,
    /// List the ignored files too, each with the rule that ignores it
    #[arg(long)]
    pub ignored: bool,
    /// Download and compare the contents
    #[arg(long)]
    pub verify: bool,
    /// End with code 3 when something differs
    #[arg(long)]
    pub exit_code: bool,
}

/// `couchapp diff`
#[derive(Clone, Args)]
pub struct DiffArgs {
    /// Only these files and folders, relative to the app
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// The app's folder [default: the app around the current folder]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Compare with this URL, target or :database [default: the default target]
    #[arg(long, value_name = "TARGET")]
    pub to: Option<String>,
    /// End with code 3 when something differs
    #[arg(long)]
    pub exit_code: bool,
}

/// `couchapp browse`
#[derive(Clone, Args)]
pub struct BrowseArgs {
    /// Folder and target.
    #[command(flatten)]
    pub app: AppArgs,
    /// Print the URL, start nothing
    #[arg(long)]
    pub print: bool,
}

/// `couchapp config`
#[derive(Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting
    #[command(before_help = help::CONFIG, after_help = help::CONFIG_EXITS, help_template = help::TEMPLATE)]
    Show {
        /// Say for each value where it comes from
        #[arg(long)]
        origin: bool,
    },
}

/// `couchapp auth`
#[derive(Clone, Subcommand)]
pub enum AuthCommand {
    /// Ask the server who you are and whether you may write
    #[command(before_help = help::AUTH, after_help = help::READ_EXITS, help_template = help::TEMPLATE)]
    Check {
        /// A URL, a target or :database [default: the default target]
        #[arg(value_name = "TARGET")]
        target: Option<String>,
    },
}

/// `couchapp csp`
#[derive(Clone, Subcommand)]
pub enum CspCommand {
    /// Turn the sandbox off: apps may run scripts, send forms and read cookies
    #[command(before_help = help::CSP, after_help = help::CSP_EXITS, help_template = help::TEMPLATE)]
    Allow {
        /// The server's URL or a target [default: the default target's server]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
    /// Turn the sandbox on again
    #[command(before_help = help::CSP, after_help = help::CSP_EXITS, help_template = help::TEMPLATE)]
    Restore {
        /// The server's URL or a target [default: the default target's server]
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
}

/// A command of the old tool, with whatever it was given.
#[derive(Clone, Args)]
pub struct OldArgs {
    /// The old command's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub arguments: Vec<OsString>,
}

/// The shells that completions can be printed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// fish
    Fish,
    /// `PowerShell`
    Powershell,
    /// Elvish
    Elvish,
}

/// The forms of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generated {
    /// Man pages.
    Man,
    /// One Markdown page.
    Markdown,
}
