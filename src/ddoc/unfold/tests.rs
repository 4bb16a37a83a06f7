use std::collections::{BTreeMap, BTreeSet};

use super::super::tests::{path, sources, written};
use super::super::{FoldOptions, Sources, fold};
use super::*;

fn body(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

fn clone(value: Value, attachments: &[&str], options: &UnfoldOptions<'_>) -> Result<Unfolded, Vec<Refusal>> {
    let names: Vec<AttName> = attachments.iter().map(|name| AttName::new(*name).unwrap()).collect();
    unfold(&body(value), &DocId::new("_design/app").unwrap(), &names, options)
}

fn names(unfolded: &Unfolded) -> Vec<&str> {
    unfolded.files.keys().map(RelPath::as_str).collect()
}

/// A pushed app, as it would be cloned.
fn pushed(files: &[(&str, &str)]) -> (Object, Vec<AttName>) {
    let files: BTreeMap<RelPath, Vec<u8>> =
        files.iter().map(|(name, text)| (path(name), text.as_bytes().to_vec())).collect();
    let (mut sources, _): (Sources, _) = sources(&files, &BTreeSet::new());
    sources.includes = files;
    let folded = fold(&sources, &FoldOptions::default()).unwrap();
    (folded.body, sources.attachments.into_keys().collect())
}

#[test]
fn files_get_the_names_that_people_would_choose() {
    let document = serde_json::json!({
        "_rev": "1-a", "_id": "x", "_attachments": {}, "_revisions": {}, "_conflicts": [],
        "language": "javascript", "views": {"a": {"map": "f", "reduce": "_count"}, "b": {"map": "f", "reduce": "function"}, "lib": {"m": "1"}},
        "shows": {"s": "f", "t.u": "f"}, "validate_doc_update": "f", "rewrites": "f", "title": "t", "a.b": "dotted", "n": 5,
        "lib": {"m": "exports.x = 1;", "text": "t", "deep": {"n": 1}}, "empty": {}, "list": ["text"],
    });
    let unfolded = clone(document, &[], &UnfoldOptions::default()).unwrap();
    let expected = [
        "_id",
        "a.b.txt",
        "empty.json",
        "language",
        "lib/deep.json",
        "lib/m.js",
        "lib/text",
        "list.json",
        "n.json",
        "rewrites.js",
        "shows/s.js",
        "shows/t.u.js",
        "title",
        "validate_doc_update.js",
        "views/a/map.js",
        "views/a/reduce",
        "views/b/map.js",
        "views/b/reduce.js",
        "views/lib/m.js",
    ];
    assert_eq!(names(&unfolded), expected);
    assert_eq!(unfolded.findings, []);
}

#[test]
fn a_manifest_gives_names_but_no_orders() {
    let document = serde_json::json!({
        "a": "text", "b": "text", "c": 5, "d": {"x": "1"}, "e": {}, "f": {}, "language": "javascript\n",
        "couchapp": {"name": "n", "version": 3, "manifest": [
            "a.html", "b.json", "c.txt", "d.json", "e/", "../f/", "/g", "../../h.js", "language", "couchapp/", "couchapp/version.json",
            "_attachments/x", ".hidden", 5, "couchapp.toml", "a.b/../../x",
        ]},
    });
    let unfolded = clone(document, &[], &UnfoldOptions::default()).unwrap();
    let expected = [
        "_id",
        "a.html",
        "b.json",
        "c.json",
        "couchapp.json",
        "couchapp/version.json",
        "d.json",
        "f.json",
        "language.json",
    ];
    assert_eq!(names(&unfolded), expected);
    assert_eq!(unfolded.files["b.json"], b"\"text\"\n");
    assert!(unfolded.directories.contains("e") && unfolded.directories.contains("couchapp"));
}

#[test]
fn refusals_name_every_bad_attachment_and_nothing_else() {
    let refusals =
        clone(serde_json::json!({}), &["ok.js", "../x", "a", "A", "b//c"], &UnfoldOptions::default()).unwrap_err();
    let refused: Vec<&str> = refusals.iter().map(|refusal| refusal.name.as_str()).collect();
    assert_eq!(refused.len(), 3, "{refusals:?}");
    assert!(refused.contains(&"../x") && refused.contains(&"b//c"));
    assert!(refusals[0].to_string().contains("\"../x\""));
}

#[test]
fn sources_come_back_only_if_they_give_the_stored_text() {
    let files = [
        ("shows/s.js", "f() {\n  // !code lib/a.js\n}"),
        ("shows/t.js", "// !code shows/u.js\n"),
        ("shows/u.js", "// !json lib.b\n"),
        ("lib/a.js", "a"),
        ("lib/b.txt", "b\n"),
        ("lists/l.js", "// !code _attachments/x.js"),
        ("_attachments/x.js", "x\n"),
    ];
    let (document, attachments) = pushed(&files);
    let id = DocId::new("_design/app").unwrap();
    let unfolded = unfold(&document, &id, &attachments, &UnfoldOptions::default()).unwrap();
    assert_eq!(unfolded.files["shows/s.js"], b"f() {\n  // !code lib/a.js\n}\n");
    assert_eq!(unfolded.files["shows/t.js"], b"// !code shows/u.js\n");
    assert_eq!(unfolded.files["lib/a.js"], b"a", "the include ended without a line feed");
    assert_eq!(unfolded.files["lists/l.js"], b"x\n\n", "the attachment is not known");
    assert_eq!(unfolded.wanted, BTreeSet::from([AttName::new("x.js").unwrap()]));
    assert_eq!(unfolded.findings.len(), 1, "{:?}", unfolded.findings);

    let contents = BTreeMap::from([(AttName::new("x.js").unwrap(), b"x\n".to_vec())]);
    let options = UnfoldOptions { contents: Some(&contents), ..UnfoldOptions::default() };
    let unfolded = unfold(&document, &id, &attachments, &options).unwrap();
    assert_eq!(unfolded.files["lists/l.js"], b"// !code _attachments/x.js\n");
    assert_eq!((unfolded.findings, unfolded.wanted), (vec![], BTreeSet::new()));

    // Somebody changed an include on the server: the functions keep the text that they have there.
    let mut edited = document;
    edited["lib"]["a"] = Value::from("changed");
    let unfolded = unfold(&edited, &id, &attachments, &options).unwrap();
    assert_eq!(unfolded.files["shows/s.js"], b"f() {\n  a\n}\n");
    assert_eq!(unfolded.findings[0].path.as_str(), "shows/s.js");
    let (mut sources, _) = written(&unfolded);
    sources.includes = unfolded.attachments.keys().map(|path| (path.clone(), b"x\n".to_vec())).collect();
    let again = fold(&sources, &FoldOptions::default()).unwrap();
    for section in ["shows", "lists", "lib"] {
        assert!(json::same(&again.body[section], &edited[section]), "{section}");
    }
}

#[test]
fn a_source_comes_back_even_if_its_expansion_looks_like_a_macro() {
    let files = [("shows/s.js", "// !json lib\n"), ("lib/text", "// !code gone.js\n")];
    let (document, _) = pushed(&files);
    let unfolded = unfold(&document, &DocId::new("_design/app").unwrap(), &[], &UnfoldOptions::default()).unwrap();
    assert_eq!(unfolded.files["shows/s.js"], b"// !json lib\n");
    let mut edited = document;
    edited["lib"]["text"] = Value::from("changed");
    let unfolded = unfold(&edited, &DocId::new("_design/app").unwrap(), &[], &UnfoldOptions::default()).unwrap();
    assert!(unfolded.files.contains_key("shows/s.json"), "nothing may be expanded in it");
    assert_eq!(unfolded.findings[0].path.as_str(), "shows/s.json");
}

#[test]
fn an_include_keeps_the_line_feeds_of_its_field() {
    // The first include ends with two line feeds, one of which is the field's; it is the second that had none.
    let files = [("shows/s.js", "// !code lib/a.js\n// !code lib/b.js\n"), ("lib/a.js", "a\n\n"), ("lib/b.js", "b")];
    let (document, _) = pushed(&files);
    let unfolded = unfold(&document, &DocId::new("_design/app").unwrap(), &[], &UnfoldOptions::default()).unwrap();
    assert_eq!((&*unfolded.files["lib/a.js"], &*unfolded.files["lib/b.js"]), (&b"a\n\n"[..], &b"b"[..]));
    assert_eq!(unfolded.files["shows/s.js"], b"// !code lib/a.js\n// !code lib/b.js\n");
}

#[test]
fn what_looks_like_a_macro_stays_as_it_is() {
    let document = serde_json::json!({"views": {"v": {"map": "// !code gone.js\nfunction (doc) {}"}}});
    let unfolded = clone(document.clone(), &[], &UnfoldOptions::default()).unwrap();
    assert_eq!(names(&unfolded), ["_id", "views/v/map.json"]);
    let folded = fold(&written(&unfolded).0, &FoldOptions::default()).unwrap();
    assert_eq!(folded.body["views"], document["views"]);
}

#[test]
fn a_member_that_would_not_come_back_goes_to_the_fields_file() {
    let content = body(serde_json::json!({"a": "1", "b": {"c": "2"}}));
    let placer = Placer { ignored: None, expanded: None };
    let (mut placed, left) = placer.document(&content, &Hint::default());
    assert!(unproven(&content, &placed, &left).is_empty());
    placed.files.insert(path("b/c"), b"other".to_vec());
    assert_eq!(unproven(&content, &placed, &left), ["b"]);
    placed.remove_member("b");
    assert_eq!(placed.files.keys().map(RelPath::as_str).collect::<Vec<_>>(), ["a"]);
    assert_eq!((placed.directories.len(), placed.origins.len()), (0, 1));
}
