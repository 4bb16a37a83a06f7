//! `watch`, `sync-dir --watch` and `dump --watch`: what changes on one side comes to the other by itself.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::fault_proxy::{Action, Cut, FaultProxy};
use crate::harness::{Database, Endpoint, Project, Running, cases, until, until_found_or};

mod files;
mod law;

const MAP: &str = "function (doc) { emit(doc._id, null); }";

fn blog(endpoint: &Endpoint) -> Project {
    let project = Project::for_endpoint(endpoint);
    project.write_tree(
        "blog",
        [
            ("_id", "_design/blog"),
            ("language", "javascript"),
            ("views/names/map.js", MAP),
            ("_attachments/index.html", "<!doctype html><title>Blog</title>"),
            ("_attachments/style.css", "h1 { color: red }"),
        ],
    );
    project
}

/// `watch`, as soon as it waits for changes.
#[track_caller]
fn watching(project: &Project, url: &str, more: &[&str]) -> Running {
    let words = [&["watch", "blog", url], more].concat();
    let running = Running::start(project, &words, "");
    running.until_said(if more.contains(&"--json") { "\"watching\"" } else { "Watching blog" });
    running
}

/// Waits until the database holds what it should, asking again whenever something changes in it.
#[track_caller]
fn until_shown<T>(running: &Running, database: &Database<'_>, look: impl Fn() -> Option<T>) -> T {
    until_found_or(
        || running.text(),
        || {
            let found = look();
            if found.is_none() {
                database.get("_changes?feed=longpoll&since=now&timeout=100");
            }
            found
        },
    )
}

/// What is in an attachment of the design document; `None` when there is none.
fn attachment(database: &Database<'_>, name: &str) -> Option<Vec<u8>> {
    let target = database.beneath(&format!("_design/blog/{name}"));
    let answer = database.endpoint().send("GET", &target, &[("accept-encoding", "identity")], Vec::new());
    (answer.status == 200).then_some(answer.body)
}

#[track_caller]
fn until_attached(running: &Running, database: &Database<'_>, name: &str, content: Option<&str>) {
    until_shown(running, database, || {
        (attachment(database, name).as_deref() == content.map(str::as_bytes)).then_some(())
    });
}

#[test]
fn a_session() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let running = watching(&project, &database.url(), &[]);
    project.write("blog/_attachments/style.css", "h1 { color: blue }");
    running.until_said("→ 2-");
    project.write("blog/views/names/map.js", "function (doc) { emit(doc._id, ; }");
    running.until_said("views/names/map.js:1");
    running.until_said("hint:");
    assert_eq!(database.generation("_design/blog"), 2);
    project.write("blog/views/names/map.js", "function (doc) { emit(1, null); }");
    running.until_said("→ 3-");
    let run = running.end(&project, "INT");
    insta::assert_snapshot!(run.session(), @r"
    exit 130
    ----- stdout
    http://127.0.0.1:[PORT]/[DB]/_design/blog/index.html
    ----- stderr
    Pushing blog → http://127.0.0.1:[PORT]/[DB]/_design/blog
      + _attachments/index.html        34 B
      + _attachments/style.css         17 B
      + language
      + views/names/map.js
    warning: this server puts a sandbox around the app: no script of its pages runs (see `couchapp csp --help`)
    an admin can lift it with `couchapp csp allow`, which sets `[csp] attachments_enable = false` and `showlist_enable = false`; apps then run with the rights of whoever opens them, so give them a host name of their own
    Pushed: rev [REV], 104 B sent, 0 B unchanged, [TIME]
    Watching blog → http://127.0.0.1:[PORT]/[DB]
    [CLOCK]  ~ _attachments/style.css              → [REV]   [TIME]
    [CLOCK]  error: a function does not compile; nothing was sent
      views/names/map.js:1:32: unexpected token in expression: ';'
          function (doc) { emit(doc._id, ; }
                                         ^
    hint: `--no-check` sends them anyway
    [CLOCK]  ~ views/names/map.js                  → [REV]   [TIME]
    stopped after 3 pushes
    ");
}

#[test]
fn whatever_happens_to_a_file_is_pushed() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let running = watching(&project, &database.url(), &["--delay", "20ms"]);
    let path = |name: &str| project.path().join("blog/_attachments").join(name);

    // A new folder in a new folder.
    project.write("blog/_attachments/a/b/c.txt", "deep");
    until_attached(&running, &database, "a/b/c.txt", Some("deep"));
    // In it, later.
    project.write("blog/_attachments/a/b/d.txt", "beside it");
    until_attached(&running, &database, "a/b/d.txt", Some("beside it"));
    // A file gets another name, then its folder.
    fs::rename(path("a/b/c.txt"), path("a/b/e.txt")).unwrap();
    until_attached(&running, &database, "a/b/c.txt", None);
    until_attached(&running, &database, "a/b/e.txt", Some("deep"));
    fs::rename(path("a"), path("z")).unwrap();
    until_attached(&running, &database, "a/b/e.txt", None);
    until_attached(&running, &database, "z/b/e.txt", Some("deep"));
    project.write("blog/_attachments/z/b/e.txt", "deeper");
    until_attached(&running, &database, "z/b/e.txt", Some("deeper"));
    // As editors save: a file beside it takes its place.
    project.write("blog/_attachments/.style.css.tmp", "h1 { color: green }");
    fs::rename(path(".style.css.tmp"), path("style.css")).unwrap();
    until_attached(&running, &database, "style.css", Some("h1 { color: green }"));
    fs::remove_file(path("z/b/d.txt")).unwrap();
    until_attached(&running, &database, "z/b/d.txt", None);
    // The whole folder is exchanged.
    project.copy("blog", "next");
    project.write("next/_attachments/style.css", "h1 { color: black }");
    fs::rename(project.path().join("blog"), project.path().join("old")).unwrap();
    fs::rename(project.path().join("next"), project.path().join("blog")).unwrap();
    until_attached(&running, &database, "style.css", Some("h1 { color: black }"));
    project.write("blog/_attachments/style.css", "h1 { color: white }");
    until_attached(&running, &database, "style.css", Some("h1 { color: white }"));
    running.end(&project, "TERM").expect(130);
}

