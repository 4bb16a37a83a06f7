//! Revisions and listings.

use std::cell::RefCell;

use super::*;

/// All revisions are those that CouchDB 3.5 gave.
#[test]
fn edits_end_as_in_couchdb() {
    let place = Place::new();
    let database = place.database();
    let steps = [
        (leaf("d", "", "{}"), "1-967a00dff5e02add41819138abb3284d"),
        (leaf("d", "", "{}"), "conflict"),
        (leaf("d", "1-967a00dff5e02add41819138abb3284d", "_deleted"), "2-eec205a9d413992850a6e32678485900"),
        // A tombstone is no leaf to edit, nor to delete again.
        (leaf("d", "2-eec205a9d413992850a6e32678485900", r#"{"a":1}"#), "conflict"),
        (leaf("d", "", "_deleted"), "conflict"),
        (leaf("d", "", r#"{"a":1}"#), "3-949992779dbcd6e228b6a5f8f017847d"),
        (leaf("d", "1-967a00dff5e02add41819138abb3284d", "{}"), "conflict"),
        (leaf("_design/x", "1-967a00dff5e02add41819138abb3284d", "{}"), "conflict"),
        (leaf("x", "1-967a00dff5e02add41819138abb3284d", "{}"), "2-7051cbe5c8faecd085a3fa619e6e6337"),
        (leaf("f", "", "_deleted"), "1-de715bf126efc93d225d9e3f8e8eb81a"),
        // Losing leaves can be edited, tombstones among them.
        (replicated("g", "1-a", "{}"), "1-a"),
        (replicated("g", "1-b", "_deleted"), "1-b"),
        (leaf("g", "1-b", r#"{"x":1}"#), "2-2c20573f5ddeb33b90918ce5dc33cccd"),
        (leaf("g", "1-a", r#"{"x":1}"#), "2-44ef555a66071e1755aea7ac712a5549"),
        (leaf("g", "1-a", r#"{"x":1}"#), "conflict"),
        (replicated("g", "1-a", r#"{"other":1}"#), "1-a"),
        (replicated("g", "", "{}"), "conflict"),
    ];
    for (edit, expected) in steps {
        assert_eq!(write_one(&database, edit.clone()), expected, "{edit:?}");
    }
    let info = database.info().unwrap();
    assert_eq!((info.documents, info.deleted, info.sequence), (3, 1, 9));
    assert_eq!(database.body("g", &revision("1-a")).unwrap().unwrap().members, Object::new());
    assert_eq!(database.document("g").unwrap().unwrap().sequence, 9);
    assert!(database.document("_design/x").unwrap().is_none());
    verify(&database);
}

#[test]
fn later_edits_of_a_batch_see_earlier_ones() {
    let place = Place::new();
    let database = place.database();
    let words = write(
        &database,
        vec![
            leaf("h", "", r#"{"v":1}"#),
            leaf("h", "", r#"{"v":2}"#),
            leaf("h", "1-7a7e4b29f3af401e69b6f86e4c26b727", "_deleted"),
        ],
    );
    assert_eq!(words[..2], ["1-7a7e4b29f3af401e69b6f86e4c26b727", "conflict"]);
    assert!(words[2].starts_with("2-"));
    // One document, one change.
    let info = database.info().unwrap();
    assert_eq!((info.documents, info.deleted, info.sequence), (0, 1, 1));
}

/// As CouchDB 3.5 does it.
#[test]
fn ancestors_that_come_along_are_stored() {
    let place = Place::new();
    let database = place.database();
    let has = |id: &str, text: &str| database.body(id, &revision(text)).unwrap().is_some();
    write(&database, vec![replicated("e", "2-b 1-a", "{}")]);
    assert!(has("e", "2-b") && !has("e", "1-a"));
    let words = write(&database, vec![replicated("e", "3-c 2-b", "{}"), replicated("e", "4-d 3-c", "{}")]);
    assert_eq!(words, ["3-c", "4-d"]);
    assert!(has("e", "3-c") && has("e", "4-d"));
    assert_eq!(database.info().unwrap().sequence, 2);
    let tree = database.document("e").unwrap().unwrap().tree;
    assert_eq!(tree.history(&revision("4-d")), Some(revisions("4-d 3-c 2-b 1-a")));
    verify(&database);
}

#[test]
fn a_check_sees_what_an_edit_replaces() {
    let place = Place::new();
    let database = place.database();
    write(
        &database,
        vec![
            replicated("a", "2-b 1-a", r#"{"v":"b"}"#),
            replicated("a", "2-c 1-a", r#"{"v":"c"}"#),
            leaf("gone", "", "_deleted"),
        ],
    );
    let seen = RefCell::new(Vec::new());
    let check = |edit: &Edit, previous: Option<&Previous>| {
        let text = previous.map(|previous| {
            let history: Vec<_> = previous.history.iter().map(Revision::as_str).collect();
            format!("{} {}", history.join(" "), previous.body.members.get("v").unwrap_or(&Value::Null))
        });
        seen.borrow_mut().push(text.unwrap_or_default());
        let refusal = Refusal { status: 403, error: "forbidden".into(), reason: "no".into() };
        if edit.members.contains_key("bad") { Err(refusal) } else { Ok(()) }
    };
    let edits = vec![
        leaf("a", "2-b", "{}"),
        leaf("a", "2-b", "{}"),
        replicated("a", "4-e 3-d 2-c 1-a", "{}"),
        leaf("gone", "", r#"{"bad":1}"#),
        leaf("gone", "1-de715bf126efc93d225d9e3f8e8eb81a", r#"{"bad":1}"#),
        leaf("gone", "1-de715bf126efc93d225d9e3f8e8eb81a", "{}"),
        leaf("gone", "", "{}"),
        leaf("new", "", "{}"),
    ];
    let outcomes = database.write(edits, &check).unwrap();
    let words: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Stored(_) => "stored",
            Outcome::Conflict => "conflict",
            Outcome::Refused(_) => "refused",
        })
        .collect();
    assert_eq!(words, ["stored", "conflict", "stored", "refused", "refused", "conflict", "stored", "stored"]);
    let tombstone = "1-de715bf126efc93d225d9e3f8e8eb81a null";
    assert_eq!(seen.into_inner(), ["2-b 1-a \"b\"", "2-c 1-a \"c\"", "", tombstone, tombstone, "", ""]);
}

#[test]
fn revisions_beyond_the_limit_are_forgotten() {
    let place = Place::new();
    let database = place.database();
    database.set("revs_limit", &3.into()).unwrap();
    let mut last = String::new();
    let mut all = Vec::new();
    for number in 0..6 {
        last = write_one(&database, leaf("a", &last, &format!(r#"{{"n":{number}}}"#)));
        all.insert(0, revision(&last));
    }
    let tree = database.document("a").unwrap().unwrap().tree;
    assert_eq!(tree.history(&all[0]).unwrap(), all[..3]);
    assert!(database.body("a", &all[2]).unwrap().is_some());
    assert!(database.body("a", &all[3]).unwrap().is_none());
    let bodies = "SELECT count(*) FROM body";
    assert_eq!(
        database.read(|connection| Ok(connection.query_row(bodies, [], |row| row.get::<_, i64>(0))?)).unwrap(),
        3
    );
}

#[test]
fn ranges_are_in_the_order_of_bytes() {
    let place = Place::new();
    let database = place.database();
    let ids = ["_design/x", "B", "a", "a\0b", "ab", "b", "é", "\u{1f600}"];
    write(&database, ids.iter().rev().map(|id| leaf(id, "", "{}")).collect());
    write(&database, vec![leaf("aa", "", "_deleted")]);
    let range = |start: Option<&str>, end: Option<&str>| Range {
        start: start.map(str::to_owned),
        end: end.map(str::to_owned),
        ..Range::default()
    };
    let found =
        |range: &Range| -> Vec<String> { database.rows(range).unwrap().into_iter().map(|row| row.id).collect() };
    let mut bytes = ids;
    bytes.sort_unstable();
    assert_eq!(found(&Range::default()), bytes);
    assert_eq!(found(&range(Some("a"), Some("b"))), ["a", "a\0b", "ab", "b"]);
    assert_eq!(found(&Range { excludes_start: true, ..range(Some("a"), Some("b")) }), ["a\0b", "ab", "b"]);
    assert_eq!(found(&Range { excludes_end: true, ..range(Some("a"), Some("b")) }), ["a", "a\0b", "ab"]);
    assert_eq!(found(&Range { skip: 1, limit: Some(2), ..range(Some("a"), None) }), ["a\0b", "ab"]);
    assert_eq!(found(&Range { limit: Some(0), ..Range::default() }), Vec::<String>::new());
    assert_eq!(found(&range(None, Some("B"))), ["B"]);
    let down = |range: Range| Range { is_descending: true, ..range };
    assert_eq!(found(&down(range(Some("b"), Some("a\0b")))), ["b", "ab", "a\0b"]);
    assert_eq!(found(&down(Range { skip: 6, ..Range::default() })), ["_design/x", "B"]);
    assert_eq!(database.offset(&range(Some("ab"), None)).unwrap(), 4);
    assert_eq!(database.offset(&down(range(Some("ab"), None))).unwrap(), 3);
    assert_eq!(database.offset(&Range::default()).unwrap(), 0);
}

#[test]
fn changes_have_the_last_of_each_document() {
    let place = Place::new();
    let database = place.database();
    write(&database, ["a", "b", "c"].map(|id| leaf(id, "", "{}")).into());
    write(&database, vec![leaf("a", "1-967a00dff5e02add41819138abb3284d", "_deleted"), replicated("b", "1-x", "{}")]);
    let found = |since, limit, is_descending| -> Vec<(u64, String)> {
        let changes = database.changes(since, limit, is_descending).unwrap();
        changes.into_iter().map(|change| (change.sequence, change.document.id)).collect()
    };
    let all: Vec<(u64, String)> = [(3, "c"), (4, "a"), (5, "b")].map(|(sequence, id)| (sequence, id.to_owned())).into();
    assert_eq!(found(0, u64::MAX, false), all);
    assert_eq!(found(3, 1, false), all[1..2]);
    assert_eq!(found(5, 9, false), []);
    assert_eq!(found(0, 2, true), [all[2].clone(), all[1].clone()]);
    assert_eq!(found(4, 9, true), all[..1]);
    let leaves = database.changes(4, 1, false).unwrap()[0].document.tree.leaves();
    let leaves: Vec<_> = leaves.iter().map(|leaf| leaf.revision.as_str()).collect();
    assert_eq!(leaves, ["1-967a00dff5e02add41819138abb3284d", "1-x"]);
}

#[test]
fn numbers_and_the_order_of_members_are_kept() {
    let place = Place::new();
    let database = place.database();
    let text = r#"{"z":12345678901234567890123,"a":[1.50,"\u0000é"],"m":{"y":null,"b":false}}"#;
    let stored = write_one(&database, leaf("a", "", text));
    let body = database.body("a", &revision(&stored)).unwrap().unwrap();
    assert_eq!(serde_json::to_string(&body.members).unwrap(), text);
    let both = database.bodies(&[("a", &revision("1-x")), ("a", &revision(&stored)), ("b", &revision("1-x"))]).unwrap();
    assert_eq!(both.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    let documents = database.documents(&["b", "a"]).unwrap();
    assert!(documents[0].is_none() && documents[1].is_some());
}
