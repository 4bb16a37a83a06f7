//! Two people, one document: nobody's change is lost without a word.

use serde_json::json;

use super::app::{App, clone, edit_remotely, push, push_with, short};
use crate::fault_proxy::FaultProxy;
use crate::harness::{Endpoint, Project};

pub(crate) fn another_writer_is_not_overwritten(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = database.url_through(&proxy);
    App::small().write(&project, "blog");
    project.couchapp(&["push", "blog", &url]).ok();
    let ours = database.revision("_design/blog");
    let theirs = edit_remotely(&database, "_design/blog", |document| {
        document["shows"]["theirs"] = json!("function () { return 'theirs'; }");
    });
    project.write("blog/views/by_date/map.js", "function (doc) { emit('ours'); }\n");
    proxy.forget();
    for more in [&[][..], &["--yes"], &["--dry-run"]] {
        let run = project.couchapp(&[&["push", "blog", &url], more].concat()).expect(5);
        for text in ["shows/theirs", "views/by_date/map.js", &short(&ours), &short(&theirs), "--force", "--update"] {
            assert!(run.stderr.contains(text), "no {text} in\n{run}");
        }
    }
    assert_eq!(proxy.writes(), []);
    assert_eq!(database.revision("_design/blog"), theirs);
    push_with(&project, "blog", &database, &["--force", "--yes"]).ok();
    let document = database.document("_design/blog");
    assert_eq!(document["views"]["by_date"]["map"], json!("function (doc) { emit('ours'); }"));
    assert_eq!(database.generation("_design/blog"), 3);
}

pub(crate) fn without_a_base_an_overwrite_needs_a_yes(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    let revision = database.revision("_design/blog");
    App::small().with("shows/post.js", "function () { return 'another checkout'; }\n").write(&project, "checkout");
    let run = push(&project, "checkout", &database).expect(9).says("--yes");
    assert!(run.output().contains("shows/post.js"), "{run}");
    push_with(&project, "checkout", &database, &["--force"]);
    push_with(&project, "checkout", &database, &["--no-input"]);
    assert_eq!(database.revision("_design/blog"), revision, "`--force` is no answer to this question");
    push_with(&project, "checkout", &database, &["--yes"]).ok();
    assert_eq!(database.generation("_design/blog"), 2);
    assert_eq!(database.document("_design/blog")["shows"]["post"], json!("function () { return 'another checkout'; }"));
    // From here on there is a base.
    project.write("checkout/shows/post.js", "function () { return 'again'; }\n");
    push(&project, "checkout", &database).ok();
    assert_eq!(database.generation("_design/blog"), 3);
}

pub(crate) fn a_fresh_checkout_of_the_same_app_is_up_to_date(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::full().write(&project, "blog");
    push(&project, "blog", &database).ok();
    App::full().write(&project, "checkout");
    push(&project, "checkout", &database).ok().says("Up to date");
    assert_eq!(database.generation("_design/blog"), 1);
}

pub(crate) fn an_old_deployment_keeps_its_text(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    // The old couchapp stripped every field, and some versions added a line feed.
    let map = "function (doc) {\n  emit(doc.date, 1);\n}";
    database.store(
        "_design/blog",
        &json!({
            "language": "javascript",
            "views": { "by_date": { "map": map, "reduce": "_count" }, "padded": { "map": format!("{map}\n\n") } },
            "shows": { "post": "function (doc, req) {\n  return '<p>' + doc.title + '</p>';\n}" },
            "couchapp": { "manifest": ["views/", "views/by_date/", "views/by_date/map.js"], "signatures": {}, "objects": {} },
        }),
    );
    let views = database.document("_design/blog")["views"].clone();
    App::small()
        .with("views/by_date/map.js", format!("\n\n{map}\n\n\n"))
        .with("views/padded/map.js", format!("  {map}\n"))
        .with("shows/post.js", "\nfunction (doc, req) {\n  return '<p>' + doc.title + '</p>';\n}\n\n\n")
        .write(&project, "blog");
    push_with(&project, "blog", &database, &["--yes"]).ok();
    let document = database.document("_design/blog");
    assert_eq!(document["views"], views, "no index is rebuilt");
    assert_eq!(document["shows"]["post"], json!("function (doc, req) {\n  return '<p>' + doc.title + '</p>';\n}"));
    assert_eq!(database.attachment("_design/blog", "dot.png"), project.read("blog/_attachments/dot.png"));
    // The server's text is kept by the pushes that follow, until ours changes.
    project.write("blog/lists/new.js", "function () {}\n");
    push(&project, "blog", &database).ok();
    assert_eq!(database.document("_design/blog")["views"], views, "no index is rebuilt later either");
    let revision = database.revision("_design/blog");
    push(&project, "blog", &database).ok().says("Up to date");
    assert_eq!(database.revision("_design/blog"), revision);
}

