//! `couchapp.toml` and the user's `config.toml`: one schema, but a project's file may set less. Pure.
//!
//! Whoever checks out a project trusts nobody yet, so its file cannot switch off certificate checks, hold or fetch
//! passwords, or point outside the project. A key that is not known is an error: it is most likely a typing mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::{ALL, Files};
use super::suggest::nearest;
use crate::address::{Address, Expect};
use crate::exit::{Exit, Failure};
use crate::secret::Secret;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The project's: shared, committed, not trusted with secrets.
    Project,
    /// The user's own.
    User,
}

/// A configuration file, read.
#[derive(Clone, Debug)]
pub(super) struct ConfigFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The path as people write it.
    pub(super) shown: String,
    /// Whose it is.
    pub(super) owner: Owner,
    /// Options by key (`network.retries`), as text, with their lines.
    values: BTreeMap<&'static str, (String, usize)>,
    /// `[targets.*]` in the order of the file.
    pub(super) targets: Vec<TargetEntry>,
    /// `[content-types]`: extension, type, line.
    pub(super) content_types: Vec<(String, String, usize)>,
    /// `[credentials.*]`.
    pub(super) credentials: Vec<CredentialEntry>,
}

/// One `[targets.NAME]`.
#[derive(Clone)]
pub(super) struct TargetEntry {
    pub(super) name: String,
    pub(super) urls: Vec<String>,
    pub(super) confirm: bool,
    pub(super) line: usize,
}

/// The URLs of a user's file may hold passwords.
impl fmt::Debug for TargetEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetEntry").field("name", &self.name).field("line", &self.line).finish_non_exhaustive()
    }
}

/// One `[credentials."ORIGIN"]`.
#[derive(Clone, Debug)]
pub(super) struct CredentialEntry {
    /// The server they are for; only its origin counts.
    pub(super) origin: String,
    pub(super) user: Option<String>,
    pub(super) secret: Option<SecretEntry>,
}

/// Where the secret of a `[credentials]` entry is.
#[derive(Clone, Debug)]
pub(super) enum SecretEntry {
    Password(Secret),
    Token(Secret),
    PasswordFile(PathBuf),
    /// The command may hold the password itself.
    PasswordCommand(Secret),
}

impl ConfigFile {
    /// An option's text and line.
    pub(super) fn value(&self, key: &str) -> Option<(&str, usize)> {
        self.values.get(key).map(|(text, line)| (text.as_str(), *line))
    }

    /// The folder that relative paths in the file start from.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Whether somebody who can read the file learns a secret.
    pub(super) fn has_secrets(&self) -> bool {
        let secret =
            |entry: &CredentialEntry| matches!(entry.secret, Some(SecretEntry::Password(_) | SecretEntry::Token(_)));
        let url = |url: &String| has_userinfo(url);
        self.credentials.iter().any(secret) || self.targets.iter().flat_map(|target| &target.urls).any(url)
    }

    /// Reads the text of a file.
    pub(super) fn parse(path: &Path, shown: &str, owner: Owner, text: &str) -> Result<Self, Failure> {
        let file = Self {
            path: path.to_owned(),
            shown: shown.to_owned(),
            owner,
            values: BTreeMap::new(),
            targets: Vec::new(),
            content_types: Vec::new(),
            credentials: Vec::new(),
        };
        let mut reader = Reader { file, text };
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let failure = reader.failure(span.start, true, error.message());
            failure.details(caret(text, span.start))
        })?;
        reader.top(table.get_ref())?;
        Ok(reader.file)
    }
}

/// Reads the parsed text into a [`ConfigFile`].
struct Reader<'a> {
    file: ConfigFile,
    text: &'a str,
}

