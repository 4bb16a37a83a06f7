//! What goes, what stays, and what is left out: `--delete` with its valves, patterns, dry runs.

use serde_json::json;

use super::album::{Album, noise, some_files};
use crate::harness::{Endpoint, Project};

/// A folder of `count` files, in the database already.
fn of_many(endpoint: &Endpoint, count: u32) -> Album<'_> {
    let album = Album::begin(endpoint);
    for number in 0..count {
        album.file(&format!("f{number:02}.jpg"), noise(20, number));
    }
    album.sync(&[]).ok();
    album.proxy.forget();
    album
}

fn remove_first(album: &Album<'_>, count: u32) {
    for number in 0..count {
        album.remove(&format!("f{number:02}.jpg"));
    }
}

pub(crate) fn what_is_gone_goes_only_with_delete(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.remove("a.jpg").remove("2010/beach/IMG_0043.jpg");
    let run = album.sync(&[]).ok();
    assert!(run.stderr.contains("--delete"), "what stays is not told\n{run}");
    album.wrote_nothing();
    assert_eq!(album.ids().len(), 7);
    // What this folder brought there goes without a question, and nothing else.
    let run = album.sync(&["--delete"]).ok();
    assert!(run.output().contains("- a.jpg"), "{run}");
    assert_eq!(album.ids().len(), 5);
    album.is_stored();
    album.proxy.forget();
    album.sync(&["--delete"]).ok().says("Up to date");
    album.wrote_nothing();
    // A deleted one may come again.
    album.file("a.jpg", noise(3000, 1));
    album.sync(&["--delete"]).ok();
    album.is_stored();
}

pub(crate) fn removing_what_is_not_known_needs_a_yes(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    album.remove("a.jpg");
    album.project.forget();
    let run = album.sync(&["--delete"]).expect(9).says("--yes");
    assert!(run.output().contains("a.jpg"), "{run}");
    album.sync(&["--delete", "--force"]).expect(9);
    assert_eq!(album.ids().len(), 7);
    album.sync(&["--delete", "--yes"]).ok();
    album.is_stored();
    // Changed there since: it is not what this folder brought.
    album.remove("2010/notes.txt");
    album.replace_remotely("2010/notes.txt", b"longer notes");
    let run = album.sync(&["--delete"]);
    assert!([5, 9].contains(&run.code), "{run}");
    assert_eq!(album.stored()["2010/notes.txt"], b"longer notes");
}

/// With a document goes all that people have added to it.
pub(crate) fn removing_more_than_the_file_needs_a_yes(endpoint: &Endpoint) {
    use super::album::attached;
    use super::app::edit_remotely;
    use crate::harness::encoded;
    let album = Album::sent(endpoint);
    edit_remotely(&album.database, "a.jpg", |document| document["caption"] = json!("The only sunny day"));
    edit_remotely(&album.database, &encoded("2011/song.mp3"), |document| {
        document["_attachments"]["scribble.png"] = attached(b"a scribble", "image/png");
    });
    // Tags are for changing.
    edit_remotely(&album.database, &encoded("2011/empty.jpg"), |document| document["tags"] = json!(["empty"]));
    album.remove("a.jpg").remove("2011/empty.jpg").remove("2011/song.mp3");
    let dry = album.sync(&["--delete", "-n"]).ok().says("has more than the file");
    assert!(dry.stderr.contains("2 files") && dry.stderr.contains("--yes"), "the question is not told of\n{dry}");
    let run = album.sync(&["--delete"]).expect(9).says("--yes");
    assert!(run.stderr.contains("2 files"), "{run}");
    assert_eq!(album.ids().len(), 7);
    let dry = album.sync(&["--delete", "-n", "--yes"]).ok();
    assert!(!dry.stderr.contains("asks"), "{dry}");
    album.sync(&["--delete", "--yes"]).ok();
    album.is_stored();
}

pub(crate) fn a_large_removal_is_stopped(endpoint: &Endpoint) {
    let album = of_many(endpoint, 24);
    remove_first(&album, 13);
    album.file("new.jpg", noise(30, 99));
    for more in [&[][..], &["--yes"], &["--force"], &["--max-delete", "12"], &["--max-delete", "50%"]] {
        let run = album.sync(&[&["--delete"], more].concat()).expect(9);
        assert!(run.stderr.contains("13") && run.stderr.contains("--max-delete"), "{run}");
    }
    album.sync(&["--delete", "-n"]);
    album.wrote_nothing();
    album.sync(&["--delete", "--max-delete", "13"]).ok();
    album.is_stored();
    // A few may always go, and more with a wider limit.
    remove_first_of_rest(&album);
    album.sync(&["--delete", "--max-delete", "all"]).ok();
    album.is_stored();
}

