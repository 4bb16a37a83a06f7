//! Whole sessions, as they look on a terminal. They are the same on every server.

use serde_json::json;

use super::album::{Album, TIME};
use crate::harness::{Endpoint, Run};

/// A folder whose every byte is known.
fn holiday(endpoint: &Endpoint) -> Album<'_> {
    let album = Album::begin(endpoint);
    album.file("2010/beach.jpg", [1; 2500]).file("2010/notes.txt", "rain\n".repeat(300)).file("song.mp3", [3; 70_000]);
    for path in ["2010/beach.jpg", "2010/notes.txt", "song.mp3"] {
        album.project.touch(&format!("pics/{path}"), TIME, 0);
    }
    album
}

fn text(runs: &[Run]) -> String {
    runs.iter().map(Run::session).collect::<Vec<_>>().join("=====\n")
}

pub(crate) fn a_session_of_sync_dir(endpoint: &Endpoint) {
    let album = holiday(endpoint);
    let mut runs = vec![album.sync(&["--tag", "holiday", "-n"]), album.sync(&["--tag", "holiday"]), album.sync(&[])];
    album.file("2010/beach.jpg", [4; 2600]).file("new.jpg", [5; 10]).remove("song.mp3");
    runs.push(album.sync(&["-n", "--delete"]));
    runs.push(album.sync(&[]));
    runs.push(album.sync(&["--delete"]));
    insta::assert_snapshot!(text(&runs), @"");
}

pub(crate) fn a_session_of_refusals(endpoint: &Endpoint) {
    let album = holiday(endpoint);
    album.sync(&[]).ok();
    album.file("2010/beach.jpg", [4; 2600]);
    album.replace_remotely("2010/beach.jpg", &[6; 2700]);
    let mut runs = vec![album.sync(&[]), album.sync(&["--force"])];
    album.database.store("taken.jpg", &json!({ "text": "of others" }));
    album.file("taken.jpg", [7; 20]);
    std::fs::create_dir(album.project.path().join("pics/nothing")).unwrap();
    runs.push(album.sync(&[]));
    album.project.remove("pics/2010").remove("pics/song.mp3").remove("pics/taken.jpg").remove("pics/nothing");
    runs.push(album.sync(&["--delete"]));
    runs.push(album.project.couchapp(&["sync-dir", "pics", "copy"]));
    runs.push(album.project.couchapp(&["sync-dir", "missing", &album.url]));
    insta::assert_snapshot!(text(&runs), @"");
}

pub(crate) fn a_session_of_dump(endpoint: &Endpoint) {
    let album = holiday(endpoint);
    album.sync(&[]).ok();
    let attachments = json!({ "../up.jpg": super::album::attached(b"up", "image/jpeg"), "n.jpg": super::album::attached(b"n", "image/jpeg") });
    album.database.store("a note", &json!({ "title": "x", "_attachments": attachments }));
    let mut runs =
        vec![album.dump("copy", &["-n", "--exclude", "up.jpg"]), album.dump("copy", &["--exclude", "up.jpg"])];
    runs.push(album.dump("copy", &["--exclude", "up.jpg"]));
    runs.push(album.dump("copy", &["--verify", "--exclude", "up.jpg"]));
    album.project.write("copy/song.mp3", "edited here");
    album.replace_remotely("song.mp3", &[8; 100]);
    runs.push(album.dump("copy", &[]));
    album.delete_remotely("2010/notes.txt");
    runs.push(album.dump("copy", &["--delete"]));
    runs.push(album.fetch("mirror", &[]));
    runs.push(album.fetch("mirror", &[]));
    insta::assert_snapshot!(text(&runs), @"");
}

pub(crate) fn a_session_of_events(endpoint: &Endpoint) {
    let album = holiday(endpoint);
    let mut runs = vec![album.sync(&["--json"]), album.sync(&["--json"]), album.dump("copy", &["--json"])];
    album.file("2010/beach.jpg", [4; 2600]);
    album.replace_remotely("2010/beach.jpg", &[6; 2700]);
    runs.push(album.sync(&["--json"]));
    insta::assert_snapshot!(text(&runs), @"");
}
