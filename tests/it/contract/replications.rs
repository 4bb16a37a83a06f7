//! Replications that a server carries out by itself: `_replicate`, documents of `_replicator`, and what is told of them.

use serde_json::{Value, json};

use super::leaves::{fill, graft, leaves, same};
use crate::harness::{Database, Endpoint, Kind, Response, encoded, until, until_found};

/// An end by its URL, with the credentials of the administrator.
fn end(database: &Database<'_>) -> Value {
    let Some((username, password)) = database.endpoint().credentials() else { return json!(database.url()) };
    json!({ "url": database.url(), "auth": { "basic": { "username": username, "password": password } } })
}

pub(super) fn body(source: &Database<'_>, target: &Database<'_>, more: &Value) -> Value {
    let mut body = json!({ "source": end(source), "target": end(target) });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

pub(super) fn replicate(endpoint: &Endpoint, body: &Value) -> Response {
    replicate_as(endpoint, endpoint, body)
}

/// Asks in the name of `who`. Of a replication that has an end CouchDB tells before its scheduler has let go of the job, and
/// whoever asks for the same one meanwhile waits for ever.
pub(super) fn replicate_as(who: &Endpoint, administrator: &Endpoint, body: &Value) -> Response {
    let response = who.post("/_replicate", body);
    let target = body["target"]["url"].as_str().or(body["target"].as_str()).unwrap_or_default();
    let name = format!("/{}/", target.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    let is_over = |job: &Value| {
        !job["target"].as_str().unwrap().ends_with(&name) || job["id"].as_str().unwrap().ends_with("+continuous")
    };
    if administrator.kind() != Kind::PouchDb {
        until("the scheduler lets go", || {
            let answer = administrator.get("/_scheduler/jobs").expect(200).json();
            answer["jobs"].as_array().unwrap().iter().all(is_over)
        });
    }
    response
}

/// Whatever is told must not have the password in it.
#[track_caller]
pub(super) fn without_password(endpoint: &Endpoint, response: &Response) {
    let text = String::from_utf8_lossy(&response.body);
    let password = endpoint.credentials().map_or("no password", |(_, password)| password);
    assert!(!text.contains(password) && !text.contains("\"auth\""), "{text}");
}

/// Whether replications are told of as CouchDB does. PouchDB Server carries them out as well, and answers in its own way.
#[track_caller]
pub(super) fn has_scheduler(endpoint: &Endpoint) -> bool {
    let is_there = endpoint.get("/_scheduler/jobs").status == 200;
    assert_eq!(is_there, endpoint.kind() != Kind::PouchDb);
    is_there
}

/// A document of `_replicator`; it is removed at the end.
pub(super) struct Document<'a> {
    endpoint: &'a Endpoint,
    id: String,
}

impl<'a> Document<'a> {
    #[track_caller]
    pub(super) fn write(endpoint: &'a Endpoint, id: &str, members: &Value) -> Self {
        let document = Self { endpoint, id: id.to_owned() };
        endpoint.put(&document.target(), members).expect(201);
        document
    }

    pub(super) fn target(&self) -> String {
        format!("/_replicator/{}", encoded(&self.id))
    }

    pub(super) fn read(&self) -> Value {
        self.endpoint.get(&self.target()).json()
    }

    /// Writes it anew, without what the server wrote.
    #[track_caller]
    pub(super) fn replace(&self, members: &Value) {
        until_found("a write that nobody else writes into", || {
            let revision = self.read()["_rev"].as_str().unwrap().to_owned();
            let written = self.endpoint.put(&format!("{}?rev={revision}", self.target()), members);
            (written.status != 409).then(|| written.expect(201))
        });
    }

    #[track_caller]
    pub(super) fn until_state(&self, state: &str) -> Value {
        until_found(&format!("{} {state}", self.id), || {
            Some(self.read()).filter(|document| document["_replication_state"] == state)
        })
    }

    /// What the scheduler tells of it, once it suits.
    #[track_caller]
    pub(super) fn until_told(&self, suits: impl Fn(&Value) -> bool) -> Value {
        let target = format!("/_scheduler/docs/_replicator/{}", encoded(&self.id));
        until_found(&self.id, || {
            let answer = self.endpoint.get(&target);
            without_password(self.endpoint, &answer);
            Some(answer).filter(|answer| answer.status == 200).map(|answer| answer.json()).filter(&suits)
        })
    }

    pub(super) fn remove(&self) {
        until_found("a removal", || {
            let document = self.read();
            let Some(revision) = document["_rev"].as_str() else { return Some(()) };
            let removed = self.endpoint.delete(&format!("{}?rev={revision}", self.target()));
            (removed.status != 409).then_some(())
        });
    }
}

impl Drop for Document<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.remove();
        }
    }
}