#[test]
fn what_is_saved_during_an_upload_is_pushed_after_it() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let gate = Arc::new(Semaphore::new(1));
    let held = Arc::clone(&gate);
    let proxy = FaultProxy::start(endpoint.origin(), move |arrival| {
        if arrival.method == "PUT" { Action::Hold(Arc::clone(&held)) } else { Action::Pass }
    });
    let running = watching(&project, &database.url_through(&proxy), &[]);
    project.write("blog/_attachments/style.css", "1");
    until("the upload", || proxy.writes().len() >= 2);
    for state in ["2", "3", "4"] {
        project.write("blog/_attachments/style.css", state);
        project.write("blog/_attachments/new.txt", state);
    }
    gate.add_permits(2);
    until_attached(&running, &database, "new.txt", Some("4"));
    until_attached(&running, &database, "style.css", Some("4"));
    running.until_said_times("ms\n", 2);
    running.end(&project, "INT").expect(130).says("stopped after 3 pushes");
    assert_eq!(database.generation("_design/blog"), 3, "the states between were never sent");
}

#[test]
fn a_server_that_is_away_is_told_once_and_waited_for() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let proxy = FaultProxy::counting(endpoint.origin());
    let running = watching(&project, &database.url_through(&proxy), &["--retries", "0"]);
    proxy.play(|_| Action::CutRequest(0, Cut::Reset));
    project.write("blog/_attachments/style.css", "while it is away");
    running.until_said("error: ");
    let asked = proxy.seen().len();
    // Without another change.
    until("more attempts", || proxy.seen().len() >= asked + 2);
    proxy.play(|_| Action::Pass);
    until_attached(&running, &database, "style.css", Some("while it is away"));
    running.until_said("ms\n");
    assert_eq!(running.times_said("error: "), 1, "{}", running.text());
    running.end(&project, "INT").expect(130);
}

#[test]
fn a_server_that_is_away_at_first_is_waited_for() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let proxy = FaultProxy::start(endpoint.origin(), |_| Action::CutRequest(0, Cut::Finish));
    let running = watching(&project, &database.url_through(&proxy), &["--retries", "0"]);
    running.until_said("error: ");
    proxy.play(|_| Action::Pass);
    until_attached(&running, &database, "style.css", Some("h1 { color: red }"));
    // A push that has begun becomes whole.
    running.end(&project, "INT").expect(130).says("stopped after 1 push\n");
}

#[test]
fn a_change_of_others_is_told_once_and_kept() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let proxy = FaultProxy::counting(endpoint.origin());
    let running = watching(&project, &database.url_through(&proxy), &[]);
    let mut theirs = database.document("_design/blog");
    theirs["theirs"] = json!("kept");
    database.put("_design/blog", &theirs).expect(201);

    project.write("blog/_attachments/style.css", "first");
    running.until_said("changed on the server");
    let asked = || proxy.seen().iter().filter(|seen| seen.target.contains("_design")).count();
    let before = asked();
    project.write("blog/_attachments/style.css", "second");
    until("a question", || asked() > before);
    // It is mended as the hint says.
    let source = format!("{}/_design/blog", database.url_through(&proxy));
    project.couchapp_in("blog", &["clone", &source, ".", "--update"]).ok();
    until_attached(&running, &database, "style.css", Some("second"));
    assert_eq!(database.document("_design/blog")["theirs"], "kept");
    assert_eq!(running.times_said("changed on the server"), 1, "{}", running.text());
    running.end(&project, "INT").expect(130);
}

