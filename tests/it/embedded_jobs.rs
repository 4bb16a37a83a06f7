//! Replications that the embedded endpoint carries out by itself, asked by plain requests.

use couchapp::secret::Secret;
use couchapp::serve::users::Administrator;
use couchapp::serve::{Options, Running};
use serde_json::{Value, json};

use crate::harness::{CANARY, Database, Endpoint, runtime, until};

/// An end of a replication, with what gets in.
fn end(database: &Database<'_>) -> Value {
    match database.endpoint().credentials() {
        None => json!(database.url()),
        Some((user, password)) => {
            json!({ "url": database.url(), "auth": { "basic": { "username": user, "password": password } } })
        }
    }
}

/// Asks for a replication by a document; gives its path.
fn ask(source: &Database<'_>, target: &Database<'_>, more: &Value) -> String {
    let path = format!("/_replicator/{}-{}", source.name(), target.name());
    let mut job = json!({ "source": end(source), "target": end(target) });
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    source.endpoint().put(&path, &job).expect(201);
    path
}

fn remove(endpoint: &Endpoint, path: &str) {
    let document = endpoint.get(path).expect(200).json();
    endpoint.delete(&format!("{path}?rev={}", document["_rev"].as_str().unwrap())).ok();
}

fn told(endpoint: &Endpoint, path: &str) -> Value {
    endpoint.get(&format!("/_scheduler/docs{path}")).json()
}

fn start(folder: &std::path::Path, administrators: Vec<Administrator>) -> Running {
    runtime().block_on(couchapp::serve::start(Options { administrators, ..Options::new(folder) })).unwrap()
}

#[test]
fn a_daisy_chain_carries_everything_both_ways() {
    let endpoint = Endpoint::embedded();
    let chain = [endpoint.database(), endpoint.database(), endpoint.database()];
    let continuous = json!({ "continuous": true });
    let pairs = [(0, 1), (1, 0), (1, 2), (2, 1)];
    let jobs = pairs.map(|(from, to)| ask(&chain[from], &chain[to], &continuous));
    let (first, last) = (&chain[0], &chain[2]);
    let photo = json!({ "_attachments": { "a.png": { "content_type": "image/png", "data": "YWJj" } } });
    first.store("photo", &photo);
    let gone = last.store("gone", &json!({ "x": 1 }));
    let graft = json!({ "new_edits": false, "docs": [
        { "_id": "branched", "x": 1, "_rev": "1-a", "_revisions": { "start": 1, "ids": ["a"] } },
        { "_id": "branched", "x": 2, "_rev": "1-b", "_revisions": { "start": 1, "ids": ["b"] } },
    ]});
    last.post("_bulk_docs", &graft).ok();
    until("the document at the other end", || first.get("gone").status == 200);
    last.endpoint().delete(&last.beneath(&format!("gone?rev={gone}"))).ok();
    for database in &chain {
        until("the tombstone", || database.get("gone").json()["reason"] == "deleted");
        until("the attachment", || database.get("photo").status == 200);
        assert_eq!(database.attachment("photo", "a.png"), b"abc");
        until("the conflict", || database.get("branched?conflicts=true").json()["_conflicts"] == json!(["1-a"]));
    }
    for path in &jobs {
        until("running", || told(&endpoint, path)["state"] == "running");
    }
    let listed = String::from_utf8(endpoint.get("/_active_tasks").body).unwrap();
    assert!(listed.contains(&format!("/{}/", first.name())) && !listed.contains(CANARY), "{listed}");
    jobs.iter().for_each(|path| remove(&endpoint, path));
    until("no job", || !String::from_utf8_lossy(&endpoint.get("/_scheduler/jobs").body).contains(first.name()));
}

#[test]
fn a_document_is_told_how_it_ended() {
    let endpoint = Endpoint::embedded();
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("x", &json!({}));
    let path = ask(&source, &target, &json!({}));
    until("completed", || endpoint.get(&path).json()["_replication_state"] == "completed");
    let document = endpoint.get(&path).json();
    assert_eq!(document["_replication_stats"]["docs_written"], 1);
    let row = told(&endpoint, &path);
    assert_eq!((&row["state"], &row["info"]["docs_written"]), (&json!("completed"), &json!(1)));
    assert!(!row.to_string().contains(CANARY), "{row}");
    remove(&endpoint, &path);
    // What cannot be now is tried again, and told; a changed document is another replication.
    let nowhere = endpoint.unmade_database();
    let path = ask(&nowhere, &target, &json!({ "continuous": true }));
    until("crashing", || told(&endpoint, &path)["error_count"].as_u64() >= Some(2));
    let row = told(&endpoint, &path);
    assert_eq!(row["info"]["error"], format!("db_not_found: could not open {}/", nowhere.url()));
    let mut document = endpoint.get(&path).json();
    document["source"] = end(&source);
    endpoint.put(&path, &document).expect(201);
    until("running", || told(&endpoint, &path)["state"] == "running");
    // The same twice is refused.
    let double = format!("{path}-double");
    let job = json!({ "source": end(&source), "target": end(&target), "continuous": true });
    endpoint.put(&double, &job).expect(201);
    until("failed", || told(&endpoint, &double)["state"] == "failed");
    let reason = endpoint.get(&double).json()["_replication_state_reason"].to_string();
    assert!(reason.contains("already started, triggered by document"), "{reason}");
    [path, double].iter().for_each(|path| remove(&endpoint, path));
    let local = json!({ "source": source.name(), "target": target.name() });
    endpoint.put("/_replicator/local", &local).expect(403);
}

