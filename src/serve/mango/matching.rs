//! Whether a document is selected.

use std::cmp::Ordering;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

use super::field::{self, Found};
use super::selector::single;
use crate::json;
use crate::serve::failure::Failure;
use crate::serve::views::collation;

/// A condition of a selector in its normal form.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Selects everything.
    Anything,
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    /// What the field at this path has to fulfil. Ids are compared by their bytes.
    Field {
        path: Vec<String>,
        condition: Box<Condition>,
        is_id: bool,
    },
    Element(Box<Condition>),
    Elements(Box<Condition>),
    Key(Box<Condition>),
    Compare(Operator, Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    All(Vec<Value>),
    Exists(bool),
    Type(String),
    Modulo(i128, i128),
    Matches(Arc<Regex>),
    BeginsWith(String),
    Size(u64),
    /// CouchDB fails at it while it matches, and takes the elements of an array for not matching.
    Broken,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Greater => ordering.is_gt(),
        }
    }
}

impl Condition {
    /// Reads a condition in its normal form.
    pub(super) fn new(normal: &Value) -> Result<Self, Failure> {
        let Some((name, argument)) = single(normal) else { return Ok(Self::Anything) };
        let list = || argument.as_array().cloned().unwrap_or_default();
        let text = || argument.as_str().unwrap_or_default().to_owned();
        let inner = || Self::new(argument).map(Box::new);
        let compare = |operator| Self::Compare(operator, argument.clone());
        Ok(match name {
            "$and" => Self::And(list().iter().map(Self::new).collect::<Result<_, _>>()?),
            "$or" => Self::Or(list().iter().map(Self::new).collect::<Result<_, _>>()?),
            "$not" => Self::Not(inner()?),
            "$elemMatch" => Self::Element(inner()?),
            "$allMatch" => Self::Elements(inner()?),
            "$keyMapMatch" => Self::Key(inner()?),
            "$lt" => compare(Operator::Less),
            "$lte" => compare(Operator::LessOrEqual),
            "$eq" => compare(Operator::Equal),
            "$ne" => compare(Operator::NotEqual),
            "$gte" => compare(Operator::GreaterOrEqual),
            "$gt" => compare(Operator::Greater),
            "$in" => Self::In(list()),
            "$nin" => Self::NotIn(list()),
            "$all" => Self::All(list()),
            "$exists" => Self::Exists(argument.as_bool().unwrap_or_default()),
            "$type" => Self::Type(text()),
            "$mod" => {
                let number = |at: usize| argument.get(at).and_then(|number| number.to_string().parse().ok());
                number(0).zip(number(1)).map_or(Self::Broken, |(divisor, rest)| Self::Modulo(divisor, rest))
            }
            "$regex" => Self::Matches(Arc::new(expression(argument, &text())?)),
            "$beginsWith" => Self::BeginsWith(text()),
            "$size" => Self::Size(argument.as_u64().unwrap_or(u64::MAX)),
            "$default" => return Err(Failure::absent("full-text search")),
            "" => *inner()?,
            _ if name.starts_with('$') => Self::Broken,
            _ => Self::Field { path: field::path(name)?, condition: inner()?, is_id: name == "_id" },
        })
    }

    /// Whether a value fulfils the condition.
    pub(super) fn matches(&self, value: &Value) -> bool {
        self.holds(value, &collation::compare)
    }

