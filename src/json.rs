//! JSON as CouchDB keeps it: text of numbers preserved, key order preserved, values compared by value.

use std::cmp::Ordering;

use serde_json::Value;

/// A JSON object whose key order is kept.
pub type Object = serde_json::Map<String, Value>;

/// What is wrong with a JSON text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What the parser expected or refused, without a position.
    pub message: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
}

/// Parses `text`; refuses what CouchDB would refuse (numbers beyond a double, more than 128 levels).
pub fn parse(text: &[u8]) -> Result<Value, SyntaxError> {
    let value: Value = serde_json::from_slice(text).map_err(|error| {
        let full = error.to_string();
        let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
        SyntaxError { message, line: error.line().max(1), column: error.column().max(1) }
    })?;
    match infinite_number(&value) {
        Some(number) => Err(locate_number(text, &number)),
        None => Ok(value),
    }
}

/// How many values a JSON text has at most: each takes many times the memory of its text once it is parsed. Counts what
/// separates values, outside of texts.
pub fn count_values(text: &[u8]) -> usize {
    let (mut count, mut is_text, mut is_escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b':' | b'[' | b'{' if !is_text => count += 1,
            _ => {}
        }
    }
    count
}

/// Writes `value` for people and version control: two spaces, one final line feed.
pub fn to_pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// Whether two values are the same to CouchDB: objects in any key order, numbers by value (`0.10` is `0.1`, but the
/// integer `1` is not the float `1.0`, as CouchDB prints them differently).
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => same_number(&left.to_string(), &right.to_string()),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => same_object(left, right),
        _ => left == right,
    }
}

/// [`same`] for two objects.
pub fn same_object(left: &Object, right: &Object) -> bool {
    left.len() == right.len() && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
}

fn same_number(left: &str, right: &str) -> bool {
    let is_float = |text: &str| text.contains(['.', 'e', 'E']);
    match (is_float(left), is_float(right)) {
        (true, true) => match (left.parse::<f64>(), right.parse::<f64>()) {
            // CouchDB drops the sign of a zero, and so does this comparison.
            (Ok(left), Ok(right)) => left.partial_cmp(&right) == Some(Ordering::Equal),
            _ => left == right,
        },
        (false, false) => integer(left) == integer(right),
        _ => false,
    }
}

/// An integer's text without the sign of a negative zero, which CouchDB drops.
fn integer(text: &str) -> &str {
    if text == "-0" { "0" } else { text }
}

fn infinite_number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let float = text.contains(['.', 'e', 'E']);
            (float && text.parse::<f64>().is_ok_and(f64::is_infinite)).then_some(text)
        }
        Value::Array(items) => items.iter().find_map(infinite_number),
        Value::Object(members) => members.values().find_map(infinite_number),
        _ => None,
    }
}

/// The parser does not say where a number stood: look for it in the text, outside of strings.
fn locate_number(text: &[u8], number: &str) -> SyntaxError {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let (mut at, mut in_string) = (0, false);
    while at < text.len() {
        let run = text[at..].iter().take_while(|byte| is_part(byte)).count();
        match text[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            _ if !in_string && run > 0 => {
                let token = std::str::from_utf8(&text[at..at + run]).unwrap_or_default();
                if token.parse::<f64>().is_ok_and(f64::is_infinite) {
                    break;
                }
                at += run - 1;
            }
            _ => {}
        }
        at += 1;
    }
    let before = &text[..at.min(text.len())];
    SyntaxError {
        message: format!("the number {number} is larger than CouchDB can store"),
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_texts() {
        for (text, count) in [("", 1), (r#""[,{:\"[""#, 1), (r#"{"a":[1,2]}"#, 5), ("[[[", 4)] {
            assert_eq!(count_values(text.as_bytes()), count, "{text}");
        }
    }

    fn value(text: &str) -> Value {
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn values_are_compared_as_couchdb_prints_them() {
        let equal = [
            ("0.10", "0.1"),
            ("1e2", "100.0"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
            ("[1.50]", "[1.5]"),
            ("12345678901234567890123", "12345678901234567890123"),
        ];
        for (left, right) in equal {
            assert!(same(&value(left), &value(right)), "{left} = {right}");
        }
        let different = [
            ("1", "1.0"),
            ("12345678901234567890123", "12345678901234567890124"),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            ("[1,2]", "[2,1]"),
            ("\"1\"", "1"),
            ("null", "false"),
        ];
        for (left, right) in different {
            assert!(!same(&value(left), &value(right)), "{left} ≠ {right}");
        }
    }

    #[test]
    fn a_syntax_error_names_its_place() {
        let error = parse(b"{\n  \"a\": 1,\n}").unwrap_err();
        assert_eq!((error.line, error.column), (3, 1));
        assert!(!error.message.contains("line"), "{}", error.message);
        let error = parse(b"[1,\n 1e400]").unwrap_err();
        assert_eq!((error.line, error.column), (2, 2));
        let error = parse(b"[\"\\\"1e400\", 1.5, -1e999]").unwrap_err();
        assert_eq!((error.line, error.column), (1, 18));
        assert!(parse(b"").is_err());
        assert!(parse("\u{feff}{}".as_bytes()).is_err());
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn numbers_and_key_order_survive() {
        let text = r#"{"z":12345678901234567890123,"a":[1.50,1.5e+22]}"#;
        assert_eq!(serde_json::to_string(&value(text)).unwrap(), text);
    }
}
