//! `push`: one revision, only what changed, nothing that nobody asked for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::app::{App, assert_identical, push, push_with};
use crate::fault_proxy::FaultProxy;
use crate::harness::{Endpoint, Kind, Project};

pub(crate) fn an_app_is_one_revision(endpoint: &Endpoint) {
    let (project, database, app) = (Project::for_endpoint(endpoint), endpoint.database(), App::full());
    app.write(&project, "blog");
    let run = push(&project, "blog", &database).ok();
    assert_eq!(run.stdout, format!("{}/index.html\n", database.design_url("blog")));

    let document = database.document("_design/blog");
    assert_eq!(database.generation("_design/blog"), 1);
    assert_eq!(document["views"]["by_date"]["map"], json!("function (doc) {\n  emit(doc.date, 1);\n}"));
    assert_eq!(document["views"]["by_date"]["reduce"], json!("_count"));
    assert_eq!(document["language"], json!("javascript"));
    assert_eq!(document["lib"]["templates"]["post"], json!("<h1>{{title}}</h1>"));
    assert_eq!(document["templates"]["empty"], json!(""));
    assert_eq!(document["rewrites"][1]["to"], json!("../../*"));
    assert_eq!(document["evently"]["profile"]["selectors"]["a[href=#signup]"], json!({ "click": "signup" }));
    assert_eq!(document["vendor"]["couchapp"]["metadata"]["version"], json!(3));
    assert_eq!(document["couchapp"]["name"], json!("Blog"));
    let list = document["lists"]["page"].as_str().unwrap();
    assert!(list.contains("function escape(text)") && !list.contains("!code"), "{list}");
    let show = document["shows"]["titled"].as_str().unwrap();
    assert!(show.contains("var lib = {\"templates\": {\"post\": \"<h1>{{title}}</h1>\"}};"), "{show}");

    let expected = app.attachments();
    assert!(expected.len() > 110, "{}", expected.len());
    let stored = document["_attachments"].as_object().unwrap();
    assert_eq!(stored.keys().collect::<Vec<_>>().len(), expected.len());
    for (name, content) in expected {
        assert_eq!(database.attachment("_design/blog", &name), content, "{name}");
    }
}

