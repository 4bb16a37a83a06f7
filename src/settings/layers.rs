//! Precedence: flag, environment, project file, user file, default; and the memory of which it was.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Environment;
use super::file::{ConfigFile, Owner};
use super::values::{ValueError, switch};
use crate::exit::{Exit, Failure};
use crate::secret::redact;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag, as typed (`--retries`).
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// A file, with the line if it is known.
    File(String, Option<usize>),
    /// The built-in value.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "${name}"),
            Self::File(path, Some(line)) => write!(f, "{path}:{line}"),
            Self::File(path, None) => f.write_str(path),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One value for `config show`. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key as in a file: `network.retries`, `targets.dev.url`.
    pub key: String,
    /// The value as text, URLs without passwords; empty when it is not set.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Who may set an option besides the command line and the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// Project and user file.
    Both,
    /// Both; in the project's file it is a path that stays inside the project.
    BothInside,
    /// The user's file only: a project that somebody else wrote must not.
    UserOnly,
    /// No file.
    Neither,
}

/// An option: its key in files gives the flag (`--retries`) and the variable (`COUCHAPP_RETRIES`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) key: &'static str,
    pub(super) files: Files,
    /// The value when nobody sets it, as text; empty for none.
    pub(super) default: &'static str,
}

impl Setting {
    const fn new(key: &'static str, files: Files, default: &'static str) -> Self {
        Self { key, files, default }
    }

    fn name(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or(self.key)
    }

    fn flag(&self) -> String {
        format!("--{}", self.name())
    }

    fn variable(&self) -> String {
        format!("COUCHAPP_{}", self.name().to_ascii_uppercase().replace('-', "_"))
    }
}

macro_rules! settings {
    ($($constant:ident $key:literal $files:ident $default:literal)*) => {
        $(pub(super) const $constant: Setting = Setting::new($key, Files::$files, $default);)*
        /// Every option, in the order of the manual.
        pub(super) const ALL: &[Setting] = &[$($constant),*];
    };
}
settings! {
    DEFAULT "default" Both ""
    DRY_RUN "dry-run" Neither "false"
    YES "yes" Neither "false"
    NO_INPUT "no-input" Neither "false"
    QUIET "output.quiet" Neither "0"
    VERBOSE "output.verbose" Neither "0"
    JSON "output.json" Neither "false"
    PROGRESS "output.progress" Both "auto"
    COLOR "output.color" Both "auto"
    LOG_FILE "output.log-file" UserOnly ""
    RETRIES "network.retries" Both "4"
    TIMEOUT "network.timeout" Both "45s"
    CONNECT_TIMEOUT "network.connect-timeout" Both "10s"
    BWLIMIT "network.bwlimit" Both "off"
    JOBS "network.jobs" Both "8"
    CACERT "network.cacert" BothInside ""
    CLIENT_CERT "network.client-cert" BothInside ""
    INSECURE "network.insecure" UserOnly "false"
    LAYOUT "push.layout" Both "auto"
    MAX_DELETE "push.max-delete" Both ""
    DOCS "push.docs" Both ""
    NO_CHECK "push.no-check" Both "false"
    LENIENT "push.lenient" Both "false"
    KEEP_GOING "push.keep-going" Both "false"
    CREATE_DB "push.create-db" UserOnly "false"
    FORCE "push.force" Neither "false"
    DELETE "push.delete" Neither "false"
    ALLOW_EMPTY "push.allow-empty" Neither "false"
    OPEN "push.open" Neither "false"
    ESCAPE_NAMES "clone.escape-names" Both "false"
    SYNC_METADATA "sync-dir.metadata" Both "basic"
    SYNC_THUMBNAILS "sync-dir.thumbnails" Both "off"
    SYNC_TAGS_FROM_FOLDERS "sync-dir.tags-from-folders" Both "false"
    SYNC_TIMES "sync-dir.times" Both "false"
    SYNC_MAX_DELETE "sync-dir.max-delete" Both ""
    SYNC_FSYNC "sync-dir.fsync" Both "false"
    SYNC_CHECKSUM "sync-dir.checksum" Neither "false"
    EXIT_CODE "status.exit-code" Neither "false"
    DELAY "watch.delay" Both "50ms"
}

