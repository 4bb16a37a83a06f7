//! `sync-dir URL DIR`: the folder is made to match the database.

use serde_json::json;

use super::album::{Album, TIME, attached, noise, same_trees};
use crate::fault_proxy::Action;
use crate::harness::{Endpoint, Kind};
use crate::wire::Answer;

pub(crate) fn a_folder_is_made_to_match(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.database.store("a note", &json!({ "_attachments": { "n.jpg": attached(b"n", "image/jpeg") } }));
    album.fetch("copy", &["-n"]).ok().says("dry run");
    assert!(!album.project.exists("copy"));
    let run = album.fetch("copy", &[]).ok().says("Fetched 7 files");
    assert!(run.stderr.lines().next().unwrap().contains("→ copy"), "{run}");
    same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
    assert_eq!(album.project.times("pics"), album.project.times("copy"));
    album.wrote_nothing();
    for _ in 0..2 {
        album.proxy.forget();
        album.fetch("copy", &["--delete"]).ok().says("Up to date: 7 files");
        let targets: Vec<_> = album.proxy.seen().into_iter().map(|seen| seen.target).collect();
        assert!(targets.len() <= 5, "{targets:?}");
        if endpoint.kind() != Kind::PouchDb {
            assert!(!targets.iter().any(|target| target.contains("_all_docs")), "all is listed: {targets:?}");
        }
    }
    // What changes there changes here, and no more.
    let before = album.project.times("copy");
    album.file("a.jpg", b"changed").file("2012/new.jpg", noise(90, 1)).remove("2011/song.mp3");
    album.sync(&["--delete"]).ok();
    album.fetch("copy", &[]).ok().says("Fetched 2 files");
    assert!(album.project.exists("copy/2011/song.mp3"), "nothing goes without `--delete`");
    album.fetch("copy", &["--delete"]).ok();
    same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
    let after = album.project.times("copy");
    assert_eq!(before["2010/notes.txt"], after["2010/notes.txt"]);
    album.proxy.forget();
    album.fetch("copy", &["--delete"]).ok().says("Up to date");
}

pub(crate) fn a_file_that_was_edited_here_is_not_overwritten(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.fetch("copy", &[]).ok();
    album.project.write("copy/a.jpg", b"edited here");
    album.project.write("copy/own.jpg", b"never sent");
    album.replace_remotely("a.jpg", b"edited there");
    for more in [&[][..], &["--yes"], &["-n"]] {
        album.fetch("copy", more).expect(5).says("a.jpg").says("--force");
        assert_eq!(album.project.read("copy/a.jpg"), b"edited here");
    }
    // Edited here only: a mirror would undo it, and must not do so unasked.
    album.project.write("copy/2010/notes.txt", b"my notes");
    album.fetch("copy", &[]).expect(5).says("2010/notes.txt");
    assert_eq!(album.project.read("copy/2010/notes.txt"), b"my notes");
    album.fetch("copy", &["--force"]).ok();
    assert_eq!(album.project.read("copy/a.jpg"), b"edited there");
    assert_eq!(album.project.read("copy/own.jpg"), b"never sent");
    // What is equal by itself is none.
    album.replace_remotely("a.jpg", b"both alike");
    album.project.write("copy/a.jpg", b"both alike");
    album.fetch("copy", &[]).ok();
}

pub(crate) fn without_a_memory_a_folder_is_not_overwritten(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.project.write("copy/a.jpg", b"something else").write("copy/own.jpg", b"own");
    let before = album.project.tree("copy");
    for more in [&[][..], &["--force"], &["--delete"]] {
        album.fetch("copy", more).expect(9).says("--yes");
        assert_eq!(album.project.tree("copy"), before, "{more:?}");
    }
    album.fetch("copy", &["--yes"]).ok();
    assert_eq!(album.project.read("copy/a.jpg"), noise(3000, 1));
    assert_eq!(album.project.read("copy/own.jpg"), b"own");
    // All is known now; a stranger among the files is asked for.
    album.fetch("copy", &["--delete"]).expect(9);
    assert_eq!(album.project.read("copy/own.jpg"), b"own");
    album.fetch("copy", &["--delete", "--yes"]).ok();
    same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
}

pub(crate) fn an_empty_database_removes_no_folder(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.fetch("copy", &[]).ok();
    for id in album.ids() {
        album.delete_remotely(&id);
    }
    for more in [&[][..], &["--yes"], &["--force"], &["--max-delete", "all"]] {
        album.fetch("copy", &[&["--delete"], more].concat()).expect(9).says("--allow-empty");
    }
    assert_eq!(album.project.tree("copy").len(), 7);
    album.fetch("copy", &["--delete", "--allow-empty"]).ok();
    assert_eq!(album.project.tree("copy").len(), 0);
}

pub(crate) fn a_part_is_fetched(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    album.sync(&["--tags-from-folders"]).ok();
    album.fetch("beach", &["--prefix", "2010/beach"]).ok();
    let names: Vec<_> = album.project.tree("beach").into_keys().collect();
    assert_eq!(names, ["IMG_0042.png", "IMG_0043.jpg"]);
    album.fetch("tagged", &["--tag", "2010", "--tag", "beach"]).ok();
    let names: Vec<_> = album.project.tree("tagged").into_keys().collect();
    assert_eq!(names, ["2010/beach/IMG_0042.png", "2010/beach/IMG_0043.jpg"]);
    album.fetch("text", &["--exclude", "*", "--include", "*/", "--include", "*.txt"]).ok();
    let names: Vec<_> = album.project.tree("text").into_keys().collect();
    assert_eq!(names, ["2010/notes.txt"]);
}

