//! Tests of the rig itself: a harness that misses a password, or a stand-in that differs from CouchDB, would make every
//! other test worthless.

mod conversation;
mod faults;

use std::process::{ExitStatus, Output};

use serde_json::json;

use crate::fake_couch::FakeCouch;
use crate::harness::{CANARY, Endpoint, Project, Run, Secrets};

fn run_that_says(stdout: &str, stderr: &str) -> Run {
    let output = Output { status: ExitStatus::default(), stdout: stdout.into(), stderr: stderr.into() };
    Run::new(&output, "/tmp/couchapp-test-x1", &Secrets::new())
}

#[test]
#[should_panic(expected = "a password stands in stderr, line 2")]
fn a_password_in_the_output_is_found() {
    run_that_says("fine", &format!("one\ntwo {CANARY}\n"));
}

#[test]
#[should_panic(expected = "a password stands in stdout")]
fn a_password_in_a_header_is_found() {
    // The base64 of `admin:canary-hunter2`.
    run_that_says("authorization: Basic YWRtaW46Y2FuYXJ5LWh1bnRlcjI=", "");
}

#[test]
#[should_panic(expected = "a password stands in state/couchapp/log")]
fn a_password_in_a_file_is_found() {
    let project = Project::new();
    let file = project.root().join("state/couchapp/log");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, format!("http://admin:{CANARY}@host/")).unwrap();
    project.check_secrets();
}

#[test]
#[should_panic(expected = "a password stands in stdout")]
fn the_password_of_a_real_server_is_found_where_it_would_give_something_away() {
    let mut secrets = Secrets::new();
    secrets.add("admin", "secret");
    secrets.check("stdout", b"no secret so far");
    secrets.check("stdout", b"http://admin:secret@host/");
}

#[test]
fn what_the_test_wrote_itself_may_hold_the_password() {
    let project = Project::new();
    project.write("../home/.netrc", format!("machine h login admin password {CANARY}"));
    project.check_secrets();
}

#[test]
fn sessions_are_the_same_each_time() {
    let run = run_that_says(
        "Pushed: rev 6-9c31ab → 7-1234567890abcdef1234567890abcdef, 4.4 KiB sent, 0.8 s\n",
        "Pushing /tmp/couchapp-test-x1/work/blog → http://127.0.0.1:41373/couchapp_test_1_a_0/_design/blog in 12 ms\n",
    );
    insta::assert_snapshot!(run.session(), @"
    exit 0
    ----- stdout
    Pushed: rev [REV] → [REV], 4.4 KiB sent, [TIME]
    ----- stderr
    Pushing [DIR]/work/blog → http://127.0.0.1:[PORT]/[DB]/_design/blog in [TIME]
    ");
}

#[test]
fn a_tree_shows_files_links_and_empty_folders() {
    let project = Project::new();
    project.write("app/views/a/map.js", "m").write("app/.couchapp/state", "s");
    std::fs::create_dir(project.path().join("app/empty")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("views", project.path().join("app/link")).unwrap();
    let names = |tree: crate::harness::Tree| tree.into_keys().collect::<Vec<_>>();
    assert_eq!(names(project.tree("app")), [".couchapp/state", "empty/", "link", "views/a/map.js"]);
    assert_eq!(names(project.app_tree("app")), ["empty/", "link", "views/a/map.js"]);
    assert!(names(project.census_outside("app")).iter().all(|name| !name.starts_with("work/app")));
    project.write("other", "x");
    assert!(names(project.census_outside("app")).contains(&"work/other".to_owned()));
    project.copy("app", "twin");
    assert_eq!(project.tree("twin")["views/a/map.js"], b"m");
}

#[test]
#[should_panic(expected = "the URL library changes this target")]
fn requests_of_the_tests_are_sent_as_written_or_not_at_all() {
    Endpoint::fake().get("/database/document/%2E%2E");
}

#[test]
fn a_database_of_a_test_is_its_own_and_goes_with_it() {
    let endpoint = Endpoint::fake();
    let name = {
        let (one, two) = (endpoint.database(), endpoint.unmade_database());
        assert_ne!(one.name(), two.name());
        assert!(one.exists() && !two.exists());
        one.name().to_owned()
    };
    endpoint.get(&format!("/{name}")).expect(404);
}

#[test]
fn the_stand_in_lets_in_whom_it_should() {
    let endpoint = Endpoint::of_fake(FakeCouch::start_with_reader());
    let database = endpoint.database();
    database.put("_security", &json!({})).expect(200);
    let as_user = |user: &str, password: &str, method: &str, target: &str| {
        use base64::Engine as _;
        let header = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = client.request(method, format!("{}{target}", endpoint.origin()));
        let request =
            if user.is_empty() { request } else { request.header("authorization", format!("Basic {header}")) };
        crate::harness::runtime().block_on(async { request.body("{}").send().await.unwrap().status().as_u16() })
    };
    let document = database.beneath("doc");
    let design = database.beneath("_design/blog");
    for (user, password, method, target, status) in [
        ("", "", "GET", "/", 200),
        ("", "", "GET", "/_session", 200),
        ("", "", "GET", document.as_str(), 401),
        ("", "", "PUT", "/other", 401),
        ("admin", "wrong", "GET", "/", 401),
        ("admin", CANARY, "GET", document.as_str(), 404),
        ("reader", CANARY, "GET", document.as_str(), 404),
        ("reader", CANARY, "PUT", document.as_str(), 201),
        ("reader", CANARY, "PUT", design.as_str(), 403),
        ("reader", CANARY, "PUT", "/other", 401),
    ] {
        assert_eq!(as_user(user, password, method, target), status, "{user} {method} {target}");
    }
    database.put("_security", &json!({ "members": { "names": ["somebody"] } })).expect(200);
    assert_eq!(as_user("reader", CANARY, "GET", &document), 403);
}
