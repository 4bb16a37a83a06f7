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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Failure;
    use crate::mark::Mark;
    use crate::report::testing::captured;
    use crate::report::{JobLine, JobState, Jobs, Listing, PlanLine, Start};
    use crate::settings::ProgressStyle;

    const SCHEMA: &str = include_str!("../../fixtures/output.schema.json");

    /// Whether `value` is what `schema` describes: the part of JSON Schema that ours uses.
    fn conforms(schema: &Value, value: &Value) -> bool {
        let kind = |kind: &str| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("unknown type {other}"),
        };
        let rules = schema.as_object().unwrap();
        rules.iter().all(|(rule, wanted)| match rule.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match wanted {
                Value::Array(kinds) => kinds.iter().any(|one| kind(one.as_str().unwrap())),
                one => kind(one.as_str().unwrap()),
            },
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "required" => wanted.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "items" => value.as_array().unwrap().iter().all(|item| conforms(wanted, item)),
            "oneOf" => wanted.as_array().unwrap().iter().filter(|choice| conforms(choice, value)).count() == 1,
            "properties" => {
                let members = wanted.as_object().unwrap();
                members.iter().all(|(name, rules)| value.get(name).is_none_or(|member| conforms(rules, member)))
            }
            other => panic!("unknown rule {other}"),
        })
    }

    #[test]
    fn every_line_follows_the_committed_schema() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let (printer, captured) = captured(|output| {
            output.json = true;
            output.progress = ProgressStyle::Json;
        });
        printer.start(&Start { command: "push", doing: "Pushing", from: "blog", to: "http://h/db", remark: None });
        let line = |mark| PlanLine { mark, path: "x".into(), bytes: Some(1), reason: Some("content".into()) };
        let marks = [Mark::New, Mark::Changed, Mark::Removed, Mark::Same, Mark::Conflict, Mark::Ignored];
        printer.plan(&Listing { lines: marks.map(line).into(), same: 3, bytes: 6, whole: true });
        printer.warning("sandbox", "m");
        let jobs = Jobs::new(&printer, vec![JobLine::default()]);
        jobs.update(0, |line| (line.state, line.pending) = (JobState::CaughtUp, Some(1)));
        jobs.refused(0, "x", None, "forbidden");
        printer.summary("done", Map::from_iter([("rev".to_owned(), "1-a".into())]));
        printer.document("status", Map::from_iter([("items".to_owned(), json!([]))]));
        let fields = json!({"command": "watch", "state": "stopped", "done": 3});
        printer.document("watch", fields.as_object().cloned().unwrap());
        let job = json!({"job": "j", "document": null, "replication": "9a", "from": null, "to": "http://h/b", "continuous": true,
            "state": "running", "written": null, "refused": 0, "pending": 3, "errors": 0, "error": null});
        let fields = json!({"server": "http://h", "jobs": [job]});
        printer.document("replications", fields.as_object().cloned().unwrap());
        printer.document("serve", Map::from_iter([("url".to_owned(), "http://h".into())]));
        printer
            .error(&Failure::new(Exit::Conflict, "m").detail("d").hint("h").because(std::io::Error::other("c")).into());
        let out = captured.out();
        let kinds: Vec<&str> = out.lines().filter_map(|line| line.split('"').nth(5)).collect();
        let item = ["item"; 6];
        let kinds_expected: Vec<&str> = ["start", "plan"]
            .into_iter()
            .chain(item)
            .chain(["warning", "job", "refused", "summary", "status", "watch", "replications", "serve", "error"])
            .collect();
        assert_eq!(kinds, kinds_expected);
        for line in out.lines() {
            assert!(conforms(&schema, &serde_json::from_str(line).unwrap()), "{line}");
        }
    }

    #[test]
    fn the_schema_refuses_what_it_does_not_describe() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        for line in [
            json!({"v": 2, "type": "warning", "code": "a", "message": "b"}),
            json!({"v": 1, "type": "warning", "code": "a"}),
            json!({"v": 1, "type": "item", "op": "touch", "path": "x"}),
            json!({"v": 1, "type": "error", "ok": false, "exit": "5", "code": "a", "message": "b", "details": [],
                "causes": [], "hints": []}),
            json!({"v": 1, "type": "unheard"}),
            json!({"v": 1, "type": "watch", "command": "watch", "state": "asleep"}),
        ] {
            assert!(!conforms(&schema, &line), "{line}");
        }
    }
}
