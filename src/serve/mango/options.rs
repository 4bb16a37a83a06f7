//! What `_find` and `_explain` are asked.

use serde_json::{Value, json};

use super::definition::{invalid_key, missing_key, sort};
use super::{Selector, field, term};
use crate::json::Object;
use crate::serve::failure::Failure;

/// A query.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Options {
    /// `selector`
    pub(super) selector: Selector,
    /// `use_index`: nothing, a design document, or one and the name of an index.
    pub(super) use_index: Vec<String>,
    /// `bookmark`
    pub(super) bookmark: Option<String>,
    /// `limit`
    pub(super) limit: u64,
    /// `skip`
    pub(super) skip: u64,
    /// `sort`: fields and directions.
    pub(super) sort: Value,
    /// `fields`; `None` for whole documents.
    pub(super) fields: Option<Vec<String>>,
    /// `r`: above 1 it counts documents as read otherwise.
    pub(super) quorum: u64,
    /// `conflicts`
    pub(super) conflicts: bool,
    /// `stale=ok`
    is_stale: bool,
    /// `update`
    is_updated: bool,
    /// `stable`
    is_stable: bool,
    /// `execution_stats`
    pub(super) execution_stats: bool,
    /// `allow_fallback`
    pub(super) allow_fallback: bool,
}

const NAMES: [&str; 15] = [
    "selector",
    "use_index",
    "bookmark",
    "limit",
    "skip",
    "sort",
    "fields",
    "partition",
    "r",
    "conflicts",
    "stale",
    "update",
    "stable",
    "execution_stats",
    "allow_fallback",
];

fn refuse<T>(error: &str, reason: String) -> Result<T, Failure> {
    Err(Failure::new(400, error, reason))
}

fn boolean(body: &Object, name: &str, otherwise: bool) -> Result<bool, Failure> {
    match body.get(name) {
        None => Ok(otherwise),
        Some(Value::Bool(value)) => Ok(*value),
        Some(other) => refuse("invalid_boolean", format!("Invalid boolean value: {}", term::plain(other))),
    }
}

fn count(body: &Object, name: &str, otherwise: u64) -> Result<u64, Failure> {
    match body.get(name) {
        None => Ok(otherwise),
        Some(value) => value.as_u64().map_or_else(
            || {
                let reason = format!("{} is not an integer greater than or equal to zero", term::plain(value));
                refuse("invalid_non_neg_integer", reason)
            },
            Ok,
        ),
    }
}

impl Options {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// What CouchDB answers to what it does not accept.
    pub(in crate::serve) fn parse(body: &Object) -> Result<Self, Failure> {
        let selector = Selector::parse(body.get("selector").ok_or_else(|| missing_key("selector"))?)?;
        let options = Self {
            selector,
            use_index: use_index(body.get("use_index").unwrap_or(&Value::Null))?,
            bookmark: bookmark(body.get("bookmark"))?,
            limit: count(body, "limit", 25)?,
            skip: count(body, "skip", 0)?,
            sort: body.get("sort").map_or_else(|| Ok(json!({})), sort)?,
            fields: fields(body.get("fields"))?,
            quorum: quorum(body)?,
            conflicts: boolean(body, "conflicts", false)?,
            is_stale: is_stale(body.get("stale"))?,
            is_updated: boolean(body, "update", true)?,
            is_stable: boolean(body, "stable", false)?,
            execution_stats: boolean(body, "execution_stats", false)?,
            allow_fallback: boolean(body, "allow_fallback", true)?,
        };
        if let Some(unknown) = body.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(invalid_key(unknown));
        }
        if body.get("partition").is_some_and(|partition| partition != "") {
            return Err(Failure::query("`partition` parameter is not supported on this db"));
        }
        Ok(options)
    }

    /// Whether the index is brought up to date first.
    pub(super) fn updates(&self) -> bool {
        self.is_updated && !self.is_stale
    }

    /// Whether `stable` holds, by itself or by `stale`.
    pub(super) fn is_stable(&self) -> bool {
        self.is_stable || self.is_stale
    }

    /// The names of the fields by which is sorted.
    pub(super) fn sort_fields(&self) -> Vec<String> {
        self.sort.as_object().into_iter().flat_map(Object::keys).cloned().collect()
    }

    /// Whether it is sorted from the end.
    pub(super) fn is_descending(&self) -> bool {
        self.sort.as_object().and_then(|sort| sort.values().next()).is_some_and(|direction| direction == "desc")
    }

    /// As `_explain` shows them.
    pub(super) fn shown(&self) -> Value {
        json!({
            "use_index": self.use_index,
            "bookmark": self.bookmark.as_deref().unwrap_or("nil"),
            "limit": self.limit,
            "skip": self.skip,
            "sort": self.sort,
            "fields": self.fields.as_deref().unwrap_or_default(),
            "partition": "",
            "r": self.quorum,
            "conflicts": self.conflicts,
            "stale": if self.is_stale { Value::from("ok") } else { Value::from(false) },
            "update": self.is_updated,
            "stable": self.is_stable,
            "execution_stats": self.execution_stats,
            "allow_fallback": self.allow_fallback,
        })
    }

    /// What is shown of a document.
    pub(super) fn project(&self, document: Value) -> Result<Value, Failure> {
        match &self.fields {
            None => Ok(document),
            Some(fields) => project(&document, fields),
        }
    }
}

