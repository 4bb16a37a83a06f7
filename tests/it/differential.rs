//! What CouchDB 3.5 answers, request by request, and whether another endpoint answers the same.
//!
//! The requests stand in scripts, `differential/<area>.txt`; `script` says how they are read. What CouchDB answered stands in
//! `fixtures/couchdb-3.5/<area>.json`, without what differs on every server by its nature (`normal` takes it away).
//!
//! - `cargo test` asks the embedded endpoint.
//! - `COUCHAPP_TEST_URL` names another server: it is asked instead, and no difference at all is allowed.
//! - `COUCHAPP_TEST_URL` and `COUCHAPP_RECORD=1`: what that server answers is recorded anew.

mod allowed;
mod body;
mod conversation;
mod normal;
mod random;
mod recording;
mod script;
mod sending;

use std::path::Path;

use self::conversation::Server;
use self::script::Sequence;
use crate::harness::{CANARY, embedded, variable};

/// The areas with the least number of requests in each, so that none of them empties unseen.
const AREAS: [(&str, usize); 19] = [
    ("all_docs", 70),
    ("attachments", 100),
    ("bad_input", 100),
    ("builtin_reduces", 50),
    ("bulk", 60),
    ("changes", 100),
    ("conflicts", 60),
    ("copy_and_local", 40),
    ("databases", 70),
    ("documents", 90),
    ("filters_and_validation", 60),
    ("find", 70),
    ("lists_and_rewrites", 70),
    ("multipart", 40),
    ("random", 300),
    ("server", 50),
    ("shows_and_updates", 70),
    ("users", 60),
    ("views", 120),
];

/// The least number of requests in all.
const LEAST: usize = 1500;

/// The sequences of an area.
fn sequences(area: &str) -> Vec<Sequence> {
    if area == "random" {
        return random::sequences();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/differential/{area}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    script::parse(&text).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

fn embedded_endpoint() -> Server {
    Server::at(&format!("http://admin:{CANARY}@{}/", embedded::started().address))
}

/// Asks everything of an area and compares, or records.
#[track_caller]
fn ask(area: &str) {
    let url = variable("COUCHAPP_TEST_URL");
    let is_embedded = url.is_none();
    let server = url.map_or_else(embedded_endpoint, |url| Server::at(&url));
    let answers: Vec<_> = sequences(area).iter().map(|sequence| server.ask_all(area, sequence)).collect();
    if variable("COUCHAPP_RECORD").is_some_and(|value| value == "1") {
        assert!(!is_embedded, "only a real CouchDB is recorded");
        recording::write(area, &answers);
        return;
    }
    let differences = recording::compare(area, &answers);
    let differences = if is_embedded { allowed::without_allowed(area, differences) } else { differences };
    let count = differences.len();
    assert!(
        differences.is_empty(),
        "{count} differences in {area}\n{}",
        differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn the_suite_is_as_large_as_it_says() {
    let mut all = 0;
    for (area, least) in AREAS {
        let count: usize = sequences(area).iter().map(|sequence| sequence.steps.len()).sum();
        println!("{area}: {count}");
        assert!(count >= least, "{area} has {count} requests only");
        all += count;
    }
    println!("in all: {all}");
    assert!(all >= LEAST, "{all} requests only");
}

#[test]
fn every_script_is_an_area() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/differential");
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let Some(area) = name.strip_suffix(".txt") else { continue };
        assert!(AREAS.iter().any(|(known, _)| *known == area), "{area} is asked by no test");
        let lines = std::fs::read_to_string(entry.path()).unwrap().lines().count();
        assert!(lines < 400, "{name} has {lines} lines");
    }
}

#[test]
fn all_docs() {
    ask("all_docs");
}

#[test]
fn attachments() {
    ask("attachments");
}

#[test]
fn bad_input() {
    ask("bad_input");
}

#[test]
fn builtin_reduces() {
    ask("builtin_reduces");
}

#[test]
fn bulk() {
    ask("bulk");
}

#[test]
fn changes() {
    ask("changes");
}

#[test]
fn conflicts() {
    ask("conflicts");
}

#[test]
fn copy_and_local() {
    ask("copy_and_local");
}

#[test]
fn databases() {
    ask("databases");
}

#[test]
fn documents() {
    ask("documents");
}

#[test]
fn filters_and_validation() {
    ask("filters_and_validation");
}

#[test]
fn find() {
    ask("find");
}

#[test]
fn lists_and_rewrites() {
    ask("lists_and_rewrites");
}

#[test]
fn multipart() {
    ask("multipart");
}

#[test]
fn random() {
    ask("random");
}

#[test]
fn server() {
    ask("server");
}

#[test]
fn shows_and_updates() {
    ask("shows_and_updates");
}

#[test]
fn users() {
    ask("users");
}

#[test]
fn views() {
    ask("views");
}
