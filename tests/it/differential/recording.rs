//! What CouchDB answered: one file for each area, one line for each answer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::conversation::Answers;

/// A difference between what was recorded and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The title of the sequence.
    pub(super) sequence: String,
    /// The place of the request in the sequence, from 1.
    pub(super) place: usize,
    /// The request.
    pub(super) request: String,
    /// Where in the answer: `status`, `headers/etag`, `json/rows/0/id`.
    pub(super) field: String,
    /// What was recorded and what came.
    pub(super) values: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sequence, place, request, field, values } = self;
        write!(f, "{sequence} · {place} · {request} · {field}: {values}")
    }
}

fn path(area: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/couchdb-3.5/{area}.json"))
}

/// Writes the answers of an area.
pub(super) fn write(area: &str, all: &[Answers]) {
    let mut sequences = Vec::new();
    for Answers { title, answers } in all {
        let lines: Vec<String> = answers
            .iter()
            .map(|(request, answer)| format!("  {}", Value::from(vec![Value::from(request.as_str()), answer.clone()])))
            .collect();
        sequences.push(format!(" {}: [\n{}\n ]", Value::from(title.as_str()), lines.join(",\n")));
    }
    std::fs::write(path(area), format!("{{\n{}\n}}\n", sequences.join(",\n"))).unwrap();
}

/// Everything in which the answers differ from the recorded ones.
pub(super) fn compare(area: &str, all: &[Answers]) -> Vec<Difference> {
    let text = std::fs::read_to_string(path(area)).unwrap_or_else(|error| panic!("{area} was never recorded: {error}"));
    let mut recorded: BTreeMap<String, Vec<(String, Value)>> = serde_json::from_str(&text).unwrap();
    let mut differences = Vec::new();
    for Answers { title, answers } in all {
        let expected = recorded.remove(title).unwrap_or_default();
        let requests =
            |answers: &[(String, Value)]| answers.iter().map(|(request, _)| request.clone()).collect::<Vec<_>>();
        assert_eq!(requests(&expected), requests(answers), "{area}: “{title}” was changed: record it again");
        for (at, ((request, expected), (_, answer))) in expected.iter().zip(answers).enumerate() {
            // Where CouchDB itself fell over, any refusal is as good.
            if expected["crash"] == true && answer["status"].as_u64().is_some_and(|status| status >= 400) {
                continue;
            }
            let mut found = Vec::new();
            if expected["status"] == answer["status"] {
                differ("", expected, answer, &mut found);
            } else {
                // Another status is another answer: the rest of it is no difference of its own.
                let values = format!("{} recorded, {} came", short(expected), short(answer));
                found.push(("status".to_owned(), values));
            }
            differences.extend(found.into_iter().map(|(field, values)| Difference {
                sequence: title.clone(),
                place: at + 1,
                request: request.clone(),
                field,
                values,
            }));
        }
    }
    assert!(recorded.is_empty(), "{area}: recorded, but not asked any more: {:?}", recorded.keys());
    differences
}

/// Finds the smallest values that differ. The order of fields counts in `exact` only.
fn differ(place: &str, expected: &Value, answer: &Value, found: &mut Vec<(String, String)>) {
    let beneath = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") };
    match (expected, answer) {
        (Value::Object(expected), Value::Object(answer)) => {
            for (name, value) in expected {
                match answer.get(name) {
                    Some(other) => differ(&beneath(name), value, other, found),
                    None => found.push((beneath(name), format!("{} recorded, nothing came", short(value)))),
                }
            }
            for (name, value) in answer.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                found.push((beneath(name), format!("nothing recorded, {} came", short(value))));
            }
        }
        (Value::Array(expected), Value::Array(answer)) if expected.len() == answer.len() => {
            for (at, (value, other)) in expected.iter().zip(answer).enumerate() {
                differ(&beneath(&at.to_string()), value, other, found);
            }
        }
        _ if expected == answer => {}
        _ => found.push((place.to_owned(), format!("{} recorded, {} came", short(expected), short(answer)))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 300 { text.chars().take(300).chain(['…']).collect() } else { text }
}

#[test]
fn the_smallest_difference_is_named() {
    let before = serde_json::json!({ "status": 200, "json": { "rows": [{ "id": "a" }, { "id": "b" }], "gone": 1 } });
    let after = serde_json::json!({ "json": { "rows": [{ "id": "a" }, { "id": "c" }], "new": 1 }, "status": 200 });
    let mut found = Vec::new();
    differ("", &before, &after, &mut found);
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["json/rows/1/id", "json/gone", "json/new"]);
}
