//! `sync-dir DIR DATABASE`: one document per file.

use serde_json::{Value, json};

use super::album::{Album, TIME, attached, noise, picture, same_trees, sha256, some_files};
use super::app::edit_remotely;
use crate::fault_proxy::FaultProxy;
use crate::harness::{Endpoint, Kind, Project, Tree, encoded};

pub(crate) fn a_tree_becomes_documents(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    let image = picture(1600, 1200);
    album.project.touch("pics/2010/beach/IMG_0042.png", TIME, 0);
    album.project.touch("pics/a.jpg", TIME, 5_000_000);
    let run = album.sync(&["--tag", "holiday"]).ok().says("Sent 7 files");
    assert!(run.stderr.lines().next().unwrap().contains(&format!("pics → {}", album.url)), "{run}");
    album.is_stored();
    let mut document = album.document("2010/beach/IMG_0042.png");
    let stub = document["_attachments"].as_object().unwrap().clone();
    assert_eq!(stub.keys().collect::<Vec<_>>(), ["IMG_0042.png"]);
    assert_eq!(
        (&stub["IMG_0042.png"]["length"], &stub["IMG_0042.png"]["content_type"]),
        (&json!(image.len()), &json!("image/png"))
    );
    for own in ["_id", "_rev", "_attachments"] {
        document.as_object_mut().unwrap().shift_remove(own);
    }
    let expected = json!({
        "type": "file", "tags": ["holiday"],
        "file": {
            "path": "2010/beach/IMG_0042.png", "name": "IMG_0042.png", "folder": "2010/beach", "size": image.len(),
            "content_type": "image/png", "modified": "2010-09-19T11:47:23Z", "sha256": sha256(&image),
            "width": 1600, "height": 1200,
        },
    });
    assert_eq!(document.to_string(), expected.to_string(), "members and their order");
    let first = album.document("a.jpg");
    assert_eq!((&first["file"]["folder"], &first["file"]["name"]), (&json!(""), &json!("a.jpg")));
    assert_eq!(first["file"]["modified"], json!("2010-09-19T11:47:23.005Z"));
    assert_eq!(album.document("2010/notes.txt")["file"]["content_type"], json!("text/plain; charset=utf-8"));
    assert_eq!(album.document("2011/empty.jpg")["file"]["size"], json!(0));
    assert!(album.revisions().values().all(|revision| revision.starts_with("1-")), "one revision each");
}

pub(crate) fn tags_are_given_once(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    album.sync(&["--tag", "holiday", "--tag", "two words", "--tags-from-folders"]).ok();
    let tags = |id: &str| album.document(id)["tags"].clone();
    assert_eq!(tags("2010/beach/IMG_0043.jpg"), json!(["holiday", "two words", "2010", "beach"]));
    assert_eq!(tags("a.jpg"), json!(["holiday", "two words"]));
    // Another tag later is for what is new.
    edit_remotely(&album.database, "a.jpg", |document| document["tags"] = json!(["my own"]));
    album.file("a.jpg", noise(2000, 9)).file("b.jpg", noise(10, 3));
    album.sync(&["--tag", "later"]).ok();
    assert_eq!((tags("a.jpg"), tags("b.jpg")), (json!(["my own"]), json!(["later"])));
    assert_eq!(tags("2010/beach/IMG_0043.jpg"), json!(["holiday", "two words", "2010", "beach"]));
    album.is_stored();
}

