//! The cases of `fixtures/ddoc`: folders and documents as real tools left them, both ways.
//!
//! Each case has some of:
//! * `tree/`: a folder, pushed. It gives `document.json`, or the findings in `findings.txt`; then `lenient.json` is what
//!   `--lenient` makes of it. `warnings.txt` are the findings that do not stop a push.
//! * `documents.json`: what its `_docs/` gives.
//! * `document.json`: a document, cloned. It gives `clone/`, or `tree/` again where there is none, with the findings in
//!   `clone.txt`; that folder pushed gives `pushed.json`, or `document.json` again where there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use couchapp::ddoc::{
    self, Finding, Fingerprint, FoldOptions, Folded, Names, Severity, Sorted, Sources, UnfoldOptions,
};
use couchapp::json::{self, Object};
use couchapp::name::{AttName, DocId};
use couchapp::path::RelPath;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

/// A folder in memory: files, and folders without contents.
#[derive(Debug, Default, PartialEq)]
struct Tree {
    files: BTreeMap<RelPath, Vec<u8>>,
    folders: BTreeSet<RelPath>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ddoc")
}

fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::default();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.unwrap();
        let relative = entry.path().strip_prefix(root).unwrap().to_str().unwrap();
        let path = RelPath::new(relative).unwrap();
        if entry.file_type().is_dir() {
            tree.folders.insert(path);
        } else if path.name() != "(empty)" {
            tree.files.insert(path, fs::read(entry.path()).unwrap());
        }
    }
    tree
}

fn read_json(path: &Path) -> Option<Object> {
    let text = fs::read(path).ok()?;
    match json::parse(&text).unwrap() {
        Value::Object(object) => Some(object),
        other => panic!("{}: {other}", path.display()),
    }
}

fn load(tree: &Tree, sorted: &Sorted, folder_name: &str) -> Sources {
    let print = |path: &RelPath| {
        let bytes = &tree.files[path];
        Fingerprint { path: path.clone(), md5: Md5::digest(bytes).into(), length: bytes.len() as u64 }
    };
    let mut sources = Sources {
        root: sorted.root.clone(),
        fields: sorted.fields.iter().map(|path| (path.clone(), tree.files[path].clone())).collect(),
        directories: sorted.directories.iter().cloned().collect(),
        attachments: sorted.attachments.iter().map(|(name, path)| (name.clone(), print(path))).collect(),
        folder_name: folder_name.to_owned(),
        ..Sources::default()
    };
    let listing: BTreeSet<RelPath> = tree.files.keys().cloned().collect();
    loop {
        let missing = ddoc::macros::missing(&sources, &listing);
        if missing.is_empty() {
            return sources;
        }
        sources.includes.extend(missing.into_iter().map(|path| (path.clone(), tree.files[&path].clone())));
    }
}

/// Everything that one push of a folder would send, or the findings that stop it.
struct Push {
    document: Result<Object, ()>,
    documents: Vec<Value>,
    findings: Vec<Finding>,
}

fn sort(tree: &Tree, lenient: bool) -> Sorted {
    let listing: BTreeMap<RelPath, bool> = tree
        .folders
        .iter()
        .map(|path| (path.clone(), true))
        .chain(tree.files.keys().map(|path| (path.clone(), false)))
        .collect();
    let mut names = Names::default();
    if let Some((path, text)) = tree.files.iter().find(|(path, _)| path.as_str() == "_names.json") {
        names.read(path, text).unwrap();
    }
    let layout = ddoc::detect(listing.keys());
    ddoc::sort(listing, layout, &names, lenient)
}

fn push(tree: &Tree, folder_name: &str, lenient: bool) -> Push {
    let sorted = sort(tree, lenient);
    let mut findings = sorted.findings.clone();
    let mut take = |sorted: &Sorted, name: &str, options: &FoldOptions| {
        let sources = load(tree, sorted, name);
        match ddoc::fold(&sources, options) {
            Ok(folded) => {
                findings.extend(folded.findings.clone());
                Ok(whole(&folded, sources.attachments.keys()))
            }
            Err(found) => {
                findings.extend(found);
                Err(())
            }
        }
    };
    let document = take(&sorted, folder_name, &FoldOptions { lenient, ..FoldOptions::default() });
    let options = FoldOptions { lenient, macros: false, design: false, ..FoldOptions::default() };
    let folders = sorted.folder_documents.iter();
    let folders = folders.filter_map(|sorted| take(sorted, sorted.root.as_ref()?.name(), &options).ok());
    let mut documents: Vec<Value> = folders.map(Value::Object).collect();
    for path in &sorted.plain_documents {
        match ddoc::documents::plain(path, &tree.files[path]) {
            Ok(folded) => documents.push(Value::Object(whole(&folded, [].iter()))),
            Err(found) => findings.extend(found),
        }
    }
    let stopped = findings.iter().any(|finding| finding.severity == Severity::Error);
    Push { document: if stopped { Err(()) } else { document }, documents, findings }
}

/// A document with its id, and stubs of its attachments.
fn whole<'a>(folded: &Folded, names: impl Iterator<Item = &'a AttName>) -> Object {
    let mut whole = Object::from_iter([("_id".to_owned(), Value::from(folded.id.as_str()))]);
    whole.extend(folded.body.clone());
    let stubs: Object = names.map(|name| (name.to_string(), json!({"stub": true}))).collect();
    if !stubs.is_empty() {
        whole.insert("_attachments".to_owned(), Value::Object(stubs));
    }
    whole
}