impl Reader<'_> {
    fn top(&mut self, table: &DeTable<'_>) -> Result<(), Failure> {
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("targets", DeValue::Table(targets)) => self.targets(targets)?,
                ("content-types", DeValue::Table(types)) => self.content_types(types)?,
                ("credentials", DeValue::Table(entries)) => self.credentials(entries, key.span())?,
                (
                    section @ ("output" | "network" | "push" | "watch" | "clone" | "sync-dir"),
                    DeValue::Table(options),
                ) => {
                    for (key, value) in options {
                        self.option(&format!("{section}.{}", key.get_ref()), &key.span(), value)?;
                    }
                }
                (
                    "targets" | "content-types" | "credentials" | "output" | "network" | "push" | "watch" | "clone"
                    | "sync-dir",
                    _,
                ) => {
                    return Err(self.failure(value.span().start, false, &format!("`{}` is a table", key.get_ref())));
                }
                (other, _) => self.option(other, &key.span(), value)?,
            }
        }
        Ok(())
    }

    fn option(&mut self, key: &str, span: &Range<usize>, value: &Spanned<DeValue<'_>>) -> Result<(), Failure> {
        let Some(setting) = ALL.iter().find(|setting| setting.key == key && setting.files != Files::Neither) else {
            return Err(self.unknown(key, span));
        };
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(switch) => switch.to_string(),
            other => {
                let message = format!("`{key}` cannot be a value of type {}", other.type_str());
                return Err(self.failure(value.span().start, false, &message));
            }
        };
        if self.file.owner == Owner::Project {
            self.check_project_option(key, setting.files, &text, span)?;
        }
        self.file.values.insert(setting.key, (text, self.line(span.start)));
        Ok(())
    }

    fn check_project_option(&self, key: &str, files: Files, text: &str, span: &Range<usize>) -> Result<(), Failure> {
        match files {
            Files::UserOnly => Err(self
                .failure(span.start, false, &format!("a project cannot set `{key}`"))
                .hint("set it in your own config.toml, or give the flag")),
            Files::BothInside if !stays_inside(text) => Err(self
                .failure(span.start, false, &format!("`{key}` is a path outside the project"))
                .hint("set it in your own config.toml, or give the flag")),
            _ => Ok(()),
        }
    }

    fn targets(&mut self, targets: &DeTable<'_>) -> Result<(), Failure> {
        for (name, value) in targets {
            let line = self.line(name.span().start);
            let DeValue::Table(table) = value.get_ref() else {
                let message = format!("`targets.{}` is a table with a `url`", name.get_ref());
                return Err(self.failure(value.span().start, false, &message));
            };
            let mut entry = TargetEntry { name: name.get_ref().to_string(), urls: Vec::new(), confirm: false, line };
            if entry.name.is_empty() || entry.name.contains("://") || entry.name.starts_with([':', '-']) {
                return Err(self.failure(name.span().start, false, &format!("`{}` cannot name a target", entry.name)));
            }
            for (key, value) in table {
                match (key.get_ref().as_ref(), value.get_ref()) {
                    ("url", DeValue::String(url)) => entry.urls.push(self.url(url, &value.span())?),
                    ("url", DeValue::Array(urls)) => {
                        for url in urls {
                            match url.get_ref() {
                                DeValue::String(text) => entry.urls.push(self.url(text, &url.span())?),
                                _ => return Err(self.failure(url.span().start, false, "a URL is a string")),
                            }
                        }
                    }
                    ("confirm", DeValue::Boolean(confirm)) => entry.confirm = *confirm,
                    ("url", _) => return Err(self.failure(value.span().start, false, "`url` is a string or a list")),
                    ("confirm", _) => {
                        return Err(self.failure(value.span().start, false, "`confirm` is true or false"));
                    }
                    (other, _) => return Err(self.unknown_in(other, &["url", "confirm"], &key.span())),
                }
            }
            if entry.urls.is_empty() {
                let message = format!("the target `{}` has no `url`", entry.name);
                return Err(self.failure(name.span().start, false, &message));
            }
            self.file.targets.push(entry);
        }
        Ok(())
    }

    /// A URL of a target. That it names a database is found out when the target is used.
    fn url(&self, url: &str, span: &Range<usize>) -> Result<String, Failure> {
        if self.file.owner == Owner::Project && has_userinfo(url) {
            return Err(self
                .failure(span.start, false, "a URL in this file cannot hold a user or a password")
                .hint("this file is meant to be shared; put the credentials into netrc or into your own config.toml"));
        }
        Ok(url.to_owned())
    }

    fn content_types(&mut self, types: &DeTable<'_>) -> Result<(), Failure> {
        for (extension, value) in types {
            let line = self.line(extension.span().start);
            let valid = |text: &str| text.contains('/') && !text.contains(|c: char| c.is_control());
            match value.get_ref() {
                DeValue::String(text) if valid(text) => {
                    let extension = extension.get_ref().trim_start_matches('.').to_lowercase();
                    self.file.content_types.push((extension, text.to_string(), line));
                }
                _ => {
                    let message = "a content type is a text such as `text/javascript`";
                    return Err(self.failure(value.span().start, false, message));
                }
            }
        }
        Ok(())
    }

    fn credentials(&mut self, entries: &DeTable<'_>, span: Range<usize>) -> Result<(), Failure> {
        if self.file.owner == Owner::Project {
            return Err(self
                .failure(span.start, false, "a project cannot hold credentials")
                .hint("put them into netrc or into your own config.toml"));
        }
        for (origin, value) in entries {
            let address =
                Address::parse(origin.get_ref(), Expect::Server).ok().filter(|(_, userinfo)| userinfo.is_none());
            let (Some((address, _)), DeValue::Table(table)) = (address, value.get_ref()) else {
                let message =
                    "credentials are a table named by a server: `[credentials.\"https://couch.example.com\"]`";
                return Err(self.failure(origin.span().start, false, message));
            };
            let entry = self.credential(address.origin(), table)?;
            self.file.credentials.push(entry);
        }
        Ok(())
    }

    fn credential(&self, origin: &str, table: &DeTable<'_>) -> Result<CredentialEntry, Failure> {
        const KEYS: [&str; 5] = ["user", "password", "token", "password-file", "password-command"];
        let mut entry = CredentialEntry { origin: origin.to_owned(), user: None, secret: None };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !KEYS.contains(&name) {
                return Err(self.unknown_in(name, &KEYS, &key.span()));
            }
            let DeValue::String(text) = value.get_ref() else {
                return Err(self.failure(value.span().start, false, &format!("`{name}` is a string")));
            };
            let secret = match name {
                "user" => {
                    entry.user = Some(text.to_string());
                    continue;
                }
                "password" => SecretEntry::Password(Secret::new(text.as_ref())),
                "token" => SecretEntry::Token(Secret::new(text.as_ref())),
                "password-file" => SecretEntry::PasswordFile(self.file.folder().join(text.as_ref())),
                _ => SecretEntry::PasswordCommand(Secret::new(text.as_ref())),
            };
            if entry.secret.replace(secret).is_some() {
                return Err(self.failure(key.span().start, false, "one password or token is enough"));
            }
        }
        Ok(entry)
    }

    fn unknown(&self, key: &str, span: &Range<usize>) -> Failure {
        let sections =
            ["targets", "content-types", "output", "network", "push", "watch", "clone", "sync-dir", "credentials"];
        let known = ALL.iter().filter(|setting| setting.files != Files::Neither).map(|setting| setting.key);
        let failure = self.failure(span.start, false, &format!("unknown key `{key}`"));
        let name = key.rsplit('.').next().unwrap_or(key);
        let moved = ALL.iter().find(|setting| setting.key.rsplit('.').next() == Some(name));
        match (moved, nearest(key, known.chain(sections))) {
            (Some(setting), _) if setting.files == Files::Neither => {
                failure.hint(format!("`{name}` can only be given as a flag or a variable"))
            }
            (Some(setting), _) => failure.hint(format!("it is called `{}`", setting.key)),
            (None, Some(near)) => failure.hint(format!("did you mean `{near}`?")),
            (None, None) => failure,
        }
    }

    fn unknown_in(&self, key: &str, known: &[&str], span: &Range<usize>) -> Failure {
        let failure = self.failure(span.start, false, &format!("unknown key `{key}`"));
        match nearest(key, known.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("known here: `{}`", known.join("`, `"))),
        }
    }

    fn failure(&self, offset: usize, with_column: bool, message: &str) -> Failure {
        let (line, column) = position(self.text, offset);
        let place = if with_column { format!("{line}:{column}") } else { line.to_string() };
        Failure::new(Exit::Usage, format!("{}:{place}: {message}", self.file.shown)).coded("config")
    }

    fn line(&self, offset: usize) -> usize {
        position(self.text, offset).0
    }
}