#[test]
fn what_is_asked_for_without_a_document_can_be_cancelled() {
    let endpoint = Endpoint::embedded();
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("x", &json!({}));
    let mut body = json!({ "source": source.name(), "target": target.name() });
    let done = endpoint.post("/_replicate", &body).expect(200).json();
    assert_eq!((&done["ok"], &done["history"][0]["docs_written"]), (&json!(true), &json!(1)));
    assert_eq!(endpoint.post("/_replicate", &body).expect(200).json()["no_changes"], true);
    body["continuous"] = true.into();
    let id = endpoint.post("/_replicate", &body).expect(202).json()["_local_id"].clone();
    source.store("y", &json!({}));
    until("the document", || target.get("y").status == 200);
    let mut cancelled = body.clone();
    cancelled["cancel"] = true.into();
    assert_eq!(endpoint.post("/_replicate", &cancelled).expect(200).json()["_local_id"], id);
    endpoint.post("/_replicate", &cancelled).expect(404);
    let id = endpoint.post("/_replicate", &body).expect(202).json()["_local_id"].clone();
    endpoint.get(&format!("/_scheduler/jobs/{}", id.as_str().unwrap())).expect(200);
    endpoint.post("/_replicate", &json!({ "replication_id": id, "cancel": true })).expect(200);
    let nowhere = endpoint.unmade_database();
    let mut missing = json!({ "source": source.name(), "target": nowhere.name() });
    assert_eq!(endpoint.post("/_replicate", &missing).expect(500).json()["error"], "db_not_found");
    missing["create_target"] = true.into();
    missing["selector"] = json!({ "_id": "y" });
    endpoint.post("/_replicate", &missing).expect(200);
    assert_eq!((nowhere.get("x").status, nowhere.get("y").status), (404, 200));
    endpoint.delete(&nowhere.target()).ok();
}

#[test]
fn nobody_else_has_replications() {
    let endpoint = Endpoint::embedded();
    let stranger = Endpoint::at(endpoint.origin(), None);
    let job = json!({ "source": "http://127.0.0.1:1/a", "target": "http://127.0.0.1:1/b" });
    stranger.post("/_replicate", &job).expect(401);
    stranger.put("/_replicator/x", &job).expect(401);
    for path in ["/_replicator/_all_docs", "/_scheduler/jobs", "/_scheduler/docs", "/_active_tasks"] {
        stranger.get(path).expect(401);
    }
    // A user reads and writes by local names what they may, and no more.
    let (source, target) = (endpoint.database(), endpoint.database());
    let (name, user) = (source.name(), format!("/_users/org.couchdb.user%3A{}", source.name()));
    endpoint.put(&user, &json!({ "name": name, "password": "x", "roles": [], "type": "user" })).ok();
    let writer = Endpoint::at(endpoint.origin(), Some((name, "x")));
    let body = json!({ "source": source.name(), "target": target.name() });
    let refused = writer.post("/_replicate", &body).json();
    assert!(["unauthorized", "forbidden"].contains(&refused["error"].as_str().unwrap()), "{refused}");
    for database in [&source, &target] {
        database.put("_security", &json!({ "members": { "names": [name] } })).ok();
    }
    writer.post("/_replicate", &body).expect(200);
    remove(&endpoint, &user);
}

#[test]
fn continuous_documents_go_on_after_a_restart() {
    let (folder, remote) = (tempfile::tempdir().unwrap(), Endpoint::embedded());
    let (source, target) = (remote.database(), remote.database());
    let administrator = Administrator { name: "admin".to_owned(), password: Secret::new(CANARY) };
    let running = start(folder.path(), vec![administrator.clone()]);
    let endpoint = Endpoint::at(&format!("http://{}", running.address), Some(("admin", CANARY)));
    let job = json!({ "source": end(&source), "target": end(&target), "continuous": true });
    endpoint.put("/_replicator/on", &job).expect(201);
    source.store("before", &json!({}));
    until("the document", || target.get("before").status == 200);
    // One that hangs does not keep the endpoint from ending.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}/x", deaf.local_addr().unwrap());
    let hanging = json!({ "source": nowhere, "target": end(&target), "continuous": true });
    endpoint.put("/_replicator/hangs", &hanging).expect(201);
    until("both", || endpoint.get("/_scheduler/jobs").json()["total_rows"] == 2);
    runtime().block_on(running.stop());
    drop(deaf);
    source.store("meanwhile", &json!({}));
    let running = start(folder.path(), vec![administrator]);
    until("what came meanwhile", || target.get("meanwhile").status == 200);
    let endpoint = Endpoint::at(&format!("http://{}", running.address), Some(("admin", CANARY)));
    assert_eq!(endpoint.get("/_scheduler/docs/_replicator/on").json()["state"], "running");
    remove(&endpoint, "/_replicator/on");
    source.store("after", &json!({}));
    until("no job", || endpoint.get("/_scheduler/jobs").json()["total_rows"] == 1);
    assert_eq!(target.get("after").status, 404);
    // With its database they all end.
    endpoint.delete("/_replicator").ok();
    until("no job", || endpoint.get("/_scheduler/jobs").json()["total_rows"] == 0);
    runtime().block_on(running.stop());
}
