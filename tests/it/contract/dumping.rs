//! `dump SRC DIR`: attachments on the disk.

use serde_json::json;

use super::album::{Album, attached, noise, same_trees, some_files};
use super::app::{clone, edit_remotely};
use crate::harness::{Endpoint, Kind, Tree, encoded};

pub(crate) fn files_come_back_and_others_have_their_folder(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let attachments =
        json!({ "one.png": attached(b"one", "image/png"), "in/folder.txt": attached(b"text", "text/plain") });
    album.database.store("a note", &json!({ "title": "x", "_attachments": attachments }));
    album.database.store("with/slash", &json!({ "_attachments": { "s.jpg": attached(b"s", "image/jpeg") } }));
    album.database.store("_design/app", &json!({ "_attachments": { "index.html": attached(b"<p>", "text/html") } }));
    album.database.store("nothing", &json!({ "title": "no files" }));
    let run = album.dump("copy", &["-n"]).ok();
    assert!(run.output().contains("+ a.jpg") && !album.project.exists("copy"), "{run}");
    let run = album.dump("copy", &[]).ok();
    assert!(run.stderr.lines().next().unwrap().contains(&format!("Dumping {} → copy", album.url)), "{run}");
    let mut tree = album.project.tree("copy");
    let times = album.project.times("copy");
    for (path, time) in album.project.times("pics") {
        assert_eq!(times[&path], time, "{path}");
    }
    for (path, content) in album.project.tree("pics") {
        assert_eq!(tree.remove(&path), Some(content), "{path}");
    }
    assert_eq!(tree.remove("a note/one.png").as_deref(), Some(&b"one"[..]), "{:?}", tree.keys());
    assert_eq!(tree.remove("a note/in/folder.txt").as_deref(), Some(&b"text"[..]));
    let folders: Vec<_> = tree.keys().map(|path| path.rsplit_once('/').unwrap()).collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    for (folder, name) in folders {
        assert!(
            !folder.contains('/') && ["s.jpg", "index.html"].contains(&name),
            "{folder}/{name}: one folder for an id"
        );
    }
    album.wrote_nothing();
    // Nothing but what was dumped.
    assert!(!album.project.tree("copy").keys().any(|path| path.contains("couchapp")));
}

pub(crate) fn a_second_dump_fetches_what_is_new(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.database.store("a note", &json!({ "_attachments": { "n.jpg": attached(b"n", "image/jpeg") } }));
    album.dump("copy", &[]).ok().says("Fetched 8 files");
    let times = album.project.times("copy");
    for _ in 0..2 {
        album.proxy.forget();
        album.dump("copy", &[]).ok().says("Up to date");
        let targets: Vec<_> = album.proxy.seen().into_iter().map(|seen| seen.target).collect();
        assert!(targets.len() <= 5, "{targets:?}");
        if endpoint.kind() != Kind::PouchDb {
            assert!(!targets.iter().any(|target| target.contains("_all_docs")), "all is listed: {targets:?}");
        }
    }
    album.file("a.jpg", b"changed");
    album.sync(&[]).ok();
    edit_remotely(&album.database, "a%20note", |document| document["caption"] = json!("no new file"));
    album.dump("copy", &[]).ok().says("Fetched 1 file");
    assert_eq!(album.project.read("copy/a.jpg"), b"changed");
    assert_eq!(times["a note/n.jpg"], album.project.times("copy")["a note/n.jpg"]);
    // What is missing here comes again, and without a memory nothing is fetched that is there.
    album.project.remove("copy/2010/notes.txt");
    album.dump("copy", &[]).ok().says("Fetched 1 file");
    album.project.forget();
    album.dump("copy", &[]).ok().says("Up to date");
    album.dump("copy", &["--checksum"]).ok().says("Up to date");
}

pub(crate) fn a_dump_keeps_what_was_edited_here(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.dump("copy", &[]).ok();
    album.project.write("copy/a.jpg", b"edited here");
    album.replace_remotely("a.jpg", b"edited there");
    album.replace_remotely("2011/song.mp3", b"another song");
    let run = album.dump("copy", &[]).expect(8).says("a.jpg");
    assert!(run.stderr.contains("--force"), "{run}");
    assert_eq!(album.project.read("copy/a.jpg"), b"edited here");
    assert_eq!(album.project.read("copy/2011/song.mp3"), b"another song");
    album.dump("copy", &[]).expect(5);
    album.dump("copy", &["--force", "--yes"]).ok();
    assert_eq!(album.project.read("copy/a.jpg"), b"edited there");
    // A folder that no dump has written.
    album.project.write("full/a.jpg", b"something else");
    album.dump("full", &[]).expect(9);
    assert_eq!(album.project.tree("full").len(), 1);
}

