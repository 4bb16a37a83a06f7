//! What a dump tells of: its stream of events, what it could not write, and what a verification finds.

use serde_json::json;

use super::album::{Album, attached, noise, same_trees};
use super::fetching::{page, play_unreadable};
use crate::fault_proxy::Action;
use crate::harness::Endpoint;
use crate::wire::Answer;

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
