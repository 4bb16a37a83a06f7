//! `_sum` and `_stats`.

use serde_json::{Value, json};

use super::number::Number;
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::mango::term;

const UNSUITABLE: &str = "The _sum function requires that map values be numbers, arrays of numbers, or objects. Objects \
    cannot be mixed with other data structures. Objects can be arbitrarily nested, provided that the values for all fields \
    are themselves numbers, arrays of numbers, or objects.";

/// Why values cannot be summed.
enum Unsuitable {
    /// The answer has this instead of the sum.
    Value(Value),
    /// CouchDB fails altogether.
    Mixed(Value),
    /// So it does here.
    Overflow,
}

/// A running `_sum`.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    value: Value,
    is_broken: bool,
}

impl Sum {
    pub(super) fn new() -> Self {
        Self { value: Number::ZERO.value(), is_broken: false }
    }

    /// Adds a value.
    pub(super) fn add(&mut self, value: Value) -> Result<(), Failure> {
        if self.is_broken {
            return Ok(());
        }
        let before = std::mem::take(&mut self.value);
        match sum(value, before) {
            Ok(sum) => self.value = sum,
            Err(Unsuitable::Value(cause)) => {
                self.is_broken = true;
                self.value = if cause.get("error").is_some_and(|error| error == "builtin_reduce_error") {
                    cause
                } else {
                    json!({ "error": "builtin_reduce_error", "reason": UNSUITABLE, "caused_by": cause })
                };
            }
            Err(Unsuitable::Mixed(value)) => {
                let error = format!("{{case_clause,{}}}", term::plain(&value));
                return Err(Failure::new(500, error, "objects and numbers cannot be summed"));
            }
            Err(Unsuitable::Overflow) => return Err(overflow()),
        }
        Ok(())
    }

    pub(super) fn value(self) -> Value {
        self.value
    }
}

fn sum(value: Value, before: Value) -> Result<Value, Unsuitable> {
    if let (Some(value), Some(before)) = (Number::of(&value), Number::of(&before)) {
        return add(before, value);
    }
    match (value, before) {
        (Value::Array(value), Value::Array(before)) => arrays(before, value),
        (Value::Number(value), Value::Array(before)) => arrays(before, vec![Value::Number(value)]),
        (Value::Array(value), Value::Number(before)) => arrays(vec![Value::Number(before)], value),
        (Value::Object(members), before) => {
            if members.get("error").is_some_and(|error| error == "builtin_reduce_error") {
                return Err(Unsuitable::Value(Value::Object(members)));
            }
            match before {
                Value::Object(before) => objects(members, before).map(Value::Object),
                Value::Number(zero) if zero.to_string() == "0" => Ok(Value::Object(members)),
                before => Err(Unsuitable::Mixed(before)),
            }
        }
        (value, _) => Err(Unsuitable::Value(value)),
    }
}

fn add(left: Number, right: Number) -> Result<Value, Unsuitable> {
    let sum = left.plus(right);
    if sum.is_finite() { Ok(sum.value()) } else { Err(Unsuitable::Overflow) }
}

fn overflow() -> Failure {
    Failure::new(500, "unknown_error", "badarith")
}

/// The sums of both, by place; what is longer keeps its rest.
fn arrays(left: Vec<Value>, right: Vec<Value>) -> Result<Value, Unsuitable> {
    let mut sums = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ok(Value::Array(sums)),
            (Some(one), None) => {
                sums.push(one);
                sums.extend(left);
                return Ok(Value::Array(sums));
            }
            (None, Some(one)) => {
                sums.push(one);
                sums.extend(right);
                return Ok(Value::Array(sums));
            }
            (Some(one), Some(other)) => match (Number::of(&one), Number::of(&other)) {
                (Some(one), Some(other)) => sums.push(add(one, other)?),
                _ => return Err(Unsuitable::Value(std::iter::once(one).chain(left).collect())),
            },
        }
    }
}

