//! Exit codes, and errors that know theirs.

use std::error::Error;
use std::fmt;

/// The exit codes of the tool. They are part of its interface: new ones may be added, none changes its meaning.
///
/// | code | meaning | scripts should |
/// |--:|---|---|
/// | 0 | done, or nothing to do | go on |
/// | 1 | anything not below | stop |
/// | 2 | bad flag, argument, configuration or source file | fix the input |
/// | 3 | `status` or `diff` found differences and `--exit-code` was given | decide |
/// | 4 | credentials missing, refused (401) or not allowed (403) | renew |
/// | 5 | the other side changed since our base | look, then merge or `--force` |
/// | 6 | database, document, attachment or folder does not exist | create it |
/// | 7 | unreachable, timeout, 5xx after all retries | retry later |
/// | 8 | some items failed, others are done | read the list |
/// | 9 | a safety valve or an unanswered question stopped us; nothing was written | add the named flag |
/// | 130 | interrupted | – |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Ok = 0,
    /// Anything that has no code of its own.
    Failed = 1,
    /// A bad flag, argument, configuration file or source file.
    Usage = 2,
    /// Differences were found and `--exit-code` asked to tell.
    Differs = 3,
    /// Credentials are missing, refused or not sufficient.
    Auth = 4,
    /// The other side changed since our base.
    Conflict = 5,
    /// A database, document, attachment or folder does not exist.
    Missing = 6,
    /// The server cannot be reached or keeps failing; later may work.
    Unavailable = 7,
    /// Some items failed, others are done.
    Partial = 8,
    /// A safety valve or an unanswered question; nothing was written.
    Refused = 9,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The word for `code` in JSON errors that have no closer one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Differs => "differs",
            Self::Auth => "auth",
            Self::Conflict => "conflict",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An error as a command reports it: what failed, why (its source), with which exit code, and what to do about it.
///
/// The text is lower case without a final stop; hints are whole sentences without one.
#[derive(Debug)]
pub struct Failure {
    message: String,
    exit: Exit,
    code: Option<&'static str>,
    details: Vec<String>,
    hints: Vec<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure that ends the process with `exit`.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { message: message.into(), exit, code: None, details: Vec::new(), hints: Vec::new(), source: None }
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a line of the list that belongs to the message (`theirs: views/by_tag/map.js`).
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// Adds lines to the list that belongs to the message.
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Sets the stable word that JSON output gives as `code`; without it, [`Exit::word`] is used.
    pub fn coded(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds why it failed.
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The exit code this failure asks for.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The stable word for JSON output.
    pub fn code(&self) -> &'static str {
        self.code.unwrap_or_else(|| self.exit.word())
    }

    /// The lines that belong to the message.
    pub fn listed(&self) -> &[String] {
        &self.details
    }

    /// What to do about it.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let table = [
            (Exit::Ok, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Differs, 3),
            (Exit::Auth, 4),
            (Exit::Conflict, 5),
            (Exit::Missing, 6),
            (Exit::Unavailable, 7),
            (Exit::Partial, 8),
            (Exit::Refused, 9),
            (Exit::Interrupted, 130),
        ];
        for (exit, code) in table {
            assert_eq!(exit.code(), code, "{}", exit.word());
        }
    }

    #[test]
    fn a_failure_keeps_cause_and_hints_apart() {
        let failure =
            Failure::new(Exit::Missing, "no such database").hint("create it").because(std::io::Error::other("why"));
        assert_eq!(failure.to_string(), "no such database");
        assert_eq!(failure.source().unwrap().to_string(), "why");
        assert_eq!((failure.code(), failure.hints().len()), ("missing", 1));
    }
}