fn remove_first_of_rest(album: &Album<'_>) {
    for number in 13..24 {
        album.remove(&format!("f{number:02}.jpg"));
    }
}

pub(crate) fn an_empty_folder_removes_nothing(endpoint: &Endpoint) {
    let album = of_many(endpoint, 3);
    remove_first(&album, 3);
    for more in [&[][..], &["--yes"], &["--force"], &["--max-delete", "all"]] {
        album.sync(&[&["--delete"], more].concat()).expect(9).says("--allow-empty");
    }
    album.sync(&[]).ok();
    album.wrote_nothing();
    assert_eq!(album.ids().len(), 3);
    album.sync(&["--delete", "--allow-empty"]).ok();
    assert_eq!(album.ids().len(), 0);
    // A folder that is not there at all is another thing.
    album.project.remove("pics");
    album.sync(&["--delete", "--allow-empty"]).expect(6).says("pics");
}

#[cfg(unix)]
pub(crate) fn nothing_is_removed_after_a_read_error(endpoint: &Endpoint) {
    use std::os::unix::ffi::OsStrExt as _;
    let album = of_many(endpoint, 4);
    let pics = album.project.path().join("pics");
    let not_text = pics.join(std::ffi::OsStr::from_bytes(b"not\xfftext.jpg"));
    let link = pics.join("link.jpg");
    for (number, path) in [(0, &not_text), (1, &link)] {
        if number == 0 {
            std::fs::write(path, "x").unwrap();
        } else {
            std::os::unix::fs::symlink("nowhere.jpg", path).unwrap();
        }
        album.remove(&format!("f{number:02}.jpg"));
        album.proxy.forget();
        let run = album.sync(&["--delete", "--yes", "--force", "--max-delete", "all"]).expect(8);
        assert!(run.stderr.contains("nothing is removed"), "{run}");
        album.wrote_nothing();
        // What can be sent is sent all the same.
        album.file(&format!("new{number}.jpg"), noise(10, number));
        album.sync(&["--delete"]).expect(8).says("Sent 1 file");
        std::fs::remove_file(path).unwrap();
        album.sync(&["--delete"]).ok();
        album.is_stored();
    }
}

