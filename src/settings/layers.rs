//! Precedence: flag, environment, project file, user file, default; and the memory of which it was.

use std::fmt;

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
    /// The value as text, URLs without passwords.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}
