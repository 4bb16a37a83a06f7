//! The names CouchDB gives to things, as types that cannot be built wrong.
//!
//! A server accepts nearly any text as a document id or an attachment name, `..`, control characters and absolute
//! paths included, so these types promise only what makes a request dangerous: an *empty* attachment name addresses
//! the document itself (`DELETE /db/doc/` deletes the document), an empty document id the database. What a name means
//! on a disk is judged by [`crate::path`], what it means in a URL by `couch::target`.

use std::fmt;

pub mod escape;

/// Why a text is not the name of a database, document or attachment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("the name is empty")]
    Empty,
    /// Not a database name: `a`-`z` first, then `a-z 0-9 _ $ ( ) + - /`.
    #[error("`{0}` is no database name: lower-case letters, digits and `_$()+-/` only, a letter first")]
    Database(String),
    /// A document id that begins with an underscore but is neither `_design/…` nor `_local/…`.
    #[error("`{0}` is no document id: only `_design/` and `_local/` ids start with an underscore")]
    ReservedId(String),
    /// A user's name that CouchDB refuses, or that nobody could sign in with.
    #[error("`{0}` is no name of a user: {1}")]
    User(String, &'static str),
    /// A role that no user can be given.
    #[error("`{0}` is no role for a user: {1}")]
    Role(String, &'static str),
    /// Not a revision: a number, a hyphen, a hash.
    #[error("`{0}` is no revision (expected something like `3-9c31ab…`)")]
    Revision(String),
}

macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// The name as text, not encoded.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

/// The name of a database, by the rule of CouchDB's
/// [`PUT /{db}`](https://docs.couchdb.org/en/stable/api/database/common.html#put--db).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbName(String);
text_type!(DbName);

impl DbName {
    const SYSTEM: [&'static str; 4] = ["_users", "_replicator", "_global_changes", "_metadata"];

    /// Checks `text` against CouchDB's rule for database names.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_$()+-/".contains(c);
        let regular = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(allowed);
        if regular || Self::SYSTEM.contains(&text.as_str()) { Ok(Self(text)) } else { Err(NameError::Database(text)) }
    }

    /// The database of the users.
    pub fn users() -> Self {
        Self(Self::SYSTEM[0].to_owned())
    }

    /// Whether it is one of the server's own.
    pub fn is_system(&self) -> bool {
        self.0.starts_with('_')
    }
}

/// The name of a user, by the rules of `_users`:
/// <https://docs.couchdb.org/en/stable/intro/security.html#authentication-database>.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);
text_type!(UserName);

impl UserName {
    /// What the id of a user's document begins with.
    pub const PREFIX: &str = "org.couchdb.user:";

    /// Checks `text` and takes it as the name of a user.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let why = if text.starts_with('_') {
            "names that begin with `_` are CouchDB's own"
        } else if text.contains(':') {
            "a `:` ends the name where a password follows"
        } else if text.chars().any(char::is_control) {
            "it has control characters"
        } else {
            return Ok(Self(text));
        };
        Err(NameError::User(text, why))
    }

    /// The id of the user's document.
    pub fn document(&self) -> DocId {
        DocId(format!("{}{}", Self::PREFIX, self.0))
    }
}

/// Checks the name of a role that a user is to be given.
pub fn role(text: &str) -> Result<String, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let why = if text.starts_with('_') {
        "roles that begin with `_` are CouchDB's own, and `_users` takes none of them"
    } else if text.chars().any(char::is_control) {
        "it has control characters"
    } else {
        return Ok(text.to_owned());
    };
    Err(NameError::Role(text.to_owned(), why))
}

/// The id of a document: any text but the empty one. What begins with an underscore is reserved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocId(String);
text_type!(DocId);

impl DocId {
    /// Checks `text` and takes it as a document id.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let reserved = |prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
        if text.starts_with('_') && !reserved("_design/") && !reserved("_local/") {
            return Err(NameError::ReservedId(text));
        }
        Ok(Self(text))
    }

    /// Whether this is the id of a design document (`_design/…`).
    pub fn is_design(&self) -> bool {
        self.0.starts_with("_design/")
    }

    /// The id without `_design/` or `_local/`.
    pub fn stem(&self) -> &str {
        self.0.strip_prefix("_design/").or_else(|| self.0.strip_prefix("_local/")).unwrap_or(&self.0)
    }
}

