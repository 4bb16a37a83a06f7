//! A replication as somebody asks for it: the body of `_replicate`, or a document of `_replicator`. Pure.
//!
//! <https://docs.couchdb.org/en/3.5.x/json-structure.html#replication-settings>

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::end::End;
use crate::couch::{Selection, Sequence};
use crate::hexadecimal;
use crate::json::Object;
use crate::name::DocId;
use crate::serve::failure::Failure;

/// What is to be replicated, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Wanted {
    /// What is read.
    pub(in crate::serve) source: End,
    /// What is written.
    pub(in crate::serve) target: End,
    /// Goes on with every further change.
    pub(in crate::serve) continuous: bool,
    /// Makes the target when it does not exist.
    pub(in crate::serve) create_target: bool,
    /// Leaves out revisions that are not winners.
    pub(in crate::serve) winning_revisions_only: bool,
    /// Which documents.
    pub(in crate::serve) selection: Selection,
    /// Where it begins, whatever a checkpoint says.
    pub(in crate::serve) since: Option<Sequence>,
    /// The name in `user_ctx`, which is shown and gives no rights.
    pub(in crate::serve) user: Option<String>,
}

/// Why nothing can be replicated so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Invalid {
    /// There is no source or no target.
    Missing,
    /// A document names a database without saying where it is.
    Local,
    /// An end has no URL, or one that is none.
    Url,
    /// The name of the filter function is none.
    Filter,
    /// Anything else.
    Bad(String),
}

impl Invalid {
    pub(super) fn bad(reason: impl Into<String>) -> Self {
        Self::Bad(reason.into())
    }

    fn reason(&self) -> &str {
        match self {
            Self::Missing => "Missing replicator database",
            Self::Local => "local_endpoints_not_supported",
            Self::Url => "endpoint has an invalid url",
            Self::Filter => "Invalid filter. Must match `ddocname/filtername`.",
            Self::Bad(reason) => reason,
        }
    }

    /// What `_replicate` answers.
    pub(in crate::serve) fn for_request(&self) -> Failure {
        match self {
            Self::Bad(reason) => Failure::bad_request(reason),
            other => Failure::new(500, "error", other.reason()),
        }
    }

    /// What the writer of a document is answered.
    pub(in crate::serve) fn for_document(&self) -> Failure {
        Failure::new(403, "forbidden", self.reason())
    }
}

impl Wanted {
    /// Reads the body of `_replicate`.
    pub(in crate::serve) fn parse(members: &Object) -> Result<Self, Invalid> {
        let end = |key| members.get(key).ok_or(Invalid::Missing).and_then(End::parse);
        let (source, target) = (end("source")?, end("target")?);
        let flag = |key: &str| match members.get(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(Invalid::Bad(format!("parameter `{key}` must be a boolean"))),
        };
        for key in ["proxy", "source_proxy", "target_proxy"] {
            if members.get(key).is_some_and(|value| !value.is_null()) {
                return Err(Invalid::Bad(format!("`{key}` is not part of this development endpoint")));
            }
        }
        // Before it can be refused for what it means: it is not read when a replication is begun.
        flag("cancel")?;
        Ok(Self {
            source,
            target,
            continuous: flag("continuous")?,
            create_target: flag("create_target")?,
            winning_revisions_only: flag("winning_revs_only")?,
            selection: selection(members)?,
            since: since(members)?,
            user: user(members)?,
        })
    }

    /// Reads a document of `_replicator`: both ends have to say where they are.
    pub(in crate::serve) fn parse_document(members: &Object) -> Result<Self, Invalid> {
        let is_local = |key| match members.get(key).map(End::parse) {
            Some(Ok(End::Local(_))) => Err(Invalid::Local),
            Some(Err(invalid)) => Err(invalid),
            _ => Ok(()),
        };
        is_local("source")?;
        is_local("target")?;
        Self::parse(members)
    }

    /// What CouchDB calls the replication id: the same for what is the same replication. `own` is where this endpoint is,
    /// `user` in whose name its databases are asked.
    pub(in crate::serve) fn id(&self, own: &str, user: Option<&str>) -> String {
        let end = |end: &End| json!([end.shown(own), end.distinction(user)]);
        let selection = match &self.selection {
            Selection::Everything => Value::Null,
            Selection::Ids(ids) => {
                let mut ids: Vec<&str> = ids.iter().map(DocId::as_str).collect();
                ids.sort_unstable();
                ids.dedup();
                json!({ "ids": ids })
            }
            Selection::Selector(text) => json!({ "selector": text }),
            Selection::Filter { name, query } => json!({ "filter": name, "query": query }),
        };
        let since = self.since.as_ref().map(Sequence::text);
        let identity = json!([end(&self.source), end(&self.target), selection, self.winning_revisions_only, since]);
        let mut id = hexadecimal::encode(&Sha256::digest(identity.to_string())[..16]);
        for (is_set, word) in [(self.continuous, "+continuous"), (self.create_target, "+create_target")] {
            id.push_str(if is_set { word } else { "" });
        }
        id
    }

