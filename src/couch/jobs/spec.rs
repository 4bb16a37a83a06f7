//! What a server is asked to carry, as the document that asks it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use super::super::{Database, Selection, Welcome};
use super::without_nothing;
use crate::address::{Address, Expect};
use crate::json::{self, Object};
use crate::name::DocId;
use crate::secret::Credentials;

/// Matches every document that is no design document: none of CouchDB's built-in filters does.
const NO_DESIGN: &str = "^(?!_design/)";

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
        let no_design = json!({ "_id": { "$regex": NO_DESIGN } });
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
