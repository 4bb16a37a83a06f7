//! Selectors: what they may say, and the form into which CouchDB brings them before it asks or shows them.
//!
//! Three steps, each over the whole selector: operators that are only implied are written out, names of fields are pushed
//! down to the conditions, negations are pushed down as far as they can be.

use serde_json::{Value, json};

use super::matching::Condition;
use super::term;
use crate::json::Object;
use crate::serve::failure::Failure;

/// A selector that CouchDB would accept.
#[derive(Clone, Debug)]
pub struct Selector {
    normal: Value,
    condition: Condition,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// What CouchDB answers: `bad_arg`, `invalid_operator`, `invalid_selector_json`… A regular expression with look-around
    /// or back references is answered with 501.
    pub fn parse(selector: &Value) -> Result<Self, Failure> {
        let Value::Object(members) = selector else {
            let reason = format!("Selector must be a JSON object, not: {}", term::plain(selector));
            return Err(Failure::new(400, "invalid_selector_json", reason));
        };
        let normal = normalise(members)?;
        let condition = Condition::new(&normal)?;
        Ok(Self { normal, condition })
    }

    /// Whether a document, as CouchDB shows it (`_id`, `_rev` and all), is selected.
    pub fn matches(&self, document: &Value) -> bool {
        self.condition.matches(document)
    }

    /// The selector in its normal form, as `_explain` shows it.
    pub fn normal(&self) -> &Value {
        &self.normal
    }
}

fn normalise(members: &Object) -> Result<Value, Failure> {
    if members.is_empty() {
        return Ok(json!({}));
    }
    let written_out = operators(&Value::Object(members.clone()))?;
    let named = fields(&written_out, "")?;
    let normal = negations(&named);
    match normal.as_object() {
        Some(members) if members.contains_key("") => {
            Err(Failure::new(400, "invalid_selector", "One or more conditions is missing a field name."))
        }
        _ => Ok(normal),
    }
}

/// An object of one member.
pub(super) fn single(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.iter().next().map(|(name, value)| (name.as_str(), value))
}

fn pair(name: &str, value: Value) -> Value {
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}

fn bad_argument(operator: &str, argument: &Value) -> Failure {
    let reason = format!("Bad argument for operator {operator}: {}", term::plain(argument));
    Failure::new(400, "bad_arg", reason)
}

fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Number(number) if !number.to_string().contains(['.', 'e', 'E']))
}

/// Writes implied operators out and refuses arguments that an operator does not take.
fn operators(value: &Value) -> Result<Value, Failure> {
    let Some((name, argument)) = single(value) else {
        return match value {
            Value::Object(members) if !members.is_empty() => {
                let all = members.iter().map(|(name, value)| operators(&pair(name, value.clone())));
                Ok(pair("$and", Value::Array(all.collect::<Result<_, _>>()?)))
            }
            _ => Ok(pair("$eq", value.clone())),
        };
    };
    let accept = |is_right: bool| {
        if is_right { Ok(value.clone()) } else { Err(bad_argument(name, argument)) }
    };
    match name {
        "$and" | "$or" | "$nor" => match argument {
            Value::Array(items) => Ok(pair(name, Value::Array(items.iter().map(operators).collect::<Result<_, _>>()?))),
            _ => Err(bad_argument(name, argument)),
        },
        "$not" | "$elemMatch" | "$allMatch" | "$keyMapMatch" => match argument {
            Value::Object(_) => Ok(pair(name, operators(argument)?)),
            _ => Err(bad_argument(name, argument)),
        },
        "$in" | "$nin" | "$all" => accept(argument.is_array()),
        "$exists" => accept(argument.is_boolean()),
        "$type" | "$beginsWith" => accept(argument.is_string()),
        "$regex" if argument.is_string() => Ok(value.clone()),
        // CouchDB falls over at the first integer that it meets.
        "$mod" if argument[0] == 0 => {
            Err(Failure::new(500, "internal_server_error", "`$mod` divides by nothing but 0"))
        }
        "$mod" => accept(argument.as_array().is_some_and(|items| items.len() == 2 && items.iter().all(is_integer))),
        "$size" => accept(is_integer(argument) && !argument.to_string().starts_with('-')),
        "$text" => match argument {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(pair("$default", value.clone())),
            _ => Err(bad_argument(name, argument)),
        },
        "$default" | "$lt" | "$lte" | "$eq" | "$ne" | "$gte" | "$gt" => Ok(value.clone()),
        "$where" | "$geoWithin" | "$geoIntersects" | "$near" | "$nearSphere" => {
            Err(Failure::new(400, "not_supported", format!("Unsupported operator: {name}")))
        }
        _ if name.starts_with('$') => Err(Failure::new(400, "invalid_operator", format!("Invalid operator: {name}"))),
        _ => Ok(pair(name, operators(argument)?)),
    }
}

/// Pushes the names of fields down to their conditions: `{"a": {"b": {"$gt": 1}}}` is `{"a.b": {"$gt": 1}}`.
fn fields(value: &Value, path: &str) -> Result<Value, Failure> {
    let bad_field = || {
        let reason = format!("Invalid field normalization on selector: {}", term::plain(value));
        Failure::new(400, "bad_field", reason)
    };
    let (name, argument) = single(value).ok_or_else(bad_field)?;
    match (name, argument) {
        ("$and" | "$or" | "$nor", Value::Array(items)) => {
            let items = items.iter().map(|item| fields(item, path)).collect::<Result<_, _>>()?;
            Ok(pair(name, Value::Array(items)))
        }
        ("$not", _) => Ok(pair(name, fields(argument, path)?)),
        ("$elemMatch" | "$allMatch" | "$keyMapMatch", _) => Ok(pair(path, pair(name, fields(argument, "")?))),
        ("$default", _) => {
            let is_text = matches!(single(argument), Some(("$text", _)));
            if path.is_empty() && is_text { Ok(value.clone()) } else { Err(bad_field()) }
        }
        _ if name.starts_with('$') => Ok(pair(path, value.clone())),
        _ if path.is_empty() => fields(argument, name),
        _ => fields(argument, &format!("{path}.{name}")),
    }
}

