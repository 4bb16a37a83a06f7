//! `sync-dir DIR DOCUMENT`: the files become attachments of one document.

use serde_json::json;

use super::album::{Album, attached, noise, some_files};
use super::app::edit_remotely;
use crate::harness::{Endpoint, Run, Tree};

fn sync(album: &Album<'_>, document: &str, more: &[&str]) -> Run {
    let url = format!("{}/{document}", album.url);
    album.project.couchapp(&[&["sync-dir", "pics", &url], more].concat())
}

/// The attachments of a document, by name.
fn attachments(album: &Album<'_>, document: &str) -> Tree {
    let names = album.database.document(document)["_attachments"].as_object().cloned().unwrap_or_default();
    names.keys().map(|name| (name.clone(), album.database.attachment(document, name))).collect()
}

pub(crate) fn a_folder_becomes_attachments_of_one_document(endpoint: &Endpoint) {
    for document in ["site", "_design/www"] {
        let album = Album::of_some(endpoint);
        sync(&album, document, &["-n"]).ok();
        album.wrote_nothing();
        sync(&album, document, &[]).ok().says("Sent 7 files");
        assert_eq!(album.proxy.writes().len(), 1, "one revision");
        assert_eq!(album.database.generation(document), 1);
        let expected: Tree = some_files().into_iter().collect();
        super::album::same_trees(&attachments(&album, document), &expected);
        album.proxy.forget();
        sync(&album, document, &["--delete"]).ok().says("Up to date: 7 files");
        album.wrote_nothing();
        assert!(album.proxy.seen().len() <= 5, "{:?}", album.proxy.seen());
    }
}

pub(crate) fn a_document_keeps_what_is_not_a_file_of_the_folder(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    album.database.store(
        "site",
        &json!({ "title": "mine", "deep": { "number": 1.5 }, "_attachments": { "other/one.png": attached(b"one", "image/png") } }),
    );
    sync(&album, "site", &[]).ok();
    let document = album.database.document("site");
    assert_eq!((&document["title"], &document["deep"]), (&json!("mine"), &json!({ "number": 1.5 })));
    assert_eq!((document["_attachments"].as_object().unwrap().len(), album.database.generation("site")), (8, 2));
    // A field and an attachment of others, between two runs.
    edit_remotely(&album.database, "site", |document| {
        document["caption"] = json!("theirs");
        document["_attachments"]["theirs.png"] = attached(b"theirs", "image/png");
    });
    album.file("a.jpg", noise(400, 5)).remove("2011/song.mp3");
    album.proxy.forget();
    sync(&album, "site", &[]).ok();
    let sent: usize = album.proxy.writes().iter().map(|write| write.body_length).sum();
    assert!(sent < 20_000, "unchanged attachments are sent again: {sent}");
    let now = attachments(&album, "site");
    assert_eq!((now["a.jpg"].clone(), now["theirs.png"].as_slice()), (noise(400, 5), &b"theirs"[..]));
    assert!(now.contains_key("2011/song.mp3") && now.contains_key("other/one.png"));
    assert_eq!(album.database.document("site")["caption"], json!("theirs"));
    // `--delete`: what this folder brought without a question; what it did not bring needs one.
    let run = sync(&album, "site", &["--delete"]).expect(9).says("--yes");
    assert!(run.output().contains("theirs.png"), "{run}");
    assert_eq!(attachments(&album, "site").len(), now.len());
    sync(&album, "site", &["--delete", "--yes"]).ok();
    let names: Vec<_> = attachments(&album, "site").into_keys().collect();
    let expected: Vec<_> = album.project.tree("pics").into_keys().collect();
    assert_eq!(names, expected);
    assert_eq!(album.database.document("site")["caption"], json!("theirs"));
    album.remove("2010/notes.txt");
    sync(&album, "site", &["--delete"]).ok();
    assert!(!attachments(&album, "site").contains_key("2010/notes.txt"));
}

pub(crate) fn an_attachment_that_both_sides_changed_is_a_conflict(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    sync(&album, "site", &[]).ok();
    edit_remotely(&album.database, "site", |document| {
        document["_attachments"]["a.jpg"] = attached(b"theirs", "image/jpeg");
    });
    album.file("a.jpg", b"mine");
    album.proxy.forget();
    sync(&album, "site", &[]).expect(5).says("a.jpg").says("--force");
    sync(&album, "site", &["--yes"]).expect(5);
    album.wrote_nothing();
    assert_eq!(attachments(&album, "site")["a.jpg"], b"theirs");
    sync(&album, "site", &["--force", "--yes"]).ok();
    assert_eq!(attachments(&album, "site")["a.jpg"], b"mine");
    // Without a memory the same asks.
    album.project.forget();
    album.file("a.jpg", b"mine, later");
    sync(&album, "site", &[]).expect(9).says("--yes");
    sync(&album, "site", &["--yes"]).ok();
    assert_eq!(attachments(&album, "site")["a.jpg"], b"mine, later");
}

pub(crate) fn names_of_attachments_are_escaped_and_come_back(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    let names = ["_x.jpg", "a/_x.jpg", "_b/c.jpg", "~_x.jpg", "~~x", "~x", "a b#%+?&.jpg", "é/\u{65}\u{301}.txt"];
    for (number, name) in (0..).zip(names) {
        album.file(name, noise(30, number));
    }
    sync(&album, "site", &[]).ok();
    let stored: Vec<_> = attachments(&album, "site").into_keys().collect();
    for expected in ["~_x.jpg", "a/_x.jpg", "~_b/c.jpg", "~~_x.jpg", "~~~x", "~x"] {
        assert!(stored.iter().any(|name| name == expected), "{expected} in {stored:?}");
    }
    let url = format!("{}/site", album.url);
    album.project.couchapp(&["sync-dir", &url, "copy"]).ok();
    super::album::same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
    // A dump asks nobody how a document came to its attachments: it gives them as they are called.
    album.project.couchapp(&["dump", &url, "dumped"]).ok();
    super::album::same_trees(&attachments(&album, "site"), &album.project.tree("dumped"));
}

pub(crate) fn a_file_that_is_gone_when_it_is_read_is_one_file(endpoint: &Endpoint) {
    use crate::fault_proxy::Action;
    let album = Album::of_some(endpoint);
    // The document is asked for when the folder has been listed.
    let is_question = |target: &str| target.contains("/site");
    let mut is_held = false;
    album.play(move |arrival| {
        let holds = !is_held && is_question(&arrival.target);
        is_held |= holds;
        if holds { Action::StallRequest(0) } else { Action::Pass }
    });
    let url = format!("{}/site", album.url);
    let mut child = album.project.start("", &["sync-dir", "pics", &url, "--timeout", "1s"]);
    while !album.proxy.seen().iter().any(|seen| is_question(&seen.target)) {
        assert!(child.try_wait().unwrap().is_none(), "it ended without asking");
        std::thread::yield_now();
    }
    album.remove("2011/song.mp3");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(8), "{said}");
    assert!(said.contains("1 file") && said.contains("2011/song.mp3: ") && said.contains("Sent 6 files"), "{said}");
    super::album::same_trees(&attachments(&album, "site"), &album.project.tree("pics"));
}
