//! JSON as Erlang prints it: CouchDB's reasons quote what they refuse that way.
//!
//! <https://www.erlang.org/doc/apps/stdlib/io.html#fwrite/3>: `~w` prints a text as its bytes, `~p` as text where it can be
//! printed.

use serde_json::Value;

/// `~w`
pub(in crate::serve) fn plain(value: &Value) -> String {
    write(value, &|text| {
        let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
        format!("<<{}>>", bytes.join(","))
    })
}

/// `~p`, on one line.
pub(in crate::serve) fn pretty(value: &Value) -> String {
    write(value, &|text| {
        if text.is_empty() {
            "<<>>".to_owned()
        } else if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            format!("<<\"{}\">>", text.replace('\\', "\\\\").replace('"', "\\\""))
        } else {
            let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
            format!("<<{}>>", bytes.join(","))
        }
    })
}

fn write(value: &Value, text: &dyn Fn(&str) -> String) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(content) => text(content),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| write(item, text)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{{{},{}}}", text(name), write(value, text))).collect();
            format!("{{[{}]}}", members.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_as_erlang_does() {
        let value: Value = serde_json::from_str(r#"{"a":[1,true,null,"b\"c"],"":{}}"#).unwrap();
        assert_eq!(plain(&value), "{[{<<97>>,[1,true,null,<<98,34,99>>]},{<<>>,{[]}}]}");
        assert_eq!(pretty(&value), r#"{[{<<"a">>,[1,true,null,<<"b\"c">>]},{<<>>,{[]}}]}"#);
    }
}
