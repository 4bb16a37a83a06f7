//! From a plan to the body that is sent.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Key, KeyPath, Plan, leaves};
use crate::json::Object;
use crate::mark::Mark;

/// The body a push writes: ours, with what the plan keeps of theirs, and without what `--only` left out.
///
/// `couchapp.signatures` follows the attachments: one that stays as the server has it keeps the signature it had there.
pub fn compose(ours: &Object, theirs: &Object, plan: &Plan) -> Object {
    let mut body = ours.clone();
    let theirs_leaves = leaves(theirs);
    let mut planned = BTreeSet::new();
    for change in &plan.changes {
        match (&change.key, change.mark) {
            (Key::Member(path), Mark::Kept) => {
                if let Some(value) = theirs_leaves.get(path) {
                    set(&mut body, path, value.clone());
                }
                planned.insert(path.clone());
            }
            (Key::Member(path), _) => {
                planned.insert(path.clone());
            }
            (Key::Attachment(name), Mark::Kept) => keep_signature(&mut body, theirs, name.as_str()),
            (Key::Attachment(_), _) => {}
        }
    }
    for (path, value) in leaves(ours) {
        if !planned.contains(&path) && !value.is_object() {
            remove(&mut body, &path);
        }
    }
    body
}

/// Puts the leaves of `before` back at `paths`; a path that `before` does not have goes.
pub fn restore(body: &mut Object, before: &Object, paths: &[&KeyPath]) {
    let leaves = leaves(before);
    for path in paths {
        match leaves.get(*path) {
            Some(value) => set(body, path, value.clone()),
            None => remove(body, path),
        }
    }
}

fn keep_signature(body: &mut Object, theirs: &Object, name: &str) {
    let signature = theirs.get("couchapp").and_then(|metadata| metadata.get("signatures")?.get(name)).cloned();
    let signatures = body.get_mut("couchapp").and_then(|metadata| metadata.get_mut("signatures")?.as_object_mut());
    if let Some(signatures) = signatures {
        match signature {
            Some(signature) => signatures.insert(name.to_owned(), signature),
            None => signatures.shift_remove(name),
        };
    }
}

/// Puts `value` at `path`; what stands in the way of an object is replaced.
fn set(body: &mut Object, path: &KeyPath, value: Value) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut object = body;
    for key in parents {
        let child = object.entry(key.clone()).or_insert_with(|| Value::Object(Object::new()));
        if !child.is_object() {
            *child = Value::Object(Object::new());
        }
        let Some(inner) = child.as_object_mut() else { return };
        object = inner;
    }
    object.insert(last.clone(), value);
}

/// Removes the leaf at `path`, and the objects that it leaves empty.
fn remove(object: &mut Object, path: &[String]) {
    match path {
        [] => {}
        [last] => {
            object.shift_remove(last);
        }
        [first, rest @ ..] => {
            let Some(child) = object.get_mut(first).and_then(Value::as_object_mut) else { return };
            remove(child, rest);
            if child.is_empty() {
                object.shift_remove(first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AttName;
    use crate::plan::Change;
    use serde_json::json;

    fn change(key: Key, mark: Mark) -> Change {
        Change { key, mark, path: String::new(), bytes: 0, overwrites: false }
    }

    fn member(path: &[&str], mark: Mark) -> Change {
        change(Key::Member(path.iter().map(|key| (*key).to_owned()).collect()), mark)
    }

    #[test]
    fn what_the_plan_keeps_is_sent_back_and_what_it_leaves_out_is_not_sent() {
        let ours = json!({
            "views": {"a": {"map": "A"}, "new": {"map": "N"}},
            "couchapp": {"signatures": {"x": "1", "y": "2"}},
        });
        let theirs = json!({
            "views": {"a": {"map": "old"}, "b": {"map": "B"}},
            "couchapp": {"signatures": {"x": "0"}},
        });
        let plan = Plan {
            changes: vec![
                member(&["views", "a", "map"], Mark::Kept),
                member(&["views", "b", "map"], Mark::Kept),
                change(Key::Attachment(AttName::new("x").unwrap()), Mark::Kept),
            ],
            metadata: false,
        };
        let body = compose(ours.as_object().unwrap(), theirs.as_object().unwrap(), &plan);
        let expected = json!({
            "views": {"a": {"map": "old"}, "b": {"map": "B"}},
            "couchapp": {"signatures": {"x": "0", "y": "2"}},
        });
        assert_eq!(Value::Object(body), expected);
    }

    #[test]
    fn an_empty_object_of_ours_stays_unless_theirs_fill_it() {
        let ours = json!({"lib": {}, "e": {}});
        let theirs = json!({"lib": {"x": 1}});
        let plan =
            Plan { changes: vec![member(&["e"], Mark::New), member(&["lib", "x"], Mark::Kept)], metadata: false };
        let body = compose(ours.as_object().unwrap(), theirs.as_object().unwrap(), &plan);
        assert_eq!(Value::Object(body), json!({"lib": {"x": 1}, "e": {}}));
    }
}
