//! The settings of CouchDB's configuration that mean something here, for as long as the endpoint runs.
//!
//! `couchapp csp` and people set them through `/_node/_local/_config`; what means something to CouchDB and nothing here
//! cannot be set.
//! <https://docs.couchdb.org/en/3.5.x/config/index.html>

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde_json::Value;

use super::users::password::ITERATIONS;
use crate::json::Object;
use crate::serve::failure::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Flag,
    Number,
    Text,
}

/// So many settings at once, and so long ones: the configuration is no database.
const MOST: usize = 1_000;
const LONGEST: usize = 10_000;

/// What can be set.
const SETTINGS: [(&str, &str, Kind); 14] = [
    ("chttpd", "admin_only_all_dbs", Kind::Flag),
    ("chttpd", "enable_cors", Kind::Flag),
    ("chttpd_auth", "allow_persistent_cookies", Kind::Flag),
    ("chttpd_auth", "iterations", Kind::Number),
    ("chttpd_auth", "timeout", Kind::Number),
    ("cors", "credentials", Kind::Flag),
    ("cors", "exposed_headers", Kind::Text),
    ("cors", "headers", Kind::Text),
    ("cors", "max_age", Kind::Number),
    ("cors", "methods", Kind::Text),
    ("cors", "origins", Kind::Text),
    ("couchdb", "users_db_security_editable", Kind::Flag),
    ("csp", "attachments_enable", Kind::Flag),
    ("csp", "showlist_enable", Kind::Flag),
];

/// What begins the names of CouchDB's own sections: what is set there is meant to change something.
const SECTIONS: [&str; 38] = [
    "admins",
    "attachments",
    "chttpd",
    "cluster",
    "compaction",
    "cors",
    "couch",
    "csp",
    "custodian",
    "database",
    "ddoc_cache",
    "disk_monitor",
    "dreyfus",
    "fabric",
    "feature_flags",
    "httpd",
    "indexers",
    "ioq",
    "jwt",
    "log",
    "mango",
    "mem3",
    "native_query_servers",
    "nouveau",
    "prometheus",
    "purge",
    "query_server",
    "quickjs",
    "rebalance",
    "replicator",
    "reshard",
    "rexi",
    "smoosh",
    "ssl",
    "stats",
    "uuids",
    "vendor",
    "view",
];

/// All settings.
pub struct Configuration(RwLock<BTreeMap<String, BTreeMap<String, String>>>);

impl Configuration {
    /// What a fresh CouchDB has, but for the sandbox: apps are developed without it, unless `has_sandbox`.
    pub fn new(has_sandbox: bool) -> Self {
        let mut sections = BTreeMap::new();
        if !has_sandbox {
            let off = ["attachments_enable", "showlist_enable"].map(|key| (key.to_owned(), "false".to_owned()));
            sections.insert("csp".to_owned(), BTreeMap::from(off));
        }
        Self(RwLock::new(sections))
    }

    /// A setting, when it is set.
    pub(in crate::serve) fn get(&self, section: &str, key: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(section)?.get(key).cloned()
    }

    /// A setting that is true or false.
    pub(in crate::serve) fn is(&self, section: &str, key: &str, default: bool) -> bool {
        self.get(section, key).map_or(default, |value| value == "true")
    }

