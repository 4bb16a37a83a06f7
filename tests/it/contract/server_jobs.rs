//! Databases that a server carries to others by itself (`replicate --via server`), and what is told of its jobs.

use std::process::Child;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::fault_proxy::{Action, FaultProxy};
use crate::harness::{CANARY, Database, Endpoint, Kind, Project, Run, encoded, until};
use crate::wire::Answer;

fn carry(project: &Project, places: &[&str], flags: &[&str]) -> Run {
    project.couchapp(&[&["replicate"], places, &["--via", "server"], flags].concat())
}

/// The documents of `_replicator` that name a database.
fn jobs_of(database: &Database<'_>) -> Vec<Value> {
    let answer = database.endpoint().get("/_replicator/_all_docs?include_docs=true").expect(200).json();
    let rows = answer["rows"].as_array().unwrap().iter().map(|row| row["doc"].clone());
    rows.filter(|document| document.to_string().contains(database.name())).collect()
}

fn job_id(job: &Value) -> String {
    job["_id"].as_str().unwrap().to_owned()
}

fn ids(database: &Database<'_>) -> Vec<String> {
    let answer = database.get("_all_docs").expect(200).json();
    answer["rows"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn fill(database: &Database<'_>, count: usize) {
    let documents: Vec<Value> = (0..count).map(|n| json!({ "_id": format!("n{n:02}"), "n": n })).collect();
    database.post("_bulk_docs", &json!({ "docs": documents })).ok();
}

/// A run under way; it is killed with the test.
struct Carrying<'a>(Option<Child>, &'a Project);

impl Drop for Carrying<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl<'a> Carrying<'a> {
    fn start(project: &'a Project, places: &[&str], flags: &[&str]) -> Self {
        let arguments = [&["replicate"], places, &["--via", "server"], flags].concat();
        Self(Some(project.start("", &arguments)), project)
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.0.as_ref().unwrap().id());
        assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    fn has_ended(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    fn ended(mut self) -> Run {
        self.1.ended(&self.0.take().unwrap().wait_with_output().unwrap())
    }
}

/// A proxy through which nobody learns what has changed before the gate is opened.
fn held(endpoint: &Endpoint) -> (FaultProxy, Arc<Semaphore>) {
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
    running.until_said("it is bad");
    source.store("later", &json!({}));
    until("the document", || targets.iter().all(|target| target.get("later").status == 200));
    let run = running.end(&project, "INT").expect(8);
    run.says("1 document could not be written").says(": n03 (1-");
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

pub(crate) fn a_run_that_is_stopped_leaves_no_job(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    for signal in ["INT", "TERM"] {
        let (source, target) = (endpoint.database(), endpoint.database());
        fill(&source, 3);
        let (proxy, gate) = held(endpoint);
        let running = Carrying::start(&project, &[&source.url_through(&proxy), &target.url()], &[]);
        until("the job", || jobs_of(&target).len() == 1);
        running.signal(signal);
        running.ended().expect(130).says("Stopped before the end");
        assert_eq!(jobs_of(&target), Vec::<Value>::new());
        gate.add_permits(1000);
        // Nobody can be asked whether a job that goes on is to stay.
        let running = Carrying::start(&project, &[&source.url(), &target.url()], &["--continuous"]);
        until("the documents", || ids(&target).len() == 3);
        running.signal(signal);
        running.ended().expect(130).says("Cancelled 1 job");
        assert_eq!(jobs_of(&target), Vec::<Value>::new());
    }
}

pub(crate) fn what_stays_beside_a_failure_is_told(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let (source, middle, target) = (endpoint.database(), endpoint.database(), endpoint.database());
    let refused = Answer::error(403, "forbidden", "no jobs today");
    let proxy = FaultProxy::start(endpoint.origin(), move |arrival| {
        let is_job = arrival.method == "PUT" && arrival.target.starts_with("/_replicator/");
        if is_job { Action::Replace(refused.clone()) } else { Action::Pass }
    });
    let places = [source.url(), middle.url_through(&proxy), target.url_through(&proxy)];
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let run = carry(&project, &places, &["--chain", "--continuous", "--detach"]).expect(4).says("no jobs today");
    let job = job_id(&jobs_of(&source)[0]);
    let run = run.says("1 job runs on").says(&format!("couchapp replicate cancel {} {job}", endpoint.origin()));
    assert!(run.stderr.find("1 job runs on") < run.stderr.find("error: "), "{run}");
    project.couchapp(&["replicate", "cancel", endpoint.origin(), &job, "--yes"]).ok();
}

/// Two terminals, one command: whoever came second may leave.
#[cfg(all(unix, feature = "serve"))]
pub(crate) fn what_another_run_waits_for_goes_on(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    let (proxy, gate) = held(endpoint);
    let (from, to) = (source.url_through(&proxy), target.url());
    let first = Carrying::start(&project, &[&from, &to], &[]);
    until("the job", || jobs_of(&target).len() == 1);
    let second = crate::harness::Running::start(&project, &["replicate", &from, &to, "--via", "server"], "");
    second.until_said("this job is there already");
    second.end(&project, "INT").expect(130);
    assert_eq!(jobs_of(&target).len(), 1);
    gate.add_permits(1000);
    let run = first.ended().ok();
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

pub(crate) fn what_a_killed_run_left_is_tidied_up(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    let (proxy, gate) = held(endpoint);
    let places = [source.url_through(&proxy), target.url()];
    let places = [places[0].as_str(), places[1].as_str()];
    let running = Carrying::start(&project, &places, &[]);
    until("the job", || jobs_of(&target).len() == 1);
    running.signal("KILL");
    running.ended().expect(-1);
    let left = job_id(&jobs_of(&target)[0]);
    gate.add_permits(1000);
    let run = carry(&project, &places, &["-v"]).ok();
    assert_eq!(jobs_of(&target), Vec::<Value>::new(), "{left}\n{run}");
    assert_eq!(ids(&target).len(), 3);
}

pub(crate) fn a_target_that_goes_ends_a_job(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let (source, target) = (endpoint.database(), endpoint.database());
    fill(&source, 3);
    let running = Carrying::start(&project, &[&source.url(), &target.url()], &["--continuous"]);
    until("the documents", || ids(&target).len() == 3);
    endpoint.delete(&target.target()).ok();
    if endpoint.kind() == Kind::PouchDb {
        // Its own job may make the database again, empty, before anybody looks: then there is nothing to be noticed.
        let mut running = running;
        until("the end, or the database", || running.has_ended() || target.exists());
        if !running.has_ended() {
            running.signal("INT");
        }
        let run = running.ended();
        assert!([6, 130].contains(&run.code), "{run}");
    } else {
        running.ended().expect(6).says(target.name());
    }
    assert_eq!(jobs_of(&target), Vec::<Value>::new());
    let target = endpoint.database();
    let (proxy, gate) = held(endpoint);
    let running = Carrying::start(&project, &[&source.url_through(&proxy), &target.url()], &[]);
    until("the job", || jobs_of(&target).len() == 1);
    endpoint.delete(&target.target()).ok();
    gate.add_permits(1000);
    let run = running.ended();
    if endpoint.kind() == Kind::PouchDb {
        // It makes databases that are written to.
        assert!([0, 6].contains(&run.code), "{run}");
    } else {
        run.expect(6).says(target.name());
    }
    assert_eq!(jobs_of(&target), Vec::<Value>::new());
}

pub(crate) fn a_job_that_crashes_for_ever_is_given_up(endpoint: &Endpoint) {
    let (project, source) = (Project::for_endpoint(endpoint), endpoint.database());
    fill(&source, 3);
    let told = |state: &str, errors: u64, cause: &str| {
        let told = json!({ "state": state, "error_count": errors, "info": { "error": cause, "docs_written": 0 } });
        Action::Replace(Answer::json(200, &told))
    };
    for (continuous, cause, code) in [
        (&[][..], "db_not_found: could not open http://other/db/", 6),
        (&["--continuous"], "unauthorized: unauthorized to access or create database http://other/db/", 4),
        (&[], "{worker_died,<0.1.0>,kaboom}", 1),
    ] {
        let target = endpoint.database();
        let proxy = FaultProxy::counting(endpoint.origin());
        let mut asked = 0;
        proxy.play(move |arrival| {
            if !arrival.target.starts_with("/_scheduler/docs/_replicator/") {
                return Action::Pass;
            }
            asked += 1;
            told("crashing", asked, cause)
        });
        let run = carry(&project, &[&source.url_through(&proxy), &target.url()], continuous).expect(code);
        run.says(cause).says("--via client");
        assert_eq!(jobs_of(&target), Vec::<Value>::new());
    }
    // One that recovers is not.
    let target = endpoint.database();
    let proxy = FaultProxy::counting(endpoint.origin());
    let mut asked = 0;
    proxy.play(move |arrival| match arrival.target.starts_with("/_scheduler/docs/_replicator/") {
        true if asked < 2 => {
            asked += 1;
            told("crashing", asked, "{timeout,http://other/db/}")
        }
        true => Action::Replace(Answer::json(200, &json!({ "state": "completed", "info": { "docs_written": 3 } }))),
        false => Action::Pass,
    });
    let run = carry(&project, &[&source.url_through(&proxy), &target.url()], &[]).ok();
    assert_eq!(run.stderr.matches("{timeout,http://other/db/}; the server will try again").count(), 1, "{run}");
    assert_eq!(ids(&target).len(), 3);
}

/// Whatever a server says of it but that it is not there, the document of a job may be there.
pub(crate) fn a_job_that_may_be_left_is_named(endpoint: &Endpoint) {
    let (project, source) = (Project::for_endpoint(endpoint), endpoint.database());
    fill(&source, 3);
    let refused = Answer::error(401, "unauthorized", "Name or password is incorrect.");
    let page = Answer::new(200, "text/html", "<h1>Maintenance</h1>");
    for (answer, code) in [(refused, 4), (page, 1)] {
        let target = endpoint.database();
        let proxy = FaultProxy::counting(endpoint.origin());
        let mut is_written = false;
        proxy.play(move |arrival| {
            is_written |= arrival.method == "PUT" && arrival.target.starts_with("/_replicator/");
            let is_asked = arrival.method != "PUT" && arrival.target.contains("_replicator/");
            if is_written && is_asked { Action::Replace(answer.clone()) } else { Action::Pass }
        });
        let run = carry(&project, &[&source.url_through(&proxy), &target.url()], &[]).expect(code);
        let jobs = jobs_of(&target);
        assert_eq!(jobs.len(), 1, "{run}");
        assert!(run.stderr.contains(&format!("the job `{}` may still be at", job_id(&jobs[0]))), "{run}");
        project.couchapp(&["replicate", "cancel", endpoint.origin(), &job_id(&jobs[0]), "--yes"]).ok();
    }
}

/// The answer to the last try may be lost, and the document written.
pub(crate) fn a_job_whose_answer_was_lost_is_removed(endpoint: &Endpoint) {
    let (project, source) = (Project::for_endpoint(endpoint), endpoint.database());
    fill(&source, 3);
    for is_reachable in [true, false] {
        let target = endpoint.database();
        let proxy = FaultProxy::counting(endpoint.origin());
        let mut is_written = false;
        proxy.play(move |arrival| {
            let is_document = arrival.target.starts_with("/_replicator/couchapp_");
            let is_first = is_document && arrival.method == "PUT" && !is_written;
            is_written |= is_first;
            match (is_first, is_document && !is_reachable) {
                (true, _) => Action::SwallowAnswer,
                (_, true) => Action::Replace(Answer::error(503, "unavailable", "not now")),
                _ => Action::Pass,
            }
        });
        let run = carry(&project, &[&source.url_through(&proxy), &target.url()], &["--retries", "0"]).expect(7);
        let jobs = jobs_of(&target);
        assert_eq!(jobs.is_empty(), is_reachable, "{run}");
        for job in jobs {
            assert!(run.stderr.contains(&format!("the job `{}` may still be at", job_id(&job))), "{run}");
            project.couchapp(&["replicate", "cancel", endpoint.origin(), &job_id(&job), "--yes"]).ok();
        }
    }
}

pub(crate) fn a_scheduler_that_fails_is_done_without(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    let proxy = FaultProxy::start(endpoint.origin(), |arrival| {
        let failure = Answer::json(500, &json!({ "error": "unknown_error", "reason": "function_clause" }));
        if arrival.target.starts_with("/_scheduler/docs/") { Action::Replace(failure) } else { Action::Pass }
    });
    carry(&project, &[&source.url_through(&proxy), &target.url()], &["--retries", "1"])
        .ok()
        .says("Replicated 3 documents");
    assert_eq!(ids(&target).len(), 3);
    assert_eq!(jobs_of(&target), Vec::<Value>::new());
}

pub(crate) fn no_credential_is_left_at_a_server(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    if endpoint.kind() == Kind::PouchDb {
        // It has no accounts: nothing is to be kept, and no warning is due.
        let run = carry(&project, &[&source.url(), &target.url()], &["--continuous", "--detach"]).ok();
        assert!(!run.stderr.contains("credentials"), "{run}");
        for job in jobs_of(&target) {
            project.couchapp(&["replicate", "cancel", endpoint.origin(), &job_id(&job), "--yes"]).ok();
        }
        return;
    }
    // The writer is a user of the test, with the password that is looked for.
    let name = target.name().to_owned();
    let user = format!("/_users/org.couchdb.user%3A{name}");
    let account = json!({ "name": name, "password": CANARY, "roles": [], "type": "user" });
    endpoint.put(&user, &account).ok();
    let admins = json!({ "admins": { "names": [name], "roles": [] }, "members": { "names": [name], "roles": [] } });
    target.put("_security", &admins).ok();
    let to = target.url().replacen("://", &format!("://{name}:{CANARY}@"), 1);
    let clean = |what: &str| {
        for place in ["/_scheduler/docs?limit=1000", "/_scheduler/jobs?limit=1000", "/_active_tasks"] {
            let text = String::from_utf8_lossy(&endpoint.get(place).body).into_owned();
            assert!(!text.contains(CANARY), "{what}: {place}");
        }
    };
    carry(&project, &[&source.url(), &to], &["-vv", "--log-file", "log"]).ok();
    clean("one-shot");
    // Other tests may have jobs there meanwhile.
    assert_eq!(jobs_of(&target), Vec::<Value>::new());
    let running = Carrying::start(&project, &[&source.url(), &to], &["--continuous", "--json"]);
    until("the job", || jobs_of(&target).len() == 1);
    let document = jobs_of(&target)[0].clone();
    assert_eq!(document["target"]["url"], json!(target.url()), "no userinfo");
    clean("continuous");
    for command in ["list", "status"] {
        project.couchapp(&["replicate", command, endpoint.origin(), "--json"]).ok();
    }
    running.signal("INT");
    running.ended().expect(130);
    clean("cancelled");
    let document = endpoint.get(&user).json();
    endpoint.delete(&format!("{user}?rev={}", document["_rev"].as_str().unwrap())).ok();
    project.check_secrets();
}

/// Somebody sits at a terminal and is asked.
#[cfg(all(target_os = "linux", feature = "serve"))]
pub(crate) fn on_a_terminal_it_is_asked_what_stays(endpoint: &Endpoint) {
    use crate::harness::Running;
    let project = Project::for_endpoint(endpoint);
    for (keys, stays) in [("y\n", true), ("n\n", false), ("\u{3}", false)] {
        let (source, target) = (endpoint.database(), endpoint.database());
        fill(&source, 3);
        let (from, to) = (source.url(), target.url());
        let words = ["replicate", &from, &to, "--via", "server", "--continuous"];
        let mut running = Running::start_on_terminal(&project, &words);
        until("the documents", || ids(&target).len() == 3);
        running.press("\u{3}");
        running.until_said("Leave the job running on");
        running.press(keys);
        running.until_said(if stays { "end 0" } else { "end 130" });
        let text = running.text();
        assert_eq!(text.contains("Cancelled 1 job"), !stays, "{text}");
        let jobs = jobs_of(&target);
        assert_eq!(jobs.len(), usize::from(stays), "{text}");
        for job in jobs {
            project.couchapp(&["replicate", "cancel", endpoint.origin(), &job_id(&job), "--yes"]).ok();
        }
    }
}