/// A document may say anything: the digest of the stored bytes decides, and another program may replace them.
pub(crate) fn what_a_document_claims_proves_nothing(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    super::app::edit_remotely(&album.database, "a.jpg", |document| {
        document["_attachments"]["a.jpg"] = attached(&noise(3000, 55), "image/jpeg");
    });
    album.fetch("copy", &[]).ok();
    assert_eq!(album.project.read("copy/a.jpg"), noise(3000, 55));
    album.fetch("copy", &[]).ok().says("Up to date");
}

/// A change that comes from an old camera: nothing depends on which of two times is later.
pub(crate) fn an_older_time_is_a_change_as_well(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.fetch("copy", &[]).ok();
    album.project.write("pics/a.jpg", b"old").touch("pics/a.jpg", TIME - 1_000_000, 7);
    album.sync(&[]).ok();
    album.fetch("copy", &[]).ok().says("Fetched 1 file");
    assert_eq!(album.project.read("copy/a.jpg"), b"old");
    assert_eq!(album.project.times("pics"), album.project.times("copy"));
}

/// Saved in an editor while the files are on their way.
pub(crate) fn what_is_edited_during_a_download_is_not_overwritten(endpoint: &Endpoint) {
    for command in ["sync-dir", "dump"] {
        let album = Album::sent(endpoint);
        let run = |more: &[&str]| album.project.couchapp(&[&[command, &album.url, "copy"], more].concat());
        run(&[]).ok();
        album.file("2012/new.jpg", noise(50, 1));
        album.remove("2011/song.mp3").sync(&["--delete"]).ok();
        album.replace_remotely("a.jpg", b"changed there");
        album.replace_remotely("2010/beach/IMG_0043.jpg", &noise(300_000, 7));
        let copy = album.project.path().join("copy");
        album.play(move |arrival| {
            let is_content =
                ["_bulk_get", "attachments", "IMG_0043.jpg"].iter().any(|word| arrival.target.contains(word));
            if is_content {
                for path in ["a.jpg", "2010/beach/IMG_0043.jpg", "2012/new.jpg", "2011/song.mp3"] {
                    std::fs::create_dir_all(copy.join(path).parent().unwrap()).unwrap();
                    std::fs::write(copy.join(path), "edited meanwhile\n").unwrap();
                }
            }
            Action::Pass
        });
        let run = run(&["--delete"]).expect(5);
        for path in ["a.jpg", "2010/beach/IMG_0043.jpg", "2012/new.jpg", "2011/song.mp3"] {
            assert_eq!(album.project.read_text(&format!("copy/{path}")), "edited meanwhile\n", "{path}\n{run}");
            assert!(run.stderr.contains(&format!("  {path}: ")), "{path} is not told\n{run}");
        }
    }
}

/// A page of `_all_docs` with these documents.
pub(crate) fn page(documents: &[serde_json::Value]) -> Answer {
    let row = |document: &serde_json::Value| json!({ "id": document["_id"], "key": document["_id"], "value": { "rev": document["_rev"] }, "doc": document });
    let rows: Vec<_> = documents.iter().map(row).collect();
    let body = json!({ "total_rows": rows.len(), "offset": 0, "rows": rows }).to_string();
    Answer::new(200, "application/json", body)
}

/// A listing of nothing but one document that cannot be taken apart.
pub(crate) fn play_unreadable(album: &Album<'_>) {
    let document = json!({ "_id": "a.jpg", "_rev": "1-a", "_attachments": { "": { "stub": true } } });
    album.play(move |arrival| {
        let is_listing = arrival.method == "GET" && arrival.target.contains("_all_docs");
        if is_listing { Action::Replace(page(std::slice::from_ref(&document))) } else { Action::Pass }
    });
}

pub(crate) fn nothing_is_removed_while_a_document_is_unreadable(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.fetch("copy", &[]).ok();
    album.project.forget();
    let before = album.project.tree("copy");
    for _ in 0..2 {
        play_unreadable(&album);
        let options = ["--delete", "--yes", "--allow-empty", "--max-delete", "all"];
        let run = album.fetch("copy", &options).expect(8).says("a.jpg");
        assert!(run.stderr.contains("nothing is removed"), "{run}");
        same_trees(&before, &album.project.tree("copy"));
    }
    album.calm();
    album.fetch("copy", &["--delete"]).ok().says("Up to date: 7 files");
}

pub(crate) fn a_selection_of_nothing_is_told(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.fetch("copy", &["--prefix", "2100"]).ok().says("No file is selected by `--prefix 2100`");
    album.dump("other", &["--tag", "holidya"]).ok().says("No file is selected by `--tag holidya`");
    let run = album.dump("other", &["--prefix", "2010"]).ok();
    assert!(!run.output().contains("No file is selected"), "{run}");
}

/// What a dry run would ask, and what is kept.
pub(crate) fn a_dry_run_tells_of_the_question(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.project.write("copy/a.jpg", b"something else");
    album.fetch("copy", &["-n"]).ok().says("The real run asks");
    let run = album.fetch("copy", &["-n", "--yes"]).ok();
    assert!(!run.output().contains("The real run asks"), "{run}");
}
