//! The lines of `--json`: version, type, fields. `fixtures/output.schema.json` is their schema.

use serde_json::{Map, Value, json};

use crate::exit::Exit;

/// The version of the schema. Fields are only ever added to it.
pub(super) const VERSION: u64 = 1;

/// One object on a line of its own.
pub(super) fn line(kind: &str, fields: Map<String, Value>) -> String {
    let mut object = Map::new();
    object.insert("v".to_owned(), VERSION.into());
    object.insert("type".to_owned(), kind.into());
    object.extend(fields);
    format!("{}\n", Value::Object(object))
}

/// The last line of a command that failed.
pub(super) fn error_line(
    exit: Exit,
    code: &str,
    message: &str,
    details: &[String],
    causes: &[String],
    hints: &[String],
) -> String {
    let fields = json!({
        "ok": false, "exit": exit.code(), "code": code, "message": message,
        "details": details, "causes": causes, "hints": hints,
    });
    match fields {
        Value::Object(fields) => line("error", fields),
        _ => String::new(),
    }
}