#[test]
fn more_than_is_allowed_is_not_removed() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let running = watching(&project, &database.url(), &["--max-delete", "1"]);
    for file in ["index.html", "style.css"] {
        project.remove(&format!("blog/_attachments/{file}"));
    }
    running.until_said("this would remove 2");
    assert_eq!(database.generation("_design/blog"), 1);
    project.write("blog/_attachments/index.html", "again");
    until_attached(&running, &database, "style.css", None);
    running.end(&project, "INT").expect(130);
}

#[test]
fn events_are_lines_of_json() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let running = watching(&project, &database.url(), &["--json"]);
    project.write("blog/_attachments/style.css", "x");
    until_attached(&running, &database, "style.css", Some("x"));
    running.until_said_times("\"summary\"", 2);
    project.write("blog/views/names/map.js", "function (");
    running.until_said("\"error\"");
    let run = running.end(&project, "INT").expect(130);
    let told: Vec<Value> = run.lines_of_json();
    let kinds: Vec<&str> = told.iter().map(|line| line["type"].as_str().unwrap()).collect();
    let from = kinds.iter().position(|kind| *kind == "watch").unwrap();
    assert_eq!(kinds[from..from + 5], ["watch", "plan", "item", "item", "item"], "{run}");
    let pushed = told[from..].iter().find(|line| line["type"] == "summary").unwrap();
    assert!(pushed["rev"].as_str().unwrap().starts_with("2-") && pushed["elapsed_ms"].is_u64(), "{pushed}");
    let failed = told[from..].iter().find(|line| line["type"] == "error").unwrap();
    assert_eq!(failed["code"], "function");
    let end = told.last().unwrap();
    assert_eq!((end["state"].as_str(), end["done"].as_u64()), (Some("stopped"), Some(2)), "{run}");
}

#[test]
fn what_no_change_would_mend_ends_it() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let (url, missing) = (database.url(), endpoint.unmade_database());
    project.couchapp(&["watch", "./nowhere", &url]).expect(6).says("`./nowhere` does not exist");
    project.couchapp(&["watch", "blog", &missing.url()]).expect(6).says("--create-db");
    project.couchapp(&["watch", "blog", &url, "-n"]).expect(2);
    project.couchapp(&["watch"]).expect(2).says("there is no app");
    project.couchapp(&["watch", "blog"]).expect(2);
    project.couchapp(&["dump", &url, "-", "--watch"]).expect(2);
    project.unset("COUCHAPP_PASSWORD");
    project.couchapp(&["watch", "blog", &url]).expect(4);
    assert_eq!(database.get("_design/blog").status, 404);
}

#[test]
fn a_broken_app_is_waited_for_from_the_beginning() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    project.write("blog/views/names/map.js", "function (");
    let running = watching(&project, &database.url(), &[]);
    running.until_said("views/names/map.js:1");
    project.write("blog/views/names/map.js", MAP);
    until_attached(&running, &database, "style.css", Some("h1 { color: red }"));
    // A push that has begun becomes whole.
    running.end(&project, "INT").expect(130).says("stopped after 1 push\n");
}

#[test]
#[cfg(target_os = "linux")]
fn keys_and_questions_share_a_terminal() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), blog(&endpoint));
    let url = database.url();
    let mut running = Running::start_on_terminal(&project, &["watch", "blog", &url, "--max-delete", "0"]);
    running.until_said("[p]ush now  [o]pen  [d]iff  [q]uit");
    running.press("d");
    running.until_said("nothing differs");
    // What was refused is asked.
    project.remove("blog/_attachments/style.css");
    running.until_said("This removes 1 of 2 attachments. Go on? [y/N] ");
    running.press("n\n");
    running.until_said("this would remove 1");
    assert_eq!(database.generation("_design/blog"), 1);
    running.press("p");
    running.until_said_times("Go on? [y/N] ", 2);
    running.press("y\n");
    until_attached(&running, &database, "style.css", None);
    running.press("q");
    running.until_said("stopped after 2 pushes");
    running.until_said("end 0");
    running.until_said(" icanon");
    running.until_said(" echo ");

    let mut running = Running::start_on_terminal(&project, &["watch", "blog", &url]);
    running.until_said("[q]uit");
    running.press("\u{3}");
    running.until_said("end 130");
    running.until_said(" icanon");
}
