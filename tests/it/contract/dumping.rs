//! `dump SRC DIR`: attachments on the disk.

use serde_json::json;

use super::album::{Album, attached, noise, same_trees, some_files};
use super::app::{clone, edit_remotely};
use super::fetching::{page, play_unreadable};
use crate::fault_proxy::Action;
use crate::harness::{Endpoint, Kind, Tree, encoded};
use crate::wire::Answer;

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

pub(crate) fn a_dump_is_verified(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.dump("copy", &["--verify"]).expect(6);
    assert!(!album.project.exists("copy"));
    album.dump("copy", &[]).ok();
    let state = album.project.state();
    album.dump("copy", &["--verify"]).ok().says("Verified: 7 files");
    // A damage that neither length nor time gives away.
    let times = album.project.times("copy");
    let mut content = album.project.read("copy/2010/beach/IMG_0043.jpg");
    content[35_000] ^= 1;
    album.project.write("copy/2010/beach/IMG_0043.jpg", &content);
    let time = times["2010/beach/IMG_0043.jpg"];
    let seconds = u64::try_from(time / 1_000_000_000).unwrap();
    album.project.touch("copy/2010/beach/IMG_0043.jpg", seconds, u32::try_from(time % 1_000_000_000).unwrap());
    album.project.remove("copy/a.jpg");
    let before = album.project.tree("copy");
    let run = album.dump("copy", &["--verify"]);
    assert_ne!(run.code, 0, "{run}");
    assert!(run.output().contains("2010/beach/IMG_0043.jpg") && run.output().contains("a.jpg"), "{run}");
    assert!(album.project.tree("copy") == before && album.project.state() == state, "something was written\n{run}");
    album.wrote_nothing();
}

