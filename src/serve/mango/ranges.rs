//! What a selector says about single fields: which it requires, which are constant, and between which values they are.

use std::cmp::Ordering;

use serde_json::Value;

use super::selector::single;
use crate::serve::views::collation::{Collation, compare};

/// One end of a range of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    /// There is none.
    Open,
    /// This value; whether it belongs to the range or not.
    Value(Value, bool),
}

/// Between which values a field is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Range {
    /// No value is.
    Empty,
    /// From the low to the high end.
    Between(End, End),
}

impl Range {
    const ALL: Self = Self::Between(End::Open, End::Open);

    /// Nothing is left when the ends cross, or meet in a value that one of them leaves out.
    fn narrowed(low: End, high: End) -> Self {
        if let (End::Value(from, has_from), End::Value(to, has_to)) = (&low, &high) {
            match compare(from, to) {
                Ordering::Greater => return Self::Empty,
                Ordering::Equal if !(*has_from && *has_to) => return Self::Empty,
                _ => {}
            }
        }
        Self::Between(low, high)
    }

    fn at_least(self, value: &Value, is_included: bool) -> Self {
        let Self::Between(low, high) = self else { return self };
        let is_narrower = match &low {
            End::Open => true,
            End::Value(from, has_from) => match compare(value, from) {
                Ordering::Greater => true,
                Ordering::Equal => *has_from && !is_included,
                Ordering::Less => false,
            },
        };
        Self::narrowed(if is_narrower { End::Value(value.clone(), is_included) } else { low }, high)
    }

    fn at_most(self, value: &Value, is_included: bool) -> Self {
        let Self::Between(low, high) = self else { return self };
        let is_narrower = match &high {
            End::Open => true,
            End::Value(to, has_to) => match compare(value, to) {
                Ordering::Less => true,
                Ordering::Equal => *has_to && !is_included,
                Ordering::Greater => false,
            },
        };
        Self::narrowed(low, if is_narrower { End::Value(value.clone(), is_included) } else { high })
    }
}

/// The fields that an index could help with, and their ranges. A single one that is empty stands for all.
pub(super) fn of(selector: &Value) -> Vec<(String, Range)> {
    let mut ranges = Vec::new();
    for field in indexable(selector) {
        match narrow(selector, &field, Range::ALL) {
            Range::Empty => return vec![(field, Range::Empty)],
            range @ Range::Between(..) => ranges.push((field, range)),
        }
    }
    ranges
}

fn narrow(selector: &Value, field: &str, range: Range) -> Range {
    match single(selector) {
        Some(("$and", Value::Array(parts))) => parts.iter().fold(range, |range, part| narrow(part, field, range)),
        Some((name, condition)) if name == field => match single(condition) {
            Some(("$eq", value)) => range.at_least(value, true).at_most(value, true),
            Some(("$gt", value)) => range.at_least(value, false),
            Some(("$gte", value)) => range.at_least(value, true),
            Some(("$lt", value)) => range.at_most(value, false),
            Some(("$lte", value)) => range.at_most(value, true),
            Some(("$beginsWith", value @ Value::String(prefix))) => {
                // The greatest text that begins so, by the root collation.
                range.at_least(value, true).at_most(&Value::String(format!("{prefix}\u{ffff}")), true)
            }
            _ => range,
        },
        _ => range,
    }
}

/// Fields whose conditions an index can help with, sorted.
pub(super) fn indexable(selector: &Value) -> Vec<String> {
    let mut fields = match single(selector) {
        Some(("$and", Value::Array(parts))) => parts.iter().flat_map(indexable).collect(),
        Some((name, condition)) if !name.starts_with('$') => {
            let helps = ["$lt", "$lte", "$eq", "$gt", "$gte", "$beginsWith", "$exists"];
            let is_helped = single(condition).is_some_and(|(operator, _)| helps.contains(&operator));
            if is_helped { vec![name.to_owned()] } else { Vec::new() }
        }
        _ => Vec::new(),
    };
    fields.sort();
    fields.dedup();
    fields
}

/// All fields that a selector names.
pub(super) fn fields(selector: &Value) -> Vec<String> {
    match single(selector) {
        Some((name, Value::Array(parts))) if name.starts_with('$') => parts.iter().flat_map(fields).collect(),
        Some((name, _)) => vec![name.to_owned()],
        None => Vec::new(),
    }
}

/// Those of `required` that a document may lack and still be selected.
pub(super) fn not_required(selector: &Value, required: Vec<String>) -> Vec<String> {
    match single(selector) {
        Some(("$and", Value::Array(parts))) => {
            parts.iter().fold(required, |required, part| not_required(part, required))
        }
        Some(("$or", Value::Array(parts))) => {
            let mut left: Vec<_> = parts.iter().flat_map(|part| not_required(part, required.clone())).collect();
            left.sort();
            left.dedup();
            left
        }
        Some((_, condition)) if matches!(single(condition), Some(("$exists", Value::Bool(false)))) => required,
        Some((name, _)) => required.into_iter().filter(|field| field != name).collect(),
        None => required,
    }
}

