//! Databases that are carried to others by our own replicator.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::album::noise;
use super::leaves::{fill, graft, leaves, same};
use crate::fault_proxy::{Action, FaultProxy};
use crate::harness::{CANARY, Database, Endpoint, Kind, Project, Run, cases};

pub(super) fn replicate(project: &Project, places: &[&str], flags: &[&str]) -> Run {
    project.couchapp(&[&["replicate"], places, flags].concat())
}

pub(crate) fn everything_is_carried_as_it_is(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source);
    let run = replicate(&project, &[&source.url(), &target.url()], &[]).ok();
    assert!(run.stderr.contains("compared both ends"), "{run}");
    same(&source, &target);
    replicate(&project, &[&source.url(), &target.url()], &[]).ok().says("Up to date");
    // Changes of documents that are there, attachments of which the target has.
    let mut large = source.document("large");
    large["x"] = json!(2);
    source.store("large", &large);
    let mut attached = source.document("attached");
    attached["_attachments"]["new"] = json!({ "content_type": "image/png", "data": "YWJj" });
    source.store("attached", &attached);
    graft(
        &source,
        &json!([{ "_id": "branched", "x": 5, "_rev": "3-f", "_revisions": { "start": 3, "ids": ["f", "b", "a"] } }]),
    );
    replicate(&project, &[&source.url(), &target.url()], &[]).ok().says("Replicated 3 documents");
    same(&source, &target);
}

pub(crate) fn what_the_target_has_is_not_sent_again(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let through = target.url_through(&proxy);
    let content = json!({ "content_type": "image/jpeg", "data": STANDARD.encode(noise(900_000, 3)) });
    source.store("large", &json!({ "_attachments": { "large.jpg": content } }));
    replicate(&project, &[&source.url(), &through], &[]).ok();
    let mut large = source.document("large");
    large["x"] = json!(2);
    source.store("large", &large);
    proxy.forget();
    replicate(&project, &[&source.url(), &through], &[]).ok();
    let sent: usize = proxy.seen().iter().map(|seen| seen.body_length).sum();
    assert!(sent < 20_000, "{sent} bytes were sent");
    same(&source, &target);
}

