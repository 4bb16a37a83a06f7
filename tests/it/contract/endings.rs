//! The bad endings of `replicate`, whoever carries the documents: each names its cause, says what to do, and has its
//! exit code.

use serde_json::{Value, json};

use crate::fault_proxy::{Action, FaultProxy};
use crate::harness::{CANARY, Database, Endpoint, Kind, Project, Run};
use crate::wire::Answer;

fn replicate(project: &Project, via: &str, places: [&str; 2], flags: &[&str]) -> Run {
    project
        .couchapp(&[&["replicate", places[0], places[1], "--via", via, "--no-input", "--retries", "1"], flags].concat())
}

fn fill(database: &Database<'_>, count: usize) {
    let documents: Vec<Value> = (0..count).map(|n| json!({ "_id": format!("n{n:03}"), "n": n })).collect();
    database.post("_bulk_docs", &json!({ "docs": documents })).ok();
}

/// A user of the test, who is a member of a database and not its admin.
struct Member<'a>(&'a Endpoint, String);

impl<'a> Member<'a> {
    fn of(database: &'a Database<'_>) -> Self {
        let (endpoint, name) = (database.endpoint(), database.name().to_owned());
        let account = json!({ "name": name, "password": CANARY, "roles": [], "type": "user" });
        endpoint.put(&format!("/_users/org.couchdb.user%3A{name}"), &account).ok();
        let members = json!({ "admins": { "roles": ["_admin"] }, "members": { "names": [name], "roles": ["_admin"] } });
        database.put("_security", &members).ok();
        Self(endpoint, name)
    }

    fn url(&self, database: &Database<'_>, password: &str) -> String {
        database.url().replacen("://", &format!("://{}:{password}@", self.1), 1)
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let target = format!("/_users/org.couchdb.user%3A{}", self.1);
            let document = self.0.get(&target).json();
            self.0.delete(&format!("{target}?rev={}", document["_rev"].as_str().unwrap()));
        }
    }
}

pub(crate) fn what_cannot_be_replicated_says_why(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let (source, target, missing) = (endpoint.database(), endpoint.database(), endpoint.unmade_database());
    fill(&source, 3);
    let (from, to, nowhere) = (source.url(), target.url(), missing.url());
    for via in ["client", "server"] {
        for continuous in [&[][..], &["--continuous"]] {
            replicate(&project, via, [&nowhere, &to], continuous).expect(6).says(missing.name());
            let run = replicate(&project, via, [&from, &nowhere], continuous).expect(6);
            run.says(missing.name()).says("--create-target");
            let run = replicate(&project, via, [&from, "http://127.0.0.1:1/x"], continuous).expect(7);
            run.says("cannot reach `http://127.0.0.1:1`");
            replicate(&project, via, [&from, &to], &[&["--filter", "no/filter"], continuous].concat())
                .expect(6)
                .says("no/filter")
                .says("`filters` of the design document");
        }
        assert!(!missing.exists());
        if endpoint.kind() == Kind::CouchDb {
            // A user that nobody has: accounts are locked after wrong passwords.
            let wrong = to.replacen("://", &format!("://{}:{CANARY}-wrong@", missing.name()), 1);
            for places in [[from.as_str(), &wrong], [&wrong, &from]] {
                let run = replicate(&project, via, places, &[]).expect(4);
                run.says("does not accept these credentials").says("hint:");
            }
        }
    }
}

pub(crate) fn who_may_not_write_is_told_what_was_refused(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let source = endpoint.database();
    fill(&source, 3);
    source.store("_design/app", &json!({ "language": "javascript" }));
    for via in ["client", "server"] {
        let target = endpoint.database();
        let to = match endpoint.kind() {
            Kind::CouchDb => {
                // Members write documents; design documents are for admins.
                let member = Member::of(&target);
                let run = replicate(&project, via, [&source.url(), &member.url(&target, CANARY)], &[]).expect(8);
                run.says("_design/app").says("1 document could not be written").says("hint:");
                assert_eq!(target.get("n002").status, 200);
                assert_eq!(target.get("_design/app").status, 404);
                // Somebody else is no member at all.
                let stranger = endpoint.database();
                stranger.put("_security", &json!({ "members": { "roles": ["nobody"] } })).ok();
                let run = replicate(&project, via, [&source.url(), &member.url(&stranger, CANARY)], &[]).expect(4);
                run.says("not allowed to read");
                continue;
            }
            _ => target.url(),
        };
        // Without accounts it is the database's own rule that refuses.
        let code = "function (doc) { if (doc._id == 'n001') throw({ unauthorized: 'not you' }); }";
        target.store("_design/judge", &json!({ "validate_doc_update": code }));
        replicate(&project, via, [&source.url(), &to], &[]).expect(8).says("n001").says("not you");
    }
}

pub(crate) fn a_source_that_cannot_be_written_is_read(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    let proxy = FaultProxy::start(endpoint.origin(), |arrival| {
        let is_checkpoint = arrival.method == "PUT" && arrival.target.contains("/_local/");
        let refusal = Answer::json(403, &json!({ "error": "forbidden", "reason": "nothing is written here" }));
        if is_checkpoint { Action::Replace(refusal) } else { Action::Pass }
    });
    let places = [source.url_through(&proxy), target.url()];
    let places = [places[0].as_str(), places[1].as_str()];
    replicate(&project, "client", places, &[]).ok().says("Replicated 3 documents");
    // The checkpoint of the target alone counts then.
    replicate(&project, "client", places, &["-v"]).ok().says("from the last checkpoint").says("Up to date");
}

pub(crate) fn a_group_that_is_too_large_is_halved(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 200);
    let proxy = FaultProxy::counting(endpoint.origin());
    let mut refused = 0;
    proxy.play(move |arrival| {
        if arrival.method == "POST" && arrival.target.ends_with("/_bulk_docs") && refused < 3 {
            refused += 1;
            return Action::Replace(Answer::json(
                413,
                &json!({ "error": "too_large", "reason": "the request entity is too large" }),
            ));
        }
        Action::Pass
    });
    replicate(&project, "client", [&source.url(), &target.url_through(&proxy)], &[])
        .ok()
        .says("Replicated 200 documents");
    let groups: Vec<usize> =
        proxy.seen().iter().filter(|seen| seen.target.ends_with("/_bulk_docs")).map(|seen| seen.body_length).collect();
    assert!(groups.len() > 4, "{groups:?}");
    assert!(groups[1] < groups[0], "{groups:?}");
    assert_eq!(target.get("n199").status, 200);
}