pub(crate) fn a_prefix_is_a_place_of_its_own(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("a.jpg", noise(100, 1)).file("deep/b.jpg", noise(100, 2));
    album.project.write("other/c.jpg", noise(100, 3)).touch("other/c.jpg", TIME, 0);
    album.sync(&["--prefix", "archive/2010"]).ok();
    album.project.couchapp(&["sync-dir", "other", &album.url, "--prefix", "archive/2011/"]).ok();
    let ids: Vec<_> = album.ids().into_iter().collect();
    assert_eq!(ids, ["archive/2010/a.jpg", "archive/2010/deep/b.jpg", "archive/2011/c.jpg"]);
    let file = album.document("archive/2010/deep/b.jpg")["file"].clone();
    assert_eq!((&file["path"], &file["folder"]), (&json!("archive/2010/deep/b.jpg"), &json!("archive/2010/deep")));
    // What is gone from one place goes from that place only, and nothing goes of what is beside it.
    album.database.store("archive/2010x.jpg", &json!({ "x": 1 }));
    album.remove("deep");
    album.sync(&["--prefix", "archive/2010", "--delete"]).ok();
    let ids: Vec<_> = album.ids().into_iter().collect();
    assert_eq!(ids, ["archive/2010/a.jpg", "archive/2010x.jpg", "archive/2011/c.jpg"]);
    album.proxy.forget();
    album.sync(&["--prefix", "archive/2010", "--delete"]).ok().says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn an_unchanged_folder_sends_nothing(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let revisions = album.revisions();
    for round in 0..3 {
        album.proxy.forget();
        let run = album.sync(&["--delete"]).ok().says("Up to date: 7 files");
        album.wrote_nothing();
        let targets: Vec<_> = album.proxy.seen().into_iter().map(|seen| seen.target).collect();
        assert!(targets.len() <= 5, "round {round}: {targets:?}\n{run}");
        if endpoint.kind() != Kind::PouchDb {
            assert!(!targets.iter().any(|target| target.contains("_all_docs")), "all is listed: {targets:?}");
            assert!(targets.iter().any(|target| target.contains("_changes")), "{targets:?}");
        }
    }
    assert_eq!(album.revisions(), revisions);
    // Without a memory everything is compared anew, and still nothing is sent: text as little as pictures.
    album.project.forget();
    album.proxy.forget();
    album.sync(&[]).ok().says("Up to date: 7 files");
    album.wrote_nothing();
    album.sync(&["--checksum"]).ok().says("Up to date: 7 files");
    album.wrote_nothing();
}

pub(crate) fn a_changed_file_sends_only_itself(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let before = album.revisions();
    // What people add: a caption, tags, a comment, and a picture of their own.
    edit_remotely(&album.database, &encoded("2010/beach/IMG_0043.jpg"), |document| {
        document["caption"] = json!("The only sunny day");
        document["tags"] = json!(["sun"]);
        document["file"]["rating"] = json!(5);
        document["_attachments"]["scribble.png"] = attached(b"a scribble", "image/png");
    });
    album.file("2010/beach/IMG_0043.jpg", noise(40_000, 77)).file("2010/notes.txt", "another text\n");
    album.proxy.forget();
    let run = album.sync(&[]).ok();
    let sent: usize = album.proxy.writes().iter().map(|write| write.body_length).sum();
    assert!((40_000..60_000).contains(&sent), "{sent} bytes were sent\n{run}");
    album.is_stored();
    let document = album.document("2010/beach/IMG_0043.jpg");
    assert_eq!((&document["caption"], &document["tags"]), (&json!("The only sunny day"), &json!(["sun"])));
    assert_eq!(document["file"]["sha256"], json!(sha256(&noise(40_000, 77))));
    assert_eq!(album.database.attachment(&encoded("2010/beach/IMG_0043.jpg"), "scribble.png"), b"a scribble");
    assert!(document["_rev"].as_str().unwrap().starts_with("3-"), "one revision for the file: {}", document["_rev"]);
    let after = album.revisions();
    let changed: Vec<_> = before.iter().filter(|(id, revision)| after[*id] != **revision).map(|(id, _)| id).collect();
    assert_eq!(changed, ["2010/beach/IMG_0043.jpg", "2010/notes.txt"]);
    album.proxy.forget();
    album.sync(&[]).ok().says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn a_touched_file_updates_nothing(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let before = album.revisions();
    for path in ["a.jpg", "2010/notes.txt"] {
        album.project.touch(&format!("pics/{path}"), TIME + 86_400, 0);
    }
    album.sync(&[]).ok().says("Up to date");
    album.wrote_nothing();
    // The caption shows that only the time is written.
    edit_remotely(&album.database, "a.jpg", |document| document["caption"] = json!("mine"));
    album.proxy.forget();
    album.sync(&["--times", "-n"]).ok();
    album.wrote_nothing();
    album.sync(&["--times"]).ok();
    for path in ["a.jpg", "2010/notes.txt"] {
        assert_eq!(album.document(path)["file"]["modified"], json!("2010-09-20T11:47:23Z"), "{path}");
    }
    let sent: usize = album.proxy.writes().iter().map(|write| write.body_length).sum();
    assert!(sent < 3000, "the content was sent again: {sent}");
    assert_eq!(album.document("a.jpg")["caption"], json!("mine"));
    album.is_stored();
    let after = album.revisions();
    assert_eq!(after.iter().filter(|(id, revision)| before[*id] != **revision).count(), 2);
    album.proxy.forget();
    album.sync(&["--times"]).ok().says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn what_is_read_from_files_can_be_left_out(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("a.png", picture(20, 10));
    album.sync(&["--metadata", "none"]).ok();
    let file = album.document("a.png")["file"].as_object().unwrap().clone();
    let members: Vec<_> = file.keys().map(String::as_str).collect();
    assert_eq!(members, ["path", "name", "folder", "size", "content_type", "modified", "sha256"]);
    album.is_stored();
}

/// A picture of one pixel, as a BMP would be too simple: a GIF.
const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\0!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

pub(crate) fn thumbnails_are_a_second_attachment(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("a.gif", GIF).file("broken.gif", &GIF[..20]).file("b.txt", "no picture\n");
    album.sync(&["--thumbnails", "64"]).ok();
    let attachments = |id: &str| album.document(id)["_attachments"].as_object().unwrap().clone();
    let names: Vec<_> = attachments("a.gif").keys().cloned().collect();
    assert_eq!((names.len(), attachments("broken.gif").len(), attachments("b.txt").len()), (2, 1, 1), "{names:?}");
    let small = names.iter().find(|name| *name != "a.gif").unwrap();
    assert_eq!(album.database.attachment("a.gif", small)[..2], [0xff, 0xd8], "a JPEG");
    album.is_stored();
    album.proxy.forget();
    album.sync(&["--thumbnails", "64"]).ok().says("Up to date");
    album.wrote_nothing();
    // It is replaced with its picture, and brings nothing back when dumped.
    album.file("a.gif", [GIF, b"more"].concat());
    album.sync(&["--thumbnails", "64"]).ok();
    assert_eq!(attachments("a.gif").len(), 2);
    album.is_stored();
}

pub(crate) fn what_people_attached_stays_beside_thumbnails(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("a.gif", GIF);
    album.sync(&[]).ok();
    edit_remotely(&album.database, "a.gif", |document| {
        document["_attachments"]["thumbnail.jpg"] = attached(b"drawn by hand", "image/jpeg");
        document["_attachments"]["scribble.png"] = attached(b"a scribble", "image/png");
    });
    let mut expected = Tree::from([
        ("thumbnail.jpg".to_owned(), b"drawn by hand".to_vec()),
        ("scribble.png".to_owned(), b"a scribble".to_vec()),
    ]);
    let stored = |thumbnail: &str| {
        let names = album.document("a.gif")["_attachments"].as_object().unwrap().clone();
        let all = names.keys().map(|name| (name.clone(), album.database.attachment("a.gif", name)));
        let mut all: Tree = all.collect();
        assert_eq!(all.remove(thumbnail).map(|bytes| bytes[..2].to_vec()), Some(vec![0xff, 0xd8]), "a JPEG");
        all
    };
    expected.insert("a.gif".to_owned(), [GIF, b"1"].concat());
    album.file("a.gif", &expected["a.gif"]);
    album.sync(&["--thumbnails", "64"]).ok();
    same_trees(&stored("thumbnail-2.jpg"), &expected);
    assert_eq!(album.document("a.gif")["file"]["thumbnail"]["attachment"], json!("thumbnail-2.jpg"));
    // Whatever people write into the record, their picture stays; and so does what was ours and is no longer named.
    edit_remotely(&album.database, "a.gif", |document| {
        document["file"]["thumbnail"]["attachment"] = json!("scribble.png");
        document["_attachments"].as_object_mut().unwrap().shift_remove("thumbnail-2.jpg");
    });
    expected.insert("a.gif".to_owned(), [GIF, b"2"].concat());
    album.file("a.gif", &expected["a.gif"]);
    album.sync(&["--thumbnails", "64"]).ok();
    same_trees(&stored("thumbnail-2.jpg"), &expected);
    // Moved to another key, with something else under the usual one.
    edit_remotely(&album.database, "a.gif", |document| {
        document["file"]["attachment"] = json!("the picture");
        document["_attachments"]["the picture"] = attached(&expected["a.gif"], "image/gif");
        document["_attachments"]["a.gif"] = attached(b"a frame", "image/gif");
    });
    expected.insert("a.gif".to_owned(), b"a frame".to_vec());
    expected.insert("the picture".to_owned(), [GIF, b"3"].concat());
    album.file("a.gif", &expected["the picture"]);
    album.sync(&["--thumbnails", "64"]).ok();
    same_trees(&stored("thumbnail-2.jpg"), &expected);
    album.proxy.forget();
    album.sync(&["--thumbnails", "64"]).ok().says("Up to date");
    album.project.forget();
    album.sync(&["--thumbnails", "64"]).ok().says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn a_time_of_just_now_is_written_too(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // Too young to be recognised by its time, whatever is remembered of it.
    album.project.touch("pics/a.jpg", now.as_secs() + 5, 0);
    album.sync(&[]).ok().says("Up to date");
    let before = album.document("a.jpg");
    album.sync(&["--times"]).ok().says("orrected 1 time");
    assert_ne!(album.document("a.jpg")["file"]["modified"], before["file"]["modified"]);
    album.proxy.forget();
    album.sync(&["--times"]).ok().says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn a_missing_database_is_made_only_when_asked_for(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.unmade_database());
    for (path, content) in some_files() {
        project.write(&format!("pics/{path}"), content);
    }
    let url = database.url();
    let proxy = FaultProxy::counting(endpoint.origin());
    let through = database.url_through(&proxy);
    let run = project.couchapp(&["sync-dir", "pics", &through]);
    assert!([6, 9].contains(&run.code), "{run}");
    assert!(run.stderr.contains("--create-db"), "{run}");
    project.couchapp(&["sync-dir", "pics", &through, "--create-db", "-n"]);
    project.couchapp(&["sync-dir", &through, "copy"]).expect(6);
    project.couchapp(&["dump", &through, "copy"]).expect(6);
    assert!(!database.exists() && !project.exists("copy"));
    assert_eq!(proxy.writes(), []);
    project.couchapp(&["sync-dir", "pics", &url, "--create-db"]).ok();
    let count = database.get("_all_docs").expect(200).json()["rows"].as_array().map(Vec::len);
    assert_eq!(count, Some(some_files().len()));
    let empty = endpoint.unmade_database();
    std::fs::create_dir(project.path().join("nothing")).unwrap();
    project.couchapp(&["sync-dir", "nothing", &empty.url(), "--create-db", "-n"]).ok();
    assert!(!empty.exists());
    project.couchapp(&["sync-dir", "nothing", &empty.url(), "--create-db"]).ok();
    assert!(empty.exists(), "a folder that is filled later has its database");
}

pub(crate) fn the_stream_of_events_tells_all(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    let run = album.sync(&["--json"]).ok();
    let lines = run.lines_of_json();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == json!(kind)).collect::<Vec<&Value>>();
    assert!(lines.iter().all(|line| line["v"] == json!(1)), "{run}");
    assert_eq!((of("start").len(), of("plan").len(), of("item").len(), of("summary").len()), (1, 1, 7, 1), "{run}");
    assert_eq!((&of("plan")[0]["add"], &of("plan")[0]["change"]), (&json!(7), &json!(0)), "{run}");
    let bytes: usize = some_files().values().map(Vec::len).sum();
    let summary = lines.last().unwrap();
    assert_eq!((&summary["type"], &summary["ok"], &summary["sent"]), (&json!("summary"), &json!(true), &json!(7)));
    assert_eq!(summary["sent_bytes"], json!(bytes), "{run}");
    // A conflict ends the stream with an error of its own code.
    album.file("a.jpg", noise(10, 1));
    album.replace_remotely("a.jpg", b"theirs");
    let run = album.sync(&["--json"]).expect(5);
    let last = run.lines_of_json().pop().unwrap();
    assert_eq!(
        (&last["type"], &last["exit"], &last["code"]),
        (&json!("error"), &json!(5), &json!("conflict")),
        "{run}"
    );
}
