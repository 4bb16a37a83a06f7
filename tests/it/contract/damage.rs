//! Bad lines between a folder and a database: what arrives is what was sent, or it is said that it did not.

use serde_json::json;

use super::album::{Album, noise};
use crate::fault_proxy::{Action, Alteration, Cut};
use crate::harness::{Endpoint, cases};
use crate::wire::Answer;

/// What a file begins with that is to be damaged. Of a length that base64 leaves whole.
const VICTIM: &[u8] = b"the first bytes of the victim!";

fn victim(length: usize) -> Vec<u8> {
    [VICTIM, &noise(length - VICTIM.len(), 11)].concat()
}

/// Each way in which a file travels: among others, alone, and streamed from the disk.
const LENGTHS: [usize; 3] = [5000, 700_000, 11 << 20];

pub(crate) fn one_altered_byte_is_a_failure_of_that_file(endpoint: &Endpoint) {
    for length in LENGTHS {
        let album = Album::begin(endpoint);
        album.file("before.jpg", noise(900, 1)).file("victim.jpg", victim(length)).file("zebra.jpg", noise(900, 2));
        album.play(|arrival| match arrival.write_number {
            0 => Action::Pass,
            _ => Action::AlterRequest(Alteration::in_file(VICTIM)),
        });
        let run = album.sync(&["--retries", "1"]).expect(8);
        assert!(album.proxy.altered() > 0, "nothing was altered\n{run}");
        assert!(run.stderr.contains("1 file") && run.stderr.contains("victim.jpg: "), "{run}");
        assert!(!run.stderr.contains("before.jpg: ") && !run.stderr.contains("zebra.jpg: "), "{run}");
        let stored = album.stored();
        assert_eq!((&stored["before.jpg"], &stored["zebra.jpg"]), (&noise(900, 1), &noise(900, 2)));
        // It is not remembered as done: the next run repairs it, whatever the document says about its content.
        album.calm();
        let run = album.sync(&["--yes"]).ok();
        assert!(!run.output().contains("Up to date"), "{length}\n{run}");
        album.is_stored();
        album.calm();
        album.sync(&[]).ok().says("Up to date");
    }
}

pub(crate) fn a_byte_that_is_altered_once_is_sent_again(endpoint: &Endpoint) {
    for (name, length) in [("victim.jpg", 5000), ("victim.txt", 5000), ("victim.jpg", 700_000)] {
        let album = Album::begin(endpoint);
        let content = if name.ends_with(".txt") { VICTIM.repeat(length / VICTIM.len()) } else { victim(length) };
        album.file(name, &content).file("zebra.jpg", noise(900, 2));
        let mut is_done = false;
        album.play(move |arrival| {
            let is_it = if length > 512 << 10 { arrival.method == "PUT" } else { arrival.write_number == 1 };
            let plays = is_it && !is_done;
            is_done |= plays;
            if plays { Action::AlterRequest(Alteration::in_file(VICTIM)) } else { Action::Pass }
        });
        let run = album.sync(&[]);
        assert_eq!(run.code, 0, "{run}");
        let is_encoded = name.ends_with(".txt") && album.proxy.altered() == 0;
        assert!(album.proxy.altered() == 1 || is_encoded, "nothing was altered\n{run}");
        album.is_stored();
    }
}

pub(crate) fn a_lost_answer_is_no_second_revision(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    for number in 0..30 {
        album.file(&format!("small{number}.jpg"), noise(400, number));
        album.file(&format!("text{number}.txt"), format!("text {number}\n").repeat(40));
    }
    album.file("middle.jpg", noise(700_000, 3));
    // Whatever is written is written, and the answer lost, once for each of the first requests.
    album.play(|arrival| match arrival.write_number {
        1 | 3 => Action::SwallowAnswer,
        _ => Action::Pass,
    });
    let run = album.sync(&[]).ok();
    assert!(run.output().contains("61 files"), "{run}");
    album.is_stored();
    let revisions = album.revisions();
    // PouchDB's text is compressed by nobody, so that each digest tells.
    let more: Vec<_> = revisions.iter().filter(|(_, revision)| !revision.starts_with("1-")).collect();
    assert!(more.is_empty(), "written twice: {more:?}");
    // The same when they are updated.
    for number in 0..30 {
        album.file(&format!("small{number}.jpg"), noise(400, 1000 + number));
    }
    album.play(|arrival| if arrival.write_number == 1 { Action::CutAnswer(30, Cut::Reset) } else { Action::Pass });
    album.sync(&[]).ok();
    album.is_stored();
    let second = album.revisions().values().filter(|revision| revision.starts_with("2-")).count();
    assert_eq!(second, 30);
    album.calm();
    album.sync(&[]).ok().says("Up to date");
}

