//! Bad connections, bad servers: nothing is lost, nothing is written twice, nothing is claimed that is not so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::app::{App, noise};
use crate::fault_proxy::{Action, Cut, FaultProxy};
use crate::harness::{Database, Endpoint, Project};
use crate::wire::Answer;

pub(crate) fn lost_answers_are_recognised(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::start(endpoint.origin(), |arrival| {
        if arrival.write_number > 0 && arrival.write_number.is_multiple_of(3) {
            Action::SwallowAnswer
        } else {
            Action::Pass
        }
    });
    let url = database.url_through(&proxy);
    App::small().write(&project, "blog");
    for number in 1..=12 {
        project.write("blog/shows/post.js", format!("function () {{ return {number}; }}\n"));
        project.write("blog/_attachments/dot.png", noise(2000, number));
        let run = project.couchapp(&["push", "blog", &url]);
        assert_eq!(run.code, 0, "push {number}\n{run}");
        assert_eq!(database.generation("_design/blog"), u64::from(number), "push {number}\n{run}");
    }
    assert_eq!(proxy.writes().len(), 12, "nothing is sent twice");
    let document = database.get("_design/blog?conflicts=true").json();
    assert_eq!(document["shows"]["post"], json!("function () { return 12; }"));
    assert!(document["_conflicts"].is_null());
    project.couchapp(&["push", "blog", &url]).ok().says("Up to date");
}

/// The two states of the app between which a push is disturbed.
struct Two<'a> {
    project: Project,
    database: Database<'a>,
    proxy: FaultProxy,
    url: String,
    old: App,
    new: App,
}

impl<'a> Two<'a> {
    fn begin(endpoint: &'a Endpoint) -> Self {
        let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
        let proxy = FaultProxy::counting(endpoint.origin());
        let url = database.url_through(&proxy);
        let old = App::small();
        let new = old
            .clone()
            .with("shows/post.js", "function () { return 'new'; }\n")
            .with("_attachments/index.html", "new\n")
            .with("_attachments/new.png", noise(30_000, 2))
            .without("_attachments/dot.png");
        old.write(&project, "blog");
        // Through the proxy from the beginning: another address is another target, without a base.
        project.couchapp(&["push", "blog", &url]).ok();
        project.remove("blog/_attachments/dot.png");
        new.write(&project, "blog");
        Self { project, database, proxy, url, old, new }
    }

    /// Asserts that the server has exactly one of the two states, and says whether it is the new one.
    #[track_caller]
    fn is_new(&self, note: &str) -> bool {
        let document = self.database.document("_design/blog");
        let is_new = document["shows"]["post"] == json!("function () { return 'new'; }");
        let app = if is_new { &self.new } else { &self.old };
        let expected = app.attachments();
        let names: Vec<_> = document["_attachments"].as_object().unwrap().keys().collect();
        assert_eq!(names.len(), expected.len(), "{note}: {names:?}");
        for (name, content) in expected {
            assert_eq!(self.database.attachment("_design/blog", &name), content, "{note}: {name}");
        }
        is_new
    }
}

pub(crate) fn a_cut_request_leaves_a_whole_revision(endpoint: &Endpoint) {
    let two = Two::begin(endpoint);
    for at in [0, 1, 100, 300, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000] {
        for cut in [Cut::Reset, Cut::Finish] {
            two.proxy
                .play(move |arrival| if arrival.write_number > 0 { Action::CutRequest(at, cut) } else { Action::Pass });
            let run = two.project.couchapp(&["push", "blog", &two.url, "--retries", "0"]);
            assert_eq!(run.code, 7, "cut at {at}\n{run}");
            assert!(!two.is_new(&format!("cut at {at}")));
        }
    }
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    two.proxy.play(move |arrival| {
        let first = arrival.write_number > 0 && seen.fetch_add(1, Ordering::Relaxed) == 0;
        if first { Action::CutRequest(700, Cut::Reset) } else { Action::Pass }
    });
    two.project.couchapp(&["push", "blog", &two.url]).ok();
    assert!(two.is_new("after a second try"));
    assert_eq!((two.database.generation("_design/blog"), count.load(Ordering::Relaxed)), (2, 2));
}