pub(crate) fn the_example_is_pushed_as_it_is(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    project.copy_in("examples/hello", "hello");
    push(&project, "hello", &database).ok();
    assert_eq!(database.generation("_design/hello"), 1);
    let page = project.read("hello/_attachments/index.html");
    assert_eq!(database.attachment("_design/hello", "index.html"), page);
    // Nothing is left of what the validation was tried with.
    let rows = database.get("_all_docs").expect(200).json()["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
}

pub(crate) fn an_unchanged_push_writes_nothing(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = database.url_through(&proxy);
    App::full().write(&project, "blog");
    project.couchapp(&["push", "blog", &url]).ok();
    let revision = database.revision("_design/blog");
    for more in [&[][..], &["--force"], &["--delete"], &["--no-check"]] {
        proxy.forget();
        let run = project.couchapp(&[&["push", "blog", &url], more].concat()).ok().says("Up to date");
        assert_eq!(proxy.writes(), [], "{more:?}\n{run}");
        assert_eq!(database.revision("_design/blog"), revision);
    }
    // Files that were touched, but not changed.
    for path in ["blog/views/by_date/map.js", "blog/_attachments/index.html", "blog/_attachments/dot.png"] {
        let content = project.read(path);
        project.write(path, content);
    }
    proxy.forget();
    project.couchapp(&["push", "blog", &url]).ok().says("Up to date");
    assert_eq!(proxy.writes(), []);
}

pub(crate) fn a_change_sends_only_itself(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = database.url_through(&proxy);
    let app = App::small().with("_attachments/big.png", super::app::noise(400_000, 9));
    app.write(&project, "blog");
    project.couchapp(&["push", "blog", &url]).ok();
    project.write("blog/_attachments/index.html", "<!doctype html>\n<title>Blog 2</title>\n");
    project.write("blog/shows/post.js", "function () { return 'new'; }\n");
    proxy.forget();
    project.couchapp(&["push", "blog", &url]).ok();
    assert_eq!(database.generation("_design/blog"), 2);
    let writes = proxy.writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert!(writes[0].body_length < 10_000, "{writes:?}");
    assert_eq!(database.document("_design/blog")["shows"]["post"], json!("function () { return 'new'; }"));
    for (name, content) in
        app.with("_attachments/index.html", project.read("blog/_attachments/index.html")).attachments()
    {
        assert_eq!(database.attachment("_design/blog", &name), content, "{name}");
    }
}

pub(crate) fn attachments_leave_the_index_alone(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    let signature = || {
        let info = database.get("_design/blog/_info");
        (info.status == 200).then(|| info.json()["view_index"]["signature"].clone()).filter(Value::is_string)
    };
    let before = signature();
    let views = database.document("_design/blog")["views"].clone();
    project.write("blog/_attachments/index.html", "new\n").write("blog/_attachments/more.css", "a {}\n");
    project.write("blog/shows/post.js", "function () { return 'x'; }\n").write("blog/lists/a.js", "function () {}\n");
    push(&project, "blog", &database).ok();
    assert_eq!(database.generation("_design/blog"), 2);
    assert_eq!(database.document("_design/blog")["views"], views);
    assert_eq!(signature(), before);
    // PouchDB has no signatures; there the unchanged views are all that can be seen.
    assert_eq!(before.is_none(), endpoint.kind() == Kind::PouchDb);
    project.write("blog/views/by_date/map.js", "function (doc) { emit(doc.title); }\n");
    push(&project, "blog", &database).ok();
    if before.is_some() {
        assert_ne!(signature(), before);
    }
}

pub(crate) fn attachments_are_read_back_as_they_were(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let long = "all work and no play makes jack a dull boy\n".repeat(9000);
    let contents: BTreeMap<&str, Vec<u8>> = BTreeMap::from([
        ("empty.txt", Vec::new()),
        ("empty.png", Vec::new()),
        ("long.txt", long.clone().into_bytes()),
        ("long.js", long.clone().into_bytes()),
        ("long.svg", long.clone().into_bytes()),
        ("long.json", format!("[{long:?}]").into_bytes()),
        ("noise.html", super::app::noise(100_000, 3)),
        ("noise.jpg", super::app::noise(1_500_000, 4)),
        ("already.gz", super::app::noise(5000, 5)),
        ("crlf.css", b"a {}\r\nb {}\r\n".to_vec()),
        ("zeros.txt", b"\0\0\0".to_vec()),
        ("--boundary.txt", b"\r\n--boundary--\r\n".to_vec()),
    ]);
    for (name, content) in &contents {
        project.write(&format!("blog/_attachments/{name}"), content);
    }
    project.write("blog/_id", "_design/blog");
    push(&project, "blog", &database).ok();
    let document = database.document("_design/blog");
    for (name, content) in &contents {
        assert_eq!(&database.attachment("_design/blog", name), content, "{name}");
        assert_eq!(document["_attachments"][name]["length"], json!(content.len()), "{name}");
        // As stored: what the server calls gzip is gzip of the content.
        let target = database.beneath(&format!("_design/blog/{}", crate::harness::encoded(name)));
        let response = endpoint.send("GET", &target, &[("accept-encoding", "gzip")], Vec::new()).expect(200);
        if response.header("content-encoding") == Some("gzip") {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&response.body[..]), &mut plain).unwrap();
            assert_eq!(&plain, content, "{name}");
        } else {
            assert_eq!(&response.body, content, "{name}");
        }
    }
    super::app::clone(&project, &database, "_design/blog", "copy").ok();
    for (name, content) in &contents {
        assert_eq!(&project.read(&format!("copy/_attachments/{name}")), content, "{name}");
    }
}

pub(crate) fn a_missing_database_is_created_only_when_asked(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.unmade_database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).expect(6).says(database.name()).says("--create-db");
    push_with(&project, "blog", &database, &["--dry-run"]).expect(6);
    push_with(&project, "blog", &database, &["--create-db", "--dry-run"]);
    assert!(!database.exists());
    push_with(&project, "blog", &database, &["--create-db"]).ok();
    assert_eq!(database.generation("_design/blog"), 1);
}

pub(crate) fn a_dry_run_writes_nothing(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = database.url_through(&proxy);
    App::full().write(&project, "blog");
    let before = project.app_tree("blog");
    project.couchapp(&["push", "blog", &url, "-n", "-v"]).ok().says("views/by_date/map.js");
    assert_eq!(proxy.writes(), []);
    database.get("_design/blog").expect(404);
    project.couchapp(&["push", "blog", &url]).ok();
    project.write("blog/shows/post.js", "function () { return 1; }\n").remove("blog/_attachments/dot.png");
    proxy.forget();
    let run = project.couchapp(&["push", "blog", &url, "--dry-run"]).ok();
    let run = run.says("~ shows/post.js").says("- _attachments/dot.png");
    assert!(!run.output().contains("index.html  "), "{run}");
    assert_eq!(proxy.writes(), []);
    assert_eq!(database.generation("_design/blog"), 1);
    let mut after = project.app_tree("blog");
    after.insert("shows/post.js".into(), before["shows/post.js"].clone());
    after.insert("_attachments/dot.png".into(), before["_attachments/dot.png"].clone());
    assert_eq!(after, before);
}

