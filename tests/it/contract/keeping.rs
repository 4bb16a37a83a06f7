//! What others have put into the database, and what is changed on both sides, is never lost without a word.

use serde_json::json;

use super::album::{Album, attached, noise, some_files};
use super::app::{edit_remotely, short};
use crate::harness::{Endpoint, encoded};

pub(crate) fn documents_of_others_are_not_touched(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    let foreign = [
        ("a note", json!({ "text": "remember the milk" })),
        ("z/with attachment", json!({ "_attachments": { "z.jpg": attached(b"z", "image/jpeg") } })),
        (
            "_design/app",
            json!({ "language": "javascript", "_attachments": { "x.js": attached(b"x", "text/javascript") } }),
        ),
        // In the place of a file, but made by somebody else.
        ("a.jpg", json!({ "type": "file", "_attachments": { "a.jpg": attached(b"theirs", "image/jpeg") } })),
        ("2010/notes.txt", json!({ "file": { "path": "2010/notes.txt", "name": "notes.txt" } })),
        // Says that it is another file.
        (
            "2011/song.mp3",
            json!({ "file": {
            "path": "a.jpg", "name": "a.jpg", "folder": "", "size": 1, "content_type": "x/y", "modified": "2010-09-19T11:47:23Z",
            "sha256": "0".repeat(64),
        } }),
        ),
    ];
    let mut revisions = Vec::new();
    for (id, document) in &foreign {
        revisions.push((*id, album.database.store(id, document)));
    }
    let run = album.sync(&[]).expect(8);
    for path in ["a.jpg", "2010/notes.txt", "2011/song.mp3"] {
        assert!(run.stderr.contains(path), "{path} is not named\n{run}");
    }
    assert!(!run.stderr.contains("a note") && !run.stderr.contains("z.jpg"), "{run}");
    assert_eq!(album.ids().len(), some_files().len() + 3, "all others were sent");
    // Nothing makes it touch them, so that nothing is to be forced.
    album.sync(&["--force", "--yes", "--delete", "--max-delete", "all", "--checksum", "--times"]).expect(8);
    album.project.forget();
    let run = album.sync(&["--force", "--yes", "--delete", "--max-delete", "all"]).expect(8).says("3 files");
    assert!(!run.stderr.contains("hint"), "there is nothing that helps\n{run}");
    for (path, _) in some_files() {
        album.remove(&path);
    }
    album.sync(&["--yes", "--delete", "--max-delete", "all", "--allow-empty"]).ok();
    let now = album.revisions();
    for (id, revision) in &revisions {
        assert_eq!(now.get(*id), Some(revision), "{id}");
    }
    assert_eq!(now.len(), foreign.len(), "{now:?}");
}

pub(crate) fn what_is_deleted_on_the_server_comes_back(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.delete_remotely("a.jpg");
    album.delete_remotely("2010/notes.txt");
    album.sync(&[]).ok().says("Sent 2 files");
    album.is_stored();
    // Deleted, and made again by somebody else in the same words: nothing to do.
    let mut copy = album.database.get("a.jpg?attachments=true").expect(200).json();
    album.delete_remotely("a.jpg");
    copy.as_object_mut().unwrap().shift_remove("_rev");
    for stub in copy["_attachments"].as_object_mut().unwrap().values_mut() {
        stub.as_object_mut().unwrap().shift_remove("revpos");
    }
    album.database.store("a.jpg", &copy);
    let revision = album.database.revision("a.jpg");
    album.proxy.forget();
    album.sync(&[]).ok().says("Up to date");
    album.wrote_nothing();
    assert_eq!(album.database.revision("a.jpg"), revision);
    // Deleted and made again as something else: it is theirs now.
    album.delete_remotely("a.jpg");
    album.database.store("a.jpg", &json!({ "text": "mine now" }));
    album.sync(&[]).expect(8).says("a.jpg");
    assert_eq!(album.document("a.jpg")["text"], json!("mine now"));
}