    fn holds(&self, value: &Value, compare: &dyn Fn(&Value, &Value) -> Ordering) -> bool {
        let equals = |left: &Value, right: &Value| compare(left, right).is_eq();
        let is_in = |list: &[Value]| match value {
            Value::Array(items) => list.iter().any(|one| items.iter().any(|item| equals(item, one))),
            _ => list.iter().any(|one| equals(value, one)),
        };
        match self {
            Self::Anything => true,
            Self::And(conditions) => conditions.iter().all(|condition| condition.holds(value, compare)),
            Self::Or(conditions) => {
                conditions.is_empty() || conditions.iter().any(|condition| condition.holds(value, compare))
            }
            Self::Not(condition) => !condition.holds(value, compare),
            Self::Field { path, condition, is_id } => match field::find(value, path) {
                Found::Value(value) if *is_id => condition.holds(value, &collation::compare_raw),
                Found::Value(value) => condition.holds(value, compare),
                Found::Nothing => matches!(**condition, Self::Exists(false)),
                Found::NoWay => false,
            },
            Self::Element(condition) => {
                !condition.is_broken()
                    && value.as_array().is_some_and(|items| items.iter().any(|item| condition.holds(item, compare)))
            }
            Self::Elements(condition) => {
                !condition.is_broken()
                    && value.as_array().is_some_and(|items| {
                        !items.is_empty() && items.iter().all(|item| condition.holds(item, compare))
                    })
            }
            Self::Key(condition) => value
                .as_object()
                .is_some_and(|members| members.keys().any(|key| condition.holds(&Value::String(key.clone()), compare))),
            Self::Compare(operator, argument) => operator.accepts(compare(value, argument)),
            Self::In(list) => is_in(list),
            Self::NotIn(list) => !is_in(list),
            Self::All(list) => all(list, value),
            Self::Exists(exists) => *exists,
            Self::Type(name) => name == type_of(value),
            Self::Modulo(divisor, rest) => {
                let number = value.as_number().and_then(|number| number.to_string().parse::<i128>().ok());
                number.and_then(|number| number.checked_rem(*divisor)) == Some(*rest)
            }
            Self::Matches(expression) => value.as_str().is_some_and(|text| expression.is_match(text.as_bytes())),
            Self::BeginsWith(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
            Self::Size(size) => value.as_array().is_some_and(|items| items.len() as u64 == *size),
            Self::Broken => false,
        }
    }

    fn is_broken(&self) -> bool {
        match self {
            Self::Broken => true,
            Self::And(conditions) | Self::Or(conditions) => conditions.iter().any(Self::is_broken),
            Self::Not(condition) => condition.is_broken(),
            _ => false,
        }
    }
}

fn all(list: &[Value], value: &Value) -> bool {
    let Value::Array(items) = value else { return false };
    if list.is_empty() {
        return false;
    }
    let has = list.iter().all(|one| items.iter().any(|item| json::same(one, item)));
    has || matches!(list, [one @ Value::Array(_)] if json::same(one, value))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A regular expression. CouchDB's are PCRE over bytes; what this engine lacks of it is no error of who asks.
fn expression(argument: &Value, text: &str) -> Result<Regex, Failure> {
    let build = |is_unicode: bool| RegexBuilder::new(text).unicode(is_unicode).size_limit(1 << 20).build();
    build(false).or_else(|_| build(true)).map_err(|_| {
        let lacks =
            ["(?=", "(?!", "(?<", "(?>", "(?|", "\\1", "\\2", "\\3", "\\k", "\\g", "++", "*+", "?+", "(?R", "(?("];
        if lacks.iter().any(|part| text.contains(part)) {
            return Failure::absent("a regular expression with look-around, back references or atomic groups");
        }
        let reason = format!("Bad argument for operator $regex: {}", super::term::plain(argument));
        Failure::new(400, "bad_arg", reason)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Selector;
    use serde_json::Value;

    const DOCUMENT: &str = r#"{"_id":"b","_rev":"1-x","name":"Anna","age":42,"height":1.5,"tags":["a","b"],
        "empty":[],"nothing":null,"no":false,"inner":{"x":{"y":1},"list":[{"n":1},{"n":2}]},"Ä":"ä"}"#;

    #[test]
    fn documents_are_selected() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        for (selector, expected) in [
            ("{}", true),
            (r#"{"name":"Anna"}"#, true),
            (r#"{"name":"anna"}"#, false),
            (r#"{"name":{"$gt":"anna"}}"#, true),
            (r#"{"_id":{"$gt":"B"}}"#, true),
            (r#"{"_id":{"$gt":"a","$lt":"c"}}"#, true),
            (r#"{"age":42.0}"#, true),
            (r#"{"age":{"$gt":"a"}}"#, false),
            (r#"{"age":{"$gt":null}}"#, true),
            (r#"{"height":{"$gte":1.5,"$lte":1.5}}"#, true),
            (r#"{"tags":{"$in":["b"]}}"#, true),
            (r#"{"tags":{"$nin":["c"]}}"#, true),
            (r#"{"tags":{"$in":[]}}"#, false),
            (r#"{"age":{"$nin":[]}}"#, true),
            (r#"{"tags":{"$all":["b","a"]}}"#, true),
            (r#"{"tags":{"$all":[["a","b"]]}}"#, true),
            (r#"{"tags":{"$all":["c"]}}"#, false),
            (r#"{"tags":{"$all":[]}}"#, false),
            (r#"{"tags":{"$size":2}}"#, true),
            (r#"{"tags":{"$elemMatch":{"$eq":"a"}}}"#, true),
            (r#"{"tags":{"$elemMatch":{"$nor":[{"$eq":"x"}]}}}"#, false),
            (r#"{"tags":{"$allMatch":{"$gt":"Z"}}}"#, false),
            (r#"{"tags":{"$allMatch":{"$gt":"A"}}}"#, false),
            (r#"{"empty":{"$allMatch":{"$gt":0}}}"#, false),
            (r#"{"inner":{"$keyMapMatch":{"$eq":"x"}}}"#, true),
            (r#"{"inner.x.y":1}"#, true),
            (r#"{"inner":{"x":{"y":{"$gt":0}}}}"#, true),
            (r#"{"inner.list.1.n":2}"#, true),
            (r#"{"inner.list":{"$elemMatch":{"n":2}}}"#, true),
            (r#"{"missing":{"$exists":false}}"#, true),
            (r#"{"missing":{"$ne":1}}"#, false),
            (r#"{"name.x":{"$exists":false}}"#, false),
            (r#"{"nothing":{"$exists":true}}"#, true),
            (r#"{"nothing":{"$type":"null"}}"#, true),
            (r#"{"no":{"$type":"boolean"}}"#, true),
            (r#"{"age":{"$mod":[5,2]}}"#, true),
            (r#"{"height":{"$mod":[1,0]}}"#, false),
            (r#"{"name":{"$regex":"^An{2}"}}"#, true),
            (r#"{"Ä":{"$regex":"^ä$"}}"#, true),
            (r#"{"Ä":{"$regex":"^.$"}}"#, false),
            (r#"{"Ä":{"$regex":"(?u)^.$"}}"#, true),
            (r#"{"name":{"$beginsWith":"An"}}"#, true),
            (r#"{"age":{"$beginsWith":"4"}}"#, false),
            (r#"{"$or":[{"age":1},{"name":"Anna"}]}"#, true),
            (r#"{"$or":[]}"#, true),
            (r#"{"$nor":[{"age":1},{"name":"Anna"}]}"#, false),
            (r#"{"$not":{"age":1}}"#, true),
            (r#"{"age":{"$not":{"$regex":"x"}}}"#, true),
        ] {
            let parsed = Selector::parse(&serde_json::from_str(selector).unwrap()).unwrap();
            assert_eq!(parsed.matches(&document), expected, "{selector}");
        }
    }
}
