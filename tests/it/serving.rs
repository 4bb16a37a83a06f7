//! `serve` as people run it: from its start to the signal that ends it.

use std::net::TcpListener;

use serde_json::json;

use crate::harness::{CANARY, Endpoint, Project, Response, Served};

fn album() -> Project {
    let project = Project::new();
    project.write_tree(
        "album",
        [
            ("_id", "_design/album"),
            ("language", "javascript"),
            ("views/names/map.js", "function (doc) { emit(doc._id, null); }"),
            ("_attachments/index.html", "<!doctype html><title>Album</title><link rel=stylesheet href=style.css>"),
            ("_attachments/style.css", "h1 { color: red }"),
        ],
    );
    project.write_tree("files", [("2010/beach.txt", "sand"), ("2010/sea.txt", "waves")]);
    project
}

#[test]
fn an_app_and_its_files_are_there_until_ctrl_c() {
    let project = album();
    let served = Served::start(&project, "album --media files --memory");
    let endpoint = served.endpoint(None);
    let page = endpoint.get("/album/_design/album/index.html").expect(200);
    assert!(page.body.ends_with(b"href=style.css>"), "only browsers get the script that reloads: {page:?}");
    let browser = [("accept", "text/html,*/*;q=0.8"), ("sec-fetch-dest", "document")];
    let page = endpoint.send("GET", "/album/_design/album/index.html", &browser, Vec::new()).expect(200);
    assert!(page.body.ends_with(b"</script>\n"), "{page:?}");
    endpoint.get("/album/2010%2Fbeach.txt/beach.txt").expect(200);
    assert_eq!(endpoint.get("/album/_design/album/_view/names").expect(200).json()["total_rows"], 2);
    let run = served.end(&project, "INT");
    insta::assert_snapshot!(run.session(), @r"
    exit 130
    ----- stdout
    http://127.0.0.1:[PORT]/album/_design/album/index.html
    ----- stderr
    Serving http://127.0.0.1:[PORT]/ for development (nothing is kept; Ctrl-C stops)
    Pushing album → http://127.0.0.1:[PORT]/album/_design/album
      + _attachments/index.html        71 B
      + _attachments/style.css         17 B
      + language
      + views/names/map.js
    Created the database http://127.0.0.1:[PORT]/album
    Pushed: rev [REV], 141 B sent, 0 B unchanged, [TIME]
    Sending ./files → http://127.0.0.1:[PORT]/album
      + 2010/beach.txt         4 B
      + 2010/sea.txt           5 B
    Sent 2 files (9 B) in [TIME]
    Watching for changes; open pages reload by themselves
    Stopped
    ");
}

#[test]
fn an_empty_server_says_where_it_is() {
    let project = Project::new();
    let served = Served::start(&project, "");
    served.until_said("Serving");
    let run = served.end(&project, "TERM");
    insta::assert_snapshot!(run.session(), @r"
    exit 130
    ----- stdout
    http://127.0.0.1:[PORT]/
    ----- stderr
    Serving http://127.0.0.1:[PORT]/ for development (nothing is kept; Ctrl-C stops)
    Stopped
    ");

    let served = Served::start(&project, "--json");
    served.until_said("\"serve\"");
    let run = served.end(&project, "INT").expect(130);
    let told = run.lines_of_json();
    assert!(told[0]["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{run}");
    assert_eq!(run.stderr, "");
}

#[test]
fn an_edit_is_pushed_and_a_broken_app_is_told_of_until_it_is_mended() {
    let project = album();
    let served = Served::start(&project, "album --memory");
    let endpoint = served.endpoint(None);
    let style = "/album/_design/album/style.css";
    project.write("album/_attachments/style.css", "h1 { color: blue }");
    served.until(&endpoint, style, |answer| answer.body == b"h1 { color: blue }");

    project.write("album/views/names/map.js", "function (doc) { emit(doc._id, ; }");
    served.until_said("error: ");
    served.until_said("views/names/map.js");
    assert_eq!(endpoint.get(style).expect(200).body, b"h1 { color: blue }");

    project.write("album/views/names/map.js", "function (doc) { emit(1, null); }");
    let mended = |answer: &Response| answer.json()["views"]["names"]["map"] == "function (doc) { emit(1, null); }";
    served.until(&endpoint, "/album/_design/album", mended);
    let run = served.end(&project, "INT").expect(130);
    assert_eq!(run.stdout.lines().count(), 1, "the address is said once:\n{run}");
    assert!(!run.output().contains("Up to date"), "{run}");
}

#[test]
fn files_come_and_are_never_removed_without_being_asked() {
    let project = album();
    let served = Served::start(&project, "--media files --memory");
    let endpoint = served.endpoint(None);
    endpoint.get("/files/2010%2Fsea.txt").expect(200);
    project.remove("files/2010/sea.txt");
    project.write("files/2011/new/snow.txt", "cold");
    served.until(&endpoint, "/files/2011%2Fnew%2Fsnow.txt", |answer| answer.status == 200);
    endpoint.get("/files/2010%2Fsea.txt").expect(200);
    served.end(&project, "INT").expect(130).says("1 document of the database has no file here and stays");
}

#[test]
fn others_are_let_in_only_with_an_administrator() {
    let project = album();
    project.set("XDG_STATE_HOME", project.root().join("unused").to_str().unwrap());
    let before = project.tree("");
    let refused = |arguments: &str| {
        let words: Vec<&str> = ["serve", "album"].into_iter().chain(arguments.split_whitespace()).collect();
        project.couchapp(&words).expect(2)
    };
    insta::assert_snapshot!(refused("--host 0.0.0.0").session(), @r"
    exit 2
    ----- stdout
    ----- stderr
    error: without an administrator only this computer may ask, and 0.0.0.0 is for others as well
    hint: `--user NAME` and a password make one: `COUCHAPP_PASSWORD` or `--password-stdin`
    ");
    insta::assert_snapshot!(refused("--host :: --user admin").session(), @r"
    exit 2
    ----- stdout
    ----- stderr
    error: there is no password for the administrator `admin`
    hint: `COUCHAPP_PASSWORD`, `--password-stdin` or `--password-file` gives it; on a terminal it is asked for
    ");
    assert_eq!(project.tree(""), before, "something was started");

    let arguments = "album --memory --host 0.0.0.0 --user admin --password-stdin";
    let served = Served::start_with(&project, arguments, &format!("{CANARY}\n"));
    let admin = served.endpoint(Some(("admin", CANARY)));
    let stranger = Endpoint::at(admin.origin(), None);
    assert_eq!(stranger.get("/album/_design/album").status, 401);
    assert_eq!(stranger.put("/other", &json!({})).status, 401);
    admin.put("/other", &json!({})).expect(201);
    served.end(&project, "INT").expect(130).says("passwords travel unencrypted");
}

#[test]
fn on_this_computer_an_administrator_keeps_the_others_from_writing() {
    let project = album();
    project.set("COUCHAPP_PASSWORD", CANARY);
    let served = Served::start(&project, "album --media files --memory --user admin");
    let admin = served.endpoint(Some(("admin", CANARY)));
    let session = admin.get("/_session").expect(200).json();
    assert_eq!(session["userCtx"]["name"], "admin");
    assert_eq!(Endpoint::at(admin.origin(), None).put("/other", &json!({})).status, 401);
    assert_eq!(Endpoint::at(admin.origin(), Some(("admin", "wrong"))).get("/_session").status, 401);
    served.end(&project, "INT").expect(130);
}

#[test]
fn credentials_for_other_servers_are_not_used() {
    let project = album();
    project.write("../home/.netrc", format!("machine 127.0.0.1 login admin password {CANARY}\n"));
    let served = Served::start(&project, "album --memory");
    served.endpoint(None).get("/album/_design/album").expect(200);
    served.end(&project, "INT").expect(130);
}

#[test]
fn what_cannot_be_started_says_why() {
    let project = album();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let run = project.couchapp(&["serve", "album", "--memory", "--port", &port]);
    insta::assert_snapshot!(run.session(), @r"
    exit 1
    ----- stdout
    ----- stderr
    error: 127.0.0.1:[PORT] cannot be listened at
      caused by: Address already in use (os error 98)
    hint: another program listens there; `--port` names another port, and 0 takes a free one
    ");
    insta::assert_snapshot!(project.couchapp(&["serve", "nowhere"]).session(), @r"
    exit 6
    ----- stdout
    ----- stderr
    error: the folder `nowhere` does not exist
    ");
    insta::assert_snapshot!(project.couchapp(&["serve", "album", "-n"]).session(), @r"
    exit 2
    ----- stdout
    ----- stderr
    error: there is no dry run of `serve`
    hint: `--memory` keeps nothing
    ");

    project.write_tree("other/album", [("index.html", "another album")]);
    insta::assert_snapshot!(project.couchapp(&["serve", "album", "other/album", "--memory"]).session(), @r"
    exit 2
    ----- stdout
    ----- stderr
    error: `./album` and `./other/album` would both go into the database `album`
    hint: rename one of the folders
    ");

    let served = Served::start(&project, "album");
    served.endpoint(None);
    insta::assert_snapshot!(project.couchapp(&["serve", "album", "--port", "0"]).session(), @r"
    exit 1
    ----- stdout
    ----- stderr
    error: the databases in [DIR]/work/album/.couchapp/data cannot be opened
      caused by: the store failed
      caused by: another process has the data folder open
    hint: stop the other one, or name another folder with `--data`
    ");
    served.end(&project, "INT").expect(130);
}

#[test]
fn data_outlives_a_kill() {
    let project = album();
    let served = Served::start(&project, "album --media files --data kept");
    let endpoint = served.endpoint(None);
    endpoint.put("/album/note", &json!({"text": "kept"})).expect(201);
    served.end(&project, "KILL").expect(-1);

    let served = Served::start(&project, "album --media files --data kept");
    let endpoint = served.endpoint(None);
    assert_eq!(endpoint.get("/album/note").expect(200).json()["text"], "kept");
    assert_eq!(endpoint.get("/album").expect(200).json()["doc_count"], 4);
    let run = served.end(&project, "INT");
    insta::assert_snapshot!(run.session(), @r"
    exit 130
    ----- stdout
    http://127.0.0.1:[PORT]/album/_design/album/index.html
    ----- stderr
    Serving http://127.0.0.1:[PORT]/ for development (data in `kept`; Ctrl-C stops)
    Watching for changes; open pages reload by themselves
    Stopped
    ");
}

#[test]
fn replications_go_on_after_a_restart_and_end_with_the_server() {
    let project = Project::new();
    // The databases are at a server of their own: the other one has another address after the restart.
    let place = Served::start(&project, "--memory");
    let databases = place.empty_endpoint(None);
    let (source, target) = (databases.database(), databases.database());
    let job = json!({ "source": source.url(), "target": target.url(), "continuous": true });
    let served = Served::start(&project, "--data data");
    let endpoint = served.empty_endpoint(None);
    endpoint.put("/_replicator/job", &job).expect(201);
    source.store("first", &json!({}));
    place.until(&databases, &target.beneath("first"), |answer| answer.status == 200);
    served.end(&project, "INT").expect(130).says("Stopped");

    source.store("second", &json!({}));
    let served = Served::start(&project, "--data data");
    let endpoint = served.empty_endpoint(None);
    place.until(&databases, &target.beneath("second"), |answer| answer.status == 200);
    let told = "/_scheduler/docs/_replicator/job";
    served.until(&endpoint, told, |answer| answer.status == 200 && answer.json()["state"] == "running");
    // An end that is away keeps nobody from ending.
    drop((source, target));
    place.end(&project, "KILL");
    served.until(&endpoint, told, |answer| answer.json()["state"] == "crashing");
    served.end(&project, "INT").expect(130).says("Stopped");
}
