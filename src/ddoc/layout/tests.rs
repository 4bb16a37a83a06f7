use super::*;

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// Files, and the folders they are in; a final `/` makes an empty folder.
fn listing(names: &[&str]) -> Vec<(RelPath, bool)> {
    let mut all = BTreeMap::new();
    for name in names {
        let file = name.strip_suffix('/').map_or_else(|| path(name), path);
        all.extend(file.ancestors().map(|folder| (path(folder), true)).collect::<Vec<_>>());
        all.insert(file, name.ends_with('/'));
    }
    all.into_iter().collect()
}

fn texts(paths: &[RelPath]) -> Vec<&str> {
    paths.iter().map(RelPath::as_str).collect()
}

fn attachments(sorted: &Sorted) -> Vec<(&str, &str)> {
    sorted.attachments.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect()
}

fn found(sorted: &Sorted) -> Vec<&str> {
    sorted.findings.iter().map(|finding| finding.path.as_str()).collect()
}

#[test]
fn the_layout_is_seen_from_the_names() {
    let cases: [(&[&str], Layout); 8] = [
        (&[], Layout::Couchapp),
        (&["language"], Layout::Couchapp),
        (&["index.html", "js/app.js"], Layout::Web),
        (&["index.html", "_ddoc/views/x/map.js", "views/x"], Layout::Web),
        (&["_ddoc/language"], Layout::Web),
        (&["index.html", "views/x/map.js"], Layout::Couchapp),
        (&["index.html", ".couchapprc"], Layout::Couchapp),
        (&["site/index.html"], Layout::Couchapp),
    ];
    for (names, layout) in cases {
        let paths: Vec<RelPath> = names.iter().map(|name| path(name)).collect();
        assert_eq!(detect(&paths), layout, "{names:?}");
    }
}

#[test]
fn an_app_is_sorted_by_names() {
    let files = [
        ".couchapp/state.json",
        ".couchapprc",
        ".couchappignore",
        "couchapp.toml",
        ".ericaignore",
        ".gitignore",
        "_id",
        "_names.json",
        "_fields.json",
        "couchapp.json",
        "language",
        "views/a/map.js",
        "views/.hidden/x",
        "x/.y",
        "lib/empty/",
        "nested/_under/f.txt",
        "sub/couchapp.toml",
        "_attachments/index.html",
        "_attachments/.htaccess",
        "_attachments/a/_attachments/b",
        "_attachments/none/",
        "vendor/v/_attachments/js/v.js",
        "vendor/v/metadata.json",
    ];
    let sorted = sort(listing(&files), Layout::Couchapp, &Names::default(), false);
    assert_eq!(sorted.findings, []);
    let fields = [
        "_fields.json",
        "_id",
        "couchapp.json",
        "language",
        "nested/_under/f.txt",
        "sub/couchapp.toml",
        "vendor/v/metadata.json",
        "views/a/map.js",
    ];
    assert_eq!(texts(&sorted.fields), fields);
    let folders = ["lib", "lib/empty", "nested", "nested/_under", "sub", "vendor", "vendor/v", "views", "views/a", "x"];
    assert_eq!(texts(&sorted.directories), folders);
    let expected = [
        (".htaccess", "_attachments/.htaccess"),
        ("a/_attachments/b", "_attachments/a/_attachments/b"),
        ("index.html", "_attachments/index.html"),
        ("vendor/v/js/v.js", "vendor/v/_attachments/js/v.js"),
    ];
    assert_eq!(attachments(&sorted), expected);
}

#[test]
fn whatever_would_be_lost_is_reported() {
    let cases: [(&[&str], &[&str]); 7] = [
        (&["nested/_attachments/a", "nested/_attachments/b/c"], &["nested/_attachments"]),
        (&["nested/_attachments/"], &[]),
        (&["vendor/v/sub/_attachments/x"], &["vendor/v/sub/_attachments"]),
        (&["_notes.txt", "_foo/a", "_foo/b"], &["_foo", "_notes.txt"]),
        (&["_attachments/_x", "_attachments/_d/y", "_attachments/d/_y"], &["_attachments/_d/y", "_attachments/_x"]),
        (&["_attachments/vendor/v/x", "vendor/v/_attachments/x"], &["vendor/v/_attachments/x"]),
        (&["_attachments"], &["_attachments"]),
    ];
    for (names, paths) in cases {
        let strict = sort(listing(names), Layout::Couchapp, &Names::default(), false);
        assert_eq!(found(&strict), paths, "{names:?}");
        let lenient = sort(listing(names), Layout::Couchapp, &Names::default(), true);
        assert!(lenient.findings.iter().all(|finding| finding.severity == super::super::Severity::Warning));
        assert_eq!(found(&lenient), paths);
    }
    let clash = ["_attachments/vendor/v/x", "vendor/v/_attachments/x"];
    let sorted = sort(listing(&clash), Layout::Couchapp, &Names::default(), true);
    assert_eq!(attachments(&sorted), [("vendor/v/x", "vendor/v/_attachments/x")]);
}