/// The fields of a document, and nothing else of it.
pub(in crate::serve) fn project(document: &Value, fields: &[String]) -> Result<Value, Failure> {
    let mut shown = Object::new();
    for name in fields {
        let path = field::path(name)?;
        if let Some(value) = field::get(document, &path) {
            field::set(&mut shown, &path, value.clone());
        }
    }
    Ok(Value::Object(shown))
}

/// The names that `use_index` gives; also those of `_bulk_delete`.
pub(super) fn use_index(given: &Value) -> Result<Vec<String>, Failure> {
    let invalid = || refuse("invalid_index_name", format!("Invalid index name: {}", term::plain(given)));
    match given {
        Value::Null => Ok(Vec::new()),
        Value::String(name) => {
            let parts: Vec<&str> = name.split('/').collect();
            match parts.as_slice() {
                [design] | ["_design", design] => Ok(vec![(*design).to_owned()]),
                [design, index] | ["_design", design, index] => Ok(vec![(*design).to_owned(), (*index).to_owned()]),
                _ => invalid(),
            }
        }
        Value::Array(names) if names.len() <= 2 && names.iter().all(Value::is_string) => {
            Ok(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => invalid(),
    }
}

fn unknown(term: &str) -> Failure {
    Failure::new(500, "unknown_error", format!("Unknown Error: mango_opts :: {{{term}}}"))
}

fn bookmark(given: Option<&Value>) -> Result<Option<String>, Failure> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(other) => Err(unknown(&format!("invalid_bookmark,{}", term::plain(other)))),
    }
}

fn fields(given: Option<&Value>) -> Result<Option<Vec<String>>, Failure> {
    let names = match given {
        None => return Ok(None),
        Some(Value::Array(names)) if names.is_empty() => return Ok(None),
        Some(Value::Array(names)) => names,
        Some(other) => {
            let reason = format!("Fields must be an array of strings, not: {}", term::plain(other));
            return refuse("invalid_fields", reason);
        }
    };
    let name = |name: &Value| match name {
        Value::String(name) => Ok(name.clone()),
        other => refuse("invalid_field", format!("Invalid JSON for field spec: {}", term::plain(other))),
    };
    names.iter().map(name).collect::<Result<_, _>>().map(Some)
}

fn quorum(body: &Object) -> Result<u64, Failure> {
    positive(body.get("r"), 1)
}

/// An integer above 0.
pub(super) fn positive(given: Option<&Value>, otherwise: u64) -> Result<u64, Failure> {
    match given.map(|value| (value, value.as_u64())) {
        None => Ok(otherwise),
        Some((_, Some(number))) if number > 0 => Ok(number),
        Some((other, _)) => {
            refuse("invalid_pos_integer", format!("{} is not an integer greater than zero", term::plain(other)))
        }
    }
}

fn is_stale(given: Option<&Value>) -> Result<bool, Failure> {
    match given {
        None | Some(Value::Bool(false)) => Ok(false),
        Some(Value::String(text)) if text == "ok" => Ok(true),
        Some(Value::String(text)) if text == "false" => Ok(false),
        Some(other) => Err(unknown(&format!("invalid_ok_or_false_value,{}", term::plain(other)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, Failure> {
        Options::parse(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap())
    }

    #[test]
    fn what_couchdb_refuses_is_refused_in_its_words() {
        for (given, error, reason) in [
            ("{}", "missing_required_key", "Missing required key: selector"),
            (
                r#"{"selector":{},"limit":-1}"#,
                "invalid_non_neg_integer",
                "-1 is not an integer greater than or equal to zero",
            ),
            (
                r#"{"selector":{},"limit":"x"}"#,
                "invalid_non_neg_integer",
                "<<120>> is not an integer greater than or equal to zero",
            ),
            (r#"{"selector":{},"fields":"a"}"#, "invalid_fields", "Fields must be an array of strings, not: <<97>>"),
            (r#"{"selector":{},"fields":[1]}"#, "invalid_field", "Invalid JSON for field spec: 1"),
            (r#"{"selector":{},"foo":1}"#, "invalid_key", "Invalid key foo for this request."),
            (r#"{"selector":{},"conflicts":1}"#, "invalid_boolean", "Invalid boolean value: 1"),
            (r#"{"selector":{},"r":0}"#, "invalid_pos_integer", "0 is not an integer greater than zero"),
            (r#"{"selector":{},"use_index":1}"#, "invalid_index_name", "Invalid index name: 1"),
            (r#"{"selector":{},"bookmark":1}"#, "unknown_error", "Unknown Error: mango_opts :: {invalid_bookmark,1}"),
        ] {
            let failure = parse(given).unwrap_err();
            assert_eq!((failure.error.as_str(), failure.reason.as_deref()), (error, Some(reason)), "{given}");
        }
    }

    #[test]
    fn documents_are_shown_by_field() {
        let options = parse(r#"{"selector":{},"fields":["_id","n.m","x","n.k"]}"#).unwrap();
        let document = json!({ "n": { "k": [1], "m": 2, "o": 3 }, "_id": "a", "y": 1 });
        assert_eq!(options.project(document).unwrap().to_string(), r#"{"_id":"a","n":{"m":2,"k":[1]}}"#);
    }
}
