//! What the members of a design document have to be, as CouchDB checks them when it is written
//! (`couch_mrview:validate_ddoc_fields`).

use serde_json::Value;

use super::FunctionError;
use crate::json::Object;

/// Which values a member may have.
#[derive(Clone, Copy)]
enum Kind {
    Object,
    Text,
    Boolean,
    TextOrArray,
    ObjectOrText,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Object => value.is_object(),
            Self::Text => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::TextOrArray => value.is_string() || value.is_array(),
            Self::ObjectOrText => value.is_object() || value.is_string(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Text => "string",
            Self::Boolean => "boolean",
            Self::TextOrArray => "array or string",
            Self::ObjectOrText => "string or object",
        }
    }
}

/// Any member.
const ANY: &str = "";

/// Builtin reduce functions, by how they begin.
const BUILTIN: [&str; 8] =
    ["_sum", "_count", "_stats", "_approx_count_distinct", "_top_", "_bottom_", "_first", "_last"];

fn refuse(reason: String) -> FunctionError {
    FunctionError::new("invalid_design_doc", reason)
}

/// Checks the members, and that every view has a map function.
pub(super) fn check(document: &Object) -> Result<(), FunctionError> {
    let is_query = document.get("language").and_then(Value::as_str) == Some("query");
    let map = if is_query { Kind::Object } else { Kind::Text };
    let paths: [&[(&str, Kind)]; 14] = [
        &[("filters", Kind::Object), (ANY, Kind::ObjectOrText)],
        &[("language", Kind::Text)],
        &[("lists", Kind::Object), (ANY, Kind::ObjectOrText)],
        &[("options", Kind::Object)],
        &[("options", Kind::Object), ("include_design", Kind::Boolean)],
        &[("options", Kind::Object), ("local_seq", Kind::Boolean)],
        &[("options", Kind::Object), ("partitioned", Kind::Boolean)],
        &[("rewrites", Kind::TextOrArray)],
        &[("shows", Kind::Object), (ANY, Kind::ObjectOrText)],
        &[("updates", Kind::Object), (ANY, Kind::ObjectOrText)],
        &[("validate_doc_update", Kind::Text)],
        &[("views", Kind::Object), ("lib", Kind::Object)],
        &[("views", Kind::Object), (ANY, Kind::Object), ("map", map)],
        &[("views", Kind::Object), (ANY, Kind::Object), ("reduce", Kind::Text)],
    ];
    for path in paths {
        follow(document, path, "")?;
    }
    let Some(Value::Object(views)) = document.get("views") else { return Ok(()) };
    for (name, view) in views.iter().filter(|(name, _)| *name != "lib") {
        if view.get("map").is_none() {
            return Err(refuse(format!("View `{name}` must contain map function")));
        }
        let reduce = view.get("reduce").and_then(Value::as_str).unwrap_or_default();
        if reduce.starts_with('_') && !BUILTIN.iter().any(|known| reduce.starts_with(known)) {
            return Err(refuse(format!("`{reduce}` is not a supported reduce function.")));
        }
        let rank = reduce.strip_prefix("_top_").or_else(|| reduce.strip_prefix("_bottom_"));
        rank.map_or(Ok(()), check_rank)?;
    }
    Ok(())
}

fn check_rank(rank: &str) -> Result<(), FunctionError> {
    match rank.parse::<i128>() {
        Ok(1..=100) => Ok(()),
        Ok(_) => Err(refuse("rank value must be between 1 and 100".to_owned())),
        Err(_) => Err(refuse("invalid rank reducer".to_owned())),
    }
}

fn follow(members: &Object, path: &[(&str, Kind)], above: &str) -> Result<(), FunctionError> {
    let Some(((wanted, kind), rest)) = path.split_first() else { return Ok(()) };
    for (name, value) in members.iter().filter(|(name, _)| *wanted == ANY || name == wanted) {
        let place = format!("{above}{name}");
        if !kind.fits(value) {
            return Err(refuse(format!("`{place}` field must have {} type", kind.name())));
        }
        if let Value::Object(members) = value {
            follow(members, rest, &format!("{place}."))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    /// What CouchDB 3.5 said to each of these.
    #[test]
    fn members_are_checked_as_in_couchdb() {
        let cases = [
            (json!({ "views": { "a": { "map": 5 } } }), Some("`views.a.map` field must have string type")),
            (json!({ "views": { "a": { "map": { "x": 1 } } } }), Some("`views.a.map` field must have string type")),
            (
                json!({ "views": { "a": { "map": "f", "reduce": "_foo" } } }),
                Some("`_foo` is not a supported reduce function."),
            ),
            (json!({ "views": { "a": { "map": "f", "reduce": "_sum" } } }), None),
            (json!({ "views": { "a": { "map": "f", "reduce": "_top_100" } } }), None),
            (
                json!({ "views": { "a": { "map": "f", "reduce": "_top_101" } } }),
                Some("rank value must be between 1 and 100"),
            ),
            (json!({ "views": { "a": { "map": "f", "reduce": "_top_1x" } } }), Some("invalid rank reducer")),
            (
                json!({ "views": { "a": { "map": "f", "reduce": "_bottom_0" } } }),
                Some("rank value must be between 1 and 100"),
            ),
            (json!({ "views": { "a": {} } }), Some("View `a` must contain map function")),
            (json!({ "views": { "a": { "reduce": "_sum" } } }), Some("View `a` must contain map function")),
            (json!({ "views": { "a": 5 } }), Some("`views.a` field must have object type")),
            (json!({ "views": 5 }), Some("`views` field must have object type")),
            (json!({ "views": { "lib": 5 } }), Some("`views.lib` field must have object type")),
            (json!({ "filters": 5 }), Some("`filters` field must have object type")),
            (json!({ "filters": { "a": 5 } }), Some("`filters.a` field must have string or object type")),
            (json!({ "filters": { "a": { "b": "x" } } }), None),
            (json!({ "lists": { "a": null } }), Some("`lists.a` field must have string or object type")),
            (json!({ "language": 5 }), Some("`language` field must have string type")),
            (json!({ "language": "query", "views": { "a": { "map": { "x": 1 } } } }), None),
            (json!({ "rewrites": 5 }), Some("`rewrites` field must have array or string type")),
            (json!({ "rewrites": "x" }), None),
            (json!({ "rewrites": [1] }), None),
            (json!({ "rewrites": { "a": 1 } }), Some("`rewrites` field must have array or string type")),
            (json!({ "validate_doc_update": 5 }), Some("`validate_doc_update` field must have string type")),
            (json!({ "updates": [] }), Some("`updates` field must have object type")),
            (json!({ "options": 5 }), Some("`options` field must have object type")),
            (json!({ "options": { "partitioned": 5 } }), Some("`options.partitioned` field must have boolean type")),
            (json!({ "whatever": [5] }), None),
        ];
        for (document, expected) in cases {
            let told = check(document.as_object().unwrap()).map_err(|error| (error.status, error.reason));
            assert_eq!(told, expected.map_or(Ok(()), |reason| Err((400, reason.to_owned()))), "{document}");
        }
    }
}
