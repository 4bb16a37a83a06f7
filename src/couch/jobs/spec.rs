//! What a server is asked to carry, as the document that asks it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use super::super::{Database, Selection, Welcome};
use super::without_nothing;
use crate::address::{Address, Expect};
use crate::json::{self, Object};
use crate::name::DocId;
use crate::secret::Credentials;

/// Matches every document that is no design document: none of CouchDB's built-in filters does. It looks at nothing behind,
/// which not every engine of regular expressions can.
fn no_design() -> Value {
    json!({ "_id": { "$not": { "$regex": "^_design/" } } })
}

/// One direction between two databases, for a server to carry out.
#[derive(Clone, Copy, Debug)]
pub struct JobSpec<'a> {
    /// What is read.
    pub source: &'a Database,
    /// What is written.
    pub target: &'a Database,
    /// Goes on with every further change.
    pub continuous: bool,
    /// Which changes.
    pub selection: &'a Selection,
    /// Leaves out design documents; no function can be asked then.
    pub no_design: bool,
    /// Only winning revisions ([`Welcome::knows_winning_revisions`]).
    pub winning_revisions_only: bool,
}

impl JobSpec<'_> {
    /// Which changes the server is asked for, design documents left out where that is wanted.
    pub fn effective(&self) -> Selection {
        let no_design = no_design();
        match (self.no_design, self.selection) {
            (true, Selection::Everything) => Selection::Selector(no_design.to_string()),
            (true, Selection::Selector(text)) => Selection::Selector(format!(r#"{{"$and":[{no_design},{text}]}}"#)),
            (true, Selection::Ids(ids)) => Selection::Ids(ids.iter().filter(|id| !id.is_design()).cloned().collect()),
            (_, selection) => selection.clone(),
        }
    }

    /// The document. It holds the credentials of both ends.
    pub(super) fn document(&self, welcome: &Welcome) -> Object {
        let mut members = Map::new();
        members.insert("source".to_owned(), end(self.source, welcome));
        members.insert("target".to_owned(), end(self.target, welcome));
        members.extend(self.options());
        members
    }

    fn options(&self) -> Object {
        let mut options = Map::new();
        options.insert("continuous".to_owned(), Value::Bool(self.continuous));
        options.insert("winning_revs_only".to_owned(), Value::Bool(self.winning_revisions_only));
        match self.effective() {
            Selection::Everything => {}
            Selection::Ids(ids) => {
                let ids: Vec<&str> = ids.iter().map(DocId::as_str).collect();
                options.insert("doc_ids".to_owned(), json!(ids));
            }
            Selection::Selector(text) => {
                options.insert("selector".to_owned(), json::parse(text.as_bytes()).unwrap_or_default());
            }
            Selection::Filter { name, query } => {
                options.insert("filter".to_owned(), Value::from(name));
                let query: Object = query.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
                options.insert("query_params".to_owned(), Value::Object(query));
            }
        }
        without_nothing(options)
    }

    /// What makes two jobs equal.
    pub(super) fn identity(&self) -> Value {
        identity(&self.source.address().to_string(), &self.target.address().to_string(), self.options())
    }
}

/// What makes two jobs equal: both ends and what is carried. Who asks for it is no part of it, and neither is whether
/// the target may be created.
pub(super) fn identity(source: &str, target: &str, mut options: Object) -> Value {
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    options.retain(|_, value| !is_empty(value));
    if let Some(Value::Array(ids)) = options.get_mut("doc_ids") {
        ids.sort_by_key(ToString::to_string);
        ids.dedup();
    }
    json!({ "source": source, "target": target, "options": options })
}

/// An address as servers write it, without credentials, as we write it. What is no address stays what it is.
pub(super) fn plain(url: &str) -> String {
    match Address::parse(url.trim_end_matches('/'), Expect::Database) {
        Ok((address, _)) => address.to_string(),
        Err(_) => crate::secret::redact(url),
    }
}

/// An end of the job as the server of the job is to reach it. Userinfo in a URL breaks on `@` and `:` and is printed by
/// some: it is never used. PouchDB knows no object without `headers`.
fn end(database: &Database, welcome: &Welcome) -> Value {
    let url = database.address().to_string();
    match database.server().client.credentials() {
        None => Value::from(url),
        Some(Credentials::Basic { user, password }) if welcome.takes_auth_objects() => {
            json!({ "url": url, "auth": { "basic": { "username": user, "password": password.expose() } } })
        }
        Some(Credentials::Basic { user, password }) => {
            let encoded = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
            json!({ "url": url, "headers": { "Authorization": format!("Basic {encoded}") } })
        }
        Some(Credentials::Bearer(token)) => {
            json!({ "url": url, "headers": { "Authorization": format!("Bearer {}", token.expose()) } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Kind, Network, Server};
    use super::super::JobDocument;
    use super::*;

    fn database(url: &str) -> Database {
        let (address, credentials) = Address::parse(url, Expect::Database).unwrap();
        let server = Server::connect(&address, credentials, &Network::default()).unwrap();
        server.database(address.database.as_ref().unwrap())
    }

    fn welcome(kind: Kind, version: &str) -> Welcome {
        Welcome { kind, vendor: None, version: Some(version.to_owned()) }
    }

    #[test]
    fn credentials_stand_where_the_server_looks_for_them() {
        let (source, target) = (database("http://bob:c%40n:ry@h/a"), database("http://h/b"));
        let ids = Selection::Everything;
        let spec = JobSpec {
            source: &source,
            target: &target,
            continuous: false,
            selection: &ids,
            no_design: false,
            winning_revisions_only: false,
        };
        let header = json!({ "Authorization": "Basic Ym9iOmNAbjpyeQ==" });
        for (welcome, key, value) in [
            (welcome(Kind::CouchDb, "3.5.0"), "auth", json!({ "basic": { "username": "bob", "password": "c@n:ry" } })),
            (welcome(Kind::CouchDb, "3.1.2"), "headers", header.clone()),
            (welcome(Kind::PouchDb, "4.2.0"), "headers", header),
        ] {
            let document = spec.document(&welcome);
            let expected = json!({ "source": { "url": "http://h/a", key: value }, "target": "http://h/b" });
            assert_eq!(Value::Object(document), expected);
        }
    }

    #[test]
    fn a_document_is_equal_whoever_wrote_it() {
        let (source, target) = (database("http://bob:c4n4ry@h/a"), database("http://h:80/b"));
        let ids = Selection::Ids(["y", "x", "x"].map(|id| DocId::new(id).unwrap()).into());
        let spec = |selection, continuous| JobSpec {
            source: &source,
            target: &target,
            continuous,
            selection,
            no_design: true,
            winning_revisions_only: false,
        };
        let ends =
            || json!({ "_id": "j", "source": "http://eve:c4n4ry@h/a/", "target": { "url": "http://h/b", "auth": {} } });
        let with = |more: &Value| {
            let mut document = ends();
            document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            JobDocument::read(&document).unwrap()
        };
        let all = Selection::Everything;
        let no_design = no_design();
        for (document, selection, continuous, equal) in [
            (json!({ "doc_ids": ["x", "y"], "create_target": true, "owner": "eve" }), &ids, false, true),
            (json!({ "doc_ids": ["x"] }), &ids, false, false),
            (json!({ "doc_ids": ["x", "y"], "continuous": true }), &ids, false, false),
            (json!({ "selector": no_design, "continuous": true }), &all, true, true),
            (json!({ "selector": no_design, "continuous": false }), &all, false, true),
            (json!({}), &all, false, false),
            (json!({ "selector": no_design, "worker_processes": 1, "_replication_id": "x" }), &all, false, true),
            (json!({ "selector": no_design, "since_seq": "9-x" }), &all, false, false),
            (json!({ "selector": no_design, "since_seq": null }), &all, false, true),
            (json!({ "selector": no_design, "what is to come": 1 }), &all, false, false),
        ] {
            assert_eq!(with(&document).is_equal(&spec(selection, continuous)), equal, "{document}");
        }
        let document = with(&json!({}));
        assert!(!format!("{document:?} {:?}", spec(&all, true)).contains("c4n4ry"), "{document:?}");
        let both = spec(&Selection::Selector(r#"{"n":1.0}"#.to_owned()), false).effective();
        assert_eq!(both, Selection::Selector(format!(r#"{{"$and":[{no_design},{{"n":1.0}}]}}"#)));
    }
}
