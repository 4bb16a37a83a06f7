//! Names that hurt, files of every size, and the way there and back.

use serde_json::json;

use super::album::{Album, TIME, noise, picture, same_trees};
use super::app::target_of;
use crate::harness::{Endpoint, Tree};

/// Names that some part on the way could take for something else.
fn special_names() -> Vec<String> {
    #[rustfmt::skip]
    let names = [
        "a b", " leading and trailing ", "#%+?&=;,.jpg", "100%.jpg", "%41.jpg", "%2F", "a%2Fb.jpg", "q?rev=1-a", "caf\u{e9}.jpg",
        "cafe\u{301}.jpg", "\u{1f600}.jpg", "\u{fb00}.txt", "日本語/写真.jpg", ".dot", ".hidden/file", "..x", "...", "-rf", "--help", "_x.jpg",
        "a/_x.jpg", "~_x.jpg", "~~x", "~x", "~", "_", "__", "_design/x", "_local/x", "_all_docs", "a/_attachments/b",
        "~_design/x", "_x/_y/_z", "a'b\"c.jpg", "a;b|c<d>e*.jpg", "C:x", "con", "nul.txt", "trailing.", "$HOME", "`id`",
        "[a]{b}(c)", "thumbnail", "thumbnail.jpg", "file", "tags", "type.json", "UPPER/Case", "upper/case",
        "deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/x",
    ];
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    names.push("n".repeat(200));
    names.push(format!("{}/{}", "ä".repeat(100), "ö".repeat(100)));
    names
}

pub(crate) fn special_names_travel_both_ways(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    for (number, name) in (0..).zip(special_names()) {
        album.file(&name, noise(number as usize % 50, number));
    }
    let files = album.project.tree("pics");
    let run = album.sync(&[]).ok();
    assert!(run.output().contains(&format!("Sent {} files", files.len())), "{run}");
    album.is_stored();
    for (id, path, key) in [
        ("~_x.jpg", "_x.jpg", json!("~_x.jpg")),
        ("a/_x.jpg", "a/_x.jpg", json!("~_x.jpg")),
        ("~~_x.jpg", "~_x.jpg", json!("~~_x.jpg")),
        ("~~~x", "~~x", json!("~~~x")),
        ("~x", "~x", json!(null)),
        ("~_design/x", "_design/x", json!(null)),
        ("cafe\u{301}.jpg", "cafe\u{301}.jpg", json!(null)),
    ] {
        let file = album.database.document(&target_of(id))["file"].clone();
        assert_eq!((&file["path"], &file["attachment"]), (&json!(path), &key), "{id}");
    }
    album.calm();
    album.sync(&["--delete"]).ok().says("Up to date");
    album.wrote_nothing();
    for (folder, run) in [("copy", album.fetch("copy", &[]).ok()), ("dumped", album.dump("dumped", &[]).ok())] {
        same_trees(&files, &album.project.tree(folder));
        assert_eq!(album.project.times("pics"), album.project.times(folder), "{folder}\n{run}");
    }
    album.calm();
    album.fetch("copy", &["--delete"]).ok().says("Up to date");
    album.dump("dumped", &["--delete"]).ok().says("Up to date");
}

pub(crate) fn every_size_travels_both_ways(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    // Around the lengths at which another means of transport is chosen.
    let lengths = [0, 1, 2, 3, 65_535, 65_536, 65_537, (512 << 10) - 1, 512 << 10, (512 << 10) + 1, (4 << 20) + 1];
    for (number, length) in (0..).zip(lengths) {
        album.file(&format!("p{length}.jpg"), noise(length, number));
        album.file(&format!("t{length}.txt"), &"line of text\n".repeat(length / 13 + 1).as_bytes()[..length]);
    }
    album.file("real.png", picture(3, 4));
    let places: [(u64, &[u8]); 3] = [(0, b"begin"), (7 << 20, b"middle"), ((12 << 20) - 3, b"end")];
    album.project.write_sparse("pics/sparse.bin", 12 << 20, &places);
    album.project.write_sparse("pics/sparse.txt", 11 << 20, &places[..2]);
    album.project.touch("pics/sparse.bin", TIME, 0).touch("pics/sparse.txt", TIME, 999_999_999);
    album.sync(&[]).ok();
    assert!(album.revisions().values().all(|revision| revision.starts_with("1-")), "one revision for each file");
    album.is_stored();
    album.calm();
    album.sync(&[]).ok().says("Up to date");
    album.wrote_nothing();
    let files: Tree = album.project.tree("pics");
    for folder in ["copy", "dumped"] {
        if folder == "copy" {
            album.fetch(folder, &[]).ok()
        } else {
            album.dump(folder, &[]).ok()
        };
        same_trees(&files, &album.project.tree(folder));
        assert_eq!(album.project.times("pics"), album.project.times(folder), "{folder}");
    }
    // And what came down goes up nowhere.
    album.calm();
    album.project.couchapp(&["sync-dir", "copy", &album.url]).ok().says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn names_that_do_not_come_back_are_told(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("a.jpg", noise(10, 1));
    let run = album.sync(&[]).ok();
    assert!(!run.stderr.contains("--escape-names"), "{run}");
    album.file(".git/config", "[core]\n").file("b\u{1b}[2J.jpg", noise(10, 2)).file("c\u{7f}.jpg", noise(10, 3));
    let run = album.sync(&["-n", "--json"]).ok();
    let warnings: Vec<_> = run.lines_of_json().into_iter().filter(|line| line["type"] == "warning").collect();
    assert_eq!((warnings.len(), &warnings[0]["code"]), (1, &json!("names")), "{run}");
    let run = album.sync(&[]).ok().says("Sent 3 files").says("--escape-names").says("2 other");
    assert!(run.stderr.contains(".git/config") && !run.stderr.contains('\u{1b}'), "{run}");
    album.dump("dumped", &[]).expect(8);
    assert_eq!(album.project.tree("dumped").len(), 1);
    let run = album.sync(&[]).ok().says("Up to date");
    assert!(!run.stderr.contains("--escape-names"), "{run}");
}