pub(crate) fn a_dump_removes_only_what_it_wrote(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.dump("copy", &[]).ok();
    album.project.write("copy/own.jpg", b"own").write("copy/2010/own.txt", b"own");
    for id in ["a.jpg", "2010/notes.txt", "2011/song.mp3"] {
        album.delete_remotely(id);
    }
    album.project.write("copy/2011/song.mp3", b"edited here");
    album.dump("copy", &[]).ok();
    assert!(album.project.exists("copy/a.jpg"), "nothing goes without `--delete`");
    // One of them is no longer what was dumped.
    album.dump("copy", &["--delete"]).expect(9).says("2011/song.mp3");
    assert_eq!(album.project.read("copy/2011/song.mp3"), b"edited here");
    assert!(album.project.exists("copy/a.jpg"), "a refused run removes nothing");
    album.project.remove("copy/2011/song.mp3");
    album.dump("copy", &["--delete"]).ok();
    assert!(!album.project.exists("copy/a.jpg") && !album.project.exists("copy/2010/notes.txt"));
    album.dump("copy", &["--delete", "--force", "--yes", "--max-delete", "all"]).ok();
    assert_eq!(album.project.read("copy/own.jpg"), b"own");
    assert_eq!(album.project.read("copy/2010/own.txt"), b"own");
}

pub(crate) fn a_large_removal_of_a_dump_is_stopped(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    for number in 0..24 {
        album.file(&format!("f{number:02}.jpg"), noise(20, number));
    }
    album.sync(&[]).ok();
    album.dump("copy", &[]).ok();
    for number in 0..13 {
        album.delete_remotely(&format!("f{number:02}.jpg"));
    }
    for more in [&[][..], &["--yes"], &["--max-delete", "12"]] {
        album.dump("copy", &[&["--delete"], more].concat()).expect(9).says("--max-delete");
    }
    assert_eq!(album.project.tree("copy").len(), 24);
    album.dump("copy", &["--delete", "--max-delete", "13"]).ok();
    assert_eq!(album.project.tree("copy").len(), 11);
}

pub(crate) fn a_part_is_dumped(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    album.sync(&["--tags-from-folders"]).ok();
    album.database.store(
        "tagged",
        &json!({ "tags": ["2010", "beach"], "_attachments": { "t.jpg": attached(b"t", "image/jpeg") } }),
    );
    album
        .database
        .store("strange", &json!({ "tags": "beach", "_attachments": { "t.jpg": attached(b"t", "image/jpeg") } }));
    let names = |folder: &str| album.project.tree(folder).into_keys().collect::<Vec<_>>();
    album.dump("beach", &["--tag", "beach"]).ok();
    assert_eq!(names("beach"), ["2010/beach/IMG_0042.png", "2010/beach/IMG_0043.jpg", "tagged/t.jpg"]);
    album.dump("below", &["--prefix", "2010/beach"]).ok();
    assert_eq!(names("below"), ["2010/beach/IMG_0042.png", "2010/beach/IMG_0043.jpg"]);
    album.dump("text", &["--exclude", "*.jpg", "--exclude", "*.png"]).ok();
    assert_eq!(names("text"), ["2010/notes.txt", "2011/song.mp3", "papers/plan.html"]);
    // One document, by its URL.
    album.project.couchapp(&["dump", &format!("{}/tagged", album.url), "one"]).ok();
    assert_eq!(names("one"), ["t.jpg"]);
    album.project.couchapp(&["dump", &format!("{}/missing", album.url), "none"]).expect(6);
    assert!(!album.project.exists("none") || names("none").is_empty());
    // Only what came later.
    let info = endpoint.get(&album.database.target()).json();
    let since = info["update_seq"].as_str().map_or_else(|| info["update_seq"].to_string(), str::to_owned);
    album.file("later.jpg", noise(60, 2));
    album.sync(&[]).ok();
    album.dump("news", &["--since", &since]).ok();
    assert_eq!(names("news"), ["later.jpg"]);
}

/// Views are for servers that have some.
pub(crate) fn a_view_says_what_is_dumped(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let map = "function (doc) { if (doc.file && doc.file.folder === '2010/beach') { emit(doc.file.name, 1); emit(doc.file.size, 2); } }";
    album.database.store(
        "_design/photos",
        &json!({ "language": "javascript", "views": { "beach": { "map": map, "reduce": "_count" } } }),
    );
    album.dump("copy", &["--view", "photos/beach"]).ok().says("Fetched 2 files");
    let names: Vec<_> = album.project.tree("copy").into_keys().collect();
    assert_eq!(names, ["2010/beach/IMG_0042.png", "2010/beach/IMG_0043.jpg"]);
    album.dump("copy", &["--view", "photos/beach"]).ok().says("Up to date");
    album.dump("none", &["--view", "photos/nothing"]).expect(6);
}

