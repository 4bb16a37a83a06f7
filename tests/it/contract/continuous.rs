//! Replications that go on until they are ended.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::album::noise;
use super::leaves::{leaves, same};
use super::replicating::replicate;
use crate::harness::{Database, Endpoint, Project, Running, encoded, until};

fn follow(project: &Project, places: &[&str], flags: &[&str]) -> Running {
    Running::start(project, &[&["replicate"], places, &["--continuous"], flags].concat(), "")
}

#[cfg(unix)]
pub(crate) fn edits_at_both_ends_meet(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let places = [endpoint.database(), endpoint.database(), endpoint.database()];
    places[0].store("a", &json!({ "x": 1 }));
    let urls: Vec<String> = places.iter().map(Database::url).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let following = follow(&project, &urls, &["--chain", "--both"]);
    until("the first document", || places[2].get("a").status == 200);
    for round in 0..5 {
        for (number, place) in places.iter().enumerate() {
            place.store(&format!("d{round}-{number}"), &json!({ "n": round }));
        }
    }
    let picture = json!({ "content_type": "image/jpeg", "data": STANDARD.encode(noise(700_000, 9)) });
    places[2].store("photo", &json!({ "_attachments": { "p.jpg": picture } }));
    let revision = places[1].revision("a");
    endpoint.delete(&places[1].beneath(&format!("a?rev={revision}"))).ok();
    until("everything is everywhere", || {
        let first = leaves(&places[0]);
        first.len() == 17 && places[1..].iter().all(|place| leaves(place) == first) && places[0].get("a").status == 404
    });
    // Each of the 18 writes has come to each place once, and no more.
    for place in &places {
        let facts = endpoint.get(&place.target()).json();
        let sequence = facts["update_seq"].as_str().map_or(facts["update_seq"].to_string(), str::to_owned);
        let count: u64 = sequence.split('-').next().unwrap().parse().unwrap();
        assert!(count <= 18, "{count} writes");
    }
    following.end(&project, "INT").expect(130).says("Stopped");
    // The checkpoint was written: nothing is checked again.
    let run = replicate(&project, &urls[..2], &["-v"]).ok();
    assert!(run.stderr.contains("from the last checkpoint"), "{run}");
    same(&places[0], &places[2]);
}

/// What one direction has carried, the other one does not ask for.
#[cfg(unix)]
pub(crate) fn an_edit_is_asked_for_once(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let places = [endpoint.database(), endpoint.database(), endpoint.database()];
    places[0].store("first", &json!({ "x": 1 }));
    let urls: Vec<String> = places.iter().map(Database::url).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let following = follow(&project, &urls, &["--tree", "--both", "--json"]);
    until("the first document", || places[1..].iter().all(|place| place.get("first").status == 200));
    let edits: u64 = 10;
    for number in 0..edits {
        let id = format!("d{number}");
        places[2].store(&id, &json!({ "n": number }));
        until("an edit", || places[..2].iter().all(|place| place.get(&id).status == 200));
    }
    let run = following.end(&project, "INT").expect(130);
    let traffic = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let traffic = traffic.rev().find(|event| event["type"] == "traffic").unwrap();
    let requests = |kind: &str| traffic["requests"][kind].as_u64().unwrap();
    // One for each edit and edge, and some for what was there before; without what the directions know of each other it
    // would be two.
    assert!((2 * edits..3 * edits).contains(&requests("compares")), "{traffic}");
    assert!(requests("writes") >= 2 * edits && requests("waits") >= 4 * edits, "{traffic}");
    assert!(traffic["sent"].as_u64() > Some(1000) && traffic["received"].as_u64() > Some(1000), "{traffic}");
    same(&places[0], &places[1]);
    same(&places[0], &places[2]);
}

pub(crate) fn a_target_that_goes_ends_the_job(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    source.store("a", &json!({ "x": 1 }));
    let following = follow(&project, &[&source.url(), &target.url()], &[]);
    until("the first document", || target.get("a").status == 200);
    endpoint.delete(&target.target()).ok();
    source.store("b", &json!({ "x": 1 }));
    following.ended(&project).expect(6).says(target.name());
}

pub(crate) fn a_source_that_changes_meanwhile_is_carried(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    let documents: Vec<Value> = (0..1200).map(|n| json!({ "_id": format!("d{n}"), "n": n })).collect();
    source.post("_bulk_docs", &json!({ "docs": documents })).ok();
    let mut child = project.start("", &["replicate", &source.url(), &target.url()]);
    let mut round = 0;
    while child.try_wait().unwrap().is_none() {
        source.store(&format!("e{round}"), &json!({ "n": round }));
        let id = format!("d{}", round * 37 % 1200);
        let mut document = source.document(&encoded(&id));
        document["round"] = json!(round);
        source.store(&id, &document);
        round += 1;
    }
    project.ended(&child.wait_with_output().unwrap()).ok();
    replicate(&project, &[&source.url(), &target.url()], &[]).ok();
    assert_eq!(leaves(&source), leaves(&target));
}