/// The jobs of a database, as source or target.
pub(super) fn jobs_of(endpoint: &Endpoint, database: &Database<'_>) -> Vec<Value> {
    let answer = endpoint.get("/_scheduler/jobs").expect(200);
    without_password(endpoint, &answer);
    let jobs = answer.json()["jobs"].as_array().unwrap().clone();
    let url = format!("{}/", database.url());
    jobs.into_iter().filter(|job| job["source"] == url.as_str() || job["target"] == url.as_str()).collect()
}

pub(crate) fn a_replication_is_waited_for(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let (source, target) = (endpoint.database(), endpoint.unmade_database());
    fill(&source);
    let refused = replicate(endpoint, &body(&source, &target, &json!({}))).expect(500).json();
    assert_eq!(refused["error"], "db_not_found", "{refused}");
    assert_eq!(refused["reason"], format!("could not open {}/", target.url()), "{refused}");
    let made = replicate(endpoint, &body(&source, &target, &json!({ "create_target": true }))).expect(200);
    without_password(endpoint, &made);
    let made = made.json();
    let revisions = leaves(&source).values().map(std::collections::BTreeSet::len).sum::<usize>();
    let session = &made["history"][0];
    assert_eq!((&made["ok"], &session["session_id"]), (&json!(true), &made["session_id"]), "{made}");
    assert_eq!((&session["recorded_seq"], &session["start_last_seq"]), (&made["source_last_seq"], &json!(0)), "{made}");
    for key in ["missing_found", "docs_read", "docs_written"] {
        assert_eq!(session[key], revisions, "{key}: {made}");
    }
    assert_eq!(session["doc_write_failures"], 0, "{made}");
    assert!(session["missing_checked"].as_u64() >= Some(revisions as u64), "{made}");
    assert!(session["start_time"].as_str().unwrap().ends_with(" GMT") && made["replication_id_version"].is_u64());
    same(&source, &target);
    let again = replicate(endpoint, &body(&source, &target, &json!({}))).expect(200).json();
    source.store("one more", &json!({}));
    let more = replicate(endpoint, &body(&source, &target, &json!({}))).expect(200).json();
    // Whether the target is made is part of what CouchDB calls the same replication, of its checkpoints it is not.
    assert_eq!((&again["ok"], &again["no_changes"]), (&json!(true), &json!(true)), "{again}");
    // CouchDB counts on from the last session.
    assert!(more["history"][0]["docs_written"].as_u64() >= Some(1) && more.get("no_changes").is_none(), "{more}");
    same(&source, &target);
}

pub(crate) fn a_name_is_a_database_of_the_server(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("a", &json!({ "x": 1 }));
    let names = |source: &str| json!({ "source": source, "target": target.name() });
    replicate(endpoint, &names(source.name())).expect(200);
    same(&source, &target);
    let nothing = format!("{}_nothing", source.name());
    let refused = replicate(endpoint, &names(&nothing)).expect(500).json();
    assert_eq!(refused["error"], "db_not_found", "{refused}");
    let (empty, other) = (endpoint.database(), endpoint.database());
    let nothing = replicate(endpoint, &json!({ "source": empty.name(), "target": other.name() })).expect(200).json();
    assert_eq!(nothing, json!({ "ok": true, "no_changes": true }));
}

pub(crate) fn a_part_is_carried_by_the_server(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let source = endpoint.database();
    let documents: Vec<Value> = (0..10).map(|n| json!({ "_id": format!("n{n}"), "n": n })).collect();
    source.post("_bulk_docs", &json!({ "docs": documents })).ok();
    let filter = "function (doc, req) { return doc.n % 2 == req.query.odd; }";
    source.store("_design/app", &json!({ "filters": { "even": filter } }));
    graft(
        &source,
        &json!([
            { "_id": "n1", "n": 1, "x": 1, "_rev": "2-b", "_revisions": { "start": 2, "ids": ["b", "a"] } },
            { "_id": "n1", "n": 1, "x": 2, "_rev": "2-c", "_revisions": { "start": 2, "ids": ["c", "a"] } },
        ]),
    );
    for (options, expected) in [
        (json!({ "doc_ids": ["n1", "n3", "nothing"] }), vec!["n1", "n3"]),
        (json!({ "selector": { "n": { "$gt": 7 } } }), vec!["n8", "n9"]),
        (json!({ "filter": "app/even", "query_params": { "odd": "1" } }), vec!["n1", "n3", "n5", "n7", "n9"]),
        (
            json!({ "winning_revs_only": true }),
            vec!["_design/app", "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"],
        ),
    ] {
        let target = endpoint.database();
        let told = replicate(endpoint, &body(&source, &target, &options)).expect(200).json();
        let all = leaves(&target);
        assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{options}");
        let of_first = all.get("n1").map_or(0, std::collections::BTreeSet::len);
        assert!(of_first != 1 || options.get("winning_revs_only").is_some(), "{options}: {all:?}");
        let is_named = options.get("doc_ids").is_some();
        assert_eq!(told.get("docs_written").is_some(), is_named, "{told}");
    }
    let target = endpoint.database();
    let missing = replicate(endpoint, &body(&source, &target, &json!({ "filter": "app/nothing" }))).expect(404).json();
    assert_eq!(missing["error"], "not_found", "{missing}");
    let now = source.get("").expect(200).json()["update_seq"].clone();
    source.store("late", &json!({}));
    replicate(endpoint, &body(&source, &target, &json!({ "since_seq": now }))).expect(200);
    assert_eq!(leaves(&target).keys().collect::<Vec<_>>(), ["late"]);
}

