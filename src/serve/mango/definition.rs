//! Indexes of the language `query`: which fields they have, and which rows a document has in them.

use serde_json::{Value, json};

use super::{Selector, field, term};
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::Emitted;

/// What an index is made of.
#[derive(Clone, Debug)]
pub struct Definition {
    fields: Vec<(String, Vec<String>)>,
    sort: Value,
    partial: Option<Selector>,
    /// As the design document has it.
    partial_text: Value,
}

impl Definition {
    /// Reads what `POST /db/_index` is given under `index`.
    pub(super) fn asked(index: &Value) -> Result<Self, Failure> {
        let Value::Object(members) = index else {
            let reason = format!("JSON indexes must be an object, not: {}", term::plain(index));
            return Err(Failure::new(400, "invalid_index", reason));
        };
        let fields = members.get("fields").ok_or_else(|| missing_key("fields"))?;
        let sort = sort(fields)?;
        let partial = members.get("partial_filter_selector").map(Selector::parse).transpose()?;
        if let Some(unknown) =
            members.keys().find(|name| !matches!(name.as_str(), "fields" | "partial_filter_selector"))
        {
            return Err(invalid_key(unknown));
        }
        let partial_text = partial.as_ref().map_or_else(|| json!({}), |selector| selector.normal().clone());
        Self::new(sort, partial_text)
    }

    /// Reads the `map` of a view of the language `query`.
    pub fn stored(map: &Value) -> Result<Self, Failure> {
        let sort = map.get("fields").filter(|fields| fields.is_object()).cloned();
        let sort = sort.ok_or_else(|| Failure::new(400, "invalid_index", "Index is missing its definition."))?;
        Self::new(sort, map.get("partial_filter_selector").cloned().unwrap_or_else(|| json!({})))
    }

    fn new(sort: Value, partial_text: Value) -> Result<Self, Failure> {
        let names = sort.as_object().into_iter().flat_map(Object::keys);
        let fields = names.map(|name| Ok((name.clone(), field::path(name)?))).collect::<Result<_, Failure>>()?;
        let has_partial = partial_text.as_object().is_some_and(|members| !members.is_empty());
        let partial = if has_partial { Some(Selector::parse(&partial_text)?) } else { None };
        Ok(Self { fields, sort, partial, partial_text })
    }