pub(crate) fn an_update_merges_what_does_not_overlap(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().with("shows/old.js", "function () {}\n").write(&project, "blog");
    push(&project, "blog", &database).ok();
    clone(&project, &database, "_design/blog", "mine").ok();
    // Theirs: a field changed, one added, one removed, an attachment changed, one added.
    project
        .write("blog/shows/post.js", "function () { return 'theirs'; }\n")
        .write("blog/lists/theirs.js", "function () {}\n");
    project.remove("blog/shows/old.js").write("blog/_attachments/style.css", "theirs {}\n");
    project.write("blog/_attachments/theirs.png", [7, 8, 9]);
    push(&project, "blog", &database).ok();
    // Mine.
    project
        .write("mine/views/by_date/map.js", "function (doc) { emit('mine'); }\n")
        .write("mine/_attachments/mine.txt", "mine\n");
    project.remove("mine/_attachments/dot.png");
    push(&project, "mine", &database).expect(5);
    let url = database.design_url("blog");
    project.couchapp(&["clone", &url, "mine", "--update"]).ok();
    assert_eq!(project.read_text("mine/shows/post.js"), "function () { return 'theirs'; }\n");
    assert_eq!(project.read_text("mine/lists/theirs.js"), "function () {}\n");
    assert_eq!(project.read_text("mine/_attachments/style.css"), "theirs {}\n");
    assert_eq!(project.read("mine/_attachments/theirs.png"), [7, 8, 9]);
    assert!(!project.exists("mine/shows/old.js"));
    assert_eq!(project.read_text("mine/views/by_date/map.js"), "function (doc) { emit('mine'); }\n");
    assert_eq!(project.read_text("mine/_attachments/mine.txt"), "mine\n");
    assert!(!project.exists("mine/_attachments/dot.png"));
    push(&project, "mine", &database).ok();
    let document = database.document("_design/blog");
    assert_eq!(database.generation("_design/blog"), 3);
    assert_eq!(document["shows"], json!({ "post": "function () { return 'theirs'; }" }));
    assert_eq!(document["views"]["by_date"]["map"], json!("function (doc) { emit('mine'); }"));
    let names: Vec<_> = document["_attachments"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

pub(crate) fn an_update_reports_what_does(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    clone(&project, &database, "_design/blog", "mine").ok();
    project.write("blog/shows/post.js", "function () { return 'theirs'; }\n").write("blog/_attachments/dot.png", [1]);
    push(&project, "blog", &database).ok();
    project.write("mine/shows/post.js", "function () { return 'mine'; }\n").write("mine/_attachments/dot.png", [2]);
    let url = database.design_url("blog");
    project.couchapp(&["clone", &url, "mine", "--update"]).expect(5).says("shows/post.js").says("dot.png");
    assert_eq!(project.read("mine/_attachments/dot.png"), [2], "nothing of mine is lost");
    assert!(project.read_text("mine/shows/post.js").contains("mine"));
    project.couchapp(&["clone", &url, "mine", "--update", "--force", "--yes"]).ok();
    assert_eq!(project.read("mine/_attachments/dot.png"), [1]);
    assert_eq!(project.read_text("mine/shows/post.js"), "function () { return 'theirs'; }\n");
    push(&project, "mine", &database).ok().says("Up to date");
}
