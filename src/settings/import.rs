//! `init --import-rc`: the text of a couchapp.toml that says what the old files said.

use std::fmt::Write;
use std::path::Path;

use super::Environment;
use super::legacy::{LegacyFile, expand};
use super::project::read_legacy;
use crate::address::{Address, Expect};
use crate::exit::Failure;

/// A new `couchapp.toml`, and what it does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The file's text.
    pub toml: String,
    /// What was left out and why, one line each (credentials, hooks, extensions, variables).
    pub left_out: Vec<String>,
}

/// Reads the `.couchapprc` and `couchapp.json` of `folder`. `None` when neither says anything that could be imported.
pub fn import(folder: &Path, environment: &Environment) -> Result<Option<Imported>, Failure> {
    let mut files = Vec::new();
    for name in [".couchapprc", "couchapp.json"] {
        files.extend(read_legacy(&folder.join(name), environment)?);
    }
    files.retain(|file| !file.environments.is_empty());
    Ok(if files.is_empty() { None } else { Some(convert(&files)) })
}

fn convert(files: &[LegacyFile]) -> Imported {
    let mut imported = Imported::default();
    let mut environments: Vec<(&str, &[String])> = Vec::new();
    for (name, urls) in files.iter().flat_map(|file| &file.environments) {
        if environments.iter().all(|(known, _)| known != name) {
            environments.push((name, urls));
        }
    }
    let targets: Vec<(&str, Vec<String>)> = environments
        .into_iter()
        .map(|(name, urls)| (name, urls.iter().filter_map(|url| imported.take(name, url)).collect::<Vec<_>>()))
        .filter(|(_, urls)| !urls.is_empty())
        .collect();
    imported.toml.push_str("# Commit this file: it cannot hold passwords. Put those into netrc.\n");
    if targets.iter().any(|(name, _)| *name == "default") {
        imported.toml.push_str("default = \"default\"\n");
    }
    for (name, urls) in targets {
        let urls: Vec<String> = urls.iter().map(|url| quoted(url)).collect();
        let value = if let [url] = &urls[..] { url.clone() } else { format!("[{}]", urls.join(", ")) };
        // Writing to a String cannot fail.
        let _ = write!(imported.toml, "\n[targets.{}]\nurl = {value}\n", key(name));
    }
    for file in files {
        for other in &file.others {
            // couchapp.json stays where it is, with all its other members.
            if !file.shown.ends_with("couchapp.json") {
                imported.left_out.push(format!("`{other}` of {}: there is nothing like it here", file.shown));
            }
        }
    }
    imported
}

impl Imported {
    /// The URL as it can be written into the new file.
    fn take(&mut self, name: &str, url: &str) -> Option<String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let authority = rest.find('/').map_or(rest, |end| &rest[..end]);
        let userinfo = authority.rfind('@').map_or(0, |at| at + 1);
        if userinfo > 0 {
            self.left_out.push(format!("user and password of `{name}`: put them into netrc"));
        }
        let plain = match scheme {
            "" => rest.to_owned(),
            scheme => format!("{scheme}://{}", &rest[userinfo..]),
        };
        let reason = match expand(&plain, |_| None) {
            Ok(plain) => match Address::parse(&plain, Expect::Database) {
                Ok(_) => return Some(plain),
                Err(error) => error.to_string(),
            },
            Err(variable) => format!("it uses ${variable}, which a couchapp.toml cannot"),
        };
        self.left_out.push(format!("a URL of `{name}`: {reason}"));
        None
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { name.to_owned() } else { quoted(name) }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::file::{ConfigFile, Owner};
    use proptest::prelude::*;

    fn of(text: &str) -> Imported {
        convert(&[LegacyFile::parse(".couchapprc", text).unwrap()])
    }

    #[test]
    fn an_old_file_becomes_a_new_one_without_its_secrets() {
        let imported = of(r#"{"env": {
            "default": {"db": "http://admin:c4n4ry@localhost:5984/blog"},
            "prod": {"db": ["https://$USER:$PASS@a.example.com/blog", "https://b.example.com/bl$$og"]},
            "odd name": {"db": "http://$HOST/blog"}, "x y": {"db": "http://h/d"}},
            "hooks": {"pre-push": "make"}}"#);
        insta::assert_snapshot!(imported.toml, @r#"
        # Commit this file: it cannot hold passwords. Put those into netrc.
        default = "default"

        [targets.default]
        url = "http://localhost:5984/blog"

        [targets.prod]
        url = ["https://a.example.com/blog", "https://b.example.com/bl$og"]

        [targets."x y"]
        url = "http://h/d"
        "#);
        insta::assert_snapshot!(imported.left_out.join("\n"), @r"
        user and password of `default`: put them into netrc
        user and password of `prod`: put them into netrc
        a URL of `odd name`: it uses $HOST, which a couchapp.toml cannot
        `hooks` of .couchapprc: there is nothing like it here
        ");
        assert!(!format!("{imported:?}").contains("c4n4ry"));
    }

    proptest! {
        #[test]
        fn any_name_makes_a_file_that_can_be_read(name in "[^:\\-].{0,12}") {
            prop_assume!(!name.contains("://"));
            let text = serde_json::json!({"env": {name.clone(): {"db": "http://h/d"}}}).to_string();
            let file = ConfigFile::parse(Path::new("/x"), "x", Owner::Project, &of(&text).toml).unwrap();
            prop_assert_eq!(&file.targets[0].name, &name);
        }
    }
}