pub(crate) fn documents_are_dumped_as_push_takes_them(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let note = json!({ "title": "Zoë's note", "number": 1.5, "nested": { "a": [1, null] } });
    album.database.store("a note", &note);
    album.dump("copy", &["--docs"]).ok();
    let docs: Tree = album.project.tree("copy/_docs");
    assert_eq!(docs.len(), some_files().len() + 1, "{:?}", docs.keys());
    let other = endpoint.database();
    album.project.couchapp(&["push", "copy", &other.url(), "--docs"]);
    for (path, text) in &docs {
        let document: serde_json::Value =
            serde_json::from_slice(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let id = document["_id"].as_str().unwrap();
        let stored = album.document(id);
        for (member, value) in document.as_object().unwrap() {
            assert_eq!(&stored[member], value, "{member} of {id}");
        }
        assert!(document.get("_rev").is_none(), "{id}: a revision belongs to one server");
    }
    album.dump("copy", &["--docs"]).ok().says("Up to date");
    edit_remotely(&album.database, "a%20note", |document| document["title"] = json!("edited"));
    album.dump("copy", &["--docs"]).ok().says("Fetched 1 file");
    let edited = album.project.tree("copy/_docs");
    assert_eq!(crate::harness::difference(&docs, &edited).len(), 1);
}

pub(crate) fn losing_revisions_are_dumped_when_asked_for(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let losing = album.add_losing_leaf("a.jpg", b"from elsewhere");
    let run = album.dump("copy", &[]).ok();
    assert!(run.stderr.contains("conflict") && run.stderr.contains("--conflicts"), "{run}");
    same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
    album.dump("all", &["--conflicts"]).ok();
    let mut tree = album.project.tree("all");
    assert_eq!(tree.remove(&format!("a.jpg~{losing}")).as_deref(), Some(&b"from elsewhere"[..]), "{:?}", tree.keys());
    same_trees(&album.project.tree("pics"), &tree);
    album.dump("all", &["--conflicts"]).ok().says("Up to date");
}

/// A design document's attachments, as they are.
pub(crate) fn a_design_document_is_dumped(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    super::app::App::small().write(&album.project, "blog");
    super::app::push(&album.project, "blog", &album.database).ok();
    album.project.couchapp(&["dump", &format!("{}/_design/blog", album.url), "copy"]).ok();
    clone(&album.project, &album.database, "_design/blog", "cloned").ok();
    same_trees(&album.project.tree("cloned/_attachments"), &album.project.tree("copy"));
}

/// What people attached to documents of this tool is theirs as well.
pub(crate) fn what_people_attached_is_dumped(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    for id in ["a.jpg", "2010/notes.txt"] {
        edit_remotely(&album.database, &encoded(id), |document| {
            document["_attachments"]["notes/my note.jpg"] = attached(id.as_bytes(), "image/jpeg");
        });
    }
    album.dump("copy", &[]).ok().says("Fetched 9 files");
    let mut tree = album.project.tree("copy");
    assert_eq!(tree.remove("2010/notes.txt~/notes/my note.jpg").as_deref(), Some(&b"2010/notes.txt"[..]));
    assert_eq!(tree.remove("a.jpg~/notes/my note.jpg").as_deref(), Some(&b"a.jpg"[..]), "{:?}", tree.keys());
    same_trees(&album.project.tree("pics"), &tree);
    album.dump("copy", &[]).ok().says("Up to date: 9 files");
    album.dump("copy", &["--verify"]).ok().says("Verified: 9 files");
    album.project.remove("copy/a.jpg~/notes/my note.jpg");
    let run = album.dump("copy", &["--verify"]);
    assert!(run.code != 0 && run.output().contains("1 missing"), "{run}");
    album.fetch("mirror", &[]).ok().says("Fetched 7 files");
}

/// The attachments of one document, with its JSON and its losing revisions beside them.
pub(crate) fn one_document_is_dumped_whole(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let losing = album.add_losing_leaf("a.jpg", b"from elsewhere");
    let url = format!("{}/a.jpg", album.url);
    let run = |more: &[&str]| album.project.couchapp(&[&["dump", url.as_str(), "one"], more].concat());
    run(&["--docs", "--conflicts"]).ok().says("Fetched 3 files");
    let names: Vec<_> = album.project.tree("one").into_keys().collect();
    assert_eq!(names, ["_docs/a.jpg.json".to_owned(), "a.jpg".to_owned(), format!("a.jpg~{losing}")]);
    assert_eq!(album.project.read(&format!("one/a.jpg~{losing}")), b"from elsewhere");
    run(&["--docs", "--conflicts"]).ok().says("Up to date: 3 files");
}