pub(crate) fn a_part_is_replicated(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let source = endpoint.database();
    fill(&source);
    let documents: Vec<Value> = (0..20).map(|n| json!({ "_id": format!("n{n:02}"), "n": n })).collect();
    source.post("_bulk_docs", &json!({ "docs": documents })).ok();
    let numbered = |wanted: &dyn Fn(u64) -> bool| {
        (0..20).filter(|n| wanted(*n)).map(|n| format!("n{n:02}")).collect::<BTreeSet<String>>()
    };
    let ids = |text: &[&str]| text.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<String>>();
    let all: BTreeSet<String> = leaves(&source).into_keys().collect();
    let mut rows = vec![
        (vec!["--doc-ids", "a/b", "--doc-ids", "branched", "--doc-ids", "nowhere"], ids(&["a/b", "branched"])),
        (vec!["--no-design"], all.iter().filter(|id| !id.starts_with('_')).cloned().collect()),
    ];
    if endpoint.kind() == Kind::CouchDb {
        rows.push((vec!["--selector", r#"{"n":{"$gte":15}}"#], numbered(&|n| n >= 15)));
        rows.push((vec!["--filter", "app/even"], numbered(&|n| n % 2 == 0)));
        rows.push((vec!["--filter", "app/even", "--query", "odd=1"], numbered(&|n| n % 2 == 1)));
    }
    for (flags, expected) in rows {
        let target = endpoint.database();
        let run = replicate(&project, &[&source.url(), &target.url()], &flags).ok();
        assert_eq!(run.stderr.contains("has no document `nowhere`"), flags.contains(&"nowhere"), "{run}");
        assert!(!run.stderr.contains("has no document `a/b`"), "{run}");
        let found: BTreeSet<String> = leaves(&target).into_keys().collect();
        assert_eq!(found, expected, "{flags:?}");
    }
    let target = endpoint.database();
    let run = replicate(&project, &[&source.url(), &target.url()], &["--doc-ids", "a/b,gone", "--json"]).ok();
    let warning = run.lines_of_json().into_iter().find(|line| line["type"] == "warning").unwrap();
    assert_eq!(warning["code"], "unknown_document");
    assert!(warning["message"].as_str().unwrap().ends_with("`a/b,gone`; one id for each `--doc-ids`"), "{warning}");
    let run = replicate(&project, &[&source.url(), &target.url()], &["--both", "--doc-ids", "gone", "--doc-ids", "x"]);
    assert_eq!(run.stderr.matches("warning: no source has a document `x`").count(), 1, "{run}");
    assert!(!run.stderr.contains("`gone`"), "{run}");
    replicate(&project, &[&source.url(), &target.url()], &["--winning-revs-only"]).ok();
    let found = leaves(&target);
    assert!(found.values().all(|revisions| revisions.len() == 1), "{found:?}");
    assert_eq!(found.len(), all.len());
    let wrong = replicate(&project, &[&source.url(), &target.url()], &["--filter", "app/nothing"]);
    wrong.expect(6).says("app/nothing");
}

pub(crate) fn refused_documents_are_told(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    let documents: Vec<Value> = (0..10).map(|n| json!({ "_id": format!("n{n}"), "bad": n == 3 || n == 7 })).collect();
    source.post("_bulk_docs", &json!({ "docs": documents })).ok();
    let code = "function (doc) { if (doc.bad) throw({ forbidden: 'it is bad' }); }";
    target.store("_design/judge", &json!({ "validate_doc_update": code }));
    for _ in 0..2 {
        // A second run does not take what is lacking for done.
        let run = replicate(&project, &[&source.url(), &target.url()], &[]).expect(8);
        for text in ["n3", "n7", "it is bad", "2 documents could not be written"] {
            assert!(run.stderr.contains(text), "{text}\n{run}");
        }
    }
    assert_eq!(leaves(&target).len(), 9);
    let run = replicate(&project, &[&source.url(), &target.url()], &["--json"]).expect(8);
    let refused: Vec<Value> = run.lines_of_json().into_iter().filter(|line| line["type"] == "refused").collect();
    assert_eq!(refused.len(), 2, "{run}");
    assert!(refused[0]["reason"].as_str().unwrap().contains("it is bad"));
    let revision = target.revision("_design/judge");
    endpoint.delete(&target.beneath(&format!("_design/judge?rev={revision}"))).ok();
    replicate(&project, &[&source.url(), &target.url()], &[]).ok().says("Replicated 2 documents");
}

/// A ring takes its first routes again at the end.
pub(crate) fn what_is_refused_twice_in_a_ring_is_counted_once(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let places = [endpoint.database(), endpoint.database(), endpoint.database()];
    places[0].store("bad", &json!({}));
    let code = "function (doc) { if (doc._id == 'bad') throw({ forbidden: 'it is bad' }); }";
    places[1].store("_design/judge", &json!({ "validate_doc_update": code }));
    let urls = places.each_ref().map(Database::url);
    let urls = urls.each_ref().map(String::as_str);
    for via in ["client", "server"] {
        let run =
            replicate(&project, &urls, &["--ring", "--via", via]).expect(8).says("1 document could not be written");
        assert_eq!(run.stderr.matches(": bad (1-").count(), 1, "{run}");
    }
}

pub(crate) fn nothing_is_lost_without_a_word(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    source.store("_design/judge", &json!({ "validate_doc_update": "function (doc) { }" }));
    source.store("changed", &json!({ "x": 1 }));
    replicate(&project, &[&source.url(), &target.url()], &[]).ok();
    source.store("changed", &json!({ "x": 2, "_rev": source.revision("changed") }));
    for _ in 0..2 {
        let run = replicate(&project, &[&source.url(), &target.url()], &[]);
        if endpoint.kind() == Kind::PouchDb {
            // It answers that all is well, and keeps no change where there is a validation: pouchdb-validation gives it
            // the history of the revision that is there. The comparison at the end finds out.
            run.expect(8).says("refused: changed (the target does not have it, though nothing was refused");
        } else {
            run.ok();
            same(&source, &target);
        }
    }
}

pub(crate) fn a_replication_that_cannot_be_has_its_code(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.unmade_database());
    source.store("a", &json!({ "x": 1 }));
    let (from, to) = (source.url(), target.url());
    replicate(&project, &[&from, &to], &[]).expect(6).says("--create-target");
    replicate(&project, &[&to, &from], &[]).expect(6);
    replicate(&project, &[&to, &from], &["--create-target"]).expect(6);
    assert!(!target.exists());
    for via in ["client", "server"] {
        let run = replicate(&project, &[&from, &to], &["--create-target", "-n", "--via", via]).ok();
        run.says(&format!("Would create the database {to}"))
            .says(&format!("{from} has 1 document"))
            .says("Nothing was");
        let wrong = replicate(&project, &[&from, &to], &["--create-target", "--filter", "app/nothing", "--via", via]);
        wrong.expect(6).says("app/nothing");
    }
    assert!(!target.exists());
    replicate(&project, &[&from, &to], &["--create-target"]).ok();
    same(&source, &target);
    replicate(&project, &[&from, "http://127.0.0.1:1/x"], &["--retries", "0"]).expect(7);
    if endpoint.kind() == Kind::CouchDb {
        // A user that nobody has: accounts are locked after wrong passwords.
        let wrong = to.replacen("://", &format!("://{}:{CANARY}-wrong@", target.name()), 1);
        replicate(&project, &[&from, &wrong], &["--no-input"]).expect(4);
        replicate(&project, &[&wrong, &from], &["--no-input"]).expect(4);
    }
}

pub(crate) fn a_killed_replication_goes_on(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let through = target.url_through(&proxy);
    fill(&source);
    let mut killed = 0;
    for round in 0..cases(6) {
        let moment = noise(4, round + 500);
        let documents: Vec<Value> = (0..40)
            .map(|n| {
                let data = STANDARD.encode(noise(usize::from(moment[3]) * 8 + n, round));
                let content = json!({ "x": { "content_type": "image/jpeg", "data": data } });
                json!({ "_id": format!("r{round}-{n}"), "n": n, "_attachments": content })
            })
            .collect();
        source.post("_bulk_docs", &json!({ "docs": documents })).ok();
        let letter = char::from(b'a' + u8::try_from(round % 6).unwrap());
        graft(
            &source,
            &json!([{ "_id": "branched", "r": round, "_rev": format!("3-{letter}{round}"),
            "_revisions": { "start": 3, "ids": [format!("{letter}{round}"), "b", "a"] } }]),
        );
        let requests = 1 + usize::from(moment[0]) % 14;
        let length = (usize::from(moment[1]) << 8 | usize::from(moment[2])) % 60_000;
        proxy.forget();
        proxy.play(move |arrival| if arrival.number >= requests { Action::StallRequest(length) } else { Action::Pass });
        let mut child = project.start("", &["replicate", &source.url(), &through]);
        let mut ended = false;
        while proxy.seen().len() < requests && !ended {
            ended = child.try_wait().unwrap().is_some();
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        project.check_secrets();
        killed += u32::from(!ended);
        if round % 3 == 2 {
            proxy.play(|_| Action::Pass);
            replicate(&project, &[&source.url(), &through], &[]).ok();
            assert_eq!(leaves(&source), leaves(&target), "round {round}");
        }
    }
    proxy.play(|_| Action::Pass);
    replicate(&project, &[&source.url(), &through], &[]).ok();
    same(&source, &target);
    assert!(killed > 0, "every run had ended before its moment");
}

pub(crate) fn shapes_carry_everything_everywhere(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    for shape in ["--chain", "--star", "--ring"] {
        let places = [endpoint.database(), endpoint.database(), endpoint.database()];
        for (number, place) in places.iter().enumerate() {
            place.store(&format!("of{number}"), &json!({ "n": number }));
            graft(
                place,
                &json!([{ "_id": "shared", "n": number, "_rev": format!("1-{number}"), "_revisions": { "start": 1, "ids": [number.to_string()] } }]),
            );
        }
        let urls: Vec<String> = places.iter().map(Database::url).collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        replicate(&project, &urls, &[shape, "--both"]).ok();
        assert_eq!(leaves(&places[0]).len(), 4, "{shape}");
        same(&places[0], &places[1]);
        same(&places[0], &places[2]);
    }
}