pub(crate) fn a_refused_document_is_one_file(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    for number in 0..20 {
        album.file(&format!("f{number:02}.jpg"), noise(50, number));
    }
    let reason = "no seventh picture";
    if let Some(fake) = endpoint.stand_in() {
        fake.forbid(album.database.name(), "f07.jpg", reason);
    } else {
        let function = format!("function (doc) {{ if (doc._id === 'f07.jpg') throw({{ forbidden: '{reason}' }}); }}");
        album.database.store("_design/valid", &json!({ "language": "javascript", "validate_doc_update": function }));
    }
    let run = album.sync(&[]);
    assert!(run.stderr.contains("f07.jpg") && run.stderr.contains(reason), "{run}");
    assert!(run.stderr.contains("1 file") && run.output().contains("Sent 19 files"), "{run}");
    assert_eq!(run.code, 8, "{run}");
    let ids = album.ids();
    assert!(!ids.contains("f07.jpg") && ids.contains("f06.jpg") && ids.contains("f19.jpg"));
}

pub(crate) fn a_file_that_is_too_large_is_found_in_its_batch(endpoint: &Endpoint) {
    use base64::Engine as _;
    let album = Album::begin(endpoint);
    for number in 0..20 {
        album.file(&format!("f{number:02}.jpg"), noise(500, number));
    }
    album.file("f07.jpg", victim(600));
    let encoded = base64::engine::general_purpose::STANDARD.encode(VICTIM).into_bytes();
    album.play(move |arrival| {
        if arrival.write_number == 0 {
            return Action::Pass;
        }
        Action::RefuseHolding(encoded.clone(), Answer::error(413, "document_too_large", "f07.jpg"))
    });
    let run = album.sync(&[]).expect(8);
    assert!(run.stderr.contains("f07.jpg") && run.stderr.contains("1 file"), "{run}");
    let stored = album.stored();
    assert_eq!((stored.len(), stored.contains_key("f07.jpg")), (19, false));
    // Halves: at most two requests for each power of two.
    assert!(album.proxy.writes().len() <= 12, "{:?}", album.proxy.writes());
    assert!(album.revisions().values().all(|revision| revision.starts_with("1-")), "sent twice");
}

pub(crate) fn a_busy_server_is_asked_again_for_batches(endpoint: &Endpoint) {
    for status in [429, 503] {
        let album = Album::of_some(endpoint);
        let mut left = 2;
        album.play(move |arrival| {
            let plays = arrival.write_number > 0 && left > 0;
            left -= usize::from(plays);
            let answer = Answer::new(status, "text/html", "<html>busy</html>").with("Retry-After", "0");
            if plays { Action::Replace(answer) } else { Action::Pass }
        });
        album.sync(&[]).ok();
        album.is_stored();
        assert!(album.revisions().values().all(|revision| revision.starts_with("1-")));
    }
}

/// The places at which a run is killed: requests, and bytes of what it sends. The same each time.
fn moments(count: u32) -> impl Iterator<Item = (usize, usize)> {
    let bytes = noise(8 * count as usize, 77);
    let moments: Vec<_> = bytes
        .chunks(8)
        .map(|chunk| {
            let requests = 1 + usize::from(chunk[0]) % 9;
            let length = (usize::from(chunk[1]) << 8 | usize::from(chunk[2])) % 40_000;
            (requests, length)
        })
        .collect();
    moments.into_iter()
}

