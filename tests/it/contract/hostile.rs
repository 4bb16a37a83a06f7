//! A server gives names that no disk should see. Nothing may be written outside the destination, each name is refused
//! or escaped with a line that says so, and no name may act on the terminal.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::app::{clone, push_with, sorted};
use crate::harness::{Endpoint, Kind, Project, Run, Tree, difference, encoded};

/// What becomes of a name by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A file of this name is made.
    Made,
    /// The clone is refused, or makes a file of another name and says so.
    Refused,
}

/// Names that must not become files as they are. All are stored and returned by CouchDB.
#[rustfmt::skip]
const NOT_AS_THEY_ARE: &[&str] = &[
    "/etc/passwd", "/", "//", "///x", "/x/", "../x", "../../x", "../../../../../../../../tmp/couchapp-hostile", "..",
    "~", ".ssh/authorized_keys", ".", "./x", "a/..", "a/../b", "a/../../b", "a/./b", "a/.", "a//b", "a/", "a//",
    "..//x", "x/../../../y", ".../../x", "..\\x", "..\\..\\x", "a\\b", "\\", "\\x", "\\\\server\\share",
    "\\\\?\\C:\\x", "C:\\x", "C:/x", "C:", "c:x", "file.txt:stream", "file.txt::$DATA", "a:b", ":", "CON", "con",
    "nul", "NUL.txt", "aux.js", "COM1", "com9.html", "LPT1", "prn", "a/con/b", "con.tar.gz", "a.", "a ", "a./b",
    "a /b", "...", "a...", "nul\u{0}", "a\u{0}b", "\u{0}", "a\nb", "a\r\nb", "\r", "\t", "a\tb", "\u{1b}[31mred",
    "\u{1b}]0;title\u{7}", "\u{7}", "\u{8}\u{8}", "\u{7f}", "\u{85}", "\u{9b}31m", ".git/config",
    ".git/hooks/post-checkout", ".GIT/config", "a/.git/config", ".git", ".couchapprc", ".couchapp/hooks/x",
    ".couchapp/base", ".COUCHAPPRC", ".hg/hgrc", "index.html.",
];

/// Names that look odd and are ordinary files.
#[rustfmt::skip]
const ORDINARY: &[&str] = &[
    "-rf", "--help", "~root/x", "$HOME", "`id`", "$(id)", "a;b", "a&b", "a'b", "a b", "%2e%2e%2fx", "..%2fx", "%2F",
    "a%2Fb", "a+b", "a#b", "...a", ".a", ".bashrc", "..a", "a..b", "=1+1", "é", "a/b/c", "README", "a,b", "[a]",
    "{a}", "\u{1f600}", "deep/deep/deep/deep/deep/deep/deep/deep/deep/x", "x.tmp",
];

/// All names of the tables, and some that are too long to write down.
pub(crate) fn names() -> Vec<(String, Fate)> {
    let long = [
        ("x".repeat(255), Fate::Made),
        ("x".repeat(256), Fate::Refused),
        ("é".repeat(128), Fate::Refused),
        ("x".repeat(1000), Fate::Refused),
        (vec!["y"; 2100].join("/"), Fate::Refused),
        (format!("{}/../../x", "a/".repeat(50)), Fate::Refused),
    ];
    let refused = NOT_AS_THEY_ARE.iter().map(|name| ((*name).to_owned(), Fate::Refused));
    let made = ORDINARY.iter().map(|name| ((*name).to_owned(), Fate::Made));
    refused.chain(made).chain(long).collect()
}

fn has_unsafe_characters(text: &str) -> bool {
    let is_unsafe = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    text.chars().any(is_unsafe)
}

#[track_caller]
pub(crate) fn assert_quiet(name: &str, run: &Run) {
    assert!(
        !has_unsafe_characters(&run.stdout) && !has_unsafe_characters(&run.stderr),
        "{name:?} acts on the terminal: {:?}",
        run.output()
    );
}

