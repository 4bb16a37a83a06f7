//! Law 1: what a clone writes is what a push reads, for any document that a server may hold.

use super::*;

fn key() -> impl Strategy<Value = String> {
    let nasty = [
        "",
        ".",
        "..",
        ".x",
        "..x",
        "a/b",
        "/etc/passwd",
        "../x",
        "x~",
        "a.b",
        "a.b.json",
        "a.js",
        "a.txt",
        "a",
        "A",
        "a.",
        "a ",
        "_attachments",
        "_Attachments",
        "_under",
        "CON",
        "nul.txt",
        "a\\b",
        "C:x",
        "a\0b",
        "a\nb",
        "\u{1b}[2J",
        "é",
        "e\u{301}",
        "\u{202e}gpj",
        "json",
        "x.json",
        "foo.swp",
        "couchapp",
        "couchapp.json",
        "couchapp.toml",
        "vendor",
        "manifest",
        "length",
        "a[href=#signup]",
        "%2F",
        "ß",
        "SS",
        "Views",
        "_names",
        "language",
        "Language",
    ];
    prop_oneof![
        6 => prop::sample::select(nasty.to_vec()).prop_map(str::to_owned),
        3 => "[a-c]{1,2}(\\.(js|txt|json))?",
        1 => "\\PC{0,6}",
        1 => prop::sample::select(vec!["k".repeat(190), "k".repeat(201), "k".repeat(300), "é".repeat(120)]),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let nasty = [
        "",
        "\n",
        "\n\n",
        " ",
        "x",
        "x\n",
        "x\r\n",
        " x ",
        "\u{feff}x",
        "a\0b",
        "_sum",
        "function (doc) { emit(doc._id); }",
        "function(){\n// !code lib/a.js\n}",
        "// !json lib",
        "// !code nothing",
        "exports.a = 1;",
        "javascript",
        "javascript\n",
        "base64-encoded;",
        "base64-encoded;/w==",
        "base64-encoded;/w",
        "base64-encoded;YQ==",
        "base64-encoded;/w==\n",
        "{\"a\": 1}",
        "caf\u{e9}",
        "\u{2028}",
    ];
    prop_oneof![3 => prop::sample::select(nasty.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,12}"]
}

fn value() -> impl Strategy<Value = Value> {
    let numbers = ["0", "-0", "1", "1.0", "0.10", "1e2", "1e22", "-1.5e-7", "12345678901234567890123", "1e300"];
    let number = prop::sample::select(numbers.to_vec()).prop_map(|text| serde_json::from_str(text).unwrap());
    let leaf = prop_oneof![
        4 => text().prop_map(Value::from),
        2 => number,
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(json!({})),
        1 => Just(json!([])),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::vec((key(), inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn walk(object: &Object, prefix: &str, paths: &mut Vec<String>) {
    for (key, value) in object {
        let path = format!("{prefix}{key}");
        if let Value::Object(inner) = value {
            walk(inner, &format!("{path}/"), paths);
        }
        paths.push(path);
    }
}

/// Lines as a true, an old or a lying manifest has them.
fn manifest(body: &Object, picks: &[(prop::sample::Index, u8)]) -> Vec<String> {
    let mut paths = vec!["a".to_owned(), "couchapp".to_owned(), "couchapp/a".to_owned(), "vendor/x".to_owned()];
    walk(body, "", &mut paths);
    let endings = ["", ".js", ".json", "/", ".txt", ".html", "~", ".min.js", "//", "/../../x", ".", ".JSON"];
    let line = |(pick, ending): &(prop::sample::Index, u8)| {
        format!("{}{}", pick.get(&paths), endings[*ending as usize % endings.len()])
    };
    let mut lines: Vec<String> = picks.iter().map(line).collect();
    if picks.len() % 5 == 4 {
        lines.push("_fields.json".to_owned());
    }
    lines
}

/// A section as CouchDB accepts it, and others.
fn section() -> impl Strategy<Value = (String, Value)> {
    let functions = || prop::collection::vec((key(), text()), 0..4);
    let object = |members: Vec<(String, String)>| {
        members.into_iter().map(|(key, text)| (key, Value::from(text))).collect::<Value>()
    };
    let view = (text(), prop::option::of(value())).prop_map(|(map, options)| match options {
        Some(options) => json!({"map": map, "reduce": "_sum", "options": options}),
        None => json!({"map": map}),
    });
    let mango =
        Just(json!({"map": {"fields": {"a.b": "asc"}}, "reduce": "_count", "options": {"def": {"fields": ["a"]}}}));
    let views = prop::collection::vec((key(), prop_oneof![view, mango]), 0..4)
        .prop_map(|views| views.into_iter().filter(|(key, _)| key != "lib").collect::<Value>());
    prop_oneof![
        2 => views.prop_map(|views| ("views".to_owned(), views)),
        2 => (prop::sample::select(vec!["shows", "lists", "filters", "updates"]), functions())
            .prop_map(move |(name, members)| (name.to_owned(), object(members))),
        1 => text().prop_map(|text| ("language".to_owned(), Value::from(text))),
        1 => text().prop_map(|text| ("validate_doc_update".to_owned(), Value::from(text))),
        1 => value().prop_map(|value| ("rewrites".to_owned(), value)),
        3 => (key(), value()),
    ]
}

#[derive(Clone, Debug)]
struct Document {
    id: DocId,
    body: Object,
    attachments: Vec<AttName>,
}

fn document() -> impl Strategy<Value = Document> {
    let ids = ["_design/app", "_design/a/b", "_design/y\n", "plain", " x ", "..", "a\nb", "_local/l", "_design/é"];
    let members = prop::collection::vec(section(), 0..8);
    let couchapp = prop_oneof![
        2 => Just(None),
        1 => value().prop_map(Some),
        1 => prop::collection::vec((key(), value()), 0..4).prop_map(|members| Some(members.into_iter().collect())),
        1 => Just(Some(json!({"length": {"a": 5}, "pushed_by": "x", "objects": {"0": "x"}, "signatures": 5}))),
    ];
    let picks = prop::option::of(prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12));
    let names = prop::collection::vec(key(), 0..5);
    (prop::sample::select(ids.to_vec()), members, couchapp, picks, names).prop_map(
        |(id, members, couchapp, picks, names)| {
            let id = DocId::new(id).unwrap();
            // A server takes no other special members, and a design document no views but real ones.
            let mut body: Object = members
                .into_iter()
                .filter(|(key, value)| {
                    !key.starts_with('_') && (key != "views" || value["x"]["map"].is_string() || is_views(value))
                })
                .collect();
            if let Some(couchapp) = couchapp {
                body.insert("couchapp".to_owned(), couchapp);
            }
            let lines = picks.map(|picks| manifest(&body, &picks));
            if let (Some(lines), Some(Value::Object(couchapp))) = (lines, body.get_mut("couchapp")) {
                couchapp.insert("manifest".to_owned(), Value::from(lines));
            }
            let expanded: Vec<String> = macros::places(&body)
                .iter()
                .filter_map(|keys| Some(fold::lookup(&body, keys)?.as_str()?.to_owned()))
                .collect();
            if let (Some(expanded), Some(Value::Object(couchapp))) = (expanded.first(), body.get_mut("couchapp")) {
                let digest = crate::hexadecimal::encode(&metadata::md5_of(expanded.as_bytes()));
                couchapp.insert("objects".to_owned(), json!({digest: "// !code lib/a.js"}));
            }
            let attachments =
                names.into_iter().filter_map(|name| AttName::new(name).ok()).filter(|name| !name.is_prohibited());
            Document { id, body, attachments: attachments.collect() }
        },
    )
}

fn is_views(value: &Value) -> bool {
    value.as_object().is_some_and(|views| views.values().all(|view| view.get("map").is_some()))
}

fn push(unfolded: &Unfolded) -> Result<(Folded, BTreeSet<AttName>), TestCaseError> {
    let (sources, findings) = written(unfolded);
    prop_assert_eq!(findings, vec![]);
    let names = sources.attachments.keys().cloned().collect();
    let folded = fold(&sources, &FoldOptions::default());
    let folded =
        folded.map_err(|findings| TestCaseError::fail(format!("{findings:#?} in {:#?}", unfolded.files.keys())))?;
    Ok((folded, names))
}

#[test]
fn a_clone_pushes_the_document_it_came_from() {
    check(&document(), |document| {
        let options = UnfoldOptions { escape_names: true, ..UnfoldOptions::default() };
        let unfolded = unfold(&document.body, &document.id, &document.attachments, &options)
            .map_err(|refusals| TestCaseError::fail(format!("{refusals:?}")))?;
        check_paths(&unfolded)?;
        let (folded, names) = push(&unfolded)?;
        prop_assert_eq!(&folded.id, &document.id);
        let (before, after) = (content(&document.body), content(&folded.body));
        prop_assert!(
            crate::json::same_object(&before, &after),
            "{:#} became {:#}, files {:?}",
            Value::Object(before),
            Value::Object(after),
            unfolded.files.keys()
        );
        prop_assert_eq!(names, document.attachments.iter().cloned().collect::<BTreeSet<_>>());
        for (keys, path) in &folded.origins {
            prop_assert_eq!(unfolded.origins.get(keys), Some(path), "{:?}", keys);
        }
        Ok(())
    });
}

#[test]
fn a_pushed_document_is_cloned_and_pushed_without_a_change() {
    check(&document(), |document| {
        let options = UnfoldOptions { escape_names: true, ..UnfoldOptions::default() };
        let first = unfold(&document.body, &document.id, &document.attachments, &options).unwrap();
        let (pushed, _) = push(&first)?;
        let second = unfold(&pushed.body, &pushed.id, &document.attachments, &options).unwrap();
        check_paths(&second)?;
        let (again, _) = push(&second)?;
        prop_assert_eq!(serde_json::to_string(&pushed.body).unwrap(), serde_json::to_string(&again.body).unwrap());
        Ok(())
    });
}

#[test]
fn names_that_a_push_ignores_are_not_used() {
    let ignored = |path: &RelPath| {
        path.components().any(|name| {
            name.ends_with('~') || name.rsplit_once('.').is_some_and(|(_, extension)| extension == "js") || name == "a"
        })
    };
    check(&document(), |document| {
        let options = UnfoldOptions { escape_names: true, ignored: Some(&ignored), ..UnfoldOptions::default() };
        let unfolded = unfold(&document.body, &document.id, &document.attachments, &options).unwrap();
        check_paths(&unfolded)?;
        for path in unfolded.files.keys().chain(unfolded.attachments.keys()) {
            prop_assert!(!ignored(path), "{path}");
        }
        let (folded, names) = push(&unfolded)?;
        prop_assert!(crate::json::same_object(&content(&document.body), &content(&folded.body)));
        prop_assert_eq!(names, document.attachments.iter().cloned().collect::<BTreeSet<_>>());
        Ok(())
    });
}