/// The name of an attachment: any text but the empty one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttName(String);
text_type!(AttName);

impl AttName {
    /// Takes `text` as an attachment name.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() { Err(NameError::Empty) } else { Ok(Self(text)) }
    }

    /// Whether CouchDB would refuse to store an attachment of this name (400, "starts with prohibited character '_'").
    pub fn is_prohibited(&self) -> bool {
        self.0.starts_with('_')
    }
}

/// Whether a hash of a revision may be these bytes.
pub(crate) fn is_hash(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+=".contains(byte))
}

/// A revision: its generation, a hyphen, a hash. Other people's clients do not only write hexadecimal ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(String);
text_type!(Revision);

impl Revision {
    /// Checks that `text` has the form of a revision.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let valid = text.split_once('-').is_some_and(|(generation, hash)| {
            generation.parse::<u64>().is_ok_and(|generation| generation > 0) && is_hash(hash.as_bytes())
        });
        if valid { Ok(Self(text)) } else { Err(NameError::Revision(text)) }
    }

    /// How many edits led here: the number before the hyphen.
    pub fn generation(&self) -> u64 {
        self.parts().0
    }

    /// The hash after the hyphen.
    pub fn hash(&self) -> &str {
        self.parts().1
    }

    /// The revision for people: generation and the first six characters of the hash, as in `6-9c31ab`.
    pub fn short(&self) -> String {
        let (generation, hash) = self.parts();
        format!("{generation}-{}", hash.get(..6).unwrap_or(hash))
    }

    fn parts(&self) -> (u64, &str) {
        let (generation, hash) = self.0.split_once('-').unwrap_or(("0", ""));
        (generation.parse().unwrap_or(0), hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_names_follow_the_rule_of_couchdb() {
        for good in ["blog", "a", "a/b", "x_$()+-/1", "_users", "_replicator"] {
            assert!(DbName::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "Blog", "1a", "_foo", ".", "..", "a.b", "a b", "ä", "a%2f"] {
            assert!(DbName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn users_have_names_that_they_can_sign_in_with() {
        for good in ["ann", "..", "%2e", "a/b", "a+b", "Ann Lee", "é", "-"] {
            assert_eq!(UserName::new(good).unwrap().document().as_str(), format!("org.couchdb.user:{good}"));
        }
        for bad in ["", "_users", "a:b", "a\nb", "\u{7f}"] {
            assert!(UserName::new(bad).is_err(), "{bad:?}");
        }
        assert!(role("family").is_ok() && role("_admin").is_err() && role("").is_err() && role("a\tb").is_err());
        assert!(DbName::users().is_system() && !DbName::new("a_b").unwrap().is_system());
    }

    #[test]
    fn document_ids_are_never_empty_or_reserved() {
        for good in ["a", "..", "a/b", "_design/x", "_design/a/b", "_local/y", "a\0b"] {
            assert!(DocId::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "_", "_foo", "_design/", "_local/", "_design"] {
            assert!(DocId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(DocId::new("_design/x").unwrap().stem(), "x");
        assert!(DocId::new("_design/x").unwrap().is_design());
    }

    #[test]
    fn attachment_names_are_never_empty() {
        assert_eq!(AttName::new(""), Err(NameError::Empty));
        assert!(AttName::new("_x").unwrap().is_prohibited());
        assert!(!AttName::new("a/_x").unwrap().is_prohibited());
    }

    #[test]
    fn revisions_have_a_generation_and_a_hash() {
        let revision = Revision::new("12-9c31abdeadbeef").unwrap();
        assert_eq!((revision.generation(), revision.hash()), (12, "9c31abdeadbeef"));
        assert_eq!(revision.short(), "12-9c31ab");
        assert_eq!(Revision::new("1-a-b.c").unwrap().hash(), "a-b.c");
        for bad in ["", "foo", "0-abc", "1-", "-abc", "1-a b", "1-a/b", "1-é", "x-abc"] {
            assert!(Revision::new(bad).is_err(), "{bad:?}");
        }
    }
}