pub(crate) fn a_database_that_is_made_again_is_filled_again(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    endpoint.delete(&album.database.target()).ok();
    album.database.make();
    album.database.store("2010/new.jpg", &json!({ "text": "of others" }));
    album.sync(&["--delete"]).ok();
    assert_eq!(album.ids().len(), some_files().len() + 1);
    album.is_stored();
    album.proxy.forget();
    album.sync(&["--delete"]).ok().says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn conflicting_revisions_are_told_and_kept(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let losing = album.add_losing_leaf("a.jpg", b"from elsewhere");
    // As a replication brings it: the document is not changed for those who read it.
    let run = album.sync(&[]).ok();
    assert!(run.stderr.contains("a.jpg") && run.stderr.contains("conflict"), "the conflict is not told\n{run}");
    album.file("a.jpg", noise(1000, 8));
    let run = album.sync(&[]).ok();
    assert!(run.stderr.contains("a.jpg") && run.stderr.contains("conflict"), "the conflict is not told\n{run}");
    let document = album.database.get("a.jpg?conflicts=true").expect(200).json();
    assert_eq!(document["_conflicts"], json!([losing]));
    assert_eq!(album.attachment_of("a.jpg", "a.jpg", &losing), b"from elsewhere");
    album.is_stored();
}

pub(crate) fn what_both_sides_changed_is_a_conflict(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let theirs = album.replace_remotely("a.jpg", b"their picture");
    album.file("a.jpg", b"my picture");
    album.proxy.forget();
    for more in [&[][..], &["--yes"], &["-n"]] {
        let run = album.sync(more).expect(5).says("a.jpg").says("--force");
        assert!(run.output().contains("! a.jpg"), "{run}");
    }
    album.wrote_nothing();
    assert_eq!(album.database.revision("a.jpg"), theirs);
    assert_eq!(album.project.read("pics/a.jpg"), b"my picture");
    // The others go on.
    album.file("b.jpg", noise(50, 2));
    album.sync(&["--yes"]).expect(8).says("a.jpg");
    assert_eq!(album.stored()["b.jpg"], noise(50, 2));
    assert_eq!(album.stored()["a.jpg"], b"their picture");
    // Only changed there: overwriting it is as bad.
    album.replace_remotely("2010/notes.txt", b"their notes");
    let run = album.sync(&[]).expect(5);
    assert!(run.stderr.contains("2010/notes.txt") && run.stderr.contains("a.jpg"), "{run}");
    album.proxy.forget();
    album.wrote_nothing();
    album.sync(&["--force", "--yes"]).ok();
    album.is_stored();
    album.sync(&[]).ok().says("Up to date");
}

pub(crate) fn both_sides_alike_is_no_conflict(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.replace_remotely("a.jpg", b"the same picture");
    album.file("a.jpg", b"the same picture");
    album.proxy.forget();
    album.sync(&[]).ok().says("Up to date");
    album.wrote_nothing();
    // And from there on it is known.
    album.file("a.jpg", b"another one");
    album.sync(&[]).ok();
    album.is_stored();
}

pub(crate) fn without_a_memory_an_overwrite_needs_a_yes(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.project.forget();
    album.file("a.jpg", b"another folder's picture").file("2010/notes.txt", "and its notes\n");
    let before = album.revisions();
    for more in [&[][..], &["--force"], &["--no-input"]] {
        let run = album.sync(more).expect(9).says("--yes");
        assert!(run.output().contains("a.jpg"), "{run}");
    }
    assert_eq!(album.revisions(), before);
    album.sync(&["--yes"]).ok().says("Sent 2 files");
    album.is_stored();
    assert_eq!(album.database.generation("a.jpg"), 2);
}

/// A document that changes between the listing and the write.
pub(crate) fn what_changes_during_a_run_is_noticed(endpoint: &Endpoint) {
    use crate::fault_proxy::Action;
    let album = Album::sent(endpoint);
    album.file("a.jpg", b"my picture").file("2011/song.mp3", noise(600, 7));
    // While the first write of this run is held back, others edit both documents.
    album.play(|arrival| if arrival.write_number == 1 { Action::StallRequest(0) } else { Action::Pass });
    let url = album.url.clone();
    let mut child = album.project.start("", &["sync-dir", "pics", &url, "--timeout", "1s"]);
    while album.proxy.writes().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a write");
        std::thread::yield_now();
    }
    let theirs = album.replace_remotely("a.jpg", b"their picture");
    edit_remotely(&album.database, &encoded("2011/song.mp3"), |document| document["title"] = json!("Rain"));
    let output = child.wait_with_output().unwrap();
    album.project.check_secrets();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(8), "{said}");
    assert!(said.contains("a.jpg") && !said.contains("song.mp3: "), "{said}");
    assert_eq!(album.database.revision("a.jpg"), theirs, "{} was overwritten", short(&theirs));
    let song = album.document("2011/song.mp3");
    assert_eq!((&song["title"], &song["file"]["size"]), (&json!("Rain"), &json!(600)));
}

