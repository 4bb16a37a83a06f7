//! How jobs at a server end, and what is left of them.

use serde_json::{Value, json};

use super::server_jobs::{carry, fill, held, ids, job_id, jobs_of, start};
use crate::fault_proxy::{Action, FaultProxy};
use crate::harness::{CANARY, Endpoint, Kind, Project, until};
use crate::wire::Answer;

pub(crate) fn a_target_that_goes_ends_a_job(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let (source, target) = (endpoint.database(), endpoint.database());
    fill(&source, 3);
    let running = start(&project, &[&source.url(), &target.url()], &["--continuous"]);
    until("the documents", || ids(&target).len() == 3);
    endpoint.delete(&target.target()).ok();
    if endpoint.kind() == Kind::PouchDb {
        // Its own job may make the database again, empty, before anybody looks: then there is nothing to be noticed.
        let mut running = running;
        until("the end, or the database", || running.has_ended() || target.exists());
        if !running.has_ended() {
            running.signal("INT");
        }
        let run = running.ended(&project);
        assert!([6, 130].contains(&run.code), "{run}");
    } else {
        running.ended(&project).expect(6).says(target.name());
    }
    assert_eq!(jobs_of(&target), Vec::<Value>::new());
    let target = endpoint.database();
    let (proxy, gate) = held(endpoint);
    let running = start(&project, &[&source.url_through(&proxy), &target.url()], &[]);
    until("the job", || jobs_of(&target).len() == 1);
    endpoint.delete(&target.target()).ok();
    gate.add_permits(1000);
    let run = running.ended(&project);
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
    let running = start(&project, &[&source.url(), &to], &["--continuous", "--json"]);
    until("the job", || jobs_of(&target).len() == 1);
    let document = jobs_of(&target)[0].clone();
    assert_eq!(document["target"]["url"], json!(target.url()), "no userinfo");
    clean("continuous");
    for command in ["list", "status"] {
        project.couchapp(&["replicate", command, endpoint.origin(), "--json"]).ok();
    }
    running.signal("INT");
    running.ended(&project).expect(130);
    clean("cancelled");
    let document = endpoint.get(&user).json();
    endpoint.delete(&format!("{user}?rev={}", document["_rev"].as_str().unwrap())).ok();
    project.check_secrets();
}

pub(crate) fn a_run_that_is_stopped_leaves_no_job(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    for signal in ["INT", "TERM"] {
        let (source, target) = (endpoint.database(), endpoint.database());
        fill(&source, 3);
        let (proxy, gate) = held(endpoint);
        let running = start(&project, &[&source.url_through(&proxy), &target.url()], &[]);
        until("the job", || jobs_of(&target).len() == 1);
        running.signal(signal);
        running.ended(&project).expect(130).says("Stopped before the end");
        assert_eq!(jobs_of(&target), Vec::<Value>::new());
        gate.add_permits(1000);
        // Nobody can be asked whether a job that goes on is to stay.
        let running = start(&project, &[&source.url(), &target.url()], &["--continuous"]);
        until("the documents", || ids(&target).len() == 3);
        running.signal(signal);
        running.ended(&project).expect(130).says("Cancelled 1 job");
        assert_eq!(jobs_of(&target), Vec::<Value>::new());
    }
}

pub(crate) fn what_a_killed_run_left_is_tidied_up(endpoint: &Endpoint) {
    let (project, source, target) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    fill(&source, 3);
    let (proxy, gate) = held(endpoint);
    let places = [source.url_through(&proxy), target.url()];
    let places = [places[0].as_str(), places[1].as_str()];
    let running = start(&project, &places, &[]);
    until("the job", || jobs_of(&target).len() == 1);
    running.signal("KILL");
    running.ended(&project).expect(-1);
    let left = job_id(&jobs_of(&target)[0]);
    gate.add_permits(1000);
    let run = carry(&project, &places, &["-v"]).ok();
    assert_eq!(jobs_of(&target), Vec::<Value>::new(), "{left}\n{run}");
    assert_eq!(ids(&target).len(), 3);
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
