//! Surprises in the middle of a job of our own replicator: rows that are errors, answers that break off, databases and
//! filters that are made anew.
//!
//! With `COUCHAPP_TEST_URL` on that endpoint, else on the embedded one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use couchapp::address::{Address, Expect};
use couchapp::couch::{Network, Selection, Server};
use couchapp::replicator::{self, Event, Job, Options, Outcome, ReplicationError, Stop, Timing};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::contract::leaves::{graft, leaves};
use crate::fault_proxy::{Action, FaultProxy};
use crate::harness::{Database, Endpoint, runtime, until, variable};
use crate::wire::Answer;

fn endpoint() -> Endpoint {
    match variable("COUCHAPP_TEST_URL") {
        Some(_) => Endpoint::from_environment(),
        None => Endpoint::embedded(),
    }
}

/// Nothing takes longer than it has to.
fn quick(continuous: bool) -> Options {
    let short = Duration::from_millis(50);
    let pace = Timing { checkpoint: short, following: short, probe: short, first_wait: short, longest_wait: short };
    Options { continuous, pace, ..Options::default() }
}

fn connect(database: &Database<'_>, url: &str) -> couchapp::couch::Database {
    let (mut address, _) = Address::parse(url, Expect::Database).unwrap();
    let (with_password, credentials) = Address::parse(&database.url_with_password(), Expect::Database).unwrap();
    address.database = with_password.database;
    let server = Server::connect(&address, credentials, &Network::default()).unwrap();
    server.database(address.database.as_ref().unwrap())
}

/// A job under way.
struct Carrying {
    ending: JoinHandle<Result<Outcome, ReplicationError>>,
    events: Arc<Mutex<Vec<Event>>>,
    stop: Stop,
}

impl Carrying {
    fn begin(source: &Database<'_>, target: &Database<'_>, options: Options) -> Self {
        Self::run(connect(source, &source.url()), connect(target, &target.url()), options)
    }

    /// With a proxy before the source.
    fn through(proxy: &FaultProxy, source: &Database<'_>, target: &Database<'_>, options: Options) -> Self {
        Self::run(connect(source, &source.url_through(proxy)), connect(target, &target.url()), options)
    }

    /// With a proxy before the target.
    fn between(source: &Database<'_>, proxy: &FaultProxy, target: &Database<'_>, options: Options) -> Self {
        Self::run(connect(source, &source.url()), connect(target, &target.url_through(proxy)), options)
    }

    fn run(source: couchapp::couch::Database, target: couchapp::couch::Database, options: Options) -> Self {
        let job = Job { source, target, options, echo: None };
        let (events, stop) = (Arc::new(Mutex::new(Vec::new())), Stop::new());
        let (heard, stopped) = (Arc::clone(&events), stop.clone());
        let observer: replicator::Observer = Arc::new(move |event: &Event| heard.lock().unwrap().push(event.clone()));
        let ending = runtime().spawn(async move { replicator::run(&job, &observer, &stopped).await });
        Self { ending, events, stop }
    }

    fn heard(&self, suits: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| suits(event)).count()
    }

    fn until_recorded(&self) {
        until("a checkpoint", || self.heard(|event| matches!(event, Event::Checkpoint { .. })) > 0);
    }

    #[track_caller]
    fn end(self) -> Outcome {
        self.stop.cancel();
        self.wait()
    }

    #[track_caller]
    fn wait(self) -> Outcome {
        runtime().block_on(self.ending).unwrap().unwrap()
    }
}

/// The answer of a source that meets errors while it reads.
fn no_documents(ids: &[&str]) -> Answer {
    let row = |id: &&str| {
        let error = json!({ "id": id, "rev": "1-x", "error": "internal_server_error", "reason": "a shard is away" });
        json!({ "id": id, "docs": [{ "error": error }] })
    };
    Answer::json(200, &json!({ "results": ids.iter().map(row).collect::<Vec<_>>() }))
}

/// Answers the first so many requests for something otherwise.
fn instead(proxy: &FaultProxy, what: &'static str, times: usize, answer: Answer) {
    let mut count = 0;
    proxy.play(move |arrival| {
        count += usize::from(arrival.target.contains(what));
        if arrival.target.contains(what) && count <= times { Action::Replace(answer.clone()) } else { Action::Pass }
    });
}

/// Deletes a database and makes it again while nobody looks.
fn make_anew(proxy: &FaultProxy, target: &Database<'_>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let before = proxy.seen().len();
    proxy.play(move |_| Action::Hold(Arc::clone(&held)));
    // One that came before has passed, as an idle job asks one thing at a time.
    until("a request", || proxy.seen().len() > before);
    target.endpoint().delete(&target.target()).ok();
    target.make();
    gate.add_permits(100_000);
}

#[test]
fn what_a_source_does_not_give_is_asked_for_again() {
    let endpoint = endpoint();
    for continuous in [true, false] {
        let (source, target) = (endpoint.database(), endpoint.database());
        source.store("a", &json!({ "n": 1 }));
        let proxy = FaultProxy::counting(endpoint.origin());
        instead(&proxy, "_bulk_get", 2, no_documents(&["a"]));
        let carrying = Carrying::through(&proxy, &source, &target, quick(continuous));
        until("the document", || target.get("a").status == 200);
        let outcome = if continuous { carrying.end() } else { carrying.wait() };
        assert!(outcome.refused.is_empty() && outcome.counts.refused == 0, "{outcome:?}");
    }
}