pub(crate) fn a_killed_push_leaves_the_old_revision(endpoint: &Endpoint) {
    for (number, action) in [
        Action::StallRequest(0),
        Action::StallRequest(400),
        Action::StallRequest(5000),
        Action::StallRequest(25_000),
        Action::StallAnswer(0),
        Action::StallAnswer(40),
    ]
    .into_iter()
    .enumerate()
    {
        let two = Two::begin(endpoint);
        let committed = matches!(action, Action::StallAnswer(_));
        let played = action.clone();
        two.proxy.play(move |arrival| if arrival.write_number > 0 { played.clone() } else { Action::Pass });
        two.proxy.forget();
        let mut child = two.project.start("", &["push", "blog", &two.url]);
        // The moment: the request has arrived as far as it will, or the write is done.
        while two.proxy.writes().first().is_none_or(|write| write.body_length < 20_000) {
            assert!(child.try_wait().unwrap().is_none(), "{action:?}: ended too early");
            std::thread::yield_now();
        }
        while committed && two.database.generation("_design/blog") < 2 {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        two.project.check_secrets();
        assert_eq!(two.is_new(&format!("killed at {number}")), committed, "{action:?}");
        // The next push finishes what was begun, and no more.
        two.proxy.play(|_| Action::Pass);
        let run = two.project.couchapp(&["push", "blog", &two.url]);
        assert_eq!(run.code, 0, "{action:?}\n{run}");
        assert!(two.is_new("after the next push"));
        assert_eq!(two.database.generation("_design/blog"), 2, "{action:?}\n{run}");
    }
}

pub(crate) fn busy_servers_are_asked_again(endpoint: &Endpoint) {
    let busy = |status| Answer::new(status, "text/html", "<html><title>busy</title></html>").with("Retry-After", "0");
    // Refused before it was carried out, twice in a row, and each kind of request once.
    for status in [429, 502, 503, 504] {
        let two = Two::begin(endpoint);
        let mut left = 2;
        two.proxy.play(move |arrival| {
            let plays = left > 0 && (left == 2 || arrival.write_number > 0);
            left -= usize::from(plays);
            if plays { Action::Replace(busy(status)) } else { Action::Pass }
        });
        let run = two.project.couchapp(&["push", "blog", &two.url]);
        assert_eq!(run.code, 0, "{status}\n{run}");
        assert!(two.is_new("busy"));
        assert_eq!(two.database.generation("_design/blog"), 2, "{status}\n{run}");
    }
    // Carried out, but answered by a proxy that lost patience.
    for status in [502, 503, 504] {
        let two = Two::begin(endpoint);
        let mut played = false;
        two.proxy.play(move |arrival| {
            let plays = arrival.write_number > 0 && !played;
            played |= plays;
            if plays { Action::ReplaceAnswer(busy(status)) } else { Action::Pass }
        });
        let run = two.project.couchapp(&["push", "blog", &two.url]);
        assert_eq!(run.code, 0, "{status}\n{run}");
        assert!(two.is_new("patience"));
        assert_eq!(two.database.generation("_design/blog"), 2, "{status}\n{run}");
    }
    // Always busy.
    let two = Two::begin(endpoint);
    two.proxy.play(move |_| Action::Replace(busy(503)));
    two.proxy.forget();
    two.project.couchapp(&["push", "blog", &two.url, "--retries", "2"]).expect(7);
    assert_eq!(two.proxy.seen().len(), 3, "one try and two more");
}

pub(crate) fn strange_answers_are_explained(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = database.url_through(&proxy);
    let design = format!("{url}/_design/blog");
    App::small().write(&project, "blog");
    let table: Vec<(Answer, &[i32], &str)> = vec![
        (
            Answer::new(200, "text/html", "<html><body>Welcome to the hotel\u{1b}[31m</body></html>"),
            &[1],
            "does not look like CouchDB",
        ),
        (Answer::json(200, &json!({ "hello": "world" })), &[1, 6], ""),
        (Answer::json(200, &json!([1])), &[1], ""),
        (Answer::new(200, "application/json", "{\"_id\": "), &[1, 7], ""),
        (Answer::new(400, "application/json", ""), &[1], "400"),
        (Answer::error(403, "forbidden", "you \u{1b}[31mmay not"), &[4], "may not"),
        (Answer::error(500, "badarg", "strange"), &[1, 7], "strange"),
        (Answer::new(404, "text/html", "<h1>nginx</h1>"), &[1, 6], ""),
        (Answer::new(407, "text/html", "proxy says no"), &[1, 4], ""),
        (Answer::error(413, "too_large", "the request entity is too large"), &[1], "413"),
    ];
    for (answer, codes, text) in table {
        proxy.play(move |_| Action::Replace(answer.clone()));
        for arguments in [vec!["push", "blog", &url], vec!["clone", &design, "copy"], vec!["status", "blog", &url]] {
            let run = project.couchapp(&[&arguments[..], &["--retries", "0"]].concat());
            assert!(codes.contains(&run.code), "{arguments:?} should end with one of {codes:?}\n{run}");
            assert!(run.output().contains(text), "{arguments:?} does not say {text:?}\n{run}");
            assert!(run.stderr.starts_with("error: ") || run.stderr.contains("\nerror: "), "{arguments:?}\n{run}");
            assert!(!run.output().contains(['\u{1b}', '\u{7}']), "{run}");
            assert!(!project.exists("copy"));
        }
    }
    database.get("_design/blog").expect(404);
}

pub(crate) fn nothing_is_sent_where_a_redirect_points(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let elsewhere = FaultProxy::counting(endpoint.origin());
    let there = elsewhere.origin();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{there}{}", database.beneath("_design/blog"));
        let answer = Answer::new(status, "text/html", "moved").with("Location", location);
        let proxy = FaultProxy::start(endpoint.origin(), move |_| Action::Replace(answer.clone()));
        App::small().write(&project, "blog");
        let url = database.url_through(&proxy);
        for arguments in [vec!["push", "blog", &url], vec!["clone", &format!("{url}/_design/blog"), "copy"]] {
            let run = project.couchapp(&[&arguments[..], &["--retries", "0"]].concat());
            assert_ne!(run.code, 0, "{run}");
        }
    }
    assert_eq!(elsewhere.seen(), []);
    assert!(!project.exists("copy"));
}

pub(crate) fn an_unreachable_server_has_its_code(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    App::small().write(&project, "blog");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/blog");
    for arguments in [
        vec!["push", "blog", &url],
        vec!["clone", &format!("{url}/_design/blog"), "copy"],
        vec!["status", "blog", &url],
    ] {
        let run = project.couchapp(&[&arguments[..], &["--retries", "1"]].concat()).expect(7);
        assert!(run.stderr.contains("cannot reach") && run.stderr.contains("hint:"), "{run}");
    }
    // The server itself is there all the time.
    endpoint.get("/").expect(200);
}