pub(crate) fn an_export_is_the_document(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::full().write(&project, "blog");
    let run = project.couchapp(&["push", "--export", "blog"]).ok();
    let exported: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(exported["_id"], json!("_design/blog"));
    assert_eq!(exported["views"]["by_date"]["reduce"], json!("_count"));
    project.couchapp(&["push", "--export", "--output", "blog.json", "blog"]).ok();
    let written: Value = serde_json::from_slice(&project.read("blog.json")).unwrap();
    assert_eq!(written, exported);
    // Another program can store it as it is.
    database.put("_design/blog", &exported).expect(201);
    let other = endpoint.database();
    push(&project, "blog", &other).ok();
    let members = |mut document: Value| {
        for member in ["_rev", "_attachments"] {
            document.as_object_mut().unwrap().shift_remove(member);
        }
        super::app::sorted(&document)
    };
    assert_eq!(members(database.document("_design/blog")), members(other.document("_design/blog")));
    for name in App::full().attachments().keys() {
        assert_eq!(database.attachment("_design/blog", name), other.attachment("_design/blog", name), "{name}");
    }
}

pub(crate) fn only_what_matches_is_pushed(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.write("blog/shows/post.js", "function () { return 2; }\n");
    project.write("blog/views/by_date/map.js", "function (doc) { emit(2); }\n");
    project.write("blog/_attachments/index.html", "2\n").remove("blog/_attachments/dot.png");
    push_with(&project, "blog", &database, &["--only", "_attachments/*.html"]).ok();
    let document = database.document("_design/blog");
    assert_eq!(database.generation("_design/blog"), 2);
    assert_eq!(database.attachment("_design/blog", "index.html"), b"2\n");
    assert!(document["_attachments"]["dot.png"].is_object());
    assert_eq!(document["views"]["by_date"]["map"], json!("function (doc) {\n  emit(doc.date, 1);\n}"));
    push_with(&project, "blog", &database, &["--only", "shows"]).ok();
    let document = database.document("_design/blog");
    assert_eq!(document["shows"]["post"], json!("function () { return 2; }"));
    assert_eq!(document["views"]["by_date"]["map"], json!("function (doc) {\n  emit(doc.date, 1);\n}"));
    push(&project, "blog", &database).ok();
    let document = database.document("_design/blog");
    assert_eq!(document["views"]["by_date"]["map"], json!("function (doc) { emit(2); }"));
    assert!(document["_attachments"]["dot.png"].is_null());
}

/// The push remembers what the server holds: not the bytes of a file that `--only` left behind, though it is as long.
pub(crate) fn what_only_passed_over_is_still_seen(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().with("_attachments/same.css", "a { color: red }\n").write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.write("blog/_attachments/same.css", "a { color: tan }\n").write("blog/shows/post.js", "function () {}\n");
    push_with(&project, "blog", &database, &["--only", "shows"]).ok();
    let before = database.attachment("_design/blog", "same.css");
    assert_eq!(before, b"a { color: red }\n");
    push(&project, "blog", &database).ok();
    assert_eq!(database.attachment("_design/blog", "same.css"), b"a { color: tan }\n");
}

pub(crate) fn several_targets_are_pushed_in_order(endpoint: &Endpoint) {
    let (project, one, two) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    App::small().write(&project, "blog");
    let (first, second) = (one.url(), two.url());
    let run = project.couchapp(&["push", "blog", "--to", &first, "--to", &second]).ok();
    assert!(run.stdout.find(one.name()) < run.stdout.find(two.name()), "{run}");
    assert_identical(&one, &two, "_design/blog");

    let missing = endpoint.unmade_database();
    let absent = missing.url();
    project.write("blog/shows/post.js", "function () { return 3; }\n");
    project.couchapp(&["push", "blog", "--to", &absent, "--to", &first]).expect(6);
    assert_eq!(one.generation("_design/blog"), 1);
    project.couchapp(&["push", "blog", "--to", &absent, "--to", &first, "--keep-going"]).expect(8);
    assert_eq!((one.generation("_design/blog"), missing.exists()), (2, false));
}