    /// Whether the documents are named one by one.
    pub(in crate::serve) fn is_of_ids(&self) -> bool {
        matches!(self.selection, Selection::Ids(_))
    }
}

fn selection(members: &Object) -> Result<Selection, Invalid> {
    let given = |key: &str| members.get(key).filter(|value| !value.is_null());
    let query = match given("query_params") {
        None => Vec::new(),
        Some(Value::Object(query)) => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            query.iter().map(|(key, value)| (key.clone(), text(value))).collect()
        }
        Some(_) => return Err(Invalid::bad("parameter `query_params` must be an object")),
    };
    match (given("doc_ids"), given("selector"), given("filter")) {
        (None, None, None) => Ok(Selection::Everything),
        (Some(Value::Array(ids)), None, None) => {
            let id = |value: &Value| value.as_str().and_then(|id| DocId::new(id).ok());
            let ids: Option<Vec<DocId>> = ids.iter().map(id).collect();
            ids.map(Selection::Ids).ok_or_else(|| Invalid::bad("parameter `doc_ids` must be an array of ids"))
        }
        (Some(_), None, None) => Err(Invalid::bad("parameter `doc_ids` must be an array")),
        (None, Some(selector @ Value::Object(_)), None) => Ok(Selection::Selector(selector.to_string())),
        (None, Some(_), None) => Err(Invalid::bad("parameter `selector` must be a JSON object")),
        (None, None, Some(Value::String(name))) => {
            let is_name = name.split_once('/').is_some_and(|(design, name)| !design.is_empty() && !name.is_empty());
            if is_name { Ok(Selection::Filter { name: name.clone(), query }) } else { Err(Invalid::Filter) }
        }
        (None, None, Some(_)) => Err(Invalid::bad("parameter `filter` must be a text")),
        _ => Err(Invalid::bad("`doc_ids`,`filter`,`selector` are mutually exclusive")),
    }
}

fn since(members: &Object) -> Result<Option<Sequence>, Invalid> {
    match members.get("since_seq") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Sequence::new(&value.to_string())
            .map(Some)
            .ok_or_else(|| Invalid::bad("parameter `since_seq` must be a sequence")),
    }
}

