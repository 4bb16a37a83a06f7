//! What a request asks of a view, and what CouchDB refuses of it.

use serde_json::Value;

use super::collation::Collation;
use super::rows::{Bound, Id, Range};
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::http::request::Query;
use crate::serve::mango::term;

/// When the index is brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// Before the answer.
    #[default]
    First,
    /// Not at all.
    Never,
    /// After the answer.
    Lazily,
}

/// By how much of their keys rows are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// By the whole key.
    Exact,
    /// By the first elements of an array; 0 puts everything together.
    First(usize),
}

/// The parameters of a query.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// `reduce`
    pub reduce: Option<bool>,
    /// `startkey`, or `key`
    pub start: Option<Value>,
    /// `startkey_docid`
    pub start_id: Option<String>,
    /// `endkey`, or `key`
    pub end: Option<Value>,
    /// `endkey_docid`
    pub end_id: Option<String>,
    /// `keys`, when it is not one key only
    pub keys: Option<Value>,
    /// `descending`
    pub is_descending: bool,
    /// `limit`
    pub limit: Option<u64>,
    /// `skip`
    pub skip: u64,
    group: Option<bool>,
    group_level: Option<usize>,
    /// `update`, or `stale`
    pub update: Update,
    excludes_end: bool,
    /// `include_docs`
    pub include_docs: bool,
    /// `attachments`
    pub attachments: bool,
    /// `att_encoding_info`
    pub att_encoding_info: bool,
    /// `update_seq`
    pub update_seq: bool,
    /// `conflicts`
    pub conflicts: Option<bool>,
    has_partition: bool,
}

/// The largest `limit` that CouchDB knows.
const LIMIT: i128 = 0x07FF_FFFF_FFFF_FFFF;