/// Pushes negations down, by De Morgan's laws.
fn negations(value: &Value) -> Value {
    let Some((name, argument)) = single(value) else { return value.clone() };
    match (name, argument) {
        ("$not", _) => negate(argument),
        ("$nor", Value::Array(items)) => pair("$and", items.iter().map(negate).collect()),
        ("$and" | "$or", Value::Array(items)) => pair(name, items.iter().map(negations).collect()),
        _ => value.clone(),
    }
}

fn negate(value: &Value) -> Value {
    let Some((name, argument)) = single(value) else { return value.clone() };
    let opposite = match (name, argument) {
        ("$not", _) => return negations(argument),
        ("$nor", Value::Array(items)) => return pair("$or", items.iter().map(negations).collect()),
        ("$and", Value::Array(items)) => return pair("$or", items.iter().map(negate).collect()),
        ("$or", Value::Array(items)) => return pair("$and", items.iter().map(negate).collect()),
        ("$exists", Value::Bool(exists)) => return pair(name, Value::Bool(!exists)),
        ("$lt", _) => "$gte",
        ("$lte", _) => "$gt",
        ("$eq", _) => "$ne",
        ("$ne", _) => "$eq",
        ("$gte", _) => "$lt",
        ("$gt", _) => "$lte",
        ("$in", _) => "$nin",
        ("$nin", _) => "$in",
        _ if name.starts_with('$') => return pair("$not", value.clone()),
        _ => return pair(name, negate(argument)),
    };
    pair(opposite, argument.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        Selector::parse(&serde_json::from_str(text).unwrap()).unwrap().normal().to_string()
    }

    #[test]
    fn selectors_are_brought_into_their_normal_form() {
        for (given, expected) in [
            ("{}", "{}"),
            (r#"{"a":1}"#, r#"{"a":{"$eq":1}}"#),
            (r#"{"a":{}}"#, r#"{"a":{"$eq":{}}}"#),
            (r#"{"a":1,"b":2}"#, r#"{"$and":[{"a":{"$eq":1}},{"b":{"$eq":2}}]}"#),
            (r#"{"a":{"$gt":1,"$lt":3}}"#, r#"{"$and":[{"a":{"$gt":1}},{"a":{"$lt":3}}]}"#),
            (r#"{"a":{"b":{"$gt":1}}}"#, r#"{"a.b":{"$gt":1}}"#),
            (r#"{"$not":{"a":{"$gt":1}}}"#, r#"{"a":{"$lte":1}}"#),
            (r#"{"a":{"$not":{"$regex":"x"}}}"#, r#"{"a":{"$not":{"$regex":"x"}}}"#),
            (r#"{"$nor":[{"a":1},{"b":{"$in":[1]}}]}"#, r#"{"$and":[{"a":{"$ne":1}},{"b":{"$nin":[1]}}]}"#),
            (r#"{"$not":{"$and":[{"a":1},{"b":2}]}}"#, r#"{"$or":[{"a":{"$ne":1}},{"b":{"$ne":2}}]}"#),
            (r#"{"a":{"$elemMatch":{"$gt":1}}}"#, r#"{"a":{"$elemMatch":{"":{"$gt":1}}}}"#),
            (r#"{"$not":{"a":{"$exists":true}}}"#, r#"{"a":{"$exists":false}}"#),
        ] {
            assert_eq!(normal(given), expected, "{given}");
        }
    }

    #[test]
    fn what_couchdb_refuses_is_refused() {
        for (given, error, reason) in [
            (r#""a""#, "invalid_selector_json", "Selector must be a JSON object, not: <<97>>"),
            (r#"{"a":{"$foo":1}}"#, "invalid_operator", "Invalid operator: $foo"),
            (r#"{"a":{"$in":1}}"#, "bad_arg", "Bad argument for operator $in: 1"),
            (r#"{"a":{"$mod":[1,1.5]}}"#, "bad_arg", "Bad argument for operator $mod: [1,1.5]"),
            (r#"{"a":{"$size":-1}}"#, "bad_arg", "Bad argument for operator $size: -1"),
            (r#"{"a":{"$regex":1}}"#, "invalid_operator", "Invalid operator: $regex"),
            (r#"{"a":{"$mod":[0,1]}}"#, "internal_server_error", "`$mod` divides by nothing but 0"),
            (r#"{"a":{"$regex":"("}}"#, "bad_arg", "Bad argument for operator $regex: <<40>>"),
            (r#"{"$eq":1}"#, "invalid_selector", "One or more conditions is missing a field name."),
            (r#"{"a":{"$where":"x"}}"#, "not_supported", "Unsupported operator: $where"),
            (r#"{"$and":{}}"#, "bad_arg", "Bad argument for operator $and: {[]}"),
            (r#"{"a..b":1}"#, "invalid_field_name", "Invalid field name: a..b"),
        ] {
            let failure = Selector::parse(&serde_json::from_str(given).unwrap()).unwrap_err();
            assert_eq!((failure.error.as_str(), failure.reason.as_deref()), (error, Some(reason)), "{given}");
        }
    }
}