/// The sums of both, by name and sorted by it.
fn objects(left: Object, right: Object) -> Result<Object, Unsuitable> {
    let mut sums: std::collections::BTreeMap<String, Value> = left.into_iter().collect();
    for (name, value) in right {
        let sum = match sums.remove(&name) {
            Some(other) => sum(other, value)?,
            None => value,
        };
        sums.insert(name, sum);
    }
    Ok(sums.into_iter().collect())
}

/// A running `_stats`.
#[derive(Clone, Debug, Default)]
pub(super) enum Stats {
    /// Nothing yet.
    #[default]
    Nothing,
    /// Of numbers.
    One(One),
    /// Of arrays, by place.
    Several(Vec<Stats>),
}

/// Of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct One {
    sum: Number,
    count: Number,
    least: Number,
    greatest: Number,
    squares: Number,
}

impl Stats {
    /// Adds a value.
    pub(super) fn add(&mut self, value: &Value) -> Result<(), Failure> {
        let added = match (&mut *self, value) {
            (Self::Nothing, value) => Self::first(value)?,
            (Self::Several(stats), Value::Array(values)) if stats.len() == values.len() => {
                return stats.iter_mut().zip(values).try_for_each(|(stats, value)| stats.add(value));
            }
            (Self::Several(_), Value::Array(_)) => {
                return Err(Failure::new(500, "function_clause", "the arrays of _stats are not of one length"));
            }
            (Self::One(one), Value::Number(_) | Value::Object(_)) => Self::One(one.and(One::of(value)?).checked()?),
            (_, value) => {
                let reason = "The _stats function requires that map values be numbers or arrays of numbers, not";
                return Err(invalid(format!("{reason} '{}'", term::pretty(value))));
            }
        };
        *self = added;
        Ok(())
    }

    fn first(value: &Value) -> Result<Self, Failure> {
        match value {
            Value::Array(values) => Ok(Self::Several(values.iter().map(Self::first).collect::<Result<_, _>>()?)),
            value => One::of(value).map(Self::One),
        }
    }

    pub(super) fn value(&self) -> Value {
        match self {
            Self::Nothing => One::NONE.value(),
            Self::One(one) => one.value(),
            Self::Several(stats) => stats.iter().map(Self::value).collect(),
        }
    }
}

fn invalid(reason: String) -> Failure {
    Failure::new(500, "invalid_value", reason)
}

impl One {
    const NONE: Self = Self {
        sum: Number::ZERO,
        count: Number::ZERO,
        least: Number::ZERO,
        greatest: Number::ZERO,
        squares: Number::ZERO,
    };

    /// A number, or what was put together before it was emitted.
    fn of(value: &Value) -> Result<Self, Failure> {
        if let Some(number) = Number::of(value) {
            let squares = number.squared();
            return Self { sum: number, count: Number::Integer(1), least: number, greatest: number, squares }.checked();
        }
        let Value::Object(members) = value else {
            return Err(invalid(format!("non-numeric _stats input: {}", term::plain(value))));
        };
        let member = |name: &str| match members.get(name) {
            None => {
                let input = term::pretty(value);
                let input = input.strip_prefix('{').and_then(|input| input.strip_suffix('}')).unwrap_or(&input);
                Err(invalid(format!("user _stats input missing required field {name} ({input})")))
            }
            Some(value) => Number::of(value).ok_or_else(|| {
                invalid(format!("non-numeric _stats input received for {name}: {}", term::plain(value)))
            }),
        };
        Ok(Self {
            sum: member("sum")?,
            count: member("count")?,
            least: member("min")?,
            greatest: member("max")?,
            squares: member("sumsqr")?,
        })
    }

    fn checked(self) -> Result<Self, Failure> {
        let all = [self.sum, self.count, self.squares];
        if all.into_iter().all(Number::is_finite) { Ok(self) } else { Err(overflow()) }
    }