#[test]
fn a_web_app_is_all_attachments() {
    let files = [
        "index.html",
        "js/app.js",
        ".htaccess",
        ".couchapprc",
        "couchapp.toml",
        "_id",
        "_x/y",
        "views/a/map.js",
        "_ddoc/views/a/map.js",
        "_ddoc/language",
        "_docs/a.json",
    ];
    let sorted = sort(listing(&files), Layout::Web, &Names::default(), false);
    assert_eq!(sorted.root, Some(path("_ddoc")));
    assert_eq!(texts(&sorted.fields), ["_ddoc/language", "_ddoc/views/a/map.js", "_id"]);
    assert_eq!(texts(&sorted.directories), ["_ddoc/views", "_ddoc/views/a"]);
    let names: Vec<&str> = attachments(&sorted).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, [".htaccess", "index.html", "js/app.js", "views/a/map.js"]);
    assert_eq!((found(&sorted), texts(&sorted.plain_documents)), (vec!["_x"], vec!["_docs/a.json"]));
}

#[test]
fn documents_and_designs_lie_beside_the_app() {
    let files = [
        "_docs/a.json",
        "_docs/.hidden.json",
        "_docs/readme.txt",
        "_docs/d/title",
        "_docs/d/_id",
        "_docs/d/_attachments/p.png",
        "_docs/d/.couchappignore",
        "_docs/e/_foo",
        "_docs/.git/config",
        "_design/one/language",
        "_design/two/",
        "_design/file",
    ];
    let sorted = sort(listing(&files), Layout::Couchapp, &Names::default(), false);
    assert_eq!(texts(&sorted.plain_documents), ["_docs/a.json"]);
    assert_eq!(texts(&sorted.designs), ["_design/one", "_design/two"]);
    assert_eq!(found(&sorted), ["_design/file", "_docs/e/_foo", "_docs/readme.txt"]);
    let [first, second] = sorted.folder_documents.as_slice() else { panic!("{:?}", sorted.folder_documents) };
    assert_eq!((first.root.clone(), second.root.clone()), (Some(path("_docs/d")), Some(path("_docs/e"))));
    assert_eq!(texts(&first.fields), ["_docs/d/_id", "_docs/d/title"]);
    assert_eq!(attachments(first), [("p.png", "_docs/d/_attachments/p.png")]);
    assert!(sorted.fields.is_empty());
}

#[test]
fn recorded_names_are_the_true_ones() {
    let mut names = Names::default();
    names.read(&path("_names.json"), br#"{"_attachments/a%2Fb": "a//b", "_attachments/%5Fx": "_x"}"#).unwrap();
    names.read(&path("_docs/d/_names.json"), br#"{"_attachments/p": "CON"}"#).unwrap();
    let files = ["_attachments/a%2Fb", "_attachments/%5Fx", "_attachments/c", "_docs/d/_attachments/p"];
    let sorted = sort(listing(&files), Layout::Couchapp, &names, false);
    assert_eq!(attachments(&sorted), [("a//b", "_attachments/a%2Fb"), ("c", "_attachments/c")]);
    assert_eq!(found(&sorted), ["_attachments/%5Fx"]);
    assert_eq!(attachments(&sorted.folder_documents[0]), [("CON", "_docs/d/_attachments/p")]);
    for bad in ["[]", "{", r#"{"../x": "y"}"#, r#"{"a": ""}"#, r#"{"a": 5}"#] {
        assert!(Names::default().read(&path("_names.json"), bad.as_bytes()).is_err(), "{bad}");
    }
}
