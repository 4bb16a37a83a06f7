//! The commands as they are carried out: arguments resolved, defaults filled in.

#[cfg(feature = "serve")]
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::database::DbSettings;
use super::destination::{Destination, Endpoint};
use super::media::{DumpSettings, SyncDirSettings};
use super::replicate::{JobsSettings, ReplicateSettings, Wish};
use super::user::UserSettings;
use super::values::{Layout, MaxDelete, Via};
use crate::address::Address;
use crate::cli::{Generated, Shell};
use crate::name::{DocId, Revision};

/// What to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// No command was given: print [`crate::cli::help::CONCISE`].
    Help,
    /// Start an app.
    Init(InitSettings),
    /// Server to folder.
    Clone(CloneSettings),
    /// Folder to server.
    Push(PushSettings),
    /// Push on every change.
    Watch(WatchSettings),
    /// Compare.
    Status(StatusSettings),
    /// Compare, with the text of what differs.
    Diff(DiffSettings),
    /// Files to documents, or back.
    SyncDir(SyncDirSettings),
    /// Attachments to files.
    Dump(DumpSettings),
    /// Databases to databases.
    Replicate(ReplicateSettings),
    /// What servers replicate by themselves.
    Jobs(JobsSettings),
    /// Databases and who may use them.
    Db(DbSettings),
    /// Users.
    User(UserSettings),
    /// Open the app.
    Browse(BrowseSettings),
    /// Print [`Settings::shown`](super::Settings::shown).
    ConfigShow {
        /// With the origin of each value.
        origin: bool,
    },
    /// Who am I, may I write?
    AuthCheck {
        /// Where; `None` is the default target.
        target: Option<Destination>,
    },
    /// Set the sandbox of a server.
    Csp(CspSettings),
    /// Start the embedded endpoint.
    #[cfg(feature = "serve")]
    Serve(ServeSettings),
    /// Print completions.
    Completions(Shell),
    /// Print the manual.
    Generate {
        /// In this form.
        form: Generated,
        /// Into this folder, one file per command.
        into: Option<PathBuf>,
    },
}

/// `init`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitSettings {
    /// The folder to write into, absolute; need not exist.
    pub folder: PathBuf,
    /// The folder as the user knows it.
    pub shown: String,
    /// Which files to start with.
    pub template: Option<String>,
    /// Write `couchapp.toml` from the old configuration ([`super::import::import`]).
    pub import_rc: bool,
}

/// Where a clone goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloneInto {
    /// A folder of the document's name, below [`Settings::directory`](super::Settings::directory).
    Named,
    /// This folder.
    Folder {
        /// Absolute.
        path: PathBuf,
        /// As the user knows it.
        shown: String,
    },
    /// The document as JSON, to stdout.
    Stdout,
}

/// `clone`
#[derive(Clone, Debug)]
pub struct CloneSettings {
    /// The document; `all_designs` of its address is set when only a database was named.
    pub source: Endpoint,
    /// The target's name, when one was given.
    pub label: Option<String>,
    /// Where it goes.
    pub into: CloneInto,
    /// This revision instead of the winning one.
    pub revision: Option<Revision>,
    /// Bring an earlier clone up to date.
    pub update: bool,
    /// The server's files win.
    pub force: bool,
    /// Escape names that some system cannot have.
    pub escape_names: bool,
}

/// The folder of `push`, `status`, `diff` and `browse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppFolder {
    /// Absolute.
    pub path: PathBuf,
    /// As the user knows it: what was typed, or the folder's name.
    pub shown: String,
    /// The user named this folder; otherwise it was found around the current one (or is the current one).
    pub named: bool,
    /// The folder looks like an app (see [`crate::settings`]); if not, `push` may list the apps one level down.
    pub is_app: bool,
}

/// `push`
#[derive(Clone, Debug)]
pub struct PushSettings {
    /// What to push.
    pub folder: AppFolder,
    /// Where to, in order; empty: [`Targets::default_destination`](super::Targets::default_destination).
    pub destinations: Vec<Destination>,
    /// Go on after a target failed.
    pub keep_going: bool,
    /// Only what these globs match; empty: everything.
    pub only: Vec<String>,
    /// How the folder is laid out.
    pub layout: Layout,
    /// Instead of the id that the folder names. A bare name means `_design/NAME`.
    pub document: Option<DocId>,
    /// Whether `_docs` is pushed; `None`: if there is one.
    pub docs: Option<bool>,
    /// Open the app afterwards.
    pub open: bool,
    /// Print the document instead.
    pub export: Option<Export>,
    /// Overwrite what others changed.
    pub force: bool,
    /// Remove whatever is only on the server.
    pub delete: bool,
    /// The most removals allowed; `None` is the built-in rule.
    pub max_delete: Option<MaxDelete>,
    /// An empty folder may be pushed.
    pub allow_empty: bool,
    /// Create missing databases.
    pub create_database: bool,
    /// Check the functions.
    pub check: bool,
    /// Warn where an old app would be refused.
    pub lenient: bool,
}

