//! The old tool's configuration: `.couchapprc`, `couchapp.json`, `~/.couchapp.conf`. Read, never written. Pure.
//!
//! Only `env` matters here. The old tool let one file's `env` hide all of another's; here they are merged environment by
//! environment. Variables are put into the URLs when an environment is used, so that a missing one spoils nothing else.

use std::fmt;

use serde_json::{Map, Value};

use crate::exit::{Exit, Failure};

/// One of the old files.
#[derive(Clone)]
pub(super) struct LegacyFile {
    /// The path as people write it.
    pub(super) shown: String,
    /// Environments with a `db`: name and URLs, variables not yet put in.
    pub(super) environments: Vec<(String, Vec<String>)>,
    /// Other settings that are there (`hooks`, `extensions`, …).
    pub(super) others: Vec<String>,
}

/// The URLs may hold passwords.
impl fmt::Debug for LegacyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacyFile").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl LegacyFile {
    /// Reads the text of a file.
    pub(super) fn parse(shown: &str, text: &str) -> Result<Self, Failure> {
        let value: Value = if text.trim().is_empty() {
            Value::Object(Map::new())
        } else {
            serde_json::from_str(text).map_err(|error| {
                // The message without its own "at line 1 column 2".
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                let place = format!("{shown}:{}:{}", error.line(), error.column());
                Failure::new(Exit::Usage, format!("{place}: {message}")).coded("config")
            })?
        };
        let wrong = |what: &str| Failure::new(Exit::Usage, format!("{shown}: {what}")).coded("config");
        let Value::Object(members) = value else {
            return Err(wrong("the file must hold a JSON object"));
        };
        let mut environments = Vec::new();
        match members.get("env") {
            Some(Value::Object(all)) => {
                for (name, environment) in all {
                    let urls = match environment.get("db") {
                        Some(Value::String(url)) => vec![url.clone()],
                        Some(Value::Array(urls)) if !urls.is_empty() && urls.iter().all(Value::is_string) => {
                            urls.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                        }
                        Some(_) => return Err(wrong(&format!("`env.{name}.db` must be a URL or a list of URLs"))),
                        None => continue,
                    };
                    environments.push((name.clone(), urls));
                }
            }
            Some(Value::Null) | None => {}
            Some(_) => return Err(wrong("`env` must be an object")),
        }
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        let others = members.iter().filter(|(key, value)| *key != "env" && !empty(value));
        let others = others.map(|(key, _)| key.clone()).collect();
        Ok(Self { shown: shown.to_owned(), environments, others })
    }
}

/// `text` with `$VAR` and `${VAR}` replaced and `$$` taken for `$`; a `$` before anything else stays. The error is the
/// name of a variable that is not set.
pub(super) fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, tail) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, tail)) if identifier(name) == name.len() => (name, tail),
            _ => after.split_at(identifier(after)),
        };
        rest = if let Some(tail) = after.strip_prefix('$') {
            expanded.push('$');
            tail
        } else if name.is_empty() {
            expanded.push('$');
            after
        } else {
            expanded.push_str(&variable(name).ok_or_else(|| name.to_owned())?);
            tail
        };
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The length of the variable name at the start of `text`.
fn identifier(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_as_the_old_tool_did() {
        let variable = |name: &str| match name {
            "USER" => Some("bob".to_owned()),
            "P_1" => Some("$USER".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let cases = [
            ("http://$USER:$P_1@h/db", Ok("http://bob:$USER@h/db")),
            ("${USER}s", Ok("bobs")),
            ("$USER.x", Ok("bob.x")),
            ("a$$b$$USER", Ok("a$b$USER")),
            ("$", Ok("$")),
            ("$$", Ok("$")),
            ("$1 $- ${ ${} ${1}", Ok("$1 $- ${ ${} ${1}")),
            ("$EMPTY", Ok("")),
            ("ü$USERü", Ok("übobü")),
            ("$NOPE", Err("NOPE")),
            ("${NOPE}", Err("NOPE")),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, variable), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn environments_are_read_and_the_rest_is_noticed() {
        let text = r#"{"env": {"default": {"db": "http://h/a"}, "prod": {"db": ["http://x/a", "http://y/a"], "name": "n"},
            "later": {}}, "hooks": {"pre-push": ["rm -rf"]}, "extensions": []}"#;
        let file = LegacyFile::parse(".couchapprc", text).unwrap();
        assert_eq!(file.environments.len(), 2);
        assert_eq!(file.environments[1].1.len(), 2);
        assert_eq!(file.others, ["hooks"]);
        for empty in ["", "{}", " \n", r#"{"env": null}"#] {
            assert!(LegacyFile::parse(".couchapprc", empty).unwrap().environments.is_empty(), "{empty:?}");
        }
    }

    #[test]
    fn mistakes_name_the_file_and_the_place() {
        let cases = [
            ("{\n \"env\": {,}}", ".couchapprc:2:10: "),
            ("[]", ".couchapprc: the file must hold a JSON object"),
            (r#"{"env": []}"#, ".couchapprc: `env` must be an object"),
            (r#"{"env": {"a": {"db": 1}}}"#, ".couchapprc: `env.a.db` must be a URL"),
            (r#"{"env": {"a": {"db": []}}}"#, ".couchapprc: `env.a.db` must be a URL"),
            (r#"{"env": {"a": {"db": "http://b:c4n4ry@h", }}}"#, ".couchapprc:1:"),
        ];
        for (text, message) in cases {
            let failure = LegacyFile::parse(".couchapprc", text).unwrap_err();
            assert!(failure.to_string().starts_with(message), "{text}: {failure}");
            assert!(!failure.to_string().contains("c4n4ry"));
        }
    }
}