/// What can be listed well but not stored hides nothing.
#[cfg(unix)]
pub(crate) fn what_cannot_be_stored_is_listed(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    let pics = album.project.path().join("pics");
    std::fs::create_dir_all(pics.join("nothing/at/all")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, pics.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    std::os::unix::fs::symlink("../../../etc", pics.join("outside")).unwrap();
    std::os::unix::fs::symlink("..", pics.join("2010/loop")).unwrap();
    std::os::unix::fs::symlink("a.jpg", pics.join("inside.jpg")).unwrap();
    let run = album.sync(&[]).expect(8).says("Sent 8 files");
    for text in ["nothing/at/all", "pipe", "outside", "2010/loop"] {
        assert!(run.stderr.contains(text), "{text} is not listed\n{run}");
    }
    assert!(!run.stderr.contains("inside.jpg:"), "{run}");
    assert_eq!(album.stored()["inside.jpg"], noise(3000, 1), "a link to a file is that file");
    assert_eq!(album.ids().len(), 8);
    album.proxy.forget();
    album.sync(&[]).expect(8).says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn what_is_left_out_counts_on_neither_side(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    album.file("draft.tmp", "t").file("2010/keep.tmp", "k").file("secret/key.txt", "s").file("old/x.jpg", "o");
    album.project.write("rules", "# a comment\nold/\n");
    album.file(".couchappignore", "secret/\n");
    let filters = ["--exclude", "*.tmp", "--include", "keep.tmp", "--exclude-from", "rules"];
    let plan = album.sync(&[&filters[..], &["-n"]].concat()).ok();
    assert!(!plan.output().contains("draft.tmp"), "{plan}");
    album.sync(&filters).ok();
    let ids = album.ids();
    for (id, expected) in [
        ("draft.tmp", false),
        ("2010/keep.tmp", true),
        ("secret/key.txt", false),
        ("old/x.jpg", false),
        ("a.jpg", true),
    ] {
        assert_eq!(ids.contains(id), expected, "{id} in {ids:?}");
    }
    assert!(ids.contains(".couchappignore"), "rules are files like any other: {ids:?}");
    // What is in the database already is not removed by a rule, and neither is what is gone here.
    album.sync(&[]).ok();
    assert!(album.ids().contains("draft.tmp"));
    album.remove("draft.tmp");
    album.proxy.forget();
    album.sync(&[&filters[..], &["--delete"]].concat()).ok();
    album.wrote_nothing();
    assert!(album.ids().contains("draft.tmp") && album.ids().contains("old/x.jpg"));
    album.sync(&[&filters[..], &["--delete", "--delete-excluded", "--yes"]].concat()).ok();
    let ids = album.ids();
    assert!(!ids.contains("draft.tmp") && !ids.contains("old/x.jpg") && ids.contains("a.jpg"), "{ids:?}");
    assert!(album.project.exists("pics/old/x.jpg"));
    // A rule that cannot be read stops everything.
    album.sync(&["--exclude-from", "no such file"]).expect(6);
}

pub(crate) fn a_dry_run_leaves_no_trace(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    let before = album.project.state();
    let run = album.sync(&["-n", "--delete"]).ok().says("dry run").says("Nothing was changed");
    for path in some_files().keys() {
        assert!(run.output().contains(&format!("+ {path}")), "{run}");
    }
    album.wrote_nothing();
    assert_eq!(album.project.state(), before, "a dry run remembers nothing");
    album.sync(&[]).ok();
    let state = album.project.state();
    assert_ne!(state, before);
    // A run with something of everything.
    album.file("a.jpg", "changed").file("new.jpg", "new").remove("2011/song.mp3");
    album.replace_remotely("2010/notes.txt", b"theirs");
    album.file("2010/notes.txt", "mine, and longer");
    album.proxy.forget();
    let run = album.sync(&["-n", "--delete"]).expect(5);
    for line in ["~ a.jpg", "+ new.jpg", "- 2011/song.mp3", "! 2010/notes.txt"] {
        assert!(run.output().contains(line), "no {line}\n{run}");
    }
    album.wrote_nothing();
    assert!(album.project.state() == state, "a dry run changed what is remembered");
    // The wet run does what was said.
    album.sync(&["--delete"]).expect(8);
    let stored = album.stored();
    assert_eq!((stored["a.jpg"].as_slice(), stored["new.jpg"].as_slice()), (&b"changed"[..], &b"new"[..]));
    assert!(!stored.contains_key("2011/song.mp3") && stored["2010/notes.txt"] == b"theirs");
}

pub(crate) fn wrong_calls_are_refused_before_anything_is_asked(endpoint: &Endpoint) {
    let album = Album::of_some(endpoint);
    let url = album.url.as_str();
    let document = format!("{url}/_design/album");
    let table: [(&[&str], &str); 9] = [
        (&["sync-dir", "pics", "other"], "http"),
        (&["sync-dir", url, url], "folder"),
        (&["sync-dir", "pics", url, "--delete-excluded"], "--delete"),
        (&["sync-dir", "pics", url, "--max-delete", "some"], "--max-delete"),
        (&["sync-dir", "pics", url, "--prefix", "../up"], "--prefix"),
        (&["sync-dir", "pics", &document, "--tag", "x"], "--tag"),
        (&["sync-dir", "pics", url, "--thumbnails", "huge"], "--thumbnails"),
        (&["dump", "./pics", "copy"], "dump"),
        (&["dump", url, "-", "--delete"], "--delete"),
    ];
    for (arguments, text) in table {
        let run = album.project.couchapp(arguments).expect(2);
        assert!(run.stderr.contains(text), "{arguments:?} does not say {text:?}\n{run}");
    }
    assert_eq!(album.proxy.seen(), []);
    assert_eq!(album.project.state(), Project::new().state());
}

/// One folder, two databases: what is remembered of one is not believed of the other.
pub(crate) fn each_place_has_its_own_memory(endpoint: &Endpoint) {
    let album = Album::sent(endpoint);
    let other = endpoint.database();
    other.store("a.jpg", &json!({ "text": "of others" }));
    let run = album.project.couchapp(&["sync-dir", "pics", &other.url(), "--delete"]).expect(8).says("a.jpg");
    assert!(run.output().contains("Sent 6 files"), "{run}");
    album.proxy.forget();
    album.sync(&["--delete"]).ok().says("Up to date");
    album.wrote_nothing();
    let kept: Vec<_> = album.project.state().into_keys().collect();
    for file in &kept {
        let path = album.project.root().join("state").join(file);
        #[cfg(unix)]
        if path.is_file() && !file.ends_with(".lock") {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        }
    }
    assert!(!kept.is_empty());
    assert!(!album.project.tree("pics").keys().any(|path| path.contains("couchapp")), "nothing is put into the folder");
}