#[test]
fn what_a_source_never_gives_is_told_and_tried_in_the_next_session() {
    let endpoint = endpoint();
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("a", &json!({ "n": 1 }));
    source.store("b", &json!({ "n": 1 }));
    let proxy = FaultProxy::counting(endpoint.origin());
    instead(&proxy, "_bulk_get", usize::MAX, no_documents(&["a", "b"]));
    let carrying = Carrying::through(&proxy, &source, &target, quick(true));
    until("both", || carrying.heard(|event| matches!(event, Event::Refused(_))) == 2);
    carrying.until_recorded();
    let outcome = carrying.end();
    assert_eq!(outcome.counts.refused, 2);
    let reason = &outcome.refused[0].reason;
    assert!(reason.ends_with("internal_server_error: a shard is away"), "{reason}");
    let outcome = Carrying::begin(&source, &target, quick(false)).wait();
    assert_eq!((outcome.counts.written, outcome.counts.refused), (2, 0));
    assert_eq!(leaves(&source), leaves(&target));
}

#[test]
fn a_feed_that_breaks_off_is_read_again() {
    let endpoint = endpoint();
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("a", &json!({ "n": 1 }));
    let proxy = FaultProxy::counting(endpoint.origin());
    let broken =
        "{\"results\":[\n{\"seq\":1,\"id\":\"z\",\"changes\":[{\"rev\":\"1-a\"}]}\n\n{\"error\":\"timeout\"}\n";
    instead(&proxy, "_changes", 6, Answer::new(200, "application/json", broken));
    let carrying = Carrying::through(&proxy, &source, &target, quick(true));
    until("the document", || target.get("a").status == 200);
    carrying.end();
}

#[test]
fn a_database_made_anew_is_filled_again() {
    let endpoint = endpoint();
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("a", &json!({ "n": 1 }));
    let proxy = FaultProxy::counting(endpoint.origin());
    let carrying = Carrying::between(&source, &proxy, &target, quick(true));
    until("the document", || target.get("a").status == 200);
    carrying.until_recorded();
    make_anew(&proxy, &target);
    source.store("b", &json!({ "n": 1 }));
    until("both documents", || leaves(&source) == leaves(&target));
    carrying.end();
}

#[test]
fn what_was_refused_is_tried_again_in_a_database_made_anew() {
    let endpoint = endpoint();
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("a", &json!({ "n": 1 }));
    let refuse = "function (doc) { if (doc._id === 'a') { throw { forbidden: 'no' }; } }";
    target.store("_design/never", &json!({ "validate_doc_update": refuse }));
    let proxy = FaultProxy::counting(endpoint.origin());
    let carrying = Carrying::between(&source, &proxy, &target, quick(true));
    until("the refusal", || carrying.heard(|event| matches!(event, Event::Refused(_))) == 1);
    source.store("b", &json!({ "n": 1 }));
    until("the other document", || target.get("b").status == 200);
    carrying.until_recorded();
    make_anew(&proxy, &target);
    until("what was refused", || target.get("a").status == 200);
    let outcome = carrying.end();
    assert_eq!((outcome.counts.refused, outcome.refused), (0, Vec::new()));
}

#[test]
fn another_filter_begins_anew() {
    let endpoint = endpoint();
    let (source, target) = (endpoint.database(), endpoint.database());
    let filter = |code: &str| json!({ "filters": { "x": format!("function (doc, req) {{ return {code}; }}") } });
    source.store("_design/f", &filter("doc.n === 1"));
    source.store("a", &json!({ "n": 1 }));
    source.store("b", &json!({ "n": 2 }));
    let selection = Selection::Filter { name: "f/x".to_owned(), query: Vec::new() };
    let carrying = Carrying::begin(&source, &target, Options { selection, ..quick(true) });
    until("what passes", || target.get("a").status == 200);
    carrying.until_recorded();
    assert_eq!(target.get("b").status, 404);
    let mut wider = filter("true");
    wider["_rev"] = Value::from(source.revision("_design/f"));
    source.put("_design/f", &wider).ok();
    until("what passes now", || target.get("b").status == 200);
    carrying.end();
}

#[test]
fn revisions_of_other_clients_are_carried() {
    let endpoint = endpoint();
    let (source, target) = (endpoint.database(), endpoint.database());
    let document = |id: &str, hash: &str| json!({ "_id": id, "_revisions": { "start": 1, "ids": [hash] }, "n": 1 });
    graft(&source, &json!([document("a", "a_b"), document("b", "a-b.c"), document("c", "967a00dff5e02add")]));
    let outcome = Carrying::begin(&source, &target, quick(false)).wait();
    assert_eq!((outcome.counts.written, outcome.counts.refused), (3, 0));
    assert_eq!(leaves(&source), leaves(&target));
}

#[test]
fn what_has_no_name_keeps_nothing_else_away() {
    let endpoint = endpoint();
    let (source, target) = (endpoint.database(), endpoint.database());
    let row = |seq: u64, id: &str, rev: &str| json!({ "seq": seq, "id": id, "changes": [{ "rev": rev }] });
    let real = source.store("a", &json!({ "n": 1 }));
    let feed = json!({ "results": [row(1, "odd", "1-é x"), row(2, "a", &real)], "last_seq": 2, "pending": 0 });
    let proxy = FaultProxy::counting(endpoint.origin());
    instead(&proxy, "_changes", usize::MAX, Answer::json(200, &feed));
    let outcome = Carrying::through(&proxy, &source, &target, quick(false)).wait();
    assert_eq!((outcome.counts.written, outcome.counts.refused), (1, 1));
    assert_eq!(outcome.refused[0].id, "odd");
}
