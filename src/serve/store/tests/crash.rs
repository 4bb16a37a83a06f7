//! The process is killed at any moment: what was acknowledged is there, and nothing refers to bytes that are not.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::random::cases;
use super::*;

const FOLDER: &str = "COUCHAPP_TEST_CRASH_FOLDER";

/// An acknowledged write is a line that begins with this.
const MARK: &str = "acknowledged";

/// The bytes of the attachment of the `number`th write; some are rows, some are files, some are the same as others.
fn bytes_of(number: u64) -> Vec<u8> {
    let length = match number % 5 {
        0 => 66_000 + number % 3 * 100_000,
        kind => kind * 700,
    };
    let seed = number / 3;
    (0..length).map(|index| (index * 31 + seed * 17).to_le_bytes()[0]).collect()
}

/// Not a test: what the process does that is killed.
#[test]
#[ignore = "it is run, and killed, by the test below"]
#[allow(clippy::disallowed_methods, reason = "how the test below tells it the folder")]
fn writes_until_it_is_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let store = Store::open(Path::new(&folder)).unwrap();
    let database = store.create("db").or_else(|_| store.database("db")).unwrap();
    let mut out = std::io::stdout();
    let first = database.info().unwrap().sequence;
    for number in first.. {
        let ids = [format!("d{}", number % 7), format!("e{}", number % 3)];
        let edits: Vec<Edit> = ids
            .iter()
            .map(|id| {
                let winner = database.document(id).unwrap().and_then(|document| document.tree.winner());
                let upon = winner.filter(|winner| !winner.is_deleted).map(|winner| winner.revision);
                Edit {
                    id: id.clone(),
                    members: object(&format!(r#"{{"number":{number}}}"#)),
                    attachments: vec![attachment("x", store_bytes(&database, &bytes_of(number), false))],
                    is_deleted: upon.is_some() && number % 11 == 0,
                    upon: Upon::Leaf(upon),
                }
            })
            .collect();
        let written = write(&database, edits);
        database.write_local("_local/number", None, Some(&object(&format!(r#"{{"n":{number}}}"#)))).unwrap();
        let mut line = format!("{MARK} {number}");
        for (id, revision) in ids.iter().zip(written) {
            line.push_str(&format!(" {id} {revision}"));
        }
        writeln!(out, "{line}").unwrap();
        if number % 13 == 5 {
            database.compact().unwrap();
        }
        if number % 17 == 3 {
            let other = store.create("other").unwrap();
            write_one(&other, leaf("a", "", "{}"));
            store.delete("other").unwrap();
        }
    }
}

/// Writes that were acknowledged: number, id and revision.
type Acknowledged = Vec<(u64, String, String)>;

/// Runs the writer and kills it: so many microseconds after its first write, or after its start.
fn run_and_kill(folder: &Path, is_writing: bool, microseconds: u64) -> Acknowledged {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "serve::store::tests::crash::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (mut line, mut acknowledged) = (String::new(), Acknowledged::new());
    let mut take = |line: &str| {
        let Some(rest) = line.strip_suffix('\n').and_then(|line| line.strip_prefix(MARK)) else { return };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let number = words[0].parse().unwrap();
        acknowledged.extend(words[1..].chunks(2).map(|pair| (number, pair[0].to_owned(), pair[1].to_owned())));
    };
    while is_writing && !line.starts_with(MARK) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it did not write");
    }
    take(&line);
    // Not for something to happen, but for any moment to be the last.
    std::thread::sleep(Duration::from_micros(microseconds));
    child.kill().unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    rest.split_inclusive('\n').for_each(&mut take);
    let status = child.wait().unwrap();
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert!(status.code().is_none(), "it ended by itself: {status} {complaint}");
    acknowledged
}

fn look(folder: &Path, acknowledged: &Acknowledged) {
    let store = Store::open(folder).unwrap();
    let names = store.names();
    assert!(names.iter().all(|name| name == "db" || name == "other"), "{names:?}");
    if names.len() > 1 {
        store.delete("other").unwrap();
    }
    let Ok(database) = store.database("db") else {
        assert!(acknowledged.is_empty());
        return;
    };
    verify(&database);
    let mut latest: HashMap<&str, (u64, &str)> = HashMap::new();
    for (number, id, written) in acknowledged {
        assert!(!written.contains("conflict"), "{id} {written}");
        let tree = database.document(id).unwrap().unwrap().tree;
        assert!(tree.contains(&revision(written)), "{id} {written} is lost");
        latest.insert(id, (*number, written));
    }
    for (id, (number, written)) in latest {
        // Compaction drops it when the process went one write further.
        if database.document(id).unwrap().unwrap().tree.is_leaf(&revision(written)) {
            let body = database.body(id, &revision(written)).unwrap().unwrap();
            assert_eq!(body.members, object(&format!(r#"{{"number":{number}}}"#)));
            assert_eq!(read_bytes(&database, &body.attachments[0].blob, 0).unwrap(), bytes_of(number));
        }
    }
    if let Some((number, ..)) = acknowledged.last() {
        let (_, local) = database.local("_local/number").unwrap().unwrap();
        assert!(local["n"].as_u64() >= Some(*number));
    }
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let config = Config { cases: cases(4), failure_persistence: None, max_shrink_iters: 10, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]));
    let kills = proptest::collection::vec((prop::bool::weighted(0.7), 0u64..25_000), 1..5);
    let result = runner.run(&kills, |kills| {
        let folder = tempfile::tempdir().unwrap();
        let mut acknowledged = Acknowledged::new();
        for (is_writing, microseconds) in kills {
            acknowledged.extend(run_and_kill(folder.path(), is_writing, microseconds));
            look(folder.path(), &acknowledged);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
