//! Jobs that are the same, and jobs that are not.

use serde_json::json;

use super::*;
use crate::address::{Address, Expect};
use crate::couch::{Info, Network, Server};
use crate::json::Object;
use crate::name::DocId;

fn database(url: &str) -> Database {
    let (address, credentials) = Address::parse(url, Expect::Database).unwrap();
    let server = Server::connect(&address, credentials, &Network::default()).unwrap();
    server.database(address.database.as_ref().unwrap())
}

fn info(start: &str) -> Info {
    Info { instance_start_time: Some(start.to_owned()), doc_count: 0, raw: Object::new() }
}

fn identity(source: &str, target: &str, options: Options, starts: [&str; 2], code: Option<&str>) -> String {
    let job = Job { source: database(source), target: database(target), options, echo: None };
    identity::of(&job, &info(starts[0]), &info(starts[1]), code)
}

#[test]
fn a_job_is_what_it_carries_from_where_to_where() {
    let (a, b, now) = ("http://h/a", "http://h/b", ["1", "2"]);
    let ids = |ids: &[&str]| Options {
        selection: Selection::Ids(ids.iter().map(|id| DocId::new(*id).unwrap()).collect()),
        ..Options::default()
    };
    let filter = |query: &str| Options {
        selection: Selection::Filter { name: "f/x".into(), query: vec![("k".into(), query.into())] },
        ..Options::default()
    };
    let plain = identity(a, b, Options::default(), now, None);
    assert_eq!(plain.len(), 32);
    for same in [
        identity("http://bob:canary@h/a", "http://h:80/b", Options::default(), now, None),
        identity(a, b, Options { continuous: true, create_target: true, ..Options::default() }, now, None),
    ] {
        assert_eq!(same, plain);
    }
    assert_eq!(identity(a, b, ids(&["x", "y"]), now, None), identity(a, b, ids(&["y", "x", "y"]), now, None));
    let all = [
        plain,
        identity(b, a, Options::default(), now, None),
        identity(a, b, Options::default(), ["3", "2"], None),
        identity(a, b, Options::default(), ["1", "3"], None),
        identity(a, b, Options { no_design: true, ..Options::default() }, now, None),
        identity(a, b, Options { winning_revisions_only: true, ..Options::default() }, now, None),
        identity(a, b, ids(&["x"]), now, None),
        identity(
            a,
            b,
            Options { selection: Selection::Selector(json!({"x": 1}).to_string()), ..Options::default() },
            now,
            None,
        ),
        identity(a, b, filter("1"), now, Some("function () {}")),
        identity(a, b, filter("2"), now, Some("function () {}")),
        identity(a, b, filter("1"), now, Some("function (doc) {}")),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(!all[index + 1..].contains(one), "{index}");
    }
}

#[test]
fn only_what_may_pass_is_waited_for() {
    let origin = || "http://h".to_owned();
    let passing = ReplicationError::target(CouchError::Unreachable { origin: origin(), why: "refused".into() });
    let lasting =
        ReplicationError::target(CouchError::Protocol { origin: origin(), why: "x".into(), request: String::new() });
    assert!(passing.is_passing() && !lasting.is_passing() && !ReplicationError::NoFilter("f/x".into()).is_passing());
}
