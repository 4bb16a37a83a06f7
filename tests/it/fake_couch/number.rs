//! Numbers as CouchDB keeps them: integers exactly, everything else as a double in the shortest form.

use serde_json::{Number, Value};

/// Rewrites every number of a value as CouchDB would; `None` when one is beyond a double.
pub(crate) fn normalise(value: &mut Value) -> Option<()> {
    match value {
        Value::Number(number) => *number = printed(&number.to_string())?,
        Value::Array(items) => items.iter_mut().try_for_each(normalise)?,
        Value::Object(members) => members.values_mut().try_for_each(normalise)?,
        _ => {}
    }
    Some(())
}

/// Rewrites what is kept as CouchDB shows it: it keeps the sign of a zero, which counts for the revision.
pub(crate) fn show(value: &mut Value) {
    match value {
        Value::Number(number) if number.to_string() == "-0.0" => *value = Value::from(0.0),
        Value::Array(items) => items.iter_mut().for_each(show),
        Value::Object(members) => members.values_mut().for_each(show),
        _ => {}
    }
}

fn printed(text: &str) -> Option<Number> {
    if !text.contains(['.', 'e', 'E']) {
        return serde_json::from_str(if text == "-0" { "0" } else { text }).ok();
    }
    let double: f64 = text.parse().ok().filter(|double: &f64| double.is_finite())?;
    let size = double.abs();
    // CouchDB makes zero of what is too small for a normal double.
    let text = if !double.is_normal() {
        if double.is_sign_negative() { "-0.0" } else { "0.0" }.to_owned()
    } else if (1e-6..1e21).contains(&size) {
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
    #[test]
    fn numbers_are_printed_as_couchdb_prints_them() {
        // Asked of CouchDB 3.5.0.
        let table = [
            ("1e2", "100.0"),
            ("1e22", "1e+22"),
            ("1e-7", "1e-7"),
            ("1.5e300", "1.5e+300"),
            ("-0.0", "-0.0"),
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
}
