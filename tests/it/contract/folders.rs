//! Folders that are more, or less, than one design document.

use serde_json::json;

use super::app::{App, push, push_with};
use crate::fault_proxy::FaultProxy;
use crate::harness::{Endpoint, Project};

pub(crate) fn documents_travel_with_the_app(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small()
        .with("_docs/welcome.json", "{ \"title\": \"Welcome\", \"order\": 1 }\n")
        .with("_docs/named.json", "{ \"_id\": \"other name\", \"title\": \"Named\" }\n")
        .with("_docs/holiday/title", "Holiday\n")
        .with("_docs/holiday/_attachments/beach.jpg", super::app::noise(100, 3))
        .write(&project, "blog");
    push_with(&project, "blog", &database, &["--no-docs"]).ok();
    database.get("welcome").expect(404);
    push(&project, "blog", &database).ok();
    assert_eq!(database.generation("_design/blog"), 1);
    assert_eq!(database.document("welcome")["title"], json!("Welcome"));
    assert_eq!(database.document("other%20name")["title"], json!("Named"));
    assert_eq!(database.document("holiday")["title"], json!("Holiday"));
    assert_eq!(database.attachment("holiday", "beach.jpg"), super::app::noise(100, 3));
    assert!(database.document("_design/blog").get("_docs").is_none());
    for document in ["welcome", "other%20name", "holiday"] {
        assert_eq!(database.generation(document), 1, "{document} was written once");
    }

    let proxy = FaultProxy::counting(endpoint.origin());
    let url = database.url_through(&proxy);
    project.couchapp(&["push", "blog", &url, "--yes"]).ok();
    assert_eq!(proxy.writes(), []);
    project.write("blog/_docs/welcome.json", "{ \"title\": \"Hello\", \"order\": 1 }\n");
    push_with(&project, "blog", &database, &["--yes"]).ok();
    assert_eq!(database.document("welcome")["title"], json!("Hello"));
    assert_eq!((database.generation("welcome"), database.generation("_design/blog")), (2, 1));
}

pub(crate) fn several_design_documents_are_pushed_together(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    for (name, app) in [
        ("one", App::small().without("_id")),
        ("two", App::small().without("_id").with("shows/two.js", "function () {}\n")),
    ] {
        app.write(&project, &format!("site/_design/{name}"));
    }
    push(&project, "site", &database).ok();
    for name in ["one", "two"] {
        let rest = format!("_design/{name}");
        assert_eq!(database.generation(&rest), 1);
        assert_eq!(database.document(&rest)["views"]["by_date"]["reduce"], json!("_count"));
    }
    assert!(database.document("_design/one")["shows"]["two"].is_null());
    assert_eq!(database.document("_design/two")["shows"]["two"], json!("function () {}"));
    project.write("site/_design/two/shows/two.js", "function () { return 2; }\n");
    push(&project, "site", &database).ok();
    assert_eq!((database.generation("_design/one"), database.generation("_design/two")), (1, 2));
}

pub(crate) fn a_plain_folder_is_an_app(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let files = [
        ("index.html", "<!doctype html>\n<script src=\"js/app.js\"></script>\n"),
        ("js/app.js", "alert(1);\n"),
        ("css/style.css", "body {}\n"),
        ("lib/data.json", "{}\n"),
    ];
    project.write_tree("gallery", files);
    let run = push(&project, "gallery", &database).ok();
    assert!(run.output().contains("web"), "the layout is named\n{run}");
    let document = database.document("_design/gallery");
    let names: Vec<_> = document["_attachments"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), files.len(), "{names:?}");
    for (name, content) in files {
        assert_eq!(database.attachment("_design/gallery", name), content.as_bytes(), "{name}");
    }
    let content_type = |name: &str| document["_attachments"][name]["content_type"].as_str().unwrap().to_owned();
    assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
    assert!(content_type("js/app.js").contains("javascript"));
    push(&project, "gallery", &database).ok().says("Up to date");
}
