//! The rules that hold without being asked for.
//!
//! Only what is sure is here: a file that is left out by mistake is a loss nobody sees. Whatever is listed can be brought
//! back with a `!` pattern, but for our own files.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::RuleKind;

/// The source that is named for built-in rules.
pub(super) const SOURCE: &str = "built-in";

/// Marks the rules for secrets inside the matcher, which keeps only a path with each rule.
const SECRET_SOURCE: &str = "built-in secret";

/// What editors, version control and file managers leave behind.
const CLUTTER: &[&str] = &[
    // Emacs, vi and their kin: backups, locks, autosaves, swap files.
    "*~",
    ".#*",
    r"\#*#",
    "*.swp",
    "*.swo",
    ".*.sw[a-z]",
    // Version control.
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".hg",
    ".hgignore",
    ".hgtags",
    ".svn",
    ".bzr",
    "CVS/",
    // File managers.
    ".DS_Store",
    "._*",
    "Thumbs.db",
    "desktop.ini",
];

/// What must not be published by accident: keys, and the files in which tools keep passwords.
const SECRETS: &[&str] = &[
    ".env",
    ".env.*",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.kdbx",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".htpasswd",
    ".git-credentials",
    ".ssh",
    ".aws",
    ".gnupg",
];

/// The names of this tool's own files.
const OWN: &[&str] = &["couchapp.toml", ".couchapp", ".couchapprc", ".couchappignore", ".ericaignore"];

/// Whether `name`, one component, is one of this tool's own files: never part of an app, wherever it stands.
///
/// They hold addresses, passwords of old apps, and state; the unfinished files of an interrupted write count as well.
pub fn is_own(name: &str) -> bool {
    OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) || temporary_part(name).is_some()
}

/// Whether `name` is never content, whatever a folder is: state, passwords of old apps, unfinished files.
pub(super) fn is_private(name: &str) -> bool {
    [".couchapp", ".couchapprc"].iter().any(|own| own.eq_ignore_ascii_case(name)) || temporary_part(name).is_some()
}

/// Whether `name` is that of a file which a run of this tool has left unfinished.
pub fn is_unfinished(name: &str) -> bool {
    temporary_part(name).is_some()
}

/// How the names of unfinished files begin and end.
const TEMPORARY: (&str, &str) = (".couchapp-", ".tmp");

/// The name of an unfinished file; `unique` tells it from all others.
pub fn temporary_name(unique: &str) -> String {
    format!("{}{unique}{}", TEMPORARY.0, TEMPORARY.1)
}

/// What [`temporary_name`] made `name` of; `None` when it is not the name of an unfinished file.
pub fn temporary_part(name: &str) -> Option<&str> {
    name.strip_prefix(TEMPORARY.0)?.strip_suffix(TEMPORARY.1)
}

pub(super) fn patterns() -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    for (patterns, source) in [(CLUTTER, SOURCE), (SECRETS, SECRET_SOURCE)] {
        for pattern in patterns {
            // The patterns are constants, and a test compiles each of them.
            let _ = builder.add_line(Some(source.into()), pattern);
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// The source to name for a rule of the matcher, and the rule's kind.
pub(super) fn kind_of(from: &str) -> (String, RuleKind) {
    match from {
        SOURCE => (SOURCE.to_owned(), RuleKind::Clutter),
        SECRET_SOURCE => (SOURCE.to_owned(), RuleKind::Secret),
        other => (other.to_owned(), RuleKind::User),
    }
}

/// How many built-in patterns there are.
#[cfg(test)]
pub(super) fn count() -> u64 {
    (CLUTTER.len() + SECRETS.len()) as u64
}
