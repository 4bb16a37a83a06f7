//! What the command line means: flags, environment, files and credentials, resolved once into plain values.
//!
//! A value is taken from the first that has it: flag, `COUCHAPP_*` variable, the project's `couchapp.toml`, the user's
//! `config.toml`, the default. Commands see only [`Settings`] and their own struct of [`command`]; nothing below reads
//! the environment, and nothing here asks, prints or talks to a server. Every error is a [`Failure`] ready for people.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Cli;
use crate::exit::Failure;

mod arguments;
pub mod command;
pub mod credentials;
pub mod database;
pub mod destination;
pub mod environment;
mod file;
pub mod import;
mod layers;
mod legacy;
pub mod media;
mod netrc;
mod output;
mod project;
pub mod replicate;
mod resolve;
#[cfg(feature = "serve")]
mod serve;
mod suggest;
mod targets;
#[cfg(test)]
mod tests;
mod typed;
pub mod user;
pub mod values;

pub use command::Command;
pub use credentials::{Found, LookUp};
pub use destination::{Destination, Endpoint};
pub use environment::Environment;
pub use layers::{Origin, Shown};
pub use output::{OutputSettings, ProgressStyle, Verbosity};
pub use targets::Targets;
use values::{Bandwidth, Layout, MaxDelete};

/// Everything that is not particular to one command.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Stop before the first write (`-n`).
    pub dry_run: bool,
    /// The question was answered yes beforehand (`-y`).
    pub yes: bool,
    /// A question may be asked: stdin and stderr are a terminal and `--no-input` was not given.
    pub interactive: bool,
    /// The folder the process was started in, or `-C`.
    pub directory: PathBuf,
    /// What is printed, and how.
    pub output: OutputSettings,
    /// How servers are talked to.
    pub network: NetworkSettings,
    /// Where what may be forgotten is kept, whether it exists or not; `None` when nothing says where it belongs.
    pub state_folder: Option<PathBuf>,
    /// The app around the command's folder; `None` outside of one.
    pub project: Option<Project>,
    /// What `[push]` and its variables say; the flags of a push are already in [`command::PushSettings`].
    pub push: PushDefaults,
    /// Content types by file extension (lower case, no dot), from `[content-types]`.
    pub content_types: BTreeMap<String, String>,
    /// The named targets, and what an argument can mean as a destination.
    pub targets: Targets,
    /// Where credentials are looked for.
    pub credentials: credentials::Sources,
    /// What should be said before anything is done.
    pub warnings: Vec<Warning>,
    /// Every value with its origin, in the order of the manual, for `config show`.
    pub shown: Vec<Shown>,
}

/// The app that a command works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The app's folder, absolute.
    pub root: PathBuf,
    /// The `couchapp.toml` that was read; it may lie above the app's folder.
    pub config: Option<PathBuf>,
}

/// How servers are talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSettings {
    /// How often a failed request is tried again.
    pub retries: u32,
    /// How long nothing may move.
    pub timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How many downloads and hashes run at once; at least 1.
    pub jobs: usize,
    /// Limits in bytes per second.
    pub bwlimit: Bandwidth,
    /// Certificates to trust besides those of the system (PEM); absolute.
    pub ca_certificate: Option<PathBuf>,
    /// Certificate and key to show to the server (PEM); absolute.
    pub client_certificate: Option<PathBuf>,
    /// Do not check the server's certificate.
    pub insecure: bool,
}

/// What `[push]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushDefaults {
    /// How the folder is laid out.
    pub layout: Layout,
    /// The most removals allowed; `None` is the built-in rule (not more than half, if that is more than ten).
    pub max_delete: Option<MaxDelete>,
    /// Whether `_docs` is pushed; `None`: if there is one.
    pub docs: Option<bool>,
    /// Whether functions are checked.
    pub check: bool,
    /// Warn where an old app would be refused.
    pub lenient: bool,
}

/// Something that should be said but does not stop a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The stable word of JSON output.
    pub code: &'static str,
    /// The text: lower case, no final stop.
    pub message: String,
}

/// Settings and the command they are for.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Everything that is not particular to the command.
    pub settings: Settings,
    /// The command with its own values.
    pub command: Command,
}

/// Resolves a command line against the environment and the configuration files.
///
/// Fails with [`Exit::Usage`](crate::exit::Exit::Usage) on a bad value, file or argument, and with
/// [`Exit::Refused`](crate::exit::Exit::Refused) or [`Exit::Missing`](crate::exit::Exit::Missing) never: nothing is
/// asked of a server here.
pub fn resolve(cli: &Cli, environment: &Environment) -> Result<Resolved, Failure> {
    resolve::resolve(cli, environment)
}

/// How to print before (or although) the command line and the settings can be understood: from `--json`, `--color` and
/// `-q` as they stand among the raw arguments, and from the environment.
pub fn early_output(arguments: &[OsString], environment: &Environment) -> OutputSettings {
    output::early(arguments, environment)
}
