use super::super::tests::{path, sources};
use super::super::{FoldOptions, Folded, fold};
use super::*;

fn tree(files: &[(&str, &str)]) -> Sources {
    let files: BTreeMap<RelPath, Vec<u8>> =
        files.iter().map(|(name, text)| (path(name), text.as_bytes().to_vec())).collect();
    sources(&files, &BTreeSet::new()).0
}

fn folded(files: &[(&str, &str)]) -> Folded {
    fold(&tree(files), &FoldOptions::default()).unwrap()
}

#[test]
fn expansion_is_exact_text() {
    let cases = [
        ("// !code a.js", "A\n"),
        ("//!code a.js\nx", "A\n\nx"),
        ("# !code a.js", "A\n"),
        ("x // !code a.js", "x A\n"),
        ("'// !code a.js", "'A\n"),
        ("//  !code a.js", "//  !code a.js"),
        ("/* !code a.js */", "/* !code a.js */"),
        ("// !code   a.js  \r\nx", "A\n\nx"),
        ("// !code d/*.js", "1\n2"),
        ("// !code d/[!x].js", "1\n2"),
        ("// !code ./d/../a.js", "A\n"),
        ("// !code d/{1,2}.txt", "braces\n"),
        ("// !code n.js", "[A\n\n]\n"),
        ("// !code a.js // !code a.js", "// !code a.js // !code a.js"),
        ("// !json data.x", "var data = {\"x\": [1, {\"y\": \"\\u00e9$1\"}]};"),
        ("// !json _id", "var _id = \"_design/app\";"),
        ("// !json couchapp.name", "var couchapp = {\"name\": \"n\"};"),
        (
            "// !json data.x\n//!json a",
            "var data = {\"x\": [1, {\"y\": \"\\u00e9$1\"}]};\nvar a = \"A\";\nvar data = {\"x\": [1, {\"y\": \"\\u00e9$1\"}]};\nvar a = \"A\";",
        ),
    ];
    for (source, expanded) in cases {
        let files = [
            ("shows/s.js", source),
            ("a.js", "A\n"),
            ("d/1.js", "1\n"),
            ("d/2.js", "2"),
            ("d/.3.js", "3"),
            ("d/sub/4.js", "4"),
            ("d/{1,2}.txt", "braces\n"),
            ("n.js", "[// !code a.js\n]\n"),
            ("data/x.json", "[1, {\"y\": \"é$1\"}]"),
            ("couchapp.json", "{\"name\": \"n\"}"),
        ];
        let result = fold(&tree(&files), &FoldOptions { lenient: true, ..FoldOptions::default() }).unwrap();
        assert_eq!(result.body["shows"]["s"], expanded, "{source}");
    }
}

#[test]
fn only_the_functions_of_design_documents_are_expanded() {
    let source = "// !code a.js";
    let names = [
        "shows/s.js",
        "lists/l.js",
        "updates/u.js",
        "filters/f.js",
        "spatial/p.js",
        "validate_doc_update.js",
        "views/v/map.js",
        "views/lib/m.js",
        "fulltext/i/index.js",
        "rewrites.js",
        "shows/deep/s.js",
        "lib/x.js",
        "views/lib/deep/m.js",
        "vendor/v/y.js",
    ];
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (*name, source)).collect();
    files.push(("a.js", "A"));
    let result = folded(&files);
    let expanded: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            let keys: Vec<String> = name.trim_end_matches(".js").split('/').map(str::to_owned).collect();
            lookup(&result.body, &keys).unwrap() == "A"
        })
        .collect();
    assert_eq!(expanded, names[..9]);
    assert_eq!(result.body["couchapp"]["objects"].as_object().unwrap().len(), 1);
    files.push(("_id", "plain"));
    let plain = fold(&tree(&files), &FoldOptions::default()).unwrap();
    assert_eq!(plain.body["shows"]["s"], source);
    let off = FoldOptions { macros: false, ..FoldOptions::default() };
    assert_eq!(fold(&tree(&files[..files.len() - 1]), &off).unwrap().body["shows"]["s"], source);
}

#[test]
fn functions_are_expanded_in_the_order_of_the_original() {
    let files = [
        ("shows/s.js", "// !code a.js"),
        ("lists/l.js", "// !json shows"),
        ("shows/t.js", "// !json lists"),
        ("a.js", "A"),
    ];
    let result = folded(&files);
    assert_eq!(result.body["shows"]["t"], "var lists = {\"l\": \"// !json shows\"};");
    assert_eq!(
        result.body["lists"]["l"],
        "var shows = {\"s\": \"A\", \"t\": \"var lists = {\\\"l\\\": \\\"// !json shows\\\"};\"};"
    );
}

#[test]
fn files_that_are_no_fields_are_asked_for() {
    let listing: BTreeSet<RelPath> =
        ["shows/s.js", ".hidden/a.js", "_attachments/b.js", "_attachments/c.js", ".couchapprc", "ignored.js"]
            .map(path)
            .into();
    let mut sources =
        tree(&[("shows/s.js", "// !code _attachments/*.js\n// !code .hidden/a.js\n// !code .couchapprc\n")]);
    assert_eq!(
        missing(&sources, &listing),
        ["_attachments/b.js", "_attachments/c.js", ".hidden/a.js"].map(path).into()
    );
    sources.includes.insert(path("_attachments/b.js"), b"// !code ignored.js\n".to_vec());
    sources.includes.insert(path("_attachments/c.js"), b"c".to_vec());
    sources.includes.insert(path(".hidden/a.js"), b"a".to_vec());
    assert_eq!(missing(&sources, &listing), [path("ignored.js")].into());
    sources.includes.insert(path("ignored.js"), b"i".to_vec());
    assert_eq!(missing(&sources, &listing), BTreeSet::new());
    sources.includes.insert(path(".couchapprc"), b"password".to_vec());
    let findings = fold(&sources, &FoldOptions::default()).unwrap_err();
    let refused = findings.iter().find(|finding| finding.position == Some((3, 1))).unwrap();
    assert_eq!(refused.message, "`!code`: no file matches `.couchapprc`");
}

#[test]
fn includes_that_do_not_travel_are_reported() {
    let mut sources = tree(&[
        ("shows/s.js", "// !code x.js"),
        ("lists/l.js", "// !code x.js"),
        ("shows/t.js", "// !code y.js"),
        ("y.js", "y"),
    ]);
    sources.includes.insert(path("x.js"), b"x".to_vec());
    let result = fold(&sources, &FoldOptions::default()).unwrap();
    let found: Vec<String> = result.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["shows/s.js: includes `x.js`, which is neither field nor attachment; clones get the expanded text"]
    );
}

#[test]
fn json_files_hold_no_macros() {
    let result = folded(&[("shows/s.json", "\"// !code gone.js\""), ("shows/t.js", "x")]);
    assert_eq!((result.body["shows"]["s"].as_str(), result.findings.len()), (Some("// !code gone.js"), 0));
    let result = folded(&[("shows.json", "{\"s\": \"// !code gone.js\"}")]);
    assert_eq!(result.findings.len(), 1);
}