/// Line and column (in characters), both from 1.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// The line around `offset`, and a caret below it. Only the structure before the mistake is shown: what follows on the
/// line may be a password.
fn caret(text: &str, offset: usize) -> [String; 2] {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let shown = if line.contains(['"', '\'']) { line.split(['"', '\'']).next().unwrap_or_default() } else { line };
    let column = before[start..].chars().count().min(shown.chars().count());
    [shown.to_owned(), format!("{}^", " ".repeat(column))]
}

fn stays_inside(text: &str) -> bool {
    // Judged for every system, so that a project means the same everywhere.
    let drive = text.as_bytes().get(1) == Some(&b':');
    let inside = |component: Component<'_>| matches!(component, Component::Normal(_) | Component::CurDir);
    !drive && !text.contains('\\') && Path::new(text).components().all(inside)
}

fn has_userinfo(url: &str) -> bool {
    match Address::parse(url, Expect::Server) {
        Ok((_, userinfo)) => userinfo.is_some(),
        // Not readable as an address: be careful.
        Err(_) => url.split_once("://").is_some_and(|(_, rest)| rest.contains('@')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(owner: Owner, text: &str) -> Result<ConfigFile, Failure> {
        ConfigFile::parse(Path::new("/p/couchapp.toml"), "couchapp.toml", owner, text)
    }

    #[test]
    fn the_example_of_the_manual_is_read() {
        let text = r#"
default = "dev"
[targets.dev]
url = "http://127.0.0.1:5984/blog"
[targets.prod]
url = ["https://a.example.com/blog", "https://b.example.com/blog"]
confirm = true
[push]
max-delete = "20%"
lenient = true
[network]
retries = 0x2
[content-types]
mjs = "text/javascript"
".Mustache" = "text/x-mustache"
"#;
        let file = parse(Owner::Project, text).unwrap();
        assert_eq!(file.value("default"), Some(("dev", 2)));
        assert_eq!(file.value("push.max-delete"), Some(("20%", 9)));
        assert_eq!(file.value("push.lenient"), Some(("true", 10)));
        assert_eq!(file.value("network.timeout"), None);
        assert_eq!(file.targets[0].name, "dev");
        assert_eq!((file.targets[1].urls.len(), file.targets[1].confirm, file.targets[1].line), (2, true, 5));
        assert_eq!(file.content_types[1].0, "mustache");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let cases = [
            ("default = \n", "couchapp.toml:1:11: ", ""),
            ("[push\n", "couchapp.toml:1:6: ", ""),
            ("a = 1\na = 2", "couchapp.toml:2:1: ", ""),
            (
                "\n[push]\nmax-delet = 3",
                "couchapp.toml:3: unknown key `push.max-delet`",
                "did you mean `push.max-delete`?",
            ),
            ("retries = 3", "couchapp.toml:1: unknown key `retries`", "it is called `network.retries`"),
            ("[push]\nforce = true", "couchapp.toml:2: unknown key `push.force`", "can only be given as a flag"),
            ("[pusj]\nx = 1", "couchapp.toml:1: unknown key `pusj`", "did you mean `push`?"),
            ("push = 1", "couchapp.toml:1: `push` is a table", ""),
            ("[push]\nmax-delete = [1]", "couchapp.toml:2: `push.max-delete` cannot be a value of type array", ""),
            ("[targets]\ndev = \"x\"", "couchapp.toml:2: `targets.dev` is a table with a `url`", ""),
            ("[targets.dev]\nconfirm = true", "couchapp.toml:1: the target `dev` has no `url`", ""),
            ("[targets.dev]\nurls = []", "couchapp.toml:2: unknown key `urls`", "did you mean `url`?"),
            ("[targets.\":x\"]\nurl = \"http://h/d\"", "couchapp.toml:1: `:x` cannot name a target", ""),
            ("[content-types]\nmjs = \"js\"", "couchapp.toml:2: a content type is a text", ""),
            ("[network]\ninsecure = true", "couchapp.toml:2: a project cannot set `network.insecure`", "config.toml"),
            ("[network]\ncacert = \"../ca.pem\"", "couchapp.toml:2: `network.cacert` is a path outside", ""),
            ("[network]\ncacert = \"/etc/ca.pem\"", "couchapp.toml:2: `network.cacert` is a path outside", ""),
            ("[network]\ncacert = \"c:ca.pem\"", "couchapp.toml:2: `network.cacert` is a path outside", ""),
            ("[credentials.\"http://h\"]\nuser = \"a\"", "couchapp.toml:1: a project cannot hold credentials", "netrc"),
        ];
        for (text, message, hint) in cases {
            let failure = parse(Owner::Project, text).unwrap_err();
            assert!(failure.to_string().starts_with(message), "{text:?}: {failure}");
            assert!(failure.hints().join("\n").contains(hint), "{text:?}: {:?}", failure.hints());
            assert_eq!(failure.exit(), Exit::Usage);
        }
    }

    #[test]
    fn passwords_are_refused_in_a_project_and_never_quoted() {
        for url in ["http://bob:c4n4ry@h/db", "http://bob@h/db", "http://bob:c4n/4ry@h/db", "http://a:c4n@4ry@h/db"] {
            let text = format!("[targets.dev]\nurl = \"{url}\"");
            let failure = parse(Owner::Project, &text).unwrap_err();
            assert_eq!(failure.to_string(), "couchapp.toml:2: a URL in this file cannot hold a user or a password");
            assert!(!format!("{failure:?}").contains("c4n"));
            assert!(parse(Owner::User, &text).unwrap().has_secrets());
        }
        let broken = "[credentials.\"http://h\"]\npassword = \"c4n4ry\" x";
        assert!(!format!("{:?}", parse(Owner::User, broken).unwrap_err()).contains("c4n4ry"));
    }

    #[test]
    fn the_user_may_keep_credentials() {
        let text = "[credentials.\"https://Couch.example.com:443/\"]\nuser = \"bob\"\npassword = \"c4n4ry\"\n\
                    [credentials.\"http://h:5984\"]\ntoken = \"c4n4ry\"";
        let file = parse(Owner::User, text).unwrap();
        assert_eq!(file.credentials[0].origin, "https://couch.example.com");
        assert_eq!(file.credentials[0].user.as_deref(), Some("bob"));
        assert!(matches!(file.credentials[1].secret, Some(SecretEntry::Token(_))));
        assert!(file.has_secrets() && !format!("{file:?}").contains("c4n4ry"));
        let two = "[credentials.\"http://h\"]\ntoken = \"a\"\npassword = \"b\"";
        assert!(parse(Owner::User, two).unwrap_err().to_string().ends_with(":3: one password or token is enough"));
    }
}