pub(crate) fn a_dump_is_a_stream_of_lines(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.database.store("a note", &json!({ "title": "no\nfile" }));
    let run = album.dump("-", &[]).ok();
    let lines = run.lines_of_json();
    assert_eq!(lines.len(), 8, "{run}");
    let other = endpoint.database();
    other.post("_bulk_docs", &json!({ "docs": lines })).ok();
    for id in album.ids() {
        let rest = super::app::target_of(&id);
        let (left, right) = (album.document(&id), other.document(&rest));
        assert_eq!((&left["file"], &left["tags"], &left["title"]), (&right["file"], &right["tags"], &right["title"]));
        for name in left["_attachments"].as_object().into_iter().flat_map(serde_json::Map::keys) {
            assert_eq!(album.database.attachment(&rest, name), other.attachment(&rest, name), "{name} of {id}");
        }
    }
    let tagged = album.dump("-", &["--prefix", "2010/beach"]).ok();
    assert_eq!(tagged.lines_of_json().len(), 2, "{tagged}");
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

pub(crate) fn two_files_for_one_path_are_told(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let ours = album.project.read("pics/2010/notes.txt");
    // One that comes before ours in every listing, and one that comes after.
    let theirs = |name: &str, content: &[u8]| json!({ "_attachments": { name: attached(content, "image/jpeg") } });
    album.database.store("2010", &theirs("notes.txt", b"theirs"));
    album.database.store("papers", &theirs("plan.html", b"their plan"));
    for _ in 0..2 {
        let run = album.dump("copy", &[]).expect(8);
        assert!(run.stderr.contains("`2010/notes.txt` of the document `2010` is the path of another file"), "{run}");
        assert!(run.stderr.contains("`papers/plan.html` of the document `papers` is the path"), "{run}");
        same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
    }
    // Also when ours comes later than theirs.
    album.delete_remotely("2010/notes.txt");
    album.dump("copy", &[]).expect(8);
    assert_eq!(album.project.read("copy/2010/notes.txt"), b"theirs");
    album.file("2010/notes.txt", &ours);
    album.sync(&["--yes", "--force"]).ok();
    album.dump("copy", &[]).expect(8).says("2010/notes.txt");
    assert_eq!(album.project.read("copy/2010/notes.txt"), ours);
}

/// A name that is too long with its revision.
pub(crate) fn a_losing_revision_without_a_path_is_told(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    let long = format!("{}.jpg", "n".repeat(230));
    album.file(&long, noise(20, 1)).file("a.jpg", noise(20, 2));
    album.sync(&[]).ok();
    album.add_losing_leaf(&long, b"from elsewhere");
    for _ in 0..2 {
        let run = album.dump("copy", &["--conflicts"]).expect(8);
        assert!(run.stderr.contains(&format!("`{long}~1-0")), "{run}");
        same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
    }
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

pub(crate) fn a_document_that_goes_during_a_dump_is_told(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.database.store("a note", &json!({ "title": "x" }));
    album.play(|arrival| {
        let gone = json!({ "total_rows": 0, "rows": [{ "key": "a note", "error": "not_found" }] }).to_string();
        let is_reading = arrival.method == "POST" && arrival.target.contains("_all_docs");
        if is_reading { Action::Replace(Answer::new(200, "application/json", gone)) } else { Action::Pass }
    });
    album.dump("copy", &["--docs"]).expect(8).says("the document was deleted meanwhile");
    album.calm();
    album.dump("copy", &["--docs"]).ok().says("Fetched 1 file");
}

/// A server may compress in a way that nothing here can repeat: then its content is read.
pub(crate) fn another_compression_is_no_difference(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("notes.txt", b"some text\n".repeat(90));
    album.sync(&[]).ok();
    album.dump("copy", &[]).ok();
    album.project.forget();
    let mut document = album.document("notes.txt");
    let stub = &mut document["_attachments"]["notes.txt"];
    stub["digest"] = json!("md5-AAAAAAAAAAAAAAAAAAAAAA==");
    stub["encoding"] = json!("gzip");
    stub["encoded_length"] = json!(77);
    let listed = document.clone();
    let play = || {
        let listed = listed.clone();
        album.play(move |arrival| {
            let is_listing = arrival.method == "GET" && arrival.target.contains("_all_docs");
            if is_listing { Action::Replace(page(std::slice::from_ref(&listed))) } else { Action::Pass }
        });
    };
    play();
    album.dump("copy", &["--verify"]).ok().says("Verified: 1 file");
    play();
    album.dump("copy", &[]).ok().says("Up to date");
    album.project.forget();
    album.project.write("copy/notes.txt", b"some tent\n".repeat(90));
    play();
    let run = album.dump("copy", &["--verify"]);
    assert!(run.code != 0 && run.output().contains("1 different"), "{run}");
}

/// Differences hide nothing else.
pub(crate) fn a_verification_tells_of_everything(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.database.store("x", &json!({ "_attachments": { "../up.jpg": attached(b"up", "image/jpeg") } }));
    album.dump("copy", &[]).expect(8);
    album.project.remove("copy/a.jpg");
    let run = album.dump("copy", &["--verify"]);
    assert!(run.code != 0 && run.stderr.contains("../up.jpg") && run.output().contains("1 missing"), "{run}");
    let run = album.dump("copy", &["--verify", "--json"]);
    assert!(run.stdout.contains("../up.jpg"), "{run}");
}

pub(crate) fn a_stream_tells_what_it_lacks(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    let large = noise((1 << 20) + 70_001, 3);
    album.file("large.jpg", &large).file("small.jpg", noise(20, 2));
    album.sync(&[]).ok();
    let run = album.dump("-", &[]).ok();
    let data = run.lines_of_json()[0]["_attachments"]["large.jpg"]["data"].clone();
    assert_eq!(data, attached(&large, "image/jpeg")["data"]);
    // An attachment that goes meanwhile.
    album.play(|arrival| {
        let gone = Answer::new(404, "application/json", r#"{"error":"not_found","reason":"missing"}"#);
        if arrival.target.contains("large.jpg/large.jpg") { Action::Replace(gone) } else { Action::Pass }
    });
    let run = album.dump("-", &[]).expect(8).says("large.jpg");
    let lines = run.lines_of_json();
    assert_eq!((lines.len(), &lines[0]["_attachments"]), (2, &serde_json::Value::Null), "{run}");
    play_unreadable(&album);
    let run = album.dump("-", &[]).expect(8).says("a.jpg");
    assert_eq!(run.stdout, "", "{run}");
    // Only what came later.
    album.calm();
    let info = endpoint.get(&album.database.target()).json();
    let since = info["update_seq"].as_str().map_or_else(|| info["update_seq"].to_string(), str::to_owned);
    album.file("later.jpg", noise(60, 2));
    album.sync(&[]).ok();
    assert_eq!(album.dump("-", &["--since", &since]).ok().lines_of_json().len(), 1);
}
