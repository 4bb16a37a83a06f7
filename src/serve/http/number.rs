//! Numbers as CouchDB keeps them: integers exactly, everything else as a double in its shortest form.

use serde_json::{Number, Value};

use crate::json::Object;

/// Rewrites every number of a value as CouchDB would; false when one is beyond a double.
pub(in crate::serve) fn normalise(value: &mut Value) -> bool {
    match value {
        Value::Number(number) => printed(&number.to_string()).map(|printed| *number = printed).is_some(),
        Value::Array(items) => items.iter_mut().all(normalise),
        Value::Object(members) => members.values_mut().all(normalise),
        _ => true,
    }
}

/// Rewrites what is kept as CouchDB shows it: it keeps the sign of a zero, which counts for the revision.
pub(in crate::serve) fn show(members: &mut Object) {
    members.values_mut().for_each(show_value);
}

fn show_value(value: &mut Value) {
    match value {
        Value::Number(number) if number.to_string() == "-0.0" => *value = Value::from(0.0),
        Value::Array(items) => items.iter_mut().for_each(show_value),
        Value::Object(members) => show(members),
        _ => {}
    }
}

fn printed(text: &str) -> Option<Number> {
    if !text.contains(['.', 'e', 'E']) {
        return serde_json::from_str(if text == "-0" { "0" } else { text }).ok();
    }
    let double: f64 = text.parse().ok().filter(|double: &f64| double.is_finite())?;
    // CouchDB makes zero of what is too small for a normal double.
    let text = if !double.is_normal() {
        if double.is_sign_negative() { "-0.0" } else { "0.0" }.to_owned()
    } else if (1e-6..1e21).contains(&double.abs()) {
        let text = format!("{double}");
        if text.contains('.') { text } else { format!("{text}.0") }
    } else {
        let text = format!("{double:e}");
        if text.contains("e-") { text } else { text.replace('e', "e+") }
    };
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn numbers_are_printed_as_couchdb_prints_them() {
        // Asked of CouchDB 3.5.0.
        let table = [
            ("1e2", "100.0"),
            ("1e22", "1e+22"),
            ("1e-7", "1e-7"),
            ("1.5e300", "1.5e+300"),
            ("-0.0", "-0.0"),
            ("-0", "0"),
            ("123456789012345680000.0", "123456789012345680000.0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("0.10", "0.1"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000.0"),
            ("0.000001", "0.000001"),
            ("12345678.9", "12345678.9"),
        ];
        for (sent, shown) in table {
            assert_eq!(super::printed(sent).unwrap().to_string(), shown, "{sent}");
        }
        assert_eq!(super::printed("1e400"), None);
    }

    #[test]
    fn a_negative_zero_is_kept_and_not_shown() {
        let mut value: Value = serde_json::from_str(r#"{"a":[-0.0,{"b":-0.0}]}"#).unwrap();
        assert!(super::normalise(&mut value));
        assert_eq!(value.to_string(), r#"{"a":[-0.0,{"b":-0.0}]}"#);
        super::show(value.as_object_mut().unwrap());
        assert_eq!(value.to_string(), r#"{"a":[0.0,{"b":0.0}]}"#);
    }
}