    /// A setting that is a number.
    pub(in crate::serve) fn number(&self, section: &str, key: &str, default: u64) -> u64 {
        self.get(section, key).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// How often a new password is hashed.
    pub(in crate::serve) fn iterations(&self) -> u32 {
        let iterations = self.number("chttpd_auth", "iterations", ITERATIONS.into());
        u32::try_from(iterations).unwrap_or(ITERATIONS).max(1)
    }

    /// All that is set in a section.
    pub(in crate::serve) fn section(&self, section: &str) -> Object {
        let sections = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let values = sections.get(section).into_iter().flatten();
        values.map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
    }

    /// All that is set.
    pub(in crate::serve) fn all(&self) -> Object {
        let names: Vec<String> = self.0.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        let sections = names.into_iter().map(|name| (name.clone(), Value::Object(self.section(&name))));
        sections.filter(|(_, section)| *section != Value::Object(Object::new())).collect()
    }

    /// Sets a value and gives back the old one (empty: it was not set). Sections that are not CouchDB's are anybody's.
    ///
    /// # Errors
    /// 501 for what means something to CouchDB and nothing here, 400 for a value that cannot be.
    pub(in crate::serve) fn set(&self, section: &str, key: &str, value: &str) -> Result<String, Failure> {
        let known = SETTINGS.iter().find(|(known, name, _)| (*known, *name) == (section, key));
        if known.is_none() && SECTIONS.iter().any(|known| section.starts_with(known)) {
            return Err(Failure::absent(&format!("the setting [{section}] {key}")));
        }
        let is_possible = match known {
            Some((_, _, Kind::Flag)) => matches!(value, "true" | "false"),
            Some((_, _, Kind::Number)) => value.parse::<u32>().is_ok_and(|number| number > 0),
            Some((_, _, Kind::Text)) => value.bytes().all(|byte| (b' '..0x7f).contains(&byte)),
            None => true,
        } && section.len() + key.len() + value.len() <= LONGEST;
        let mut sections = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_there = sections.get(section).is_some_and(|values| values.contains_key(key));
        let has_room = is_there || sections.values().map(BTreeMap::len).sum::<usize>() < MOST;
        if !is_possible || !has_room {
            return Err(Failure::bad_request(format!("[{section}] {key} cannot be set to this")));
        }
        let before = sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        Ok(before.unwrap_or_default())
    }

    /// Takes a value out and gives it back.
    pub(in crate::serve) fn remove(&self, section: &str, key: &str) -> Option<String> {
        let mut sections = self.0.write().unwrap_or_else(PoisonError::into_inner);
        sections.get_mut(section)?.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_sandbox_is_lifted_unless_it_is_wanted() {
        let all = |configuration: &Configuration| Value::Object(configuration.all());
        assert_eq!(all(&Configuration::new(true)), json!({}));
        let lifted = json!({ "csp": { "attachments_enable": "false", "showlist_enable": "false" } });
        assert_eq!(all(&Configuration::new(false)), lifted);
    }

    #[test]
    fn values_are_set_and_taken_out() {
        let configuration = Configuration::new(true);
        assert_eq!(configuration.set("my own", "ä", "x").unwrap(), "");
        assert_eq!(configuration.remove("my own", "ä").as_deref(), Some("x"));
        assert_eq!(configuration.set("csp", "attachments_enable", "false").unwrap(), "");
        assert_eq!(configuration.set("csp", "attachments_enable", "true").unwrap(), "false");
        assert_eq!(configuration.get("csp", "attachments_enable").as_deref(), Some("true"));
        assert_eq!(configuration.remove("csp", "attachments_enable").as_deref(), Some("true"));
        assert_eq!(configuration.remove("csp", "attachments_enable"), None);
        assert_eq!(Value::Object(configuration.all()), json!({}));
    }

    #[test]
    fn the_configuration_is_no_database() {
        let configuration = Configuration::new(true);
        let long = "x".repeat(LONGEST + 1);
        for (section, key) in [("cors", "headers"), ("my own", "a")] {
            assert_eq!(configuration.set(section, key, &long).unwrap_err().status.as_u16(), 400, "{section}");
        }
        for number in 0..MOST {
            configuration.set("my own", &number.to_string(), "x").unwrap();
        }
        assert!(configuration.set("my own", "one more", "x").is_err());
        assert_eq!(configuration.set("my own", "0", "y").unwrap(), "x", "what is there can be changed");
    }

    #[test]
    fn what_means_nothing_cannot_be_set() {
        let configuration = Configuration::new(true);
        for (section, key, value, status) in [
            ("log", "level", "debug", 501),
            ("admins", "jan", "apple", 501),
            ("csp", "attachments_enable", "maybe", 400),
            ("chttpd_auth", "timeout", "0", 400),
            ("chttpd_auth", "timeout", "-5", 400),
            ("cors", "methods", "a\r\nX-Evil: 1", 400),
        ] {
            let failure = configuration.set(section, key, value).unwrap_err();
            assert_eq!(failure.status.as_u16(), status, "{section} {key} {value}");
        }
    }
}
