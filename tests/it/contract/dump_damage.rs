//! Bad lines on the way down: no file has its name before it is whole and right.

use super::album::{Album, noise, same_trees};
use super::damage::kill_at;
use crate::fault_proxy::{Action, Alteration, Cut};
use crate::harness::{Endpoint, Kind, cases};
use crate::wire::Answer;

const VICTIM: &[u8] = b"the first bytes of the victim!";

fn victim(length: usize) -> Vec<u8> {
    [VICTIM, &noise(length - VICTIM.len(), 11)].concat()
}

/// Each way in which a file travels: among others, in a stream of many, and alone.
const LENGTHS: [usize; 3] = [5000, 300_000, 5 << 20];

pub(crate) fn one_altered_byte_is_kept_away(endpoint: &Endpoint) {
    for length in LENGTHS {
        let album = Album::begin(endpoint);
        album.file("before.jpg", noise(900, 1)).file("victim.jpg", victim(length)).file("zebra.jpg", noise(900, 2));
        album.sync(&[]).ok();
        for fetch in [Album::dump, Album::fetch] {
            album.play(|_| Action::AlterAnswer(Alteration::in_file(VICTIM)));
            let run = fetch(&album, "copy", &["--retries", "1"]);
            assert_eq!(run.code, 8, "{run}");
            assert!(album.proxy.altered() > 0, "nothing was altered\n{run}");
            assert!(run.stderr.contains("1 file") && run.stderr.contains("victim.jpg: "), "{run}");
            let tree = album.project.tree("copy");
            assert!(!tree.contains_key("victim.jpg"), "{:?}", tree.keys());
            assert_eq!((&tree["before.jpg"], &tree["zebra.jpg"]), (&noise(900, 1), &noise(900, 2)));
            album.calm();
            fetch(&album, "copy", &[]).ok().says("Fetched 1 file");
            same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
            album.project.remove("copy");
        }
    }
}

pub(crate) fn a_damaged_update_leaves_the_old_file(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    album.file("victim.jpg", noise(5000, 5));
    album.sync(&[]).ok();
    album.dump("copy", &[]).ok();
    album.file("victim.jpg", victim(5000));
    album.sync(&[]).ok();
    album.play(|_| Action::AlterAnswer(Alteration::in_file(VICTIM)));
    let run = album.dump("copy", &["--retries", "1"]);
    assert_ne!(run.code, 0, "{run}");
    assert_eq!(album.project.read("copy/victim.jpg"), noise(5000, 5), "{run}");
    album.calm();
    album.dump("copy", &[]).ok();
    assert_eq!(album.project.read("copy/victim.jpg"), victim(5000));
}

/// A big download that breaks off goes on where it was: within one run, and in the next.
pub(crate) fn a_broken_download_goes_on(endpoint: &Endpoint) {
    let length = 6 << 20;
    let album = Album::begin(endpoint);
    album.file("big.jpg", noise(length, 9)).file("small.jpg", noise(10, 1));
    album.sync(&[]).ok();
    let is_big =
        |target: &str| target.contains("big.jpg") && !target.ends_with("big.jpg") || target.contains("big.jpg/big.jpg");
    // Twice in one run.
    let mut cuts = 2;
    album.play(move |arrival| {
        let plays = cuts > 0 && arrival.method == "GET" && is_big(&arrival.target);
        cuts -= usize::from(plays);
        if plays { Action::CutAnswer(2 << 20, Cut::Reset) } else { Action::Pass }
    });
    let run = album.dump("copy", &[]).ok();
    same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
    let asked = album.proxy.seen().iter().filter(|seen| is_big(&seen.target)).count();
    assert!(asked >= 3, "the download was never cut: {asked}\n{run}");
    // PouchDB gives no ranges.
    if endpoint.kind() != Kind::PouchDb {
        assert!(album.proxy.answered() < 2 * length, "{} bytes came for {length}", album.proxy.answered());
    }
    // In the next run, as long as the revision is the same.
    for changed in [false, true] {
        album.project.remove("copy");
        album.project.forget();
        let mut is_cut = false;
        album.play(move |arrival| {
            if arrival.method != "GET" || !is_big(&arrival.target) {
                return Action::Pass;
            }
            if std::mem::replace(&mut is_cut, true) {
                let busy = Answer::new(503, "text/html", "busy").with("Retry-After", "0");
                return Action::Replace(busy);
            }
            Action::CutAnswer(4 << 20, Cut::Reset)
        });
        let run = album.dump("copy", &["--retries", "0"]);
        assert!([7, 8].contains(&run.code), "{run}");
        assert!(!album.project.exists("copy/big.jpg"), "{run}");
        if changed {
            album.file("big.jpg", noise(length, 10));
            album.calm();
            album.sync(&["--yes"]).ok();
        }
        album.calm();
        album.dump("copy", &[]).ok();
        same_trees(&album.project.tree("pics"), &album.project.tree("copy"));
        if !changed && endpoint.kind() != Kind::PouchDb {
            assert!(album.proxy.answered() < length - (1 << 20), "{} bytes came", album.proxy.answered());
        }
    }
}

pub(crate) fn a_killed_download_goes_on(endpoint: &Endpoint) {
    let album = Album::begin(endpoint);
    for number in 0..40 {
        album.file(&format!("a/small{number}.jpg"), noise(3000, number));
    }
    album.file("b/text.txt", "some text\n".repeat(2000)).file("c/middle.jpg", noise(600_000, 5));
    album.file("c/big.jpg", noise(5 << 20, 6));
    album.sync(&[]).ok();
    let pics = album.project.tree("pics");
    let url = album.url.clone();
    let mut killed = 0;
    for round in 0..cases(6) {
        let command = if round % 2 == 0 { "dump" } else { "sync-dir" };
        let chance = noise(4, 500 + round);
        let requests = 2 + usize::from(chance[0]) % 8;
        let bytes = usize::from(chance[1]) << 13;
        // The answer of some request ends somewhere, and then comes the end.
        let mut child = {
            album.play(move |arrival| match arrival.number >= requests {
                true => Action::StallAnswer(bytes),
                false => Action::Pass,
            });
            album.project.start("", &[command, &url, "copy"])
        };
        let mut ended = false;
        while album.proxy.seen().len() < requests && !ended {
            ended = child.try_wait().unwrap().is_some();
            std::thread::yield_now();
        }
        while !ended && album.proxy.answered() < bytes {
            ended = child.try_wait().unwrap().is_some();
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        album.project.check_secrets();
        killed += u32::from(!ended);
        // Whatever has its name is whole.
        if album.project.exists("copy") {
            for (path, content) in album.project.tree("copy") {
                let is_unfinished = path.rsplit('/').next().unwrap().starts_with('.') || path.ends_with('/');
                assert!(is_unfinished || pics.get(&path) == Some(&content), "round {round}: {path} is half a file");
            }
        }
        if round % 3 == 2 {
            album.calm();
            let run = album.project.couchapp(&[command, &url, "copy"]).ok();
            same_trees(&pics, &album.project.tree("copy"));
            assert_eq!(album.project.times("pics"), album.project.times("copy"), "{run}");
            album.calm();
            album.project.couchapp(&[command, &url, "copy"]).ok().says("Up to date");
            album.project.remove("copy");
        }
    }
    assert!(killed > 0, "every run had ended before its moment");
    // And one that is killed with its last request on the way.
    kill_at(&album, &["dump", &url, "copy"], (4, 0));
    album.calm();
    album.dump("copy", &[]).ok();
    same_trees(&pics, &album.project.tree("copy"));
}