/// The places a value can come from, and what was taken from them so far.
pub(super) struct Layers<'a> {
    environment: &'a Environment,
    /// The project's file, then the user's.
    files: Vec<&'a ConfigFile>,
    shown: Vec<Shown>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(environment: &'a Environment, files: Vec<&'a ConfigFile>) -> Self {
        Self { environment, files, shown: Vec::new() }
    }

    /// Whether the value taken last came from the user's file.
    pub(super) fn last_was_users(&self) -> bool {
        let Some(Shown { origin: Origin::File(shown, _), .. }) = self.shown.last() else { return false };
        self.files.iter().any(|file| file.owner == Owner::User && file.shown == *shown)
    }

    /// What was taken, in that order.
    pub(super) fn into_shown(self) -> Vec<Shown> {
        self.shown
    }

    /// The value of `setting`, `None` if nobody sets it and it has no default.
    pub(super) fn take<T: fmt::Display>(
        &mut self,
        setting: &Setting,
        flag: Option<T>,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<Option<T>, Failure> {
        let (value, origin) = match flag {
            Some(value) => (Some(value), Origin::Flag(setting.flag())),
            None => match self.text(setting) {
                Some((text, origin)) => {
                    let value = parse(&text).map_err(|error| bad_value(setting, &text, &origin, &error))?;
                    (Some(value), origin)
                }
                None => (None, Origin::Default),
            },
        };
        self.show(setting, value.as_ref().map(ToString::to_string).unwrap_or_default(), origin);
        Ok(value)
    }

    /// The value of a setting that always has one; `fallback` is what its default text means.
    pub(super) fn get<T: fmt::Display>(
        &mut self,
        setting: &Setting,
        flag: Option<T>,
        fallback: T,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<T, Failure> {
        Ok(self.take(setting, flag, parse)?.unwrap_or(fallback))
    }

    /// The value of a switch that can only be turned on by its flag.
    pub(super) fn switch(&mut self, setting: &Setting, flag: bool) -> Result<bool, Failure> {
        self.get(setting, flag.then_some(true), false, switch)
    }

    /// The value of a path: absolute, relative to where it was written.
    pub(super) fn path(&mut self, setting: &Setting, flag: Option<&Path>) -> Option<PathBuf> {
        let variable = || Some((self.environment.path(&setting.variable())?, Origin::Variable(setting.variable())));
        let file = || {
            let (file, text, line) = self.in_files(setting)?;
            Some((file.folder().join(text), Origin::File(file.shown.clone(), Some(line))))
        };
        let flag = flag.map(|path| (self.environment.directory.join(path), Origin::Flag(setting.flag())));
        let (path, origin) = flag.or_else(variable).or_else(file).unzip();
        let text = path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        self.show(setting, text, origin.unwrap_or(Origin::Default));
        path
    }

    /// Shows a value that is no [`Setting`]: a target, a content type.
    pub(super) fn note(&mut self, key: String, value: &str, origin: Origin) {
        self.shown.push(Shown { key, value: redact(value), origin });
    }

    fn show(&mut self, setting: &Setting, value: String, origin: Origin) {
        let value = if origin == Origin::Default { setting.default.to_owned() } else { value };
        self.note(setting.key.to_owned(), &value, origin);
    }

    fn text(&self, setting: &Setting) -> Option<(String, Origin)> {
        let variable = setting.variable();
        if let Some(text) = self.environment.text(&variable) {
            return Some((text.to_owned(), Origin::Variable(variable)));
        }
        let (file, text, line) = self.in_files(setting)?;
        Some((text.to_owned(), Origin::File(file.shown.clone(), Some(line))))
    }

    fn in_files(&self, setting: &Setting) -> Option<(&'a ConfigFile, &'a str, usize)> {
        self.files.iter().find_map(|file| file.value(setting.key).map(|(text, line)| (*file, text, line)))
    }
}

fn bad_value(setting: &Setting, text: &str, origin: &Origin, error: &ValueError) -> Failure {
    let message = match origin {
        Origin::File(..) => format!("{origin}: `{text}` is no value for `{}`", setting.name()),
        _ => format!("`{text}` is no value for `{origin}`"),
    };
    Failure::new(Exit::Usage, message).hint(error.to_string())
}
