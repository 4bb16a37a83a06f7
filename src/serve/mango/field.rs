//! Names of fields as selectors spell them: `a.b` is `b` in `a`, `a\.b` has a point in its name.

use serde_json::Value;

use crate::json::Object;
use crate::serve::failure::Failure;

/// Splits a name into its steps.
pub(super) fn path(name: &str) -> Result<Vec<String>, Failure> {
    let mut steps = vec![String::new()];
    let mut characters = name.chars().peekable();
    let mut is_escaped = false;
    for character in characters.by_ref() {
        match character {
            '.' if !is_escaped => steps.push(String::new()),
            '\\' => {}
            _ => steps.last_mut().into_iter().for_each(|step| step.push(character)),
        }
        is_escaped = character == '\\';
    }
    if steps.iter().any(String::is_empty) {
        return Err(Failure::new(400, "invalid_field_name", format!("Invalid field name: {name}")));
    }
    Ok(steps)
}

/// What a path leads to. Digits lead into arrays.
pub(super) fn get<'value>(value: &'value Value, path: &[String]) -> Option<&'value Value> {
    match find(value, path) {
        Found::Value(value) => Some(value),
        Found::Nothing | Found::NoWay => None,
    }
}

/// What is at the end of a path.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'value> {
    /// This.
    Value(&'value Value),
    /// An object on the way has no such member: the field does not exist.
    Nothing,
    /// Something on the way is no object, or an array has no such place.
    NoWay,
}

/// Follows a path.
pub(super) fn find<'value>(mut value: &'value Value, path: &[String]) -> Found<'value> {
    for step in path {
        value = match value {
            Value::Object(members) => match members.get(step) {
                Some(value) => value,
                None => return Found::Nothing,
            },
            Value::Array(items) => match step.parse::<usize>().ok().and_then(|at| items.get(at)) {
                Some(value) => value,
                None => return Found::NoWay,
            },
            _ => return Found::NoWay,
        };
    }
    Found::Value(value)
}

/// Sets a field of a document that is being put together, with the objects on its way.
pub(super) fn set(document: &mut Object, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        document.insert(first.clone(), value);
        return;
    }
    let inner = document.entry(first.clone()).or_insert_with(|| Value::Object(Object::new()));
    if let Value::Object(inner) = inner {
        set(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_at_points() {
        for (name, steps) in
            [("a", vec!["a"]), ("a.b", vec!["a", "b"]), (r"a\.b", vec!["a.b"]), (r"a.b\.c.d", vec!["a", "b.c", "d"])]
        {
            assert_eq!(path(name).unwrap(), steps);
        }
        for bad in ["a..b", ".a", "a.", ""] {
            assert_eq!(path(bad).unwrap_err().error, "invalid_field_name", "{bad}");
        }
    }

    #[test]
    fn paths_lead_into_arrays() {
        let value: Value = serde_json::from_str(r#"{"a":[{"b":1},2],"c":{"d":null}}"#).unwrap();
        let found = |name: &str| find(&value, &path(name).unwrap()) == Found::Value(&Value::from(1));
        assert!(found("a.0.b"));
        assert_eq!(find(&value, &path("a.2").unwrap()), Found::NoWay);
        assert_eq!(find(&value, &path("a.-1").unwrap()), Found::NoWay);
        assert_eq!(find(&value, &path("a.1.x").unwrap()), Found::NoWay);
        assert_eq!(find(&value, &path("c.x").unwrap()), Found::Nothing);
        assert_eq!(find(&value, &path("c.d").unwrap()), Found::Value(&Value::Null));
    }
}
