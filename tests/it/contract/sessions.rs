//! Whole sessions, as they look on a terminal. They are the same on every server.

use serde_json::json;

use super::album::{Album, TIME};
use crate::harness::{Endpoint, Run};

/// A folder whose every byte is known.
fn holiday(endpoint: &Endpoint) -> Album<'_> {
    let album = Album::begin(endpoint);
    album
        .file("2010/beach.jpg", [1; 2500])
        .file("2010/notes.txt", "rain\n".repeat(300))
        .file("song.mp3", vec![3; 70_000]);
    for path in ["2010/beach.jpg", "2010/notes.txt", "song.mp3"] {
        album.project.touch(&format!("pics/{path}"), TIME, 0);
    }
    album
}

pub(super) fn text(runs: &[Run]) -> String {
    runs.iter().map(Run::session).collect::<Vec<_>>().join("=====\n")
}

pub(crate) fn a_session_of_sync_dir(endpoint: &Endpoint) {
    let album = holiday(endpoint);
    let mut runs = vec![album.sync(&["--tag", "holiday", "-n"]), album.sync(&["--tag", "holiday"]), album.sync(&[])];
    album.file("2010/beach.jpg", [4; 2600]).file("new.jpg", [5; 10]).remove("song.mp3");
    runs.push(album.sync(&["-n", "--delete"]));
    runs.push(album.sync(&[]));
    runs.push(album.sync(&["--delete"]));
    insta::assert_snapshot!(text(&runs), @r#"
    exit 0
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB] (dry run)
      + 2010/beach.jpg     2.4 KiB
      + 2010/notes.txt     1.5 KiB
      + song.mp3          68.4 KiB
    Would send 3 files (72.3 KiB), remove 0 of 0. Nothing was changed
    =====
    exit 0
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB]
      + 2010/beach.jpg     2.4 KiB
      + 2010/notes.txt     1.5 KiB
      + song.mp3          68.4 KiB
    Sent 3 files (72.3 KiB) in [TIME]
    =====
    exit 0
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB]
    Up to date: 3 files, nothing sent, [TIME]
    =====
    exit 0
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB] (dry run)
      ~ 2010/beach.jpg     2.5 KiB
      + new.jpg               10 B
      - song.mp3          68.4 KiB
    Would send 2 files (2.5 KiB), remove 1 of 3. Nothing was changed
    =====
    exit 0
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB]
      ~ 2010/beach.jpg     2.5 KiB
      + new.jpg               10 B
    1 document of the database has no file here and stays (`--delete` removes it)
    Sent 2 files (2.5 KiB) in [TIME]; 1 unchanged
    =====
    exit 0
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB]
      - song.mp3    68.4 KiB
    Removed 1 in [TIME]; 3 unchanged
    "#);
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
    insta::assert_snapshot!(text(&runs), @r#"
    exit 5
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB]
      ! 2010/beach.jpg     2.5 KiB  (changed on both sides, or only in the target, since the last run)
    Up to date: 2 files, nothing sent, [TIME]
    error: not everything was done: 1 conflict
      2010/beach.jpg: changed on both sides, or only in the target, since the last run
    hint: both sides of a conflict are kept; `--force` replaces what was changed in the database
    =====
    exit 0
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB]
      ~ 2010/beach.jpg     2.5 KiB  (overwrites)
    Sent 1 file (2.5 KiB) in [TIME]; 2 unchanged
    =====
    exit 8
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB]
      ! taken.jpg        20 B  (something else has this name there)
    Up to date: 3 files, nothing sent, [TIME]
    error: not everything was done: 1 file, 1 empty folder
      nothing/: an empty folder cannot be stored
      taken.jpg: something else has this name there
    =====
    exit 9
    ----- stdout
    ----- stderr
    Sending pics → http://127.0.0.1:[PORT]/[DB]
      - 2010/beach.jpg     2.5 KiB
      - 2010/notes.txt     1.5 KiB
      - song.mp3          68.4 KiB
    error: the source is empty; refusing to remove all 3 documents
    hint: check the path; `--allow-empty` if you mean it
    =====
    exit 2
    ----- stdout
    ----- stderr
    error: neither argument is a place on a server: a URL, a target, or :database
    hint: `couchapp sync-dir pics :copy` for the database `copy` on http://127.0.0.1:[PORT]
    =====
    exit 6
    ----- stdout
    ----- stderr
    error: the folder `missing` does not exist
    "#);
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
    insta::assert_snapshot!(text(&runs), @r#"
    exit 8
    ----- stdout
    ----- stderr
    Dumping http://127.0.0.1:[PORT]/[DB] → copy (dry run)
      + 2010/beach.jpg     2.4 KiB
      + 2010/notes.txt     1.5 KiB
      + a note/n.jpg           1 B
      + song.mp3          68.4 KiB
    Would fetch 4 files (72.3 KiB), remove 0 of 0. Nothing was changed
    error: not everything was done: 1 file
      `a note/../up.jpg` of the document `a note` has a `.` or `..` part, which means another folder
    =====
    exit 8
    ----- stdout
    ----- stderr
    Dumping http://127.0.0.1:[PORT]/[DB] → copy
      + 2010/beach.jpg     2.4 KiB
      + 2010/notes.txt     1.5 KiB
      + a note/n.jpg           1 B
      + song.mp3          68.4 KiB
    Fetched 4 files (72.3 KiB) in [TIME]
    error: not everything was done: 1 file
      `a note/../up.jpg` of the document `a note` has a `.` or `..` part, which means another folder
    =====
    exit 8
    ----- stdout
    ----- stderr
    Dumping http://127.0.0.1:[PORT]/[DB] → copy
    Up to date: 4 files, nothing fetched, [TIME]
    error: not everything was done: 1 file
      `a note/../up.jpg` of the document `a note` has a `.` or `..` part, which means another folder
    =====
    exit 8
    ----- stdout
    ----- stderr
    Verifying http://127.0.0.1:[PORT]/[DB] → copy
    Verified: 4 files, all as in the database
    error: not everything was done: 1 file
      `a note/../up.jpg` of the document `a note` has a `.` or `..` part, which means another folder
    =====
    exit 8
    ----- stdout
    ----- stderr
    Dumping http://127.0.0.1:[PORT]/[DB] → copy
      ! song.mp3       100 B  (changed here since the last run)
    Up to date: 3 files, nothing fetched, [TIME]
    error: not everything was done: 1 file, 1 conflict
      `a note/../up.jpg` of the document `a note` has a `.` or `..` part, which means another folder
      song.mp3: changed here since the last run
    hint: both sides of a conflict are kept; `--force` replaces what was changed here
    =====
    exit 8
    ----- stdout
    ----- stderr
    Dumping http://127.0.0.1:[PORT]/[DB] → copy
      - 2010/notes.txt     1.5 KiB
      ! song.mp3             100 B  (changed here since the last run)
    Removed 1 in [TIME]; 2 unchanged
    error: not everything was done: 1 file, 1 conflict
      `a note/../up.jpg` of the document `a note` has a `.` or `..` part, which means another folder
      song.mp3: changed here since the last run
    hint: both sides of a conflict are kept; `--force` replaces what was changed here
    =====
    exit 0
    ----- stdout
    ----- stderr
    Fetching http://127.0.0.1:[PORT]/[DB] → mirror
      + 2010/beach.jpg     2.4 KiB
      + song.mp3             100 B
    Fetched 2 files (2.5 KiB) in [TIME]
    =====
    exit 0
    ----- stdout
    ----- stderr
    Fetching http://127.0.0.1:[PORT]/[DB] → mirror
    Up to date: 2 files, nothing fetched, [TIME]
    "#);
}

