//! Databases that a server carries to others by itself (`replicate --via server`), and what is told of its jobs.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::fault_proxy::{Action, FaultProxy};
use crate::harness::{Database, Endpoint, Kind, Project, Run, Running, encoded, until};
use crate::wire::Answer;

pub(super) fn carry(project: &Project, places: &[&str], flags: &[&str]) -> Run {
    project.couchapp(&[&["replicate"], places, &["--via", "server"], flags].concat())
}

/// The documents of `_replicator` that name a database.
pub(super) fn jobs_of(database: &Database<'_>) -> Vec<Value> {
    let answer = database.endpoint().get("/_replicator/_all_docs?include_docs=true").expect(200).json();
    let rows = answer["rows"].as_array().unwrap().iter().map(|row| row["doc"].clone());
    rows.filter(|document| document.to_string().contains(database.name())).collect()
}

pub(super) fn job_id(job: &Value) -> String {
    job["_id"].as_str().unwrap().to_owned()
}

pub(super) fn ids(database: &Database<'_>) -> Vec<String> {
    let answer = database.get("_all_docs").expect(200).json();
    answer["rows"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

pub(super) fn fill(database: &Database<'_>, count: usize) {
    let documents: Vec<Value> = (0..count).map(|n| json!({ "_id": format!("n{n:02}"), "n": n })).collect();
    database.post("_bulk_docs", &json!({ "docs": documents })).ok();
}

/// A run under way.
pub(super) fn start(project: &Project, places: &[&str], flags: &[&str]) -> Running {
    Running::start(project, &[&["replicate"], places, &["--via", "server"], flags].concat(), "")
}

/// A proxy through which nobody learns what has changed before the gate is opened.
pub(super) fn held(endpoint: &Endpoint) -> (FaultProxy, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let guard = Arc::clone(&gate);
    let hold = move |arrival: &crate::fault_proxy::Arrival| match arrival.target.contains("/_changes") {
        true => Action::Hold(Arc::clone(&guard)),
        false => Action::Pass,
    };
    (FaultProxy::start(endpoint.origin(), hold), gate)
}

pub(crate) fn a_server_carries_everything(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let (source, middle, target) = (endpoint.database(), endpoint.database(), endpoint.unmade_database());
    fill(&source, 20);
    source.store("photo", &json!({ "_attachments": { "a.png": { "content_type": "image/png", "data": "YWJj" } } }));
    let graft = json!({ "new_edits": false, "docs": [
        { "_id": "branched", "x": 1, "_rev": "1-a", "_revisions": { "start": 1, "ids": ["a"] } },
        { "_id": "branched", "x": 2, "_rev": "1-b", "_revisions": { "start": 1, "ids": ["b"] } },
    ]});
    source.post("_bulk_docs", &graft).ok();
    target.make();
    target.store("back", &json!({}));
    let urls = [source.url(), middle.url(), target.url()];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    carry(&project, &urls, &["--chain", "--both"]).ok().says("compared both ends").says("carries it");
    for place in [&source, &middle, &target] {
        assert_eq!(ids(place).len(), 23);
        assert_eq!(place.get("branched?conflicts=true").json()["_conflicts"].as_array().map(Vec::len), Some(1));
        assert_eq!(place.attachment("photo", "a.png"), b"abc");
        assert_eq!(jobs_of(place), Vec::<Value>::new());
    }
    // What an earlier session had written is not claimed again.
    carry(&project, &urls[..2], &[]).ok().says("Up to date");
    fill(&source, 21);
    carry(&project, &urls[..2], &[]).ok().says("Replicated 1 document,");
}

pub(crate) fn a_server_carries_a_part(endpoint: &Endpoint) {
    let (project, source) = (Project::for_endpoint(endpoint), endpoint.database());
    fill(&source, 10);
    let filter = "function (doc, req) { return doc.n % 2 == (req.query.odd ? 1 : 0); }";
    source.store("_design/app", &json!({ "filters": { "even": filter } }));
    let numbered = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..10).filter(|n| wanted(*n)).map(|n| format!("n{n:02}")).collect()
    };
    let mut rows = vec![
        (vec!["--doc-ids", "n03", "--doc-ids", "nowhere"], vec!["n03".to_owned()]),
        (vec!["--doc-ids", "n03", "--doc-ids", "_design/app", "--no-design"], vec!["n03".to_owned()]),
    ];
    if endpoint.kind() == Kind::CouchDb {
        rows.push((vec!["--no-design"], numbered(&|_| true)));
        rows.push((vec!["--selector", r#"{"n":{"$gte":7}}"#], numbered(&|n| n >= 7)));
        rows.push((vec!["--selector", r#"{"_id":{"$gt":"A"}}"#, "--no-design"], numbered(&|_| true)));
        rows.push((vec!["--filter", "app/even"], numbered(&|n| n % 2 == 0)));
        rows.push((vec!["--filter", "app/even", "--query", "odd=1"], numbered(&|n| n % 2 == 1)));
    }
    for (flags, expected) in rows {
        let target = endpoint.database();
        carry(&project, &[&source.url(), &target.url()], &flags).ok();
        assert_eq!(ids(&target), expected, "{flags:?}");
        assert_eq!(jobs_of(&target), Vec::<Value>::new());
    }
    let (target, run) = (endpoint.database(), |flags: &[&str], target: &Database<'_>| {
        carry(&project, &[&source.url(), &target.url()], flags)
    });
    run(&["--filter", "app/nothing"], &target).expect(6).says("app/nothing");
    run(&["--filter", "nothing/even", "--continuous"], &target).expect(6).says("nothing/even");
    if endpoint.kind() == Kind::PouchDb {
        run(&["--winning-revs-only"], &target).expect(1).says("--via client");
    } else {
        run(&["--winning-revs-only"], &target).ok();
    }
}

pub(crate) fn what_a_server_cannot_carry_is_told(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 10);
    let code = "function (doc) { if (doc.n == 3 || doc.n == 7) throw({ forbidden: 'it is bad' }); }";
    target.store("_design/judge", &json!({ "validate_doc_update": code }));
    for _ in 0..2 {
        let run = carry(&project, &[&source.url(), &target.url()], &[]).expect(8);
        for text in ["n03", "n07", "it is bad", "2 documents could not be written"] {
            assert!(run.stderr.contains(text), "{text}\n{run}");
        }
    }
    assert_eq!(ids(&target).len(), 9);
    assert_eq!(jobs_of(&target), Vec::<Value>::new());
}

/// A server counts what is refused to a job that goes on; the reasons are found out while all jobs are followed.
#[cfg(all(unix, feature = "serve"))]
pub(crate) fn what_a_job_that_goes_on_is_refused_is_told(endpoint: &Endpoint) {
    let (project, source) = (Project::for_endpoint(endpoint), endpoint.database());
    let targets = [endpoint.database(), endpoint.database()];
    fill(&source, 10);
    let code = "function (doc) { if (doc.n == 3) throw({ forbidden: 'it is bad' }); }";
    targets[0].store("_design/judge", &json!({ "validate_doc_update": code }));
    let urls = [source.url(), targets[0].url(), targets[1].url()];
    let words = ["replicate", &urls[0], &urls[1], &urls[2], "--star", "--via", "server", "--continuous"];
    let running = crate::harness::Running::start(&project, &words, "");
    // PouchDB Server tells nothing of a job that goes on.
    let is_told = endpoint.kind() != Kind::PouchDb;
    if is_told {
        running.until_said("it is bad");
    }
    source.store("later", &json!({}));
    until("the document", || targets.iter().all(|target| target.get("later").status == 200));
    let run = running.end(&project, "INT").expect(if is_told { 8 } else { 130 });
    assert_eq!(run.output().contains("1 document could not be written"), is_told, "{run}");
    assert_eq!(run.output().contains(": n03 (1-"), is_told, "{run}");
    assert!(targets.iter().all(|target| jobs_of(target).is_empty()));
}

pub(crate) fn an_equal_job_is_not_doubled(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    let (from, to) = (source.url(), target.url());
    let run = carry(&project, &[&from, &to], &["--continuous", "--detach"]).ok();
    assert!(run.stderr.contains("job runs on"), "{run}");
    if endpoint.credentials().is_some() {
        assert!(run.stderr.contains("holds the credentials of both ends"), "{run}");
    }
    let jobs = jobs_of(&target);
    assert_eq!(jobs.len(), 1);
    until("the documents", || ids(&target).len() == 3);
    carry(&project, &[&from, &to], &["--continuous", "--detach"]).ok().says("this job is there already");
    assert_eq!(jobs_of(&target).len(), 1);
    // Another one is not the same.
    carry(&project, &[&from, &to], &["--doc-ids", "n01"]).ok();
    assert_eq!(jobs_of(&target).len(), 1);
    let (id, server) = (job_id(&jobs[0]), endpoint.origin());
    assert!(run.stderr.contains(&format!("couchapp replicate list {server}\n")), "{run}");
    assert!(run.stderr.contains(&format!("couchapp replicate cancel {server} {id}\n")), "{run}");
    let run = project.couchapp(&["replicate", "list", server]).ok();
    let line = run.stdout.lines().find(|line| line.starts_with(&id)).unwrap_or_else(|| panic!("{run}"));
    assert!(line.contains("running") && line.contains(&format!("{from} → {to}")), "{line}");
    project.couchapp(&["replicate", "status", server, &id[..20]]).ok().says("continuous").says(&to);
    let told = project.couchapp(&["replicate", "status", server, &id, "--json"]).ok().lines_of_json();
    assert_eq!((&told[0]["type"], &told[0]["jobs"][0]["job"]), (&json!("replications"), &json!(id)));
    project.couchapp(&["replicate", "status", server, "no-such-job"]).expect(6).says("no-such-job");
    project.couchapp(&["replicate", "cancel", server, &id]).expect(9).says("--yes");
    project.couchapp(&["replicate", "cancel", server, &id, "-n"]).ok().says("Would cancel 1 job");
    assert_eq!(jobs_of(&target).len(), 1);
    project.couchapp(&["replicate", "cancel", server, &id, "--yes"]).ok().says("Cancelled 1 job");
    assert_eq!(jobs_of(&target), Vec::<Value>::new());
}

pub(crate) fn somebody_elses_job_stays_theirs(endpoint: &Endpoint) {
    if endpoint.kind() == Kind::PouchDb {
        // It keeps no list of what was started without a document, and cancels none.
        let server = endpoint.origin();
        Project::for_endpoint(endpoint).couchapp(&["replicate", "status", server, "x"]).expect(6);
        return;
    }
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    let end = |database: &Database<'_>| {
        let (user, password) = endpoint.credentials().unwrap();
        json!({ "url": database.url(), "auth": { "basic": { "username": user, "password": password } } })
    };
    let job = json!({ "source": end(&source), "target": end(&target), "continuous": true });
    let answer = endpoint.post("/_replicate", &job).ok().json();
    let name = answer["_local_id"].as_str().unwrap().to_owned();
    let server = endpoint.origin();
    let run = carry(&project, &[&source.url(), &target.url()], &["--continuous"]).expect(9);
    assert!(run.stderr.contains("carries out this job already"), "{run}");
    assert_eq!(jobs_of(&target), Vec::<Value>::new());
    project.couchapp(&["replicate", "list", server]).ok().says(&name);
    project.couchapp(&["replicate", "cancel", server, &name, "--yes"]).ok();
    let left = endpoint.get("/_scheduler/jobs").json();
    assert!(!left.to_string().contains(target.name()), "{left}");
    // A document of somebody else is followed and left.
    let theirs = format!("/_replicator/{}", encoded(target.name()));
    endpoint.put(&theirs, &job).ok();
    #[cfg(all(unix, feature = "serve"))]
    {
        let (from, to) = (source.url(), target.url());
        let words = ["replicate", &from, &to, "--via", "server", "--continuous"];
        let running = crate::harness::Running::start(&project, &words, "");
        running.until_said("this job is there already");
        running.end(&project, "INT").expect(130).says("1 job was there before, and stays");
    }
    let document = endpoint.get(&theirs).expect(200).json();
    endpoint.delete(&format!("{theirs}?rev={}", document["_rev"].as_str().unwrap())).ok();
}

/// Two terminals, one command: whoever came second may leave.
#[cfg(all(unix, feature = "serve"))]
pub(crate) fn what_another_run_waits_for_goes_on(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    let (proxy, gate) = held(endpoint);
    let (from, to) = (source.url_through(&proxy), target.url());
    let first = start(&project, &[&from, &to], &[]);
    until("the job", || jobs_of(&target).len() == 1);
    let second = crate::harness::Running::start(&project, &["replicate", &from, &to, "--via", "server"], "");
    second.until_said("this job is there already");
    second.end(&project, "INT").expect(130);
    assert_eq!(jobs_of(&target).len(), 1);
    gate.add_permits(1000);
    let run = first.ended(&project).ok();
    assert!(!run.stderr.contains("was removed at its server"), "{run}");
    assert_eq!((ids(&target).len(), jobs_of(&target)), (3, Vec::new()));
}

pub(crate) fn a_job_that_was_gone_is_not_counted_as_cancelled(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    carry(&project, &[&source.url(), &target.url()], &["--continuous", "--detach"]).ok();
    let id = job_id(&jobs_of(&target)[0]);
    let document = format!("/_replicator/{id}");
    // Somebody else is faster.
    let gone = Answer::error(404, "not_found", "deleted");
    let proxy = FaultProxy::start(endpoint.origin(), move |arrival| match arrival.target == document {
        true => Action::Replace(gone.clone()),
        false => Action::Pass,
    });
    let run = project.couchapp(&["replicate", "cancel", &proxy.origin(), &id, "--yes"]).ok();
    run.says(&format!("{id} was gone already")).says("Cancelled 0 jobs");
    project.couchapp(&["replicate", "cancel", endpoint.origin(), &id, "--yes"]).ok().says("Cancelled 1 job");
}