/// A value as it came: text of the query, or JSON of a body.
enum Given<'value> {
    Text(&'value str),
    Json(&'value Value),
}

impl Parameters {
    /// Reads the query of a GET request.
    pub fn of_query(query: &Query) -> Result<Self, Failure> {
        let mut parameters = Self::default();
        parameters.read_query(query)?;
        Ok(parameters)
    }

    /// Reads the body of a POST request, and then its query, which wins.
    pub fn of_body(body: &Object, query: &Query) -> Result<Self, Failure> {
        if body.contains_key("queries") {
            let reason = "The `queries` parameter is no longer supported at this endpoint";
            return Err(Failure::bad_request(reason));
        }
        if body.get("keys").is_some_and(|keys| !keys.is_array()) {
            return Err(Failure::bad_request("`keys` member must be an array."));
        }
        let mut parameters = Self::default();
        parameters.read_body(body)?;
        parameters.read_query(query)?;
        Ok(parameters)
    }

    /// Reads one of the `queries`, upon what the query of the request says for all of them.
    pub fn of_one(&self, members: &Object) -> Result<Self, Failure> {
        let mut parameters = Self { group: None, group_level: None, keys: None, ..self.clone() };
        parameters.read_body(members)?;
        Ok(parameters)
    }

    fn read_query(&mut self, query: &Query) -> Result<(), Failure> {
        query.0.iter().try_for_each(|(name, value)| self.read(name, &Given::Text(value)))
    }

    fn read_body(&mut self, body: &Object) -> Result<(), Failure> {
        body.iter().try_for_each(|(name, value)| self.read(name, &Given::Json(value)))
    }

    fn read(&mut self, name: &str, given: &Given<'_>) -> Result<(), Failure> {
        match name {
            "reduce" => self.reduce = Some(given.boolean()?),
            "key" => {
                let key = given.json()?;
                (self.start, self.end) = (Some(key.clone()), Some(key));
            }
            "keys" => match given.json()? {
                Value::Array(mut keys) if keys.len() == 1 => {
                    let key = keys.remove(0);
                    (self.start, self.end) = (Some(key.clone()), Some(key));
                }
                keys => self.keys = Some(keys),
            },
            "startkey" | "start_key" => self.start = Some(given.json()?),
            "endkey" | "end_key" => self.end = Some(given.json()?),
            "startkey_docid" | "start_key_doc_id" => self.start_id = Some(given.text()),
            "endkey_docid" | "end_key_doc_id" => self.end_id = Some(given.text()),
            "limit" => self.limit = Some(given.limit()?),
            "skip" => self.skip = given.count()?,
            "stale" => {
                self.update = match given.text().as_str() {
                    "ok" => Update::Never,
                    "update_after" => Update::Lazily,
                    _ => return Err(Failure::query("Invalid value for `stale`.")),
                };
            }
            "stable" if matches!(given.text().as_str(), "true" | "false") => {}
            "stable" => return Err(Failure::query("Invalid value for `stable`.")),
            "update" => {
                self.update = match given.text().as_str() {
                    "true" => Update::First,
                    "false" => Update::Never,
                    "lazy" => Update::Lazily,
                    _ => return Err(Failure::query("Invalid value for `update`.")),
                };
            }
            "descending" => self.is_descending = given.boolean()?,
            "group" => self.group = Some(given.boolean()?),
            "group_level" => self.group_level = Some(usize::try_from(given.count()?).unwrap_or(usize::MAX)),
            "inclusive_end" => self.excludes_end = !given.boolean()?,
            "include_docs" => self.include_docs = given.boolean()?,
            "attachments" => self.attachments |= given.boolean()?,
            "att_encoding_info" => self.att_encoding_info |= given.boolean()?,
            "update_seq" => self.update_seq = given.boolean()?,
            "conflicts" => self.conflicts = Some(given.boolean()?),
            "sorted" => drop(given.boolean()?),
            "partition" => self.has_partition = true,
            _ => {}
        }
        Ok(())
    }

    /// Checks what does not go together, for a view that has a `reduce` or not. True when it is reduced.
    pub fn check(&self, has_reduce: bool) -> Result<bool, Failure> {
        let is_reduced = has_reduce && self.reduce != Some(false);
        let refuse = |reason: &str| Err(Failure::query(reason));
        let level = self.level()?;
        if !is_reduced && self.reduce == Some(true) {
            return refuse("Reduce is invalid for map-only views.");
        }
        let keys = match &self.keys {
            None => None,
            Some(Value::Array(keys)) => Some(keys),
            // A list of keys is asked about before anything else is.
            Some(_) => return refuse("`keys` must be an array of strings."),
        };
        if is_reduced && keys.is_some() && level != Level::Exact {
            return refuse("Multi-key fetches for reduce views must use `group=true`");
        }
        if keys.is_some_and(|keys| !keys.is_empty()) && (self.start.is_some() || self.end.is_some()) {
            return refuse("`keys` is incompatible with `key`, `start_key` and `end_key`");
        }
        if !is_reduced && level != Level::First(0) {
            return refuse("Invalid use of grouping on a map view.");
        }
        if is_reduced && self.include_docs {
            return refuse("`include_docs` is invalid for reduce");
        }
        if is_reduced && self.conflicts.is_some() {
            return refuse("`conflicts` is invalid for reduce views.");
        }
        if self.has_partition {
            return refuse("`partition` parameter is not supported in this design doc");
        }
        Ok(is_reduced)
    }

    /// Whether the end is left out: `inclusive_end=false`.
    pub fn excludes_end(&self) -> bool {
        self.excludes_end
    }

    /// How rows are grouped.
    pub fn level(&self) -> Result<Level, Failure> {
        match (self.group, self.group_level) {
            (Some(false), Some(level)) if level > 0 => {
                Err(Failure::query("Can't specify group=false and group_level>0 at the same time"))
            }
            (Some(true), None) => Ok(Level::Exact),
            (_, level) => Ok(Level::First(level.unwrap_or_default())),
        }
    }

    /// The ranges of rows in the order of the answer. The keys of a reduced view stay in their order, those of another are
    /// turned when it is descending.
    pub fn ranges(&self, collation: Collation, is_reduced: bool) -> Result<Vec<Range>, Failure> {
        let Some(Value::Array(keys)) = &self.keys else {
            let range = self.range(collation, self.start.as_ref(), self.end.as_ref());
            self.check_range(&range)?;
            return Ok(vec![range]);
        };
        let mut ranges: Vec<_> = keys.iter().map(|key| self.range(collation, Some(key), Some(key))).collect();
        if self.is_descending && !is_reduced {
            ranges.reverse();
        }
        Ok(ranges)
    }

    fn range(&self, collation: Collation, start: Option<&Value>, end: Option<&Value>) -> Range {
        let (first, last) = (Id::Text(String::new()), Id::Greatest);
        let (first, last) = if self.is_descending { (last, first) } else { (first, last) };
        // Without the end, its key is left out with all of its rows.
        let last = if self.excludes_end { first.clone() } else { last };
        let bound = |key: Option<&Value>, id: Option<&String>, otherwise: Id| {
            let id = id.map_or(otherwise, |id| Id::Text(id.clone()));
            key.map(|key| Bound { key: collation.key(key), id })
        };
        Range {
            start: bound(start, self.start_id.as_ref(), first),
            end: bound(end, self.end_id.as_ref(), last),
            excludes_end: self.excludes_end,
            is_descending: self.is_descending,
        }
    }

    fn check_range(&self, range: &Range) -> Result<(), Failure> {
        let (Some(start), Some(end)) = (&range.start, &range.end) else { return Ok(()) };
        if self.start == self.end {
            return Ok(());
        }
        let id = |id: &Id| match id {
            Id::Text(text) => text.as_bytes().to_vec(),
            Id::Greatest => vec![0xff],
        };
        let end_id = self
            .end_id
            .clone()
            .map_or(if self.is_descending { Id::Text(String::new()) } else { Id::Greatest }, Id::Text);
        let order = (&start.key, id(&start.id)).cmp(&(&end.key, id(&end_id)));
        let hint = match (self.is_descending, order.is_lt()) {
            (false, false) => "true",
            (true, true) => "false",
            _ => return Ok(()),
        };
        Err(Failure::query(format!(
            "No rows can match your key range, reverse your start_key and end_key or set descending={hint}"
        )))
    }
}

impl Given<'_> {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Json(Value::String(text)) => text.clone(),
            Self::Json(value) => value.to_string(),
        }
    }

    fn json(&self) -> Result<Value, Failure> {
        match self {
            Self::Text(text) => {
                crate::json::parse(text.as_bytes()).map_err(|_| Failure::bad_request("invalid UTF-8 JSON"))
            }
            Self::Json(value) => Ok((*value).clone()),
        }
    }

    /// As CouchDB quotes it: a text of the query is a string to it, one of a body is a binary.
    fn quoted(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Json(value) => term::pretty(value),
        }
    }

    fn boolean(&self) -> Result<bool, Failure> {
        match self.text().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => {
                let text = self.text();
                Err(Failure::query(format!("Invalid boolean parameter: {}", Given::Text(&text).quoted())))
            }
        }
    }

    fn limit(&self) -> Result<u64, Failure> {
        let limit = self.count()?;
        if i128::from(limit) > LIMIT {
            return Err(Failure::query(format!("Limit is too large, must not exceed {LIMIT}")));
        }
        Ok(limit)
    }

    fn count(&self) -> Result<u64, Failure> {
        let text = match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Json(Value::Number(number)) => number.to_string(),
            Self::Json(_) => String::new(),
        };
        let Ok(number) = text.parse::<i128>() else {
            return Err(Failure::query(format!("Invalid value for integer: {}", self.quoted())));
        };
        match number {
            ..0 => Err(Failure::query(format!("Invalid value for positive integer: {}", self.quoted()))),
            _ => Ok(u64::try_from(number).unwrap_or(u64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str, has_reduce: bool) -> Option<String> {
        let checked = Parameters::of_query(&Query::parse(query)).and_then(|parameters| {
            parameters.check(has_reduce)?;
            parameters.ranges(Collation::Unicode, has_reduce)
        });
        checked.err().and_then(|failure| failure.reason)
    }

    #[test]
    fn what_couchdb_refuses_is_refused_in_its_words() {
        let map = [
            ("group=true", "Invalid use of grouping on a map view."),
            ("group_level=1", "Invalid use of grouping on a map view."),
            ("reduce=true", "Reduce is invalid for map-only views."),
            ("limit=-1", "Invalid value for positive integer: \"-1\""),
            ("limit=x", "Invalid value for integer: \"x\""),
            ("limit=99999999999999999999", "Limit is too large, must not exceed 576460752303423487"),
            ("descending=x", "Invalid boolean parameter: \"x\""),
            ("startkey={", "invalid UTF-8 JSON"),
            ("stale=foo", "Invalid value for `stale`."),
            ("update=foo", "Invalid value for `update`."),
            ("stable=foo", "Invalid value for `stable`."),
            ("keys=1", "`keys` must be an array of strings."),
            ("keys=[1,2]&key=1", "`keys` is incompatible with `key`, `start_key` and `end_key`"),
            ("group=false&group_level=1", "Can't specify group=false and group_level>0 at the same time"),
            ("partition=x", "`partition` parameter is not supported in this design doc"),
            (
                "startkey=2&endkey=1",
                "No rows can match your key range, reverse your start_key and end_key or set descending=true",
            ),
            (
                "startkey=1&endkey=2&descending=true",
                "No rows can match your key range, reverse your start_key and end_key or set descending=false",
            ),
        ];
        for (query, reason) in map {
            assert_eq!(refusal(query, false).as_deref(), Some(reason), "{query}");
        }
        let reduce = [
            ("include_docs=true", "`include_docs` is invalid for reduce"),
            ("conflicts=true", "`conflicts` is invalid for reduce views."),
            ("keys=[1,2]", "Multi-key fetches for reduce views must use `group=true`"),
            ("reduce=false&group=true", "Invalid use of grouping on a map view."),
        ];
        for (query, reason) in reduce {
            assert_eq!(refusal(query, true).as_deref(), Some(reason), "{query}");
        }
        for fine in
            ["keys=[1]&key=1", "keys=[]", "conflicts=true", "key=1&startkey=1", "startkey=1&endkey=1.0", "foo=bar"]
        {
            assert_eq!(refusal(fine, false), None, "{fine}");
        }
    }

    #[test]
    fn the_query_wins_over_the_body() {
        let body = serde_json::json!({ "limit": 2, "keys": ["a", "b"], "descending": "true" });
        let parameters = Parameters::of_body(body.as_object().unwrap(), &Query::parse("limit=1")).unwrap();
        assert_eq!((parameters.limit, parameters.is_descending), (Some(1), true));
        assert_eq!(parameters.ranges(Collation::Unicode, false).unwrap().len(), 2);
        let text = serde_json::json!({ "limit": "1" });
        let failure = Parameters::of_body(text.as_object().unwrap(), &Query::default()).unwrap_err();
        assert_eq!(failure.reason.as_deref(), Some("Invalid value for integer: <<\"1\">>"));
    }
}
