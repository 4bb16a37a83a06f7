//! A database gives paths, ids and names that no disk should see. A dump writes nothing outside its folder.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::album::{Album, attached, sha256};
use super::hostile::{Fate, assert_quiet, attachment, names, stored};
use crate::harness::{Endpoint, difference};

const CONTENT: &[u8] = b"hostile";

/// A document that says it is the file `path`; the id is the one that belongs to it.
fn claiming(path: &str) -> Value {
    let name = path.rsplit('/').next().unwrap();
    let escape = |text: &str| {
        let is_escaped = text.starts_with('_') || text.starts_with("~_") || text.starts_with("~~");
        if is_escaped { format!("~{text}") } else { text.to_owned() }
    };
    let key = if name.is_empty() { "x".to_owned() } else { escape(name) };
    json!({
        "_id": escape(path), "type": "file", "tags": [],
        "file": {
            "path": path, "name": name, "folder": "", "size": CONTENT.len(), "content_type": "image/png",
            "modified": "2010-09-19T11:47:23Z", "sha256": sha256(CONTENT), "attachment": key,
        },
        "_attachments": { key: attachment("hostile") },
    })
}

/// Stores documents one by one, for one that is refused would refuse all; says how many were taken.
fn store(album: &Album<'_>, documents: &[Value]) -> usize {
    let mut taken = 0;
    for document in documents {
        let answer = album.database.post("_bulk_docs", &json!({ "docs": [document] }));
        taken += if answer.status < 300 { stored(&answer.json()).len() } else { 0 };
    }
    taken
}

/// Asserts what a dump left: nothing outside, nothing but the content inside, nothing on the terminal.
#[track_caller]
fn check(album: &Album<'_>, before: &crate::harness::Tree, run: &crate::harness::Run) -> BTreeSet<String> {
    let mut after = album.project.census_outside("copy");
    after.retain(|path, _| !path.starts_with("state/"));
    assert_eq!(difference(before, &after), [""; 0], "something was written outside\n{run}");
    assert_quiet("a dump", run);
    assert!([0, 8].contains(&run.code), "{run}");
    let tree = album.project.tree("copy");
    for (path, content) in &tree {
        assert!(path.ends_with('/') || content == CONTENT, "{path} holds something else");
    }
    tree.into_keys().collect()
}

fn census(album: &Album<'_>) -> crate::harness::Tree {
    album.project.write("bystander", "untouched").write("../home/.bashrc", "untouched");
    let mut before = album.project.census_outside("copy");
    before.retain(|path, _| !path.starts_with("state/"));
    before
}

pub(crate) fn hostile_paths_stay_inside(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    let names: Vec<_> = names().into_iter().filter(|(name, _)| !name.is_empty() && name.len() < 2000).collect();
    let documents: Vec<_> = names.iter().map(|(name, _)| claiming(name)).collect();
    let taken = store(&album, &documents);
    assert!(taken >= 100, "only {taken} are served");
    let before = census(&album);
    for command in ["dump", "sync-dir"] {
        let run = album.project.couchapp(&[command, &album.url, "copy"]);
        let made = check(&album, &before, &run);
        if command == "dump" {
            for (name, _) in names.iter().filter(|(name, fate)| *fate == Fate::Made && !name.contains('\u{301}')) {
                assert!(made.contains(name), "{name:?} is missing\n{run}");
            }
        }
        for bad in ["etc/passwd", ".git/config", ".couchapp/base", ".couchapprc"] {
            assert!(!made.contains(bad), "{bad} was made");
        }
        assert_eq!(run.code, 8, "some names cannot be, and that is told\n{run}");
        // With escaped names everything comes, still inside.
        let run = album.project.couchapp(&[command, &album.url, "copy", "--escape-names", "--yes"]);
        check(&album, &before, &run);
        album.project.remove("copy");
        album.project.forget();
    }
}

pub(crate) fn hostile_ids_and_names_stay_inside_a_dump(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    let names: Vec<String> = names().into_iter().map(|(name, _)| name).filter(|name| name.len() < 2000).collect();
    let by_id = names.iter().map(|id| json!({ "_id": id, "_attachments": { "x.png": attachment("hostile") } }));
    let by_name = names.iter().enumerate().map(|(number, name)| {
        json!({ "_id": format!("d{number}"), "_attachments": { name.as_str(): attached(CONTENT, "image/png") } })
    });
    let documents: Vec<_> = by_id.chain(by_name).filter(|document| document["_id"] != json!("")).collect();
    let taken = store(&album, &documents);
    assert!(taken >= 200, "only {taken} are served");
    let before = census(&album);
    let run = album.dump("copy", &[]);
    let made = check(&album, &before, &run);
    assert!(made.len() >= 100, "only {} were made\n{run}", made.len());
    // Each document of others has one folder, whatever its id.
    assert!(made.iter().filter(|path| path.ends_with("/x.png")).all(|path| path.matches('/').count() == 1), "{made:?}");
    let run = album.dump("copy", &["--escape-names", "--yes"]);
    let escaped = check(&album, &before, &run);
    assert!(escaped.len() >= made.len(), "{run}");
    let run = album.dump("copy", &["--docs", "--escape-names", "--yes"]);
    let mut after = album.project.census_outside("copy");
    after.retain(|path, _| !path.starts_with("state/"));
    assert_eq!(difference(&before, &after), [""; 0], "{run}");
    assert_quiet("a dump with documents", &run);
}

/// What stands in the folder already leads nowhere else.
#[cfg(unix)]
pub(crate) fn links_in_the_folder_lead_nowhere(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("out/x.jpg", CONTENT).file("y.jpg", CONTENT);
    album.sync(&[]).ok();
    album.project.write("target/x.jpg", "untouched").write("victim", "untouched");
    std::fs::create_dir(album.project.path().join("copy")).unwrap();
    std::os::unix::fs::symlink("../target", album.project.path().join("copy/out")).unwrap();
    std::os::unix::fs::symlink("../victim", album.project.path().join("copy/y.jpg")).unwrap();
    for more in [&[][..], &["--yes", "--force"]] {
        for command in ["dump", "sync-dir"] {
            let run = album.project.couchapp(&[&[command, &album.url, "copy"], more].concat());
            assert_eq!(album.project.read("target/x.jpg"), b"untouched", "{run}");
            assert_eq!(album.project.read("victim"), b"untouched", "{run}");
        }
    }
}

/// The folder's names tell nothing of the documents then.
pub(crate) fn escaped_names_are_fetched_again(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    assert_eq!(store(&album, &[claiming(".git/config"), claiming("a.png")]), 2);
    for command in ["dump", "sync-dir"] {
        let run = |more: &[&str]| album.project.couchapp(&[&[command, &album.url, command], more].concat());
        run(&["--escape-names"]).ok().says("Fetched 2 files");
        album.replace_remotely(".git/config", format!("changed for {command}").as_bytes());
        run(&["--escape-names"]).ok().says("Fetched 1 file");
        let tree = album.project.tree(command);
        let changed = tree.iter().find(|(path, _)| *path != "a.png").unwrap();
        assert_eq!(changed.1, format!("changed for {command}").as_bytes(), "{}", changed.0);
        assert_eq!(tree.len(), 2);
        run(&["--escape-names"]).ok().says("Up to date: 2 files");
    }
}