/// Clones a document; its attachments hold `contents`.
fn clone(document: &Object, contents: &BTreeMap<AttName, Vec<u8>>) -> (Tree, Vec<Finding>) {
    let id = DocId::new(document["_id"].as_str().unwrap()).unwrap();
    let stubs = document.get("_attachments").and_then(Value::as_object);
    let names: Vec<AttName> =
        stubs.into_iter().flat_map(Object::keys).map(|name| AttName::new(name).unwrap()).collect();
    let mut known = BTreeMap::new();
    loop {
        let options = UnfoldOptions { escape_names: true, contents: Some(&known), ..UnfoldOptions::default() };
        let unfolded = ddoc::unfold(document, &id, &names, &options).unwrap();
        let bytes = |name: &AttName| contents.get(name).cloned().unwrap_or_default();
        let attached: BTreeMap<RelPath, Vec<u8>> =
            unfolded.attachments.iter().map(|(path, name)| (path.clone(), bytes(name))).collect();
        let wanted: Vec<AttName> = unfolded.wanted.iter().filter(|name| !known.contains_key(*name)).cloned().collect();
        if wanted.is_empty() {
            let mut tree = Tree { files: unfolded.files, folders: unfolded.directories };
            tree.files.extend(attached);
            let folders: Vec<RelPath> =
                tree.files.keys().flat_map(RelPath::ancestors).map(|folder| RelPath::new(folder).unwrap()).collect();
            tree.folders.extend(folders);
            return (tree, unfolded.findings);
        }
        known.extend(wanted.into_iter().map(|name| (name.clone(), bytes(&name))));
    }
}

fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
        writeln!(text, "{severity}: {finding}").unwrap();
        if let (Some(line), Some((_, column))) = (&finding.source_line, finding.position) {
            writeln!(text, "    {line}\n    {}^", " ".repeat(column - 1)).unwrap();
        }
    }
    text
}

/// What a clone of a pushed folder should hold: no dotfiles in fields, nothing of ours, JSON in our own layout.
fn comparable(tree: &Tree, all: bool) -> BTreeMap<String, String> {
    let is_field =
        |path: &RelPath| path.components().all(|name| !name.starts_with('.')) && path.as_str() != "couchapp.toml";
    let is_attachment = |path: &RelPath| path.components().any(|name| name == "_attachments");
    let shown = |path: &RelPath, bytes: &[u8]| match json::parse(bytes) {
        Ok(value) if path.as_str().rsplit_once('.').is_some_and(|(_, extension)| extension == "json") => {
            json::to_pretty(&value)
        }
        _ => bytes.escape_ascii().to_string(),
    };
    let files = tree.files.iter().filter(|(path, _)| all || is_field(path) || is_attachment(path));
    let mut found: BTreeMap<String, String> =
        files.map(|(path, bytes)| (path.to_string(), shown(path, bytes))).collect();
    found.extend(tree.folders.iter().map(|path| (format!("{path}/"), String::new())));
    found
}

fn check_text(case: &Path, name: &str, found: &str) {
    let expected = fs::read_to_string(case.join(name)).unwrap_or_default();
    assert_eq!(found, expected, "{}", case.join(name).display());
}

fn check_document(case: &Path, name: &str, found: &Object) {
    let expected = read_json(&case.join(name)).unwrap_or_default();
    let pretty = |object: &Object| json::to_pretty(&Value::Object(object.clone()));
    let same = json::same_object(found, &expected);
    assert!(same, "{}: found\n{}expected\n{}", case.join(name).display(), pretty(found), pretty(&expected));
}

fn check_push(case: &Path, folder_name: &str) {
    let tree = read_tree(&case.join("tree"));
    let strict = push(&tree, folder_name, false);
    if let Ok(document) = &strict.document {
        check_text(case, "warnings.txt", &lines(&strict.findings));
        check_document(case, "document.json", document);
    } else {
        check_text(case, "findings.txt", &lines(&strict.findings));
        assert!(case.join("findings.txt").exists());
    }
    if case.join("documents.json").exists() {
        check_document(
            case,
            "documents.json",
            &Object::from_iter([("docs".to_owned(), Value::from(strict.documents))]),
        );
    }
    if case.join("lenient.json").exists() {
        let lenient = push(&tree, folder_name, true);
        assert!(lenient.document.is_ok(), "{}", lines(&lenient.findings));
        check_document(case, "lenient.json", &lenient.document.unwrap());
    }
}

fn check_clone(case: &Path, document: &Object) {
    let given = read_tree(&case.join(if case.join("tree").exists() { "tree" } else { "clone" }));
    let attachments = sort(&given, true).attachments;
    let contents = attachments.into_iter().map(|(name, path)| (name, given.files[&path].clone())).collect();
    let (tree, findings) = clone(document, &contents);
    check_text(case, "clone.txt", &lines(&findings));
    let is_foreign = case.join("clone").exists();
    let expected = read_tree(&case.join(if is_foreign { "clone" } else { "tree" }));
    assert_eq!(comparable(&tree, is_foreign), comparable(&expected, is_foreign), "{}", case.display());
    let again = push(&tree, "elsewhere", false);
    let name = if case.join("pushed.json").exists() { "pushed.json" } else { "document.json" };
    assert!(again.document.is_ok(), "{}", lines(&again.findings));
    check_document(case, name, &again.document.unwrap());
}

#[test]
fn folders_and_documents_of_all_tools_are_understood() {
    let mut cases: Vec<PathBuf> = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert!(cases.len() >= 20, "{cases:?}");
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        if case.join("tree").exists() {
            check_push(&case, &name);
        }
        if let Some(document) = read_json(&case.join("document.json")) {
            check_clone(&case, &document);
        }
    }
}
