//! Keeping what a server already has where the difference does not matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metadata::md5_of;
use super::text::trimmed;
use crate::hexadecimal;
use crate::json::{self, Object};

/// A text of ours for which the server's was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// MD5 of our text, in hexadecimal.
    pub ours: String,
    /// The server's text.
    pub theirs: String,
}

/// Takes the remote text of every string that is equal up to outer white space, so that taking over a deployment made
/// by a tool that strips its fields rebuilds no index. Only for targets without a base; for the pushes that follow,
/// [`adopt_again`] keeps what was taken.
pub fn adopt(local: &mut Object, remote: &Object) -> Vec<Adopted> {
    let mut kept = Vec::new();
    for (key, value) in local.iter_mut().filter(|(key, _)| *key != "couchapp") {
        if let Some(other) = remote.get(key) {
            adopt_value(value, other, &mut kept);
        }
    }
    rename_objects(local, &kept);
    let digest = |text: String| hexadecimal::encode(&md5_of(text.as_bytes()));
    kept.into_iter().map(|(ours, theirs)| Adopted { ours: digest(ours), theirs }).collect()
}

/// Takes the texts that an earlier push took, wherever ours is still the same. Returns those that were taken.
pub fn adopt_again(local: &mut Object, adopted: &[Adopted]) -> Vec<Adopted> {
    let known: BTreeMap<&str, &Adopted> = adopted.iter().map(|entry| (entry.ours.as_str(), entry)).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let mut kept = Vec::new();
    for (_, value) in local.iter_mut().filter(|(key, _)| *key != "couchapp") {
        take_known(value, &known, &mut kept);
    }
    rename_objects(local, &kept);
    adopted.iter().filter(|entry| kept.iter().any(|(_, theirs)| *theirs == entry.theirs)).cloned().collect()
}

fn take_known(value: &mut Value, known: &BTreeMap<&str, &Adopted>, kept: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => {
            if let Some(entry) = known.get(hexadecimal::encode(&md5_of(text.as_bytes())).as_str()) {
                kept.push((std::mem::replace(text, entry.theirs.clone()), entry.theirs.clone()));
            }
        }
        Value::Object(members) => members.values_mut().for_each(|value| take_known(value, known, kept)),
        _ => {}
    }
}

fn adopt_value(local: &mut Value, remote: &Value, kept: &mut Vec<(String, String)>) {
    match (local, remote) {
        (Value::String(local), Value::String(remote)) if local != remote && trimmed(local) == trimmed(remote) => {
            kept.push((std::mem::replace(local, remote.clone()), remote.clone()));
        }
        (Value::Object(local), Value::Object(remote)) => {
            for (key, value) in local {
                if let Some(other) = remote.get(key) {
                    adopt_value(value, other, kept);
                }
            }
        }
        _ => {}
    }
}

/// The sources of expanded functions are found by the digest of the expanded text.
fn rename_objects(local: &mut Object, kept: &[(String, String)]) {
    let objects = local.get_mut("couchapp").and_then(|couchapp| couchapp.get_mut("objects"));
    let Some(Value::Object(objects)) = objects else { return };
    let mut changed = false;
    for (before, after) in kept {
        if let Some(source) = objects.get(&hexadecimal::encode(&md5_of(before.as_bytes()))).cloned() {
            objects.insert(hexadecimal::encode(&md5_of(after.as_bytes())), source);
            changed = true;
        }
    }
    if changed {
        objects.sort_keys();
    }
}

/// Wherever a value equals the remote one, takes the remote's own spelling (key order, text of numbers).
pub fn keep_spelling(local: &mut Object, remote: &Object) {
    for (key, value) in local.iter_mut() {
        match (value, remote.get(key)) {
            (value, Some(other)) if json::same(value, other) => *value = other.clone(),
            (Value::Object(value), Some(Value::Object(other))) => keep_spelling(value, other),
            _ => {}
        }
    }
    let mut own = std::mem::take(local);
    for key in remote.keys() {
        if let Some(value) = own.shift_remove(key) {
            local.insert(key.clone(), value);
        }
    }
    local.extend(own);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_stripped_deployment_is_taken_over_as_it_is() {
        let source = "// !code x\n";
        let digest = |text: &str| hexadecimal::encode(&md5_of(text.as_bytes()));
        let mut local = object(serde_json::json!({
            "views": {"a": {"map": "f\n"}, "b": {"map": "g"}},
            "list": [" x"],
            "couchapp": {"name": "n ", "objects": {digest("f\n"): source}},
        }));
        let remote = object(serde_json::json!({
            "views": {"a": {"map": "f"}, "b": {"map": "h"}},
            "list": ["x"],
            "couchapp": {"name": "n"},
        }));
        let ours = local.clone();
        let adopted = adopt(&mut local, &remote);
        assert_eq!(adopted, [Adopted { ours: digest("f\n"), theirs: "f".into() }]);
        assert_eq!(local["views"]["a"]["map"], "f");
        assert_eq!((&local["list"][0], &local["couchapp"]["name"]), (&Value::from(" x"), &Value::from("n ")));
        assert_eq!(local["couchapp"]["objects"][digest("f")], source);
        let mut later = ours;
        assert_eq!(adopt_again(&mut later, &adopted), adopted);
        assert_eq!(later, local);
        later["views"]["a"]["map"] = "changed\n".into();
        assert_eq!(adopt_again(&mut later, &adopted), []);
        assert_eq!(later["views"]["a"]["map"], "changed\n");
    }

    #[test]
    fn equal_values_keep_the_spelling_of_the_server() {
        let parse = |text: &str| object(serde_json::from_str(text).unwrap());
        let mut local = parse(r#"{"new":1,"b":{"y":0.10,"x":1},"a":1e2,"c":{"k":1.50,"l":2}}"#);
        let remote = parse(r#"{"a":100.0,"gone":1,"c":{"l":3,"k":1.5},"b":{"x":1,"y":0.1}}"#);
        keep_spelling(&mut local, &remote);
        let text = serde_json::to_string(&local).unwrap();
        assert_eq!(text, r#"{"a":100.0,"c":{"l":2,"k":1.5},"b":{"x":1,"y":0.1},"new":1}"#);
    }
}
