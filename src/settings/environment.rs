//! The process's environment as a value: read once, passed to whoever needs it, made up in tests.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// What a process inherits.
#[derive(Clone)]
pub struct Environment {
    /// The variables; some hold passwords, so `Debug` shows only their names.
    pub variables: BTreeMap<OsString, OsString>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The current folder, absolute.
    pub directory: PathBuf,
    /// stdin is a terminal.
    pub terminal_in: bool,
    /// stdout is a terminal.
    pub terminal_out: bool,
    /// stderr is a terminal.
    pub terminal_err: bool,
    /// Reads one line of stdin, with its line end; an empty line without one is the end of input.
    pub read_line: fn() -> io::Result<String>,
}

impl Environment {
    /// The environment of this process. Fails when the current folder is gone.
    pub fn of_process() -> io::Result<Self> {
        Ok(Self {
            variables: std::env::vars_os().collect(),
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            directory: std::env::current_dir()?,
            terminal_in: io::stdin().is_terminal(),
            terminal_out: io::stdout().is_terminal(),
            terminal_err: io::stderr().is_terminal(),
            read_line: read_stdin,
        })
    }

    /// A variable's text. Unset, empty and not UTF-8 are all `None`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(OsStr::new(name))?.to_str().filter(|text| !text.is_empty())
    }

    /// A variable that names a file or folder; relative to the current folder.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(OsStr::new(name)).filter(|text| !text.is_empty()).map(|path| self.directory.join(path))
    }

    /// The folder of the user's configuration, whether it exists or not.
    pub fn config_folder(&self) -> Option<PathBuf> {
        let folder = if cfg!(windows) {
            self.path("APPDATA")
        } else {
            self.xdg("XDG_CONFIG_HOME").or_else(|| self.home.as_ref().map(|home| home.join(".config")))
        };
        folder.map(|folder| folder.join("couchapp"))
    }

    /// The folder of what this tool remembers and could do without, whether it exists or not.
    pub fn state_folder(&self) -> Option<PathBuf> {
        let folder = if cfg!(windows) {
            self.path("LOCALAPPDATA")
        } else {
            self.xdg("XDG_STATE_HOME").or_else(|| self.home.as_ref().map(|home| home.join(".local/state")))
        };
        folder.map(|folder| folder.join("couchapp"))
    }

    /// A folder of the XDG specification, which wants a relative path to be ignored.
    fn xdg(&self, name: &str) -> Option<PathBuf> {
        self.path(name).filter(|_| self.text(name).is_some_and(|text| Path::new(text).is_absolute()))
    }

    /// The user's configuration file, whether it exists or not.
    pub(super) fn user_file(&self) -> Option<PathBuf> {
        self.config_folder().map(|folder| folder.join("config.toml"))
    }

    /// `path` as people write it: below the current folder relative, below the home folder with `~`.
    pub(super) fn shown(&self, path: &Path) -> String {
        if let Ok(relative) = path.strip_prefix(&self.directory)
            && relative != Path::new("")
        {
            return relative.display().to_string();
        }
        match self.home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
            Some(relative) if relative != Path::new("") => format!("~/{}", relative.display()),
            _ => path.display().to_string(),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("home", &self.home)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

fn read_stdin() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
pub(crate) mod testing {
    //! Made-up environments.

    use super::*;

    /// An environment with these variables, in `directory`, with the home folder `directory/home`, not on a terminal.
    pub(crate) fn environment(directory: &Path, variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            home: Some(directory.join("home")),
            directory: directory.to_owned(),
            terminal_in: false,
            terminal_out: false,
            terminal_err: false,
            read_line: || Ok(String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::environment;
    use super::*;

    #[test]
    fn debug_shows_names_only() {
        let made_up = environment(Path::new("/work"), &[("COUCHAPP_PASSWORD", "c4n4ry")]);
        let text = format!("{made_up:?}");
        assert!(text.contains("COUCHAPP_PASSWORD") && !text.contains("c4n4ry"), "{text}");
    }

    #[test]
    #[cfg(unix)]
    fn the_user_file_follows_xdg() {
        let file = |variables: &[(&str, &str)]| environment(Path::new("/w"), variables).user_file().unwrap();
        assert_eq!(file(&[]), Path::new("/w/home/.config/couchapp/config.toml"));
        assert_eq!(file(&[("XDG_CONFIG_HOME", "/c")]), Path::new("/c/couchapp/config.toml"));
        assert_eq!(file(&[("XDG_CONFIG_HOME", "c")]), Path::new("/w/home/.config/couchapp/config.toml"));
    }

    #[test]
    fn paths_are_shown_as_people_write_them() {
        let made_up = environment(Path::new("/w"), &[]);
        for (path, shown) in [("/w/a/b", "a/b"), ("/w", "/w"), ("/x", "/x"), ("/w/home/.netrc", "home/.netrc")] {
            assert_eq!(made_up.shown(Path::new(path)), shown);
        }
        let elsewhere = Environment { directory: "/elsewhere".into(), ..made_up };
        assert_eq!(elsewhere.shown(Path::new("/w/home/.netrc")), "~/.netrc");
    }
}