/// `watch`
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// What each push does.
    pub push: PushSettings,
    /// How long nothing changes before it is pushed.
    pub delay: Duration,
}

/// Where `push --export` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// To stdout.
    Stdout,
    /// To this file, absolute.
    File(PathBuf),
}

/// `status`
#[derive(Clone, Debug)]
pub struct StatusSettings {
    /// What to compare.
    pub folder: AppFolder,
    /// With what; `None` is the default target.
    pub destination: Option<Destination>,
    /// List ignored files with their rules.
    pub ignored: bool,
    /// Compare the contents themselves.
    pub verify: bool,
    /// Differences end with code 3.
    pub exit_code: bool,
}

/// `diff`
#[derive(Clone, Debug)]
pub struct DiffSettings {
    /// What to compare.
    pub folder: AppFolder,
    /// With what; `None` is the default target.
    pub destination: Option<Destination>,
    /// Only these, relative to the app's folder with `/`; empty: everything.
    pub paths: Vec<String>,
    /// Differences end with code 3.
    pub exit_code: bool,
}

/// `browse`
#[derive(Clone, Debug)]
pub struct BrowseSettings {
    /// The app.
    pub folder: AppFolder,
    /// Where it is; `None` is the default target.
    pub destination: Option<Destination>,
    /// Print the URL, start nothing.
    pub print: bool,
}

/// `csp`
#[derive(Clone, Debug)]
pub struct CspSettings {
    /// The servers (no database in their addresses); empty: those of the default target.
    pub servers: Vec<Endpoint>,
    /// Lift the sandbox, or restore it.
    pub allow: bool,
}

/// `serve`
#[cfg(feature = "serve")]
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// The folders of the apps, absolute.
    pub apps: Vec<PathBuf>,
    /// The folder of files, absolute.
    pub media: Option<PathBuf>,
    /// At which port; 0 takes a free one, `None` the usual one or the next that is free.
    pub port: Option<u16>,
    /// Where it listens.
    pub host: IpAddr,
    /// Where the databases are kept; `None`: only for as long as it runs.
    pub data: Option<PathBuf>,
    /// Whether apps are sandboxed.
    pub csp: bool,
    /// Open pages reload when their app changes.
    pub reload: bool,
    /// The folders are watched.
    pub watch: bool,
}

impl Command {
    /// The name of the command, for JSON and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::Init(_) => "init",
            Self::Clone(_) => "clone",
            Self::Push(_) => "push",
            Self::Watch(_) => "watch",
            Self::Status(_) => "status",
            Self::Diff(_) => "diff",
            Self::SyncDir(_) => "sync-dir",
            Self::Dump(_) => "dump",
            Self::Replicate(_) => "replicate",
            Self::Jobs(JobsSettings { wish: Wish::List, .. }) => "replicate list",
            Self::Jobs(JobsSettings { wish: Wish::Status(_), .. }) => "replicate status",
            Self::Jobs(_) => "replicate cancel",
            Self::Db(command) => command.name(),
            Self::User(command) => command.name(),
            Self::Browse(_) => "browse",
            Self::ConfigShow { .. } => "config show",
            Self::AuthCheck { .. } => "auth check",
            Self::Csp(CspSettings { allow: true, .. }) => "csp allow",
            Self::Csp(_) => "csp restore",
            #[cfg(feature = "serve")]
            Self::Serve(_) => "serve",
            Self::Completions(_) => "completions",
            Self::Generate { .. } => "generate",
        }
    }
}

impl Command {
    /// Whether it ends by itself after Ctrl-C.
    pub fn stops_itself(&self) -> bool {
        match self {
            #[cfg(feature = "serve")]
            Self::Serve(_) => true,
            Self::Replicate(_) => true,
            Self::Watch(_) => true,
            Self::SyncDir(command) => command.watch,
            Self::Dump(command) => command.watch,
            _ => false,
        }
    }
}

impl Command {
    /// Whether it takes as long as it needs after Ctrl-C, a question included, and hears of another one itself: it has
    /// to tidy up at a server.
    pub fn ends_in_its_own_time(&self) -> bool {
        matches!(self, Self::Replicate(command) if command.via == Via::Server)
    }
}

impl CloneSettings {
    /// The address to read from.
    pub fn address(&self) -> &Address {
        &self.source.address
    }
}