    /// The names of the fields, in their order.
    pub fn columns(&self) -> Vec<&str> {
        self.fields.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Whether it has only the documents that a selector selects.
    pub fn is_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// The rows of a document: one, if it has all of the fields.
    pub fn rows(&self, document: &Value) -> Vec<Emitted> {
        if self.partial.as_ref().is_some_and(|selector| !selector.matches(document)) {
            return Vec::new();
        }
        let values: Option<Vec<&Value>> = self.fields.iter().map(|(_, path)| field::get(document, path)).collect();
        let row = values.map(|values| Emitted { key: json!(values).to_string(), value: "null".to_owned() });
        row.into_iter().collect()
    }

    /// The `map` of its view.
    pub(super) fn map(&self) -> Value {
        json!({ "fields": self.sort, "partial_filter_selector": self.partial_text })
    }

    /// As `_index` and `_explain` show it.
    pub(super) fn shown(&self) -> Value {
        let fields = self.sort.as_object().into_iter().flatten();
        let fields: Vec<Value> = fields.map(|(name, direction)| json!({ name: direction })).collect();
        if self.is_partial() {
            json!({ "fields": fields, "partial_filter_selector": self.partial_text })
        } else {
            json!({ "fields": fields })
        }
    }
}

pub(super) fn missing_key(name: &str) -> Failure {
    Failure::new(400, "missing_required_key", format!("Missing required key: {name}"))
}

pub(super) fn invalid_key(name: &str) -> Failure {
    Failure::new(400, "invalid_key", format!("Invalid key {name} for this request."))
}

/// Fields with their directions, all of which have to be the same, as an object in their order.
pub(super) fn sort(given: &Value) -> Result<Value, Failure> {
    let Value::Array(fields) = given else {
        let reason = format!("Sort must be an array of sort specs, not: {}", term::pretty(given));
        return Err(Failure::new(400, "invalid_sort_json", reason));
    };
    let mut sort = Object::new();
    for field in fields {
        let pair = match field {
            Value::String(name) if !name.is_empty() => Some((name.clone(), "asc")),
            Value::Object(members) if members.len() == 1 => members.iter().next().and_then(|(name, direction)| {
                let direction = ["asc", "desc"].into_iter().find(|known| direction == known)?;
                Some((name.clone(), direction))
            }),
            _ => None,
        };
        let Some((name, direction)) = pair else {
            let reason = format!("Invalid sort field: {}", term::pretty(field));
            return Err(Failure::new(400, "invalid_sort_field", reason));
        };
        sort.insert(name, direction.into());
    }
    let mut directions: Vec<&Value> = sort.values().collect();
    directions.dedup();
    if directions.len() > 1 {
        let reason = "Sorts currently only support a single direction for all fields.";
        return Err(Failure::new(400, "unsupported_mixed_sort", reason));
    }
    Ok(Value::Object(sort))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_document_has_a_row_when_it_has_all_fields() {
        let definition = Definition::asked(&value(r#"{"fields":["a",{"n.m":"asc"}]}"#)).unwrap();
        let keys = |document: &str| -> Vec<String> {
            definition.rows(&value(document)).into_iter().map(|emitted| emitted.key).collect()
        };
        assert_eq!(keys(r#"{"a":1,"n":{"m":"x"}}"#), ["[1,\"x\"]"]);
        assert_eq!(keys(r#"{"a":null,"n":{"m":[]}}"#), ["[null,[]]"]);
        assert!(keys(r#"{"a":1,"n":2}"#).is_empty());
        let map = r#"{"fields":{"a":"asc","n.m":"asc"},"partial_filter_selector":{}}"#;
        assert_eq!(definition.map().to_string(), map);
        assert_eq!(definition.shown().to_string(), r#"{"fields":[{"a":"asc"},{"n.m":"asc"}]}"#);
    }

    #[test]
    fn a_partial_index_has_what_its_selector_selects() {
        let definition =
            Definition::asked(&value(r#"{"fields":["a"],"partial_filter_selector":{"a":{"$gt":2}}}"#)).unwrap();
        assert!(definition.rows(&value(r#"{"a":2}"#)).is_empty());
        assert_eq!(definition.rows(&value(r#"{"a":3}"#)).len(), 1);
    }

    #[test]
    fn bad_definitions_are_refused_as_couchdb_does() {
        for (given, error, reason) in [
            ("1", "invalid_index", "JSON indexes must be an object, not: 1"),
            ("{}", "missing_required_key", "Missing required key: fields"),
            (r#"{"fields":"a"}"#, "invalid_sort_json", "Sort must be an array of sort specs, not: <<\"a\">>"),
            (r#"{"fields":[1]}"#, "invalid_sort_field", "Invalid sort field: 1"),
            (r#"{"fields":[""]}"#, "invalid_sort_field", "Invalid sort field: <<>>"),
            (r#"{"fields":[{"a":"x"}]}"#, "invalid_sort_field", "Invalid sort field: {[{<<\"a\">>,<<\"x\">>}]}"),
            (
                r#"{"fields":["a",{"b":"desc"}]}"#,
                "unsupported_mixed_sort",
                "Sorts currently only support a single direction for all fields.",
            ),
            (r#"{"fields":["a"],"x":1}"#, "invalid_key", "Invalid key x for this request."),
            (r#"{"fields":["a"],"partial_filter_selector":{"$x":1}}"#, "invalid_operator", "Invalid operator: $x"),
        ] {
            let failure = Definition::asked(&value(given)).unwrap_err();
            assert_eq!((failure.error.as_str(), failure.reason.as_deref()), (error, Some(reason)), "{given}");
        }
    }
}