/// Kills a run of these arguments once it has sent so many requests, the last of which has come so far.
#[track_caller]
pub(crate) fn kill_at(album: &Album<'_>, arguments: &[&str], (requests, length): (usize, usize)) -> bool {
    album.play(move |arrival| if arrival.number >= requests { Action::StallRequest(length) } else { Action::Pass });
    let mut child = album.project.start("", arguments);
    let is_there = || album.proxy.seen().len() >= requests;
    let mut ended = false;
    while !is_there() && !ended {
        ended = child.try_wait().unwrap().is_some();
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    album.project.check_secrets();
    !ended
}

pub(crate) fn a_killed_upload_goes_on(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    for number in 0..40 {
        album.file(&format!("a/small{number}.jpg"), noise(300, number));
    }
    album.file("b/text.txt", "some text\n".repeat(2000)).file("c/middle.jpg", noise(600_000, 5));
    album.file("c/other.jpg", noise(600_000, 6));
    let url = album.url.clone();
    let mut killed = 0;
    for (round, moment) in (0..).zip(moments(cases(6))) {
        // Something is new in each round, and something else after each that was not killed.
        album.file(&format!("d/new{round}.jpg"), noise(90_000, round));
        if round % 3 == 0 {
            album.file("a/small0.jpg", noise(300, 1000 + round));
        }
        killed += u32::from(kill_at(&album, &["sync-dir", "pics", &url], moment));
        // Every document that is there has its file, and it is whole.
        let tree = album.project.tree("pics");
        for (path, content) in album.stored() {
            let is_ours = tree.get(&path) == Some(&content) || path == "a/small0.jpg";
            assert!(is_ours, "round {round}, {moment:?}: {path} is not what was sent");
        }
        if round % 3 == 2 {
            album.calm();
            album.sync(&[]).ok();
            album.is_stored();
        }
    }
    assert!(killed > 0, "every run had ended before its moment");
    album.calm();
    album.sync(&[]).ok();
    album.is_stored();
    assert_eq!(album.ids().len(), album.project.tree("pics").len(), "nothing twice");
    album.calm();
    album.sync(&["--delete"]).ok().says("Up to date");
    album.wrote_nothing();
}

pub(crate) fn a_batch_that_fails_is_sent_one_by_one(endpoint: &Endpoint) {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(VICTIM).into_bytes();
    let answers = [
        Answer::error(500, "internal_server_error", "no luck"),
        Answer::new(201, "application/json", "{\"odd\":true}"),
    ];
    for answer in answers {
        let album = Album::begin(endpoint);
        album.file("f0.jpg", victim(5000));
        for number in 1..8 {
            album.file(&format!("f{number}.jpg"), noise(5000, number));
        }
        let (needle, refusal) = (encoded.clone(), answer.clone());
        album.play(move |arrival| match arrival.target.contains("_bulk_docs") {
            true => Action::RefuseHolding(needle.clone(), refusal.clone()),
            false if arrival.target.contains("f0.jpg") => Action::Replace(refusal.clone()),
            false => Action::Pass,
        });
        let run = album.sync(&["--retries", "1"]).expect(8);
        assert!(album.proxy.altered() > 0 && run.stderr.contains("f0.jpg: "), "{run}");
        assert!(run.stderr.contains("1 file") && run.output().contains("Sent 7 files"), "{run}");
        assert!(!album.ids().contains("f0.jpg"));
        album.calm();
        album.sync(&[]).ok().says("Sent 1 file");
        album.is_stored();
    }
}

pub(crate) fn a_server_that_is_gone_ends_the_run(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    for number in 0..20 {
        album.file(&format!("f{number:02}.jpg"), noise(530_000, number));
    }
    for status in [503, 502, 429] {
        album.play(move |arrival| match arrival.write_number > 2 {
            true => Action::Replace(Answer::error(status, "busy", "come again").with("Retry-After", "0")),
            false => Action::Pass,
        });
        let run = album.sync(&["--retries", "1", "--jobs", "1"]).expect(7);
        let writes = album.proxy.writes().len();
        assert!((4..=14).contains(&writes), "{writes} writes\n{run}");
    }
    // What had been sent before is known.
    album.calm();
    album.sync(&[]).ok().says("Sent 14 files");
    album.is_stored();
}

pub(crate) fn conflicts_without_end_have_an_end(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("a.jpg", noise(600_000, 1)).file("b.jpg", noise(100, 2));
    album.play(|arrival| match arrival.target.contains("a.jpg") && arrival.method == "PUT" {
        true => Action::Replace(Answer::error(409, "conflict", "Document update conflict.")),
        false => Action::Pass,
    });
    let run = album.sync(&[]).expect(8).says("1 conflict").says("Sent 1 file");
    let tries = album.proxy.writes().len();
    assert!((3..10).contains(&tries), "{tries} writes\n{run}");
}
