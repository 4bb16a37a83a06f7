//! Numbers as CouchDB computes with them and prints them: integers of any size, doubles otherwise.

use std::cmp::Ordering;

use serde_json::Value;

/// A number of a view's rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer. Beyond 38 digits it becomes a double here.
    Integer(i128),
    /// A double.
    Float(f64),
}

impl Number {
    /// None.
    pub const ZERO: Self = Self::Integer(0);

    /// The number that a value is.
    pub fn of(value: &Value) -> Option<Self> {
        let text = value.as_number()?.to_string();
        let float = || text.parse().unwrap_or_default();
        Some(text.parse().map_or_else(|_| Self::Float(float()), Self::Integer))
    }

    fn float(self) -> f64 {
        match self {
            #[allow(clippy::cast_precision_loss, reason = "this is what mixed arithmetic does")]
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => {
                left.checked_add(right).map_or_else(|| Self::Float(self.float() + other.float()), Self::Integer)
            }
            _ => Self::Float(self.float() + other.float()),
        }
    }

    /// Whether it is a number at all: beyond all doubles Erlang fails, and JSON has no word for it.
    pub fn is_finite(self) -> bool {
        self.float().is_finite()
    }

    /// The square.
    pub fn squared(self) -> Self {
        match self {
            Self::Integer(number) => {
                number.checked_mul(number).map_or_else(|| Self::Float(self.float() * self.float()), Self::Integer)
            }
            Self::Float(number) => Self::Float(number * number),
        }
    }

    fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left.cmp(&right),
            _ => self.float().total_cmp(&other.float()),
        }
    }

    /// The lesser one; the first of equal ones.
    pub fn least(self, other: Self) -> Self {
        if other.order(self).is_lt() { other } else { self }
    }

    /// The greater one; the first of equal ones.
    pub fn greatest(self, other: Self) -> Self {
        if other.order(self).is_gt() { other } else { self }
    }

    /// As JSON, as CouchDB prints it.
    pub fn value(self) -> Value {
        let text = match self {
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => print(number),
        };
        text.parse().map_or(Value::Null, Value::Number)
    }
}

/// Prints a double as JavaScript does, with a `.0` where it would look like an integer.
pub fn print(number: f64) -> String {
    if !number.is_normal() {
        return "0.0".to_owned();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    match exponent {
        21.. => format!("{mantissa}e+{exponent}"),
        ..-6 => scientific,
        _ if number.fract() == 0.0 => format!("{number:.1}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_printed_as_couchdb_does() {
        for (number, text) in [
            (1e21, "1e+21"),
            (-1.5e21, "-1.5e+21"),
            (1.5e300, "1.5e+300"),
            (1e20, "100000000000000000000.0"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (0.000_001, "0.000001"),
            (0.1, "0.1"),
            (100.0, "100.0"),
            (1e17, "100000000000000000.0"),
            (-0.0, "0.0"),
            (5e-324, "0.0"),
            (123_456_789.0, "123456789.0"),
        ] {
            assert_eq!(print(number), text);
        }
    }

    #[test]
    fn integers_stay_integers() {
        let number = |text: &str| Number::of(&serde_json::from_str(text).unwrap()).unwrap();
        for (left, right, sum) in [
            ("1", "2", "3"),
            ("1", "2.5", "3.5"),
            ("2.5", "2.5", "5.0"),
            ("9007199254740993", "2", "9007199254740995"),
            ("-5", "5", "0"),
            ("1e21", "1", "1e+21"),
        ] {
            assert_eq!(number(left).plus(number(right)).value().to_string(), sum, "{left} + {right}");
        }
        assert_eq!(number("3").squared().value().to_string(), "9");
        assert_eq!(number("1").least(number("1.0")), Number::Integer(1));
        assert_eq!(number("1").greatest(number("2.5")), Number::Float(2.5));
    }
}