pub(crate) fn a_replication_goes_on_until_it_is_cancelled(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("first", &json!({}));
    let wanted = body(&source, &target, &json!({ "continuous": true }));
    let begun = replicate(endpoint, &wanted).expect(202).json();
    let id = begun["_local_id"].as_str().unwrap().to_owned();
    assert!(id.ends_with("+continuous"), "{begun}");
    assert_eq!(replicate(endpoint, &wanted).expect(202).json(), begun, "the same is the same");
    until("the first document", || leaves(&target) == leaves(&source));
    source.store("second", &json!({}));
    until("the second document", || leaves(&target) == leaves(&source));
    let jobs = jobs_of(endpoint, &source);
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let job = endpoint.get(&format!("/_scheduler/jobs/{id}")).expect(200).json();
    assert_eq!((&job["id"], &job["doc_id"], &job["database"]), (&json!(id), &json!(null), &json!(null)), "{job}");
    let kinds: Vec<_> = job["history"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["started", "added"], "{job}");
    until_found("a task", || {
        let tasks = endpoint.get("/_active_tasks").expect(200);
        without_password(endpoint, &tasks);
        let tasks = tasks.json();
        let own = tasks.as_array().unwrap().iter().find(|task| task["replication_id"] == id.as_str()).cloned();
        own.filter(|task| task["docs_written"] == 2 && task["type"] == "replication" && task["continuous"] == true)
    });
    let mut cancel = wanted.clone();
    cancel["cancel"] = json!(true);
    assert_eq!(replicate(endpoint, &cancel).expect(200).json(), begun);
    replicate(endpoint, &cancel).expect(404);
    endpoint.get(&format!("/_scheduler/jobs/{id}")).expect(404);
    replicate(endpoint, &wanted).expect(202);
    let by_id = json!({ "cancel": true, "replication_id": id });
    assert_eq!(replicate(endpoint, &by_id).expect(200).json(), begun);
    assert_eq!(replicate(endpoint, &by_id).expect(404).json(), json!({ "error": "not_found", "reason": "missing" }));
    until("the end", || jobs_of(endpoint, &source).is_empty());
}

pub(crate) fn documents_join_databases_in_a_row(endpoint: &Endpoint) {
    let row = [endpoint.database(), endpoint.database(), endpoint.database()];
    fill(&row[0]);
    row[2].store("beyond", &json!({ "x": 1 }));
    let name = row[0].name();
    let pairs = [(0, 1), (1, 0), (1, 2), (2, 1)];
    let documents: Vec<Document<'_>> = pairs
        .iter()
        .map(|(from, to)| {
            let wanted = body(&row[*from], &row[*to], &json!({ "continuous": true }));
            Document::write(endpoint, &format!("{name}-{from}-{to}"), &wanted)
        })
        .collect();
    let is_everywhere = || {
        let all = leaves(&row[0]);
        all.contains_key("beyond") && all == leaves(&row[1]) && all == leaves(&row[2])
    };
    until("everything everywhere", is_everywhere);
    same(&row[0], &row[1]);
    same(&row[0], &row[2]);
    let is_told = has_scheduler(endpoint);
    for document in documents.iter().filter(|_| is_told) {
        let told = document.until_told(|told| told["state"] == "running");
        assert_eq!((&told["error_count"], &told["doc_id"]), (&json!(0), &json!(document.id)), "{told}");
    }
    // An edit, a removal and a conflict travel from one end to the other.
    row[0].store("plain", &json!({ "_rev": row[0].revision("plain"), "x": "edited" }));
    let revision = row[2].revision("beyond");
    endpoint.delete(&row[2].beneath(&format!("beyond?rev={revision}"))).ok();
    graft(
        &row[1],
        &json!([{ "_id": "branched", "x": 5, "_rev": "3-f", "_revisions": { "start": 3, "ids": ["f", "b", "a"] } }]),
    );
    until_found("the changes everywhere", || {
        let has = |database: &Database<'_>, id: &str, start: &str| {
            leaves(database).get(id).is_some_and(|leaves| leaves.iter().any(|leaf| leaf.starts_with(start)))
        };
        let arrived = has(&row[2], "plain", "2-") && has(&row[0], "beyond", "2-");
        let branched = row.iter().all(|database| has(database, "branched", "3-f"));
        (arrived && branched && is_everywhere()).then_some(())
    });
    if !is_told {
        return;
    }
    assert_eq!(jobs_of(endpoint, &row[1]).len(), 4);
    documents.iter().for_each(Document::remove);
    until("the end of the jobs", || jobs_of(endpoint, &row[1]).is_empty());
    row[0].store("too late", &json!({}));
    assert!(!leaves(&row[1]).contains_key("too late"));
}