    fn and(self, other: Self) -> Self {
        Self {
            sum: self.sum.plus(other.sum),
            count: self.count.plus(other.count),
            least: other.least.least(self.least),
            greatest: other.greatest.greatest(self.greatest),
            squares: self.squares.plus(other.squares),
        }
    }

    fn value(&self) -> Value {
        json!({
            "sum": self.sum.value(),
            "count": self.count.value(),
            "min": self.least.value(),
            "max": self.greatest.value(),
            "sumsqr": self.squares.value(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<Value> {
        serde_json::from_str(text).unwrap()
    }

    /// Asked of CouchDB 3.5.0.
    #[test]
    fn sums_are_those_of_couchdb() {
        for (given, expected) in [
            ("[1,2]", "3"),
            ("[0.1,0.2,0.3]", "0.6000000000000001"),
            ("[1e21,1]", "1e+21"),
            ("[100,0.0]", "100.0"),
            ("[]", "0"),
            ("[5,[1,2],[1,2,3],[1,2],[1,2,3],5]", "[14,8,6]"),
            (r#"[{"b":1,"a":2}]"#, r#"{"b":1,"a":2}"#),
            (r#"[{"b":1,"a":2},{"c":1}]"#, r#"{"a":2,"b":1,"c":1}"#),
            (r#"[{"a":1,"b":{"c":1}},{"a":2,"b":{"c":1.5,"d":[1,2]}}]"#, r#"{"a":3,"b":{"c":2.5,"d":[1,2]}}"#),
        ] {
            let mut sum = Sum::new();
            values(given).into_iter().for_each(|value| sum.add(value).unwrap());
            assert_eq!(sum.value().to_string(), expected, "{given}");
        }
        for (given, cause) in
            [(r#"["x"]"#, r#""x""#), ("[null]", "null"), (r#"[[1,1],[1,"x"]]"#, "[1]"), ("[1,true]", "true")]
        {
            let mut sum = Sum::new();
            values(given).into_iter().for_each(|value| sum.add(value).unwrap());
            let value = sum.value();
            assert_eq!(value["error"], "builtin_reduce_error");
            assert_eq!(value["caused_by"].to_string(), cause, "{given}");
        }
        let mut sum = Sum::new();
        sum.add(Value::from(1)).unwrap();
        assert_eq!(sum.add(json!({ "a": 1 })).unwrap_err().error, "{case_clause,1}");
    }

    #[test]
    fn statistics_are_those_of_couchdb() {
        for (given, expected) in [
            ("[1,2.5,1,2.5]", r#"{"sum":7.0,"count":4,"min":1,"max":2.5,"sumsqr":14.5}"#),
            (
                "[[1,2],[3,4.5]]",
                r#"[{"sum":4,"count":2,"min":1,"max":3,"sumsqr":10},{"sum":6.5,"count":2,"min":2,"max":4.5,"sumsqr":24.25}]"#,
            ),
            (
                r#"[{"sum":1,"count":2,"min":0,"max":3,"sumsqr":9},5]"#,
                r#"{"sum":6,"count":3,"min":0,"max":5,"sumsqr":34}"#,
            ),
        ] {
            let mut stats = Stats::default();
            values(given).iter().for_each(|value| stats.add(value).unwrap());
            assert_eq!(stats.value().to_string(), expected, "{given}");
        }
        for (given, reason) in [
            (r#"["x"]"#, "non-numeric _stats input: <<120>>"),
            (
                r#"[1,"x"]"#,
                "The _stats function requires that map values be numbers or arrays of numbers, not '<<\"x\">>'",
            ),
            (r#"[{"a":1}]"#, "user _stats input missing required field sum ([{<<\"a\">>,1}])"),
            ("[1,[1]]", "The _stats function requires that map values be numbers or arrays of numbers, not '[1]'"),
            ("[null]", "non-numeric _stats input: null"),
        ] {
            let mut stats = Stats::default();
            let failure = values(given).iter().find_map(|value| stats.add(value).err()).unwrap();
            assert_eq!(failure.reason.as_deref(), Some(reason), "{given}");
        }
    }
}
