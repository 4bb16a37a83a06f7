//! `sync-dir URL DIR`: the folder is made to match the database.

use serde_json::json;

use super::album::{Album, TIME, attached, noise, same_trees};
use crate::harness::{Endpoint, Kind};

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
