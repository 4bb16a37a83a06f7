//! JSON as Python's `json.dumps` writes it: the original's text is the identity of existing indexes.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// `value` as Python writes it: `", "` and `": "`, everything but printable ASCII escaped.
pub(super) fn dumps(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) => text.push_str(&value.to_string()),
        Value::Number(number) => text.push_str(&self::number(number)),
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_string(key, text);
                text.push_str(": ");
                write(value, text);
            }
            text.push('}');
        }
    }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

/// Integers as they are, the others as Python's `repr` of a float.
fn number(number: &Number) -> String {
    let written = number.to_string();
    if !written.contains(['.', 'e', 'E']) {
        return if written == "-0" { "0".to_owned() } else { written };
    }
    let Ok(float) = written.parse::<f64>() else { return written };
    // Rust's shortest digits are Python's; only the layout differs.
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return written };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => {
            let plain = float.to_string();
            if plain.contains('.') { plain } else { format!("{plain}.0") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_python_writes_it() {
        let cases = [
            (r#"{"a":[1,2,{}],"b":null}"#, r#"{"a": [1, 2, {}], "b": null}"#),
            ("\"é\u{1f600}\u{7f}\\u0001\\n\\\"/\"", "\"\\u00e9\\ud83d\\ude00\\u007f\\u0001\\n\\\"/\""),
            (
                "[1.50, 1e2, 1e22, 1.5e-7, 0.0001, -0, -0.0, 1e16, 123456789012345678901234567890]",
                "[1.5, 100.0, 1e+22, 1.5e-07, 0.0001, 0, -0.0, 1e+16, 123456789012345678901234567890]",
            ),
            ("[true,false]", "[true, false]"),
        ];
        for (json, python) in cases {
            assert_eq!(dumps(&serde_json::from_str(json).unwrap()), python);
        }
    }
}