pub(crate) fn a_document_tells_how_it_ended(endpoint: &Endpoint) {
    let (source, target) = (endpoint.database(), endpoint.database());
    source.store("a", &json!({}));
    let wanted = body(&source, &target, &json!({}));
    let document = Document::write(endpoint, source.name(), &wanted);
    let done = document.until_state("completed");
    assert_eq!(done["_replication_stats"]["docs_written"], 1, "{done}");
    same(&source, &target);
    if !has_scheduler(endpoint) {
        return;
    }
    let time = done["_replication_state_time"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{done}");
    assert!(done.get("_replication_state_reason").is_none(), "{done}");
    let owner = endpoint.credentials().map_or(Value::Null, |(user, _)| json!(user));
    assert_eq!((&done["owner"], &done["source"]), (&owner, &wanted["source"]), "{done}");
    let told = document.until_told(|told| told["state"] == "completed");
    assert_eq!((&told["info"]["docs_written"], &told["id"]), (&json!(1), &json!(null)), "{told}");
    assert_eq!(told["source"], format!("{}/", source.url()), "{told}");
    // Written anew, it begins anew; as something that goes on it has no end.
    source.store("b", &json!({}));
    document.replace(&wanted);
    until("the second document", || leaves(&target) == leaves(&source));
    document.until_state("completed");
    document.replace(&body(&source, &target, &json!({ "continuous": true })));
    source.store("c", &json!({}));
    until("the third document", || leaves(&target) == leaves(&source));
    let told = document.until_told(|told| told["state"] == "running");
    assert!(document.read().get("_replication_state").is_none(), "{told}");
    // Somewhere else is another replication.
    let elsewhere = endpoint.database();
    document.replace(&body(&source, &elsewhere, &json!({ "continuous": true })));
    until("another target", || leaves(&elsewhere) == leaves(&source));
    until("one job", || jobs_of(endpoint, &source).len() == 1);
    let other = document.until_told(|told| told["state"] == "running" && told["id"].is_string());
    assert_ne!(told["id"], other["id"]);
}

pub(crate) fn the_same_replication_twice_fails(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let (source, target) = (endpoint.database(), endpoint.database());
    let wanted = body(&source, &target, &json!({ "continuous": true }));
    let first = Document::write(endpoint, &format!("{}-1", source.name()), &wanted);
    let told = first.until_told(|told| told["state"] == "running");
    let second = Document::write(endpoint, &format!("{}-2", source.name()), &wanted);
    let failed = second.until_state("failed");
    let reason = format!(
        "Replication `{}` specified by document `{}` already started, triggered by document `{}` from db `_replicator`",
        told["id"].as_str().unwrap(),
        second.id,
        first.id
    );
    assert_eq!(failed["_replication_state_reason"], reason, "{failed}");
    let told = second.until_told(|told| told["state"] == "failed");
    assert_eq!((&told["info"], &told["error_count"]), (&json!({ "error": reason }), &json!(1)), "{told}");
    assert_eq!(jobs_of(endpoint, &source).len(), 1);
}

pub(crate) fn what_cannot_be_replicated_is_tried_again(endpoint: &Endpoint) {
    if !has_scheduler(endpoint) {
        return;
    }
    let (source, target) = (endpoint.database(), endpoint.unmade_database());
    let document = Document::write(endpoint, source.name(), &body(&source, &target, &json!({})));
    let told = document.until_told(|told| told["state"] == "crashing");
    assert_eq!(told["info"]["error"], format!("db_not_found: could not open {}/", target.url()), "{told}");
    assert!(told["error_count"].as_u64() >= Some(1), "{told}");
    let job = jobs_of(endpoint, &source).pop().unwrap();
    let crashed = job["history"].as_array().unwrap().iter().find(|event| event["type"] == "crashed");
    assert_eq!(crashed.unwrap()["reason"], told["info"]["error"], "{job}");
    // The next try finds what is there by then.
    source.store("a", &json!({}));
    target.make();
    document.until_state("completed");
    same(&source, &target);
}
