//! What a function threw, as CouchDB answers it.

use serde_json::Value;

use super::FunctionError;

impl FunctionError {
    /// An error whose status follows from its word, as in CouchDB's `chttpd:error_info`.
    pub fn new(error: impl Into<String>, reason: impl Into<String>) -> Self {
        let (error, reason) = (error.into(), reason.into());
        Self { status: status(&error), error, reason }
    }

    /// It took too long.
    pub(super) fn late() -> Self {
        Self::new("os_process_error", "OS process timed out.")
    }

    /// It took too much memory; CouchDB's process ends with this status then.
    pub(super) fn exhausted() -> Self {
        Self::new("os_process_error", "{exit_status,1}")
    }
}

/// From the prelude's `[error, reason, is_fatal]`.
pub(super) fn of(told: &str) -> (FunctionError, bool) {
    match crate::json::parse(told.as_bytes()) {
        Ok(Value::Array(parts)) => {
            let error = parts.first().and_then(Value::as_str).unwrap_or("unknown_error");
            let reason = parts.get(1).map(reason_text).unwrap_or_default();
            (FunctionError::new(error, reason), parts.get(2) == Some(&Value::Bool(true)))
        }
        _ => (FunctionError::new("unknown_error", "the function failed"), true),
    }
}

fn status(error: &str) -> u16 {
    match error {
        "bad_request" | "query_parse_error" | "illegal_docid" | "doc_validation" | "illegal_partition"
        | "invalid_design_doc" => 400,
        "unauthorized" => 401,
        "forbidden" | "partition_overflow" => 403,
        "not_found" => 404,
        "method_not_allowed" => 405,
        "not_acceptable" => 406,
        "conflict" => 409,
        "gone" => 410,
        "missing_stub" => 412,
        "bad_ctype" => 415,
        "expectation_failed" => 417,
        _ => 500,
    }
}

/// A reason that is no text is told as Erlang prints it.
fn reason_text(reason: &Value) -> String {
    match reason {
        Value::String(text) => text.clone(),
        other => erlang(other),
    }
}

/// A JSON value as Erlang prints its term (`~p`, on one line).
pub fn erlang(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("<<{}>>", quoted(text)),
        Value::Array(items) => format!("[{}]", items.iter().map(erlang).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{{<<{}>>,{}}}", quoted(name), erlang(value));
            format!("{{[{}]}}", members.iter().map(member).collect::<Vec<_>>().join(","))
        }
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let encoding = if text.is_ascii() { "" } else { "/utf8" };
    format!("\"{escaped}\"{encoding}")
}

/// What `validate_doc_update` threw without being an error: 1, `true` and `"ok"` are a consent.
pub(super) fn of_validation(thrown: &str) -> Result<(), FunctionError> {
    let unknown = || FunctionError::new("unknown_error", "function_clause");
    match crate::json::parse(thrown.as_bytes()).map_err(|_| unknown())? {
        Value::Bool(true) => Ok(()),
        Value::Number(number) if number.as_f64() == Some(1.0) => Ok(()),
        Value::String(text) if text == "ok" => Ok(()),
        Value::String(text) => Err(FunctionError::new("unknown_error", text)),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(kind), Value::String(error), reason] if kind == "error" || kind == "fatal" => {
                Err(FunctionError::new(error.as_str(), reason_text(reason)))
            }
            _ => Err(unknown()),
        },
        Value::Object(members) if members.len() == 1 => Err(members.iter().next().map_or_else(unknown, refusal)),
        _ => Err(unknown()),
    }
}

fn refusal((name, reason): (&String, &Value)) -> FunctionError {
    let word = if matches!(name.as_str(), "forbidden" | "unauthorized") { name.as_str() } else { "unknown_error" };
    let reason = match reason {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    FunctionError::new(word, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CouchDB 3.5 answered for each of these.
    #[test]
    fn validations_are_answered_as_couchdb_does() {
        let cases = [
            ("1", None),
            ("true", None),
            ("\"ok\"", None),
            ("\"x\"", Some((500, "unknown_error", "x"))),
            ("5", Some((500, "unknown_error", "function_clause"))),
            ("{\"forbidden\":\"no\"}", Some((403, "forbidden", "no"))),
            ("{\"forbidden\":{\"a\":1}}", Some((403, "forbidden", "{\"a\":1}"))),
            ("{\"unauthorized\":\"no\"}", Some((401, "unauthorized", "no"))),
            ("{\"foo\":\"x\"}", Some((500, "unknown_error", "x"))),
            ("[\"error\",\"a\",\"b\"]", Some((500, "a", "b"))),
            ("{}", Some((500, "unknown_error", "function_clause"))),
            ("{\"forbidden\":\"a\",\"x\":1}", Some((500, "unknown_error", "function_clause"))),
        ];
        for (thrown, expected) in cases {
            let error = of_validation(thrown).err();
            let seen = error.as_ref().map(|error| (error.status, error.error.as_str(), error.reason.as_str()));
            assert_eq!(seen, expected, "{thrown}");
        }
    }

    #[test]
    fn reasons_that_are_no_text_are_erlang_terms() {
        assert_eq!(of("[\"TypeError\",{},false]").0, FunctionError::new("TypeError", "{[]}"));
        assert_eq!(of("[\"a\",{\"n\":[1,null]},true]"), (FunctionError::new("a", "{[{<<\"n\">>,[1,null]}]}"), true));
    }
}
