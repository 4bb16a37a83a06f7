//! What a server refuses to replicate, to whom, and what it tells of it.

use serde_json::{Value, json};

use super::leaves::leaves;
use super::replications::{body, has_scheduler, jobs_of, replicate, replicate_as};
use crate::harness::{Endpoint, until};

pub(crate) fn what_is_no_replication_is_refused(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let (url, name) = ("http://127.0.0.1:9/x", endpoint.unmade_database().name().to_owned());
    let both = |more: Value| {
        let mut body = json!({ "source": url, "target": url });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let rows = [
        (json!({}), 500, Some("Missing replicator database")),
        (json!({ "source": url }), 500, Some("Missing replicator database")),
        (both(json!({ "continuous": "x" })), 400, Some("parameter `continuous` must be a boolean")),
        (both(json!({ "create_target": 1 })), 400, Some("parameter `create_target` must be a boolean")),
        (both(json!({ "winning_revs_only": 1 })), 400, Some("parameter `winning_revs_only` must be a boolean")),
        (both(json!({ "selector": 5 })), 400, Some("parameter `selector` must be a JSON object")),
        (both(json!({ "doc_ids": 5 })), 400, Some("parameter `doc_ids` must be an array")),
        (both(json!({ "query_params": 5 })), 400, Some("parameter `query_params` must be an object")),
        (
            both(json!({ "selector": {}, "doc_ids": ["x"] })),
            400,
            Some("`doc_ids`,`filter`,`selector` are mutually exclusive"),
        ),
        (both(json!({ "cancel": true, "continuous": true })), 404, Some("missing")),
    ];
    for (body, status, reason) in rows {
        let answer = replicate(endpoint, &body).expect(status).json();
        assert_eq!(answer["reason"].as_str(), reason, "{body}");
        let is_document = body.get("cancel").is_none();
        if let Some(reason) = reason.filter(|_| is_document) {
            // CouchDB has more around it.
            let answer = endpoint.put(&format!("/_replicator/{name}"), &body).expect(403).json();
            let told = answer["reason"].as_str().unwrap();
            assert!(answer["error"] == "forbidden" && told.contains(reason), "{body}: {answer}");
        }
    }
    replicate(endpoint, &json!([])).expect(400);
    endpoint.send("POST", "/_replicate", &[], b"{}".to_vec()).expect(415);
    for (source, reason) in [("x", "local_endpoints_not_supported"), ("http://", "endpoint has an invalid url")] {
        let body = json!({ "source": source, "target": url });
        let answer = endpoint.put(&format!("/_replicator/{name}"), &body).expect(403).json();
        assert_eq!(answer["reason"], reason, "{source}");
        let rows = json!({ "docs": [{ "_id": name, "source": source, "target": url }] });
        endpoint.post("/_replicator/_bulk_docs", &rows).expect(403);
    }
    endpoint.get(&format!("/_replicator/{name}")).expect(404);
    for (target, status) in [
        ("/_scheduler/jobs/nothing", 404),
        ("/_scheduler/docs/_replicator/nothing", 404),
        ("/_scheduler/docs/nothing", 400),
        ("/_scheduler/docs?states=nothing", 400),
        ("/_scheduler/docs?states=crashing,running&limit=1&skip=100000", 200),
        ("/_scheduler/nothing", 404),
    ] {
        assert_eq!(endpoint.get(target).status, status, "{target}");
    }
}

pub(crate) fn replications_are_for_administrators(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let (source, target) = (endpoint.database(), endpoint.database());
    let (name, password) = (source.name().to_owned(), "a password of somebody");
    let user = format!("/_users/org.couchdb.user:{name}");
    let account = json!({ "name": name, "password": password, "roles": [], "type": "user" });
    endpoint.put(&user, &account).expect(201);
    let somebody = Endpoint::at(endpoint.origin(), Some((&name, password)));
    let nobody = Endpoint::at(endpoint.origin(), None);
    let names = json!({ "source": source.name(), "target": target.name() });
    nobody.post("/_replicate", &names).expect(401);
    // A local database is asked in the name of whoever asks.
    let answer = replicate_as(&somebody, endpoint, &names).expect(403).json();
    assert_eq!((&answer["error"], &answer["reason"]), (&json!("forbidden"), &json!(format!("{}/", source.url()))));
    for database in [&source, &target] {
        database.put("_security", &json!({ "members": { "names": [name] } })).expect(200);
    }
    source.store("a", &json!({}));
    source.store("_design/app", &json!({}));
    let done = replicate_as(&somebody, endpoint, &names).expect(200).json();
    assert_eq!((&done["ok"], &done["history"][0]["doc_write_failures"]), (&json!(true), &json!(1)), "{done}");
    assert_eq!(leaves(&target).keys().collect::<Vec<_>>(), ["a"], "design documents are for administrators");
    let made = endpoint.unmade_database();
    let create = json!({ "source": source.name(), "target": made.name(), "create_target": true });
    somebody.post("/_replicate", &create).expect(401);
    assert!(!made.exists());
    let on = json!({ "source": source.name(), "target": target.name(), "continuous": true });
    let id = endpoint.post("/_replicate", &on).expect(202).json()["_local_id"].clone();
    let cancel = json!({ "cancel": true, "replication_id": id });
    somebody.post("/_replicate", &cancel).expect(401);
    endpoint.post("/_replicate", &cancel).expect(200);
    let document = body(&source, &target, &json!({}));
    for who in [&somebody, &nobody] {
        let refused = if who.credentials().is_some() { 403 } else { 401 };
        who.put(&format!("/_replicator/{name}"), &document).expect(refused);
        who.get("/_replicator").expect(refused);
        who.get("/_replicator/_all_docs?include_docs=true").expect(401);
        who.get("/_replicator/_changes?include_docs=true").expect(401);
        for target in ["/_scheduler/jobs", "/_scheduler/docs", "/_active_tasks"] {
            assert_eq!(who.get(target).status, 401, "{target}");
        }
    }
    let revision = endpoint.get(&user).json()["_rev"].as_str().unwrap().to_owned();
    endpoint.delete(&format!("{user}?rev={revision}")).ok();
}

/// What is told to those who let others into `_replicator`; they share it with everybody else on the server, so that this
/// is for a database of its own.
pub(crate) fn others_see_no_password(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let (source, target) = (endpoint.database(), endpoint.database());
    let (owner, other) = (format!("{}-owner", source.name()), format!("{}-other", source.name()));
    let password = "a password of somebody";
    let user = |name: &str| format!("/_users/org.couchdb.user:{name}");
    for name in [&owner, &other] {
        let account = json!({ "name": name, "password": password, "roles": [], "type": "user" });
        endpoint.put(&user(name), &account).expect(201);
    }
    let place = format!("/{}%2F_replicator", source.name());
    endpoint.send("PUT", &place, &[], Vec::new()).expect(201);
    endpoint.put(&format!("{place}/_security"), &json!({ "members": { "names": [owner, other] } })).expect(200);
    let [own, others] = [&owner, &other].map(|name| Endpoint::at(endpoint.origin(), Some((name, password))));
    let members = json!({
        "source": { "url": source.url(), "auth": { "basic": { "username": owner, "password": password } } },
        "target": target.url().replacen("://", &format!("://{owner}:a-password@"), 1),
        "continuous": true,
    });
    let document = format!("{place}/job");
    own.put(&document, &members).expect(201);
    for who in [&own, endpoint] {
        let shown = who.get(&document).expect(200).json();
        assert_eq!((&shown["source"], &shown["target"]), (&members["source"], &members["target"]), "{shown}");
        assert_eq!(shown["owner"], owner.as_str());
    }
    let rows = json!({ "docs": [{ "id": "job" }] });
    for shown in [others.get(&document), others.post(&format!("{place}/_bulk_get"), &rows)] {
        let text = String::from_utf8(shown.expect(200).body).unwrap();
        assert!(!text.contains("password") && text.contains(&source.url()), "{text}");
    }
    let forged = json!({ "source": source.url(), "target": target.url(), "owner": owner });
    others.put(&format!("{place}/forged"), &forged).expect(403);
    endpoint.delete(&place).expect(200);
    until("the end of the job", || jobs_of(endpoint, &source).is_empty());
    for name in [&owner, &other] {
        let revision = endpoint.get(&user(name)).json()["_rev"].as_str().unwrap().to_owned();
        endpoint.delete(&format!("{}?rev={revision}", user(name))).ok();
    }
}