fn user(members: &Object) -> Result<Option<String>, Invalid> {
    match members.get("user_ctx") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(context)) => Ok(context.get("name").and_then(Value::as_str).map(str::to_owned)),
        Some(_) => Err(Invalid::bad("parameter `user_ctx` must be an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "http://127.0.0.1:5984";

    fn object(value: Value) -> Object {
        match value {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    /// A body with these members beside source and target.
    fn body(more: Value) -> Object {
        let mut body = object(json!({ "source": "a", "target": "http://h/b" }));
        body.extend(object(more));
        body
    }

    #[test]
    fn what_is_wrong_is_told_as_couchdb_tells_it() {
        let boolean = |key: &str| (400, format!("parameter `{key}` must be a boolean"));
        let exclusive = || (400, "`doc_ids`,`filter`,`selector` are mutually exclusive".to_owned());
        let missing = || (500, "Missing replicator database".to_owned());
        let rows = [
            (object(json!({})), missing()),
            (object(json!({ "source": "a" })), missing()),
            (object(json!({ "target": "a" })), missing()),
            (object(json!({ "source": { "url": "x" }, "target": "b" })), (500, "endpoint has an invalid url".into())),
            (body(json!({ "continuous": "x" })), boolean("continuous")),
            (body(json!({ "create_target": 1 })), boolean("create_target")),
            (body(json!({ "winning_revs_only": "x" })), boolean("winning_revs_only")),
            (body(json!({ "cancel": "x" })), boolean("cancel")),
            (body(json!({ "selector": 5 })), (400, "parameter `selector` must be a JSON object".into())),
            (body(json!({ "doc_ids": 5 })), (400, "parameter `doc_ids` must be an array".into())),
            (body(json!({ "doc_ids": [5] })), (400, "parameter `doc_ids` must be an array of ids".into())),
            (body(json!({ "query_params": 5 })), (400, "parameter `query_params` must be an object".into())),
            (body(json!({ "filter": 5 })), (400, "parameter `filter` must be a text".into())),
            (body(json!({ "filter": "nofilter" })), (500, "Invalid filter. Must match `ddocname/filtername`.".into())),
            (body(json!({ "selector": {}, "doc_ids": [] })), exclusive()),
            (body(json!({ "selector": {}, "filter": "a/b" })), exclusive()),
            (body(json!({ "filter": "a/b", "doc_ids": [] })), exclusive()),
            (body(json!({ "since_seq": {} })), (400, "parameter `since_seq` must be a sequence".into())),
            (body(json!({ "user_ctx": 5 })), (400, "parameter `user_ctx` must be an object".into())),
            (body(json!({ "proxy": "http://p" })), (400, "`proxy` is not part of this development endpoint".into())),
        ];
        for (body, expected) in rows {
            let failure = Wanted::parse(&body).unwrap_err().for_request();
            assert_eq!((failure.status.as_u16(), failure.reason.unwrap()), expected, "{body:?}");
        }
    }

    #[test]
    fn documents_say_where_both_ends_are() {
        for (source, target, reason) in [
            ("a", "http://h/b", Some("local_endpoints_not_supported")),
            ("http://h/a", "b", Some("local_endpoints_not_supported")),
            ("http://", "b", Some("endpoint has an invalid url")),
            ("http://h/a", "http://h/b", None),
        ] {
            let document = object(json!({ "source": source, "target": target }));
            let failure = Wanted::parse_document(&document).err().map(|invalid| invalid.for_document());
            assert_eq!(failure.as_ref().and_then(|failure| failure.reason.as_deref()), reason, "{source} {target}");
            assert!(failure.is_none_or(|failure| failure.status == 403 && failure.error == "forbidden"));
        }
        let bare = object(json!({ "source": "http://h/a" }));
        assert_eq!(Wanted::parse_document(&bare).unwrap_err(), Invalid::Missing);
    }

    #[test]
    fn options_are_read() {
        let wanted = Wanted::parse(&body(json!({
            "continuous": true, "create_target": true, "winning_revs_only": true, "since_seq": "5-x",
            "filter": "app/new", "query_params": { "a": "x", "n": 1 }, "user_ctx": { "name": "jan", "roles": [] },
            "worker_processes": 4, "unknown": 1,
        })))
        .unwrap();
        assert!(wanted.continuous && wanted.create_target && wanted.winning_revisions_only);
        assert_eq!((wanted.since, wanted.user.as_deref()), (Sequence::new("\"5-x\""), Some("jan")));
        let query = vec![("a".to_owned(), "x".to_owned()), ("n".to_owned(), "1".to_owned())];
        assert_eq!(wanted.selection, Selection::Filter { name: "app/new".to_owned(), query });
        let selected = Wanted::parse(&body(json!({ "selector": { "b": 1, "a": 0.10 } }))).unwrap();
        assert_eq!(selected.selection, Selection::Selector(r#"{"b":1,"a":0.10}"#.to_owned()));
    }

    #[test]
    fn the_same_replication_has_the_same_id() {
        let id = |body: &Object, user| Wanted::parse(body).unwrap().id(OWN, user);
        let plain = id(&body(json!({})), None);
        assert_eq!(plain.len(), 32);
        assert_eq!(id(&body(json!({ "continuous": true })), None), format!("{plain}+continuous"));
        let both = body(json!({ "continuous": true, "create_target": true }));
        assert_eq!(id(&both, None), format!("{plain}+continuous+create_target"));
        let ids = |ids: Value| id(&body(json!({ "doc_ids": ids })), None);
        assert_eq!(ids(json!(["x", "y"])), ids(json!(["y", "x", "x"])));
        let named = |password: &str| body(json!({ "target": format!("http://jan:{password}@h/b") }));
        assert_eq!(id(&named("a"), None), id(&named("b"), None), "a password is no part of it");
        let url = body(json!({ "source": format!("{OWN}/a") }));
        let all = [
            plain,
            id(&body(json!({})), Some("jan")),
            id(&named("a"), None),
            id(&body(json!({ "source": "c" })), None),
            id(&body(json!({ "winning_revs_only": true })), None),
            id(&body(json!({ "since_seq": 1 })), None),
            id(&body(json!({ "selector": {} })), None),
            id(&body(json!({ "filter": "a/b" })), None),
            id(&body(json!({ "filter": "a/b", "query_params": { "x": 1 } })), None),
            ids(json!(["x"])),
        ];
        assert_eq!(id(&url, None), all[0], "a name and the URL of it are the same");
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one), "{index}");
        }
    }
}