/// Whether a field has one value in all documents that are selected.
pub(super) fn is_constant(selector: &Value, field: &str) -> bool {
    match single(selector) {
        Some(("$and", Value::Array(parts))) => parts.iter().any(|part| is_constant(part, field)),
        Some((name, condition)) if name == field => matches!(single(condition), Some(("$eq", _))),
        _ => false,
    }
}

/// Where an index is entered: the key as JSON, and as bytes.
pub(super) fn start(ranges: &[Range]) -> Vec<Value> {
    let mut key = Vec::new();
    for range in ranges {
        match range {
            Range::Between(End::Value(value, _), _) => key.push(value.clone()),
            _ => break,
        }
    }
    key
}

/// Where it is left: after every key that begins so.
pub(super) fn end(ranges: &[Range]) -> Vec<Value> {
    let mut key = Vec::new();
    for range in ranges {
        match range {
            Range::Between(_, End::Value(value, _)) => key.push(value.clone()),
            _ => break,
        }
    }
    key
}

/// The bytes after every array that begins with these values.
pub(super) fn after(values: &[Value]) -> Vec<u8> {
    let mut key = Collation::Unicode.key(&Value::Array(values.to_vec()));
    // Instead of the end of the array, what no value begins with.
    key.pop();
    key.push(0xff);
    key
}

#[cfg(test)]
mod tests {
    use super::super::Selector;
    use super::*;

    fn selector(text: &str) -> Value {
        Selector::parse(&serde_json::from_str(text).unwrap()).unwrap().normal().clone()
    }

    fn shown(text: &str) -> String {
        let show = |end: &End, (included, excluded): (&str, &str)| match end {
            End::Open => "…".to_owned(),
            End::Value(value, true) => format!("{included}{value}"),
            End::Value(value, false) => format!("{excluded}{value}"),
        };
        let ranges = of(&selector(text)).into_iter().map(|(field, range)| match range {
            Range::Empty => format!("{field} nothing"),
            Range::Between(low, high) => format!("{field} {} {}", show(&low, (">=", ">")), show(&high, ("<=", "<"))),
        });
        ranges.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn conditions_narrow_ranges() {
        for (given, expected) in [
            (r#"{"a":1}"#, "a >=1 <=1"),
            (r#"{"a":{"$gt":1,"$lt":3}}"#, "a >1 <3"),
            (r#"{"a":{"$gt":1,"$gte":1}}"#, "a >1 …"),
            (r#"{"a":{"$gte":1,"$lte":1}}"#, "a >=1 <=1"),
            (r#"{"a":{"$gt":1,"$lte":1}}"#, "a nothing"),
            (r#"{"a":{"$eq":1,"$gt":1},"b":2}"#, "a nothing"),
            (r#"{"b":{"$lt":"x"},"a":{"$exists":true}}"#, "a … …; b … <\"x\""),
            (r#"{"a":{"$in":[1]},"b":{"$regex":"x"}}"#, ""),
            (r#"{"$or":[{"a":1},{"a":2}]}"#, ""),
            (r#"{"a":{"$beginsWith":"x"}}"#, "a >=\"x\" <=\"x\u{ffff}\""),
        ] {
            assert_eq!(shown(given), expected, "{given}");
        }
    }

    #[test]
    fn fields_are_required_by_every_way_to_be_selected() {
        let lacks = |text: &str| not_required(&selector(text), vec!["a".to_owned(), "b".to_owned()]).join(",");
        for (given, left) in [
            ("{}", "a,b"),
            (r#"{"a":1}"#, "b"),
            (r#"{"a":1,"b":{"$gt":1}}"#, ""),
            (r#"{"a":1,"b":{"$exists":false}}"#, "b"),
            (r#"{"$or":[{"a":1,"b":2},{"b":1}]}"#, "a"),
        ] {
            assert_eq!(lacks(given), left, "{given}");
        }
        assert!(is_constant(&selector(r#"{"a":1,"b":{"$gt":1}}"#), "a"));
        assert!(!is_constant(&selector(r#"{"a":1,"b":{"$gt":1}}"#), "b"));
    }

    #[test]
    fn what_comes_after_is_after_every_longer_key() {
        let after = after(&[Value::from(1)]);
        let key = |value: Value| Collation::Unicode.key(&value);
        assert!(key(serde_json::json!([1, {"a": {}}])) < after);
        assert!(key(serde_json::json!([2])) > after);
    }
}