pub(crate) fn a_session_of_events(endpoint: &Endpoint) {
    let album = holiday(endpoint);
    let mut runs = vec![album.sync(&["--json"]), album.sync(&["--json"]), album.dump("copy", &["--json"])];
    album.file("2010/beach.jpg", [4; 2600]);
    album.replace_remotely("2010/beach.jpg", &[6; 2700]);
    runs.push(album.sync(&["--json"]));
    insta::assert_snapshot!(text(&runs), @r#"
    exit 0
    ----- stdout
    {"v":1,"type":"start","command":"sync-dir","from":"pics","to":"http://127.0.0.1:[PORT]/[DB]"}
    {"v":1,"type":"plan","add":3,"change":0,"remove":0,"same":0,"conflict":0,"bytes":74000}
    {"v":1,"type":"item","op":"add","path":"2010/beach.jpg","bytes":2500}
    {"v":1,"type":"item","op":"add","path":"2010/notes.txt","bytes":1500}
    {"v":1,"type":"item","op":"add","path":"song.mp3","bytes":70000}
    {"v":1,"type":"summary","ok":true,"add":3,"change":0,"remove":0,"same":0,"keep":0,"conflict":0,"sent":3,"sent_bytes":74000,"removed":0,"elapsed_ms":[TIME]}
    ----- stderr
    =====
    exit 0
    ----- stdout
    {"v":1,"type":"start","command":"sync-dir","from":"pics","to":"http://127.0.0.1:[PORT]/[DB]"}
    {"v":1,"type":"plan","add":0,"change":0,"remove":0,"same":3,"conflict":0,"bytes":0}
    {"v":1,"type":"summary","ok":true,"add":0,"change":0,"remove":0,"same":3,"keep":0,"conflict":0,"elapsed_ms":[TIME]}
    ----- stderr
    =====
    exit 0
    ----- stdout
    {"v":1,"type":"start","command":"dump","from":"http://127.0.0.1:[PORT]/[DB]","to":"copy"}
    {"v":1,"type":"plan","add":3,"change":0,"remove":0,"same":0,"conflict":0,"bytes":74000}
    {"v":1,"type":"item","op":"add","path":"2010/beach.jpg","bytes":2500}
    {"v":1,"type":"item","op":"add","path":"2010/notes.txt","bytes":1500}
    {"v":1,"type":"item","op":"add","path":"song.mp3","bytes":70000}
    {"v":1,"type":"summary","ok":true,"add":3,"change":0,"remove":0,"same":0,"keep":0,"conflict":0,"fetched":3,"fetched_bytes":74000,"removed":0,"elapsed_ms":[TIME]}
    ----- stderr
    =====
    exit 5
    ----- stdout
    {"v":1,"type":"start","command":"sync-dir","from":"pics","to":"http://127.0.0.1:[PORT]/[DB]"}
    {"v":1,"type":"plan","add":0,"change":0,"remove":0,"same":2,"conflict":1,"bytes":0}
    {"v":1,"type":"item","op":"conflict","path":"2010/beach.jpg","bytes":2600,"reason":"changed on both sides, or only in the target, since the last run"}
    {"v":1,"type":"error","ok":false,"exit":5,"code":"conflict","message":"not everything was done: 1 conflict","details":["2010/beach.jpg: changed on both sides, or only in the target, since the last run"],"causes":[],"hints":["both sides of a conflict are kept; `--force` replaces what was changed in the database"]}
    ----- stderr
    error: not everything was done: 1 conflict
      2010/beach.jpg: changed on both sides, or only in the target, since the last run
    hint: both sides of a conflict are kept; `--force` replaces what was changed in the database
    "#);
}