/// Runs while the first question for documents by their ids is held back, during which `meanwhile` happens.
#[track_caller]
fn sync_while(album: &Album<'_>, more: &[&str], meanwhile: impl FnOnce()) -> (Option<i32>, String) {
    use crate::fault_proxy::Action;
    let is_question = |method: &str, target: &str| method == "POST" && target.contains("_all_docs");
    let mut is_held = false;
    album.play(move |arrival| {
        let holds = !is_held && is_question(&arrival.method, &arrival.target);
        is_held |= holds;
        if holds { Action::StallRequest(0) } else { Action::Pass }
    });
    let arguments = [&["sync-dir", "pics", album.url.as_str(), "--timeout", "3s"], more].concat();
    let mut child = album.project.start("", &arguments);
    while !album.proxy.seen().iter().any(|seen| is_question(&seen.method, &seen.target)) {
        assert!(child.try_wait().unwrap().is_none(), "it ended without asking");
        std::thread::yield_now();
    }
    meanwhile();
    let output = child.wait_with_output().unwrap();
    album.project.check_secrets();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The document is read once more before the write: what others have put there since the listing is no less theirs.
pub(crate) fn what_is_replaced_before_the_write_is_kept(endpoint: &Endpoint) {
    for length in [3000, 700_000] {
        let album = Album::sent(endpoint);
        album.file("a.jpg", noise(length, 20)).file("2011/song.mp3", noise(600, 7));
        let (code, said) = sync_while(&album, &[], || {
            album.replace_remotely("a.jpg", b"their picture");
            edit_remotely(&album.database, &encoded("2011/song.mp3"), |document| document["title"] = json!("Rain"));
        });
        assert_eq!(code, Some(8), "{said}");
        assert!(said.contains("1 conflict") && said.contains("a.jpg: ") && !said.contains("song.mp3: "), "{said}");
        assert_eq!(album.stored()["a.jpg"], b"their picture", "{length}");
        let song = album.document("2011/song.mp3");
        assert_eq!((&song["title"], &song["file"]["size"]), (&json!("Rain"), &json!(600)));
        // Made into something else, it is not touched by force either.
        album.calm();
        album.sync(&["--force", "--yes"]).ok();
        album.file("a.jpg", noise(length, 21));
        let (code, said) = sync_while(&album, &["--force", "--yes"], || {
            edit_remotely(&album.database, "a.jpg", |document| {
                document.as_object_mut().unwrap().shift_remove("file");
            });
        });
        assert_eq!(code, Some(8), "{said}");
        assert_eq!((album.document("a.jpg").get("file"), said.contains("1 file")), (None, true), "{said}");
    }
}

/// `--times` writes documents without their files: only those whose files are what was compared.
pub(crate) fn a_time_is_not_written_onto_another_file(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    for path in ["a.jpg", "2010/notes.txt", "2011/song.mp3"] {
        album.age(path);
    }
    let mut theirs = String::new();
    let (code, said) = sync_while(&album, &["--times"], || {
        theirs = album.replace_remotely("a.jpg", b"their picture");
        album.delete_remotely("2010/notes.txt");
    });
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("2 conflicts") && said.contains("a.jpg: ") && said.contains("notes.txt: "), "{said}");
    assert!(said.contains("orrected 1 time"), "{said}");
    assert_eq!(album.database.revision("a.jpg"), theirs);
    assert!(!album.ids().contains("2010/notes.txt"));
}
