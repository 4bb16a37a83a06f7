//! The netrc file, as curl and ftp read it. Pure.
//!
//! Tokens are separated by white space; a token in double quotes may hold spaces, with `\"`, `\\`, `\n`, `\r` and `\t`
//! (curl's rule). `#` begins a comment where a keyword is expected, so a password may begin with it. A `macdef` ends
//! with an empty line. The file has no port and no scheme: an entry is for every port of its host.

use crate::secret::Secret;

/// One `machine` or `default` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// `None` for `default`.
    machine: Option<String>,
    login: Option<String>,
    password: Option<Secret>,
}

/// What the file knows about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    /// It is the `default` entry.
    pub(super) is_default: bool,
}

/// The first entry for `host` (and `user`, if one is wanted) of the text of a netrc file; entries with a password first.
pub(super) fn look_up(text: &str, host: &str, user: Option<&str>) -> Option<Login> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let entries = parse(text);
    let suits = |entry: &&Entry| {
        let machine = entry.machine.as_deref().map(|machine| machine.trim_start_matches('[').trim_end_matches(']'));
        machine.is_none_or(|machine| machine.eq_ignore_ascii_case(bare))
            && (user.is_none() || entry.login.is_none() || entry.login.as_deref() == user)
    };
    let found = |named: bool| {
        let mut suitable = entries.iter().filter(suits).filter(|entry| entry.machine.is_some() == named);
        let first = suitable.next()?;
        Some(std::iter::once(first).chain(suitable).find(|entry| entry.password.is_some()).unwrap_or(first))
    };
    let entry = found(true).or_else(|| found(false))?;
    Some(Login {
        user: entry.login.clone().or_else(|| user.map(str::to_owned)),
        password: entry.password.clone(),
        is_default: entry.machine.is_none(),
    })
}

fn parse(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut tokens = Tokens { rest: text };
    while let Some(keyword) = tokens.next_token(true) {
        match keyword.as_str() {
            "machine" => {
                let machine = Some(tokens.next_token(false).unwrap_or_default());
                entries.push(Entry { machine, ..Entry::default() });
            }
            "default" => entries.push(Entry::default()),
            "macdef" => tokens.skip_macro(),
            "login" | "password" | "account" => {
                let value = tokens.next_token(false);
                match (keyword.as_str(), entries.last_mut()) {
                    ("login", Some(entry)) => entry.login = value,
                    ("password", Some(entry)) => entry.password = value.map(Secret::new),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    entries
}

struct Tokens<'a> {
    rest: &'a str,
}

impl Tokens<'_> {
    /// The next token. `keyword`: one is expected, so `#` begins a comment.
    fn next_token(&mut self, keyword: bool) -> Option<String> {
        loop {
            self.rest = self.rest.trim_start();
            if !(keyword && self.rest.starts_with('#')) {
                break;
            }
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        }
        if self.rest.is_empty() {
            return None;
        }
        if let Some(quoted) = self.rest.strip_prefix('"') {
            return Some(self.quoted(quoted.chars()));
        }
        let (token, rest) = self.rest.split_at(self.rest.find(char::is_whitespace).unwrap_or(self.rest.len()));
        self.rest = rest;
        Some(token.to_owned())
    }

    fn quoted(&mut self, mut characters: std::str::Chars<'_>) -> String {
        let mut token = String::new();
        let length = self.rest.len();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => match characters.next() {
                    Some('n') => token.push('\n'),
                    Some('r') => token.push('\r'),
                    Some('t') => token.push('\t'),
                    Some(other) => token.push(other),
                    None => break,
                },
                other => token.push(other),
            }
        }
        let left = characters.as_str().len();
        self.rest = &self.rest[length - left..];
        token
    }

    fn skip_macro(&mut self) {
        let mut offset = 0;
        // The macro's name and the rest of its line come first.
        for (number, line) in self.rest.split_inclusive('\n').enumerate() {
            offset += line.len();
            if number > 0 && line.trim().is_empty() {
                break;
            }
        }
        self.rest = &self.rest[offset..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = r#"# a comment machine no.example.com
machine a.example.com login bob password c4n4ry
machine B.example.com
    login "al ice" # after a value a comment may follow
    account ignored
    password "c4n \"4ry\\"
machine two.example.com login bob
machine two.example.com login carol password #c4n4ry
macdef init
machine trap.example.com login x password y
password z

machine after.example.com password c4n4ry
machine ::1 login six password p
default login anonymous password c4n4ry
"#;

    /// Host, wanted user; user and password found, whether in the default entry.
    type Case<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>, bool);

    #[test]
    fn entries_are_found_by_host_and_user() {
        let cases: &[Case] = &[
            ("a.example.com", None, Some("bob"), Some("c4n4ry"), false),
            ("A.EXAMPLE.com", Some("bob"), Some("bob"), Some("c4n4ry"), false),
            ("a.example.com", Some("eve"), None, None, true),
            ("b.example.com", None, Some("al ice"), Some("c4n \"4ry\\"), false),
            ("two.example.com", None, Some("carol"), Some("#c4n4ry"), false),
            ("two.example.com", Some("bob"), Some("bob"), None, false),
            ("two.example.com", Some("carol"), Some("carol"), Some("#c4n4ry"), false),
            ("after.example.com", Some("dave"), Some("dave"), Some("c4n4ry"), false),
            ("[::1]", None, Some("six"), Some("p"), false),
            ("trap.example.com", None, Some("anonymous"), Some("c4n4ry"), true),
            ("no.example.com", None, Some("anonymous"), Some("c4n4ry"), true),
        ];
        for &(host, user, login, password, is_default) in cases {
            let found = look_up(FILE, host, user);
            if login.is_none() {
                assert_eq!(found, None, "{host} {user:?}");
                continue;
            }
            let found = found.unwrap();
            assert_eq!(found.user.as_deref(), login, "{host} {user:?}");
            assert_eq!(found.password.as_ref().map(Secret::expose), password, "{host} {user:?}");
            assert_eq!(found.is_default, is_default, "{host} {user:?}");
        }
        assert_eq!(look_up("machine", "h", None), None);
        assert_eq!(look_up("", "h", None), None);
        assert!(!format!("{:?}", parse(FILE)).contains("c4n"));
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "(?s).{0,60}", host in "[a-z.]{0,6}") {
            let _ = look_up(&text, &host, None);
        }

        #[test]
        fn a_quoted_password_comes_back(password in "[^\\x00]{0,20}") {
            let escaped = password.replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("machine h login u password \"{escaped}\" machine x");
            let found = look_up(&text, "h", None).unwrap();
            prop_assert_eq!(found.password, Some(Secret::new(password)));
        }
    }
}
