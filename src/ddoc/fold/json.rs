//! JSON files, read strictly: what a lenient parser would drop is an error.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::super::Finding;
use super::super::finding::Findings;
use crate::json::{self, Object};
use crate::path::RelPath;

/// The value in a JSON file. What cannot be read is a loss and, as couchapp 1.0.2 had it, an empty object.
pub(in super::super) fn read(path: &RelPath, text: &[u8], findings: &mut Findings) -> Value {
    let (value, problem) = parse(path, text);
    if let Some(finding) = problem {
        findings.loss(finding);
    }
    value.unwrap_or_else(|| Value::Object(Object::new()))
}

/// The value that a lenient reader takes, if any, and what a strict one has to say.
fn parse(path: &RelPath, text: &[u8]) -> (Option<Value>, Option<Finding>) {
    let problem = |message: String| Finding::error(path, message);
    if text.starts_with(b"\xef\xbb\xbf") {
        let message = "begins with a byte order mark, which JSON does not allow".to_owned();
        return (None, Some(problem(message).at(text, 1, 1)));
    }
    if let Err(error) = std::str::from_utf8(text) {
        let message = format!("is not valid UTF-8 at byte {}", error.valid_up_to() + 1);
        return (None, Some(problem(message).at_offset(text, error.valid_up_to())));
    }
    let value = match json::parse(text) {
        Ok(value) => value,
        Err(error) => return (None, Some(problem(error.message).at(text, error.line, error.column))),
    };
    let duplicate = serde_json::from_slice::<WithoutDuplicates>(text).err().map(|error| {
        let full = error.to_string();
        let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
        problem(message.to_owned()).at(text, error.line(), error.column().max(1))
    });
    (Some(value), duplicate)
}

/// Any JSON in which no object has a key twice.
struct WithoutDuplicates;

impl<'de> Deserialize<'de> for WithoutDuplicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for WithoutDuplicates {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("the key `{}` stands here twice", key.escape_debug())));
            }
            seen.insert(key);
            members.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_json_names_its_place() {
        let path = RelPath::new("a.json").unwrap();
        let cases: [(&[u8], (usize, usize), &str); 6] = [
            (b"{\"a\": 1,}", (1, 9), "trailing comma"),
            (b"", (1, 1), "EOF"),
            (b"\xef\xbb\xbf{}", (1, 1), "byte order mark"),
            (b"{\n\"a\": 1,\n\"a\": 2}", (3, 3), "twice"),
            (b"[\"caf\xe9\"]", (1, 6), "UTF-8 at byte 6"),
            (b"// x\n{}", (1, 1), "expected value"),
        ];
        for (text, position, words) in cases {
            let finding = parse(&path, text).1.unwrap();
            assert!(finding.message.contains(words), "{finding}");
            assert_eq!(finding.position, Some(position), "{finding}");
        }
        assert_eq!(parse(&path, b"{\"a\": 1, \"a\": 2}").0, Some(serde_json::json!({"a": 2})));
        assert_eq!(parse(&path, b"{\"a\": {\"b\": 1.50, \"c\": 12345678901234567890123}, \"b\": [{}, {}]}").1, None);
    }
}