/// The server's names of the documents that it has stored.
pub(crate) fn stored(rows: &Value) -> BTreeSet<String> {
    let ids = rows.as_array().unwrap().iter().filter(|row| row["rev"].is_string());
    ids.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn attachment(content: &str) -> Value {
    use base64::Engine as _;
    json!({ "content_type": "image/png", "data": base64::engine::general_purpose::STANDARD.encode(content) })
}

pub(crate) fn hostile_attachment_names_stay_inside(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    project.write("bystander", "untouched").write("../home/.bashrc", "untouched");
    let names = names();
    assert!(names.len() >= 100, "{}", names.len());
    let document = |(number, (name, _)): (usize, &(String, Fate))| json!({ "_id": format!("_design/d{number}"), "title": "x", "_attachments": { name.as_str(): attachment("hostile") } });
    let documents: Vec<_> = names.iter().enumerate().map(document).collect();
    let stored = stored(&database.post("_bulk_docs", &json!({ "docs": documents })).ok().json());
    assert_eq!(stored.len(), names.len(), "every name is served");
    for (number, (name, fate)) in names.iter().enumerate() {
        let before = project.census_outside("copy");
        let run = clone(&project, &database, &format!("_design/d{number}"), "copy");
        assert_eq!(
            difference(&before, &project.census_outside("copy")),
            [""; 0],
            "{name:?} was written outside\n{run}"
        );
        assert_quiet(name, &run);
        match (fate, run.code) {
            (Fate::Made, 0) => {
                let content = project.tree("copy").get(&format!("_attachments/{name}")).cloned();
                assert_eq!(content.as_deref(), Some(&b"hostile"[..]), "{name:?} is made elsewhere\n{run}");
            }
            (Fate::Refused, 0) => {
                let files = project.tree("copy");
                let (path, _) =
                    files.iter().find(|(_, content)| *content == b"hostile").expect("the file is somewhere");
                assert_ne!(path, &format!("_attachments/{name}"), "{name:?} was made");
                assert!(run.stderr.contains("warning: "), "{name:?} became {path:?} without a word\n{run}");
            }
            (Fate::Refused, 1) => {
                assert!(!project.exists("copy"), "{name:?} was refused after something was written");
                assert!(run.stderr.contains("--escape-names"), "{name:?}\n{run}");
                continue;
            }
            _ => panic!("{name:?} should be {fate:?}\n{run}"),
        }
        project.remove("copy");
    }
}

/// Members may have any key, at the root and below; they are never refused, because JSON can hold them.
pub(crate) fn hostile_fields_stay_inside(endpoint: &Endpoint) {
    let (project, one, two) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    project.write("bystander", "untouched");
    let names: Vec<String> = names().into_iter().map(|(name, _)| name).chain([String::new()]).collect();
    let value = |name: &str, shape: usize| match shape {
        0 => json!({ name: "text" }),
        1 => json!({ "lib": { name: "text" } }),
        2 => json!({ name: { "inner": "text", "number": 1 } }),
        3 => {
            json!({ "couchapp": { "manifest": [name, format!("{name}/"), format!("lib/{name}")], "signatures": { name: "x" } }, name: 7 })
        }
        _ => json!({ "shows": { name: "function () {}" }, "lists": { "a": { name: [] } } }),
    };
    let mut documents = Vec::new();
    for (number, name) in names.iter().enumerate() {
        for shape in 0..5 {
            let mut document = value(name, shape);
            document["_id"] = json!(format!("_design/d{number}-{shape}"));
            // The server judges some members of design documents; such a document cannot be served.
            documents.push(document);
        }
    }
    let stored = stored(&one.post("_bulk_docs", &json!({ "docs": documents })).ok().json());
    assert!(stored.len() >= 500, "only {} documents are served", stored.len());
    for document in documents.iter().filter(|document| stored.contains(document["_id"].as_str().unwrap())) {
        let id = document["_id"].as_str().unwrap();
        let before = project.census_outside("copy");
        let run = clone(&project, &one, id, "copy");
        assert_eq!(
            difference(&before, &project.census_outside("copy")),
            [""; 0],
            "{document} was written outside\n{run}"
        );
        assert_quiet(&document.to_string(), &run);
        assert_eq!(run.code, 0, "{document}\n{run}");
        let run = push_with(&project, "copy", &two, &["--no-check"]);
        assert_eq!(run.code, 0, "{document}\n{run}");
        let members = |mut document: Value| {
            document.as_object_mut().unwrap().shift_remove("_rev");
            document.as_object_mut().unwrap().shift_remove("couchapp");
            sorted(&document)
        };
        assert_eq!(members(one.document(id)), members(two.document(id)), "{run}");
        project.remove("copy");
    }
}

/// The id gives the folder its name when none is typed.
pub(crate) fn hostile_ids_stay_inside(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    project.write("bystander", "untouched");
    let names: Vec<String> = names().into_iter().map(|(name, _)| name).filter(|name| name.len() < 2000).collect();
    let ids = names.iter().flat_map(|name| [format!("_design/{name}"), name.clone()]);
    let documents: Vec<_> = ids.map(|id| json!({ "_id": id, "title": "x" })).collect();
    let stored = stored(&database.post("_bulk_docs", &json!({ "docs": documents })).ok().json());
    assert!(stored.len() > 150, "{}", stored.len());
    for id in &stored {
        let before = project.census_outside("");
        let own_before = project.tree("");
        let rest = id.strip_prefix("_design/").map_or_else(|| encoded(id), |name| format!("_design/{}", encoded(name)));
        let run = clone_without_folder(&project, &format!("{}/{rest}", database.url()));
        assert_eq!(difference(&before, &project.census_outside("")), [""; 0], "{id:?} was written outside\n{run}");
        assert_quiet(id, &run);
        let made = new_entries(&own_before, &project.tree(""));
        if run.code == 0 {
            assert_eq!(made.len(), 1, "{id:?} made {made:?}\n{run}");
            project.remove(made.first().unwrap());
        } else {
            assert!([1, 2, 6].contains(&run.code) && made.is_empty(), "{id:?} made {made:?}\n{run}");
        }
        assert_eq!(project.read("bystander"), b"untouched");
    }
}

fn clone_without_folder(project: &Project, url: &str) -> Run {
    project.couchapp(&["clone", url])
}

fn new_entries(before: &Tree, after: &Tree) -> BTreeSet<String> {
    let heads =
        |tree: &Tree| tree.keys().map(|path| path.split('/').next().unwrap().to_owned()).collect::<BTreeSet<_>>();
    heads(after).difference(&heads(before)).cloned().collect()
}

/// With `--escape-names` everything is written somewhere, and a push brings back the true names.
pub(crate) fn escaped_names_come_back(endpoint: &Endpoint) {
    let (project, one, two) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    let clashing =
        ["File.txt", "file.TXT", "FILE.txt", "n", "n/m", "n/m/o", "e\u{301}", "\u{e9}", "a%2Eb", "%61", "a", "A"];
    let names: BTreeSet<String> =
        names().into_iter().map(|(name, _)| name).chain(clashing.map(str::to_owned)).collect();
    let attachments: Map<_, _> = names.iter().map(|name| (name.clone(), attachment(name))).collect();
    one.store("_design/hostile", &json!({ "title": "x", "_attachments": attachments }));
    project.write("bystander", "untouched");
    let before = project.census_outside("copy");
    clone(&project, &one, "_design/hostile", "copy").expect(1);
    let run = project.couchapp(&["clone", &one.design_url("hostile"), "copy", "--escape-names"]).ok();
    assert_eq!(difference(&before, &project.census_outside("copy")), [""; 0], "{run}");
    for path in project.tree("copy").keys() {
        let parts: Vec<_> = path.split('/').collect();
        assert!(
            parts.iter().all(|part| part.len() <= 255 && !part.contains(['\\', ':']) && !has_unsafe_characters(part)),
            "{path:?}"
        );
    }
    // Names that no URL can carry cannot be looked at one by one, so everything is read at once.
    let read = |database: &crate::harness::Database<'_>| {
        let document = database.get("_design/hostile?attachments=true").json();
        let files = document["_attachments"].as_object().unwrap().iter();
        files.map(|(name, file)| (name.clone(), file["data"].clone())).collect::<std::collections::BTreeMap<_, _>>()
    };
    push_with(&project, "copy", &two, &["--no-check", "--max-delete", "all"]).ok();
    let (left, right) = (read(&one), read(&two));
    assert_eq!(left.len(), names.len());
    assert_eq!(left, right);
    // PouchDB's own names differ from CouchDB's in nothing that matters here.
    assert!(matches!(endpoint.kind(), Kind::CouchDb | Kind::PouchDb | Kind::Fake));
    push_with(&project, "copy", &one, &[]).ok().says("Up to date");
}
