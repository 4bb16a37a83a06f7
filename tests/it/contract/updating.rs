//! `clone --update`: what is on the server comes into the folder, what was made in the folder stays, and nothing else is
//! touched.

use serde_json::{Value, json};

use super::app::{App, clone, edit_remotely, push, push_with};
use crate::harness::{Database, Endpoint, Project, Run};

#[track_caller]
pub(super) fn update(project: &Project, database: &Database<'_>, name: &str, folder: &str) -> Run {
    project.couchapp(&["clone", &database.design_url(name), folder, "--update"])
}

fn attachment(base64: &str) -> Value {
    json!({ "content_type": "image/png", "data": base64 })
}

fn gallery(project: &Project) {
    project.write_tree(
        "gallery",
        [
            ("index.html", "<!doctype html>\n<script src=\"js/app.js\"></script>\n"),
            ("js/app.js", "alert(1);\n"),
            ("css/style.css", "body {}\n"),
            ("notes/readme.txt", "notes\n"),
        ],
    );
}

pub(crate) fn a_plain_folder_is_updated_as_one(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    gallery(&project);
    push(&project, "gallery", &database).ok();
    let before = project.app_tree("gallery");
    update(&project, &database, "gallery", "gallery").ok().says("Up to date");
    assert_eq!(project.app_tree("gallery"), before);
    push(&project, "gallery", &database).ok().says("Up to date");
    // Somebody else adds, changes and removes.
    edit_remotely(&database, "_design/gallery", |document| {
        let attachments = document["_attachments"].as_object_mut().unwrap();
        attachments.insert("img/new.png".to_owned(), attachment("AAEC"));
        attachments.insert("css/style.css".to_owned(), json!({ "content_type": "text/css", "data": "cCB7fQo=" }));
        attachments.shift_remove("notes/readme.txt");
    });
    update(&project, &database, "gallery", "gallery").ok();
    let names: Vec<_> = project.app_tree("gallery").into_keys().collect();
    assert_eq!(names, ["css/style.css", "img/new.png", "index.html", "js/app.js"]);
    assert_eq!(project.read("gallery/img/new.png"), [0, 1, 2]);
    assert_eq!(project.read_text("gallery/css/style.css"), "p {}\n");
    push(&project, "gallery", &database).ok().says("Up to date");
    assert_eq!(database.generation("_design/gallery"), 2);
    // A field goes to the folder of fields.
    edit_remotely(&database, "_design/gallery", |document| {
        document["views"] = json!({ "all": { "map": "function (doc) { emit(doc._id); }" } });
    });
    update(&project, &database, "gallery", "gallery").ok();
    assert_eq!(project.read_text("gallery/_ddoc/views/all/map.js"), "function (doc) { emit(doc._id); }\n");
    project.write("gallery/js/app.js", "alert(2);\n");
    push(&project, "gallery", &database).ok();
    let document = database.document("_design/gallery");
    assert_eq!(document["_attachments"].as_object().unwrap().len(), 4, "{document}");
    assert_eq!(document["views"]["all"]["map"], json!("function (doc) { emit(doc._id); }"));
    update(&project, &database, "gallery", "gallery").ok().says("Up to date");
    push(&project, "gallery", &database).ok().says("Up to date");
}

pub(crate) fn what_would_turn_a_plain_folder_into_another_is_refused(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    gallery(&project);
    push(&project, "gallery", &database).ok();
    for (name, content) in
        [("views/page.html", "AAEC"), ("couchapp.toml", "AAEC"), ("a:b", "AAEC"), ("JS/App.js", "AA==")]
    {
        edit_remotely(&database, "_design/gallery", |document| document["_attachments"][name] = attachment(content));
        let before = project.app_tree("gallery");
        update(&project, &database, "gallery", "gallery").expect(9).says(name.split('/').next().unwrap());
        assert_eq!(project.app_tree("gallery"), before, "{name}");
        edit_remotely(&database, "_design/gallery", |document| {
            document["_attachments"].as_object_mut().unwrap().shift_remove(name);
        });
    }
    update(&project, &database, "gallery", "gallery").ok();
    push(&project, "gallery", &database).ok().says("Up to date");
}

pub(crate) fn what_a_plain_folder_cannot_hold_stays_with_others(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let theirs = json!({ "a:b": attachment("AAEC"), "img/theirs.png": attachment("AAEC") });
    database.store("_design/gallery", &json!({ "_attachments": theirs }));
    gallery(&project);
    push_with(&project, "gallery", &database, &["--yes"]).ok();
    edit_remotely(&database, "_design/gallery", |document| {
        document["_attachments"]["new.png"] = attachment("AAEC");
    });
    update(&project, &database, "gallery", "gallery").ok();
    let names: Vec<_> = project.app_tree("gallery").into_keys().collect();
    let expected = ["css/style.css", "img/theirs.png", "index.html", "js/app.js", "new.png", "notes/readme.txt"];
    assert_eq!(names, expected);
    project.write("gallery/js/app.js", "alert(2);\n");
    for _ in 0..2 {
        push(&project, "gallery", &database).ok();
        assert_eq!(database.attachment("_design/gallery", "a:b"), [0, 1, 2]);
        assert_eq!(database.attachment("_design/gallery", "img/theirs.png"), [0, 1, 2]);
        update(&project, &database, "gallery", "gallery").ok().says("Up to date");
    }
    assert_eq!(database.generation("_design/gallery"), 4);
}

pub(crate) fn a_layout_that_does_not_show_is_asked_for(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    project.write_tree("files", [("a.js", "1\n"), ("css/b.css", "p {}\n")]);
    push_with(&project, "files", &database, &["--layout", "web"]).ok();
    edit_remotely(&database, "_design/files", |document| document["_attachments"]["c.png"] = attachment("AAEC"));
    let before = project.app_tree("files");
    update(&project, &database, "files", "files").expect(9).says("_ddoc");
    assert_eq!(project.app_tree("files"), before);
    std::fs::create_dir(project.path().join("files/_ddoc")).unwrap();
    update(&project, &database, "files", "files").ok();
    assert_eq!(project.read("files/c.png"), [0, 1, 2]);
    push(&project, "files", &database).ok().says("Up to date");
}

pub(crate) fn a_dry_update_changes_nothing(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    App::small().without("shows/post.js").write(&project, "checkout");
    let before = project.census_outside("nothing");
    for folder in ["checkout", "blog", "missing"] {
        let url = database.design_url("blog");
        project.couchapp(&["clone", &url, folder, "--update", "--dry-run"]).ok();
        assert_eq!(project.census_outside("nothing"), before, "{folder}");
    }
}

pub(crate) fn what_others_have_on_the_server_survives_an_update(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    database.store(
        "_design/blog",
        &json!({
            "language": "javascript", "notes": "by somebody else", "shows": { "theirs": "function () {}" },
            "_attachments": { "theirs.png": attachment("AAEC") },
        }),
    );
    App::small().write(&project, "blog");
    push_with(&project, "blog", &database, &["--yes"]).ok();
    edit_remotely(&database, "_design/blog", |document| document["more"] = json!("later"));
    update(&project, &database, "blog", "blog").ok();
    // What was kept is the folder's from now on.
    assert_eq!(project.read("blog/_attachments/theirs.png"), [0, 1, 2]);
    assert!(project.exists("blog/shows/theirs.js") && project.exists("blog/notes"));
    project.write("blog/shows/post.js", "function () { return 2; }\n");
    push(&project, "blog", &database).ok();
    let document = database.document("_design/blog");
    assert_eq!((&document["notes"], &document["more"]), (&json!("by somebody else"), &json!("later")));
    assert_eq!(document["shows"]["theirs"], json!("function () {}"));
    assert_eq!(database.attachment("_design/blog", "theirs.png"), [0, 1, 2]);
    push(&project, "blog", &database).ok().says("Up to date");
    // It is known now, so it can be removed.
    project.remove("blog/_attachments/theirs.png");
    push(&project, "blog", &database).ok();
    assert!(database.document("_design/blog")["_attachments"]["theirs.png"].is_null());
}

pub(crate) fn what_an_update_cannot_take_stays_on_the_server(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    database.store("_design/blog", &json!({ "_attachments": { "build/out.js": attachment("AAEC") } }));
    App::small().with(".couchappignore", "[\"^build$\", \"build/.*\"]\n").write(&project, "blog");
    project.write("blog/_attachments/build/out.js", "mine, not for the server\n");
    push_with(&project, "blog", &database, &["--yes"]).ok();
    edit_remotely(&database, "_design/blog", |document| document["more"] = json!("later"));
    update(&project, &database, "blog", "blog").ok();
    assert_eq!(project.read_text("blog/_attachments/build/out.js"), "mine, not for the server\n");
    project.remove("blog/.couchappignore").remove("blog/_attachments/build");
    push(&project, "blog", &database).ok();
    assert_eq!(database.attachment("_design/blog", "build/out.js"), [0, 1, 2], "nobody here removed it");
}

pub(crate) fn a_folder_that_is_no_app_is_not_updated(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.write("projects/one/readme.txt", "one\n").write("projects/letter.txt", "dear\n");
    let before = project.tree("projects");
    update(&project, &database, "blog", "projects").expect(9).says("projects");
    assert_eq!(project.tree("projects"), before, "nothing was written");
    // Missing and empty folders are an ordinary clone; a checkout of the app is an app.
    std::fs::create_dir(project.path().join("empty")).unwrap();
    for folder in ["missing", "empty"] {
        update(&project, &database, "blog", folder).ok();
        project.couchapp_in(folder, &["push"]).ok().says("Up to date");
    }
    App::small().without("shows/post.js").write(&project, "checkout");
    update(&project, &database, "blog", "checkout").ok();
    assert!(project.exists("checkout/shows/post.js"));
    push(&project, "checkout", &database).ok().says("Up to date");
}

pub(crate) fn an_update_knows_what_a_macro_made(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let app = App::full()
        .with("shows/page.js", "function () {\n  // !code _attachments/shared.js\n  return shared();\n}\n")
        .with("_attachments/shared.js", "function shared() { return 1; }\n");
    app.write(&project, "blog");
    push(&project, "blog", &database).ok();
    clone(&project, &database, "_design/blog", "mine").ok();
    update(&project, &database, "blog", "mine").ok().says("Up to date");
    project.write("blog/lists/new.js", "function () {}\n");
    push(&project, "blog", &database).ok();
    // Ours differs in a place that theirs does not touch.
    project.write("mine/updates/title.js", "function () { return [null, 'mine']; }\n");
    update(&project, &database, "blog", "mine").ok().says("Updated 1 files");
    project.write("blog/_attachments/shared.js", "function shared() { return 2; }\n");
    push(&project, "blog", &database).ok();
    update(&project, &database, "blog", "mine").ok();
    assert_eq!(project.read("mine/shows/page.js"), project.read("blog/shows/page.js"));
    push(&project, "mine", &database).ok();
    assert!(database.document("_design/blog")["shows"]["page"].as_str().unwrap().contains("return 2"));
    push(&project, "mine", &database).ok().says("Up to date");
}

pub(crate) fn an_update_remembers_text_that_was_adopted(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let map = "function (doc) {\n  emit(doc.date, 1);\n}";
    let views = json!({ "by_date": { "map": map, "reduce": "_count" } });
    database.store("_design/blog", &json!({ "language": "javascript", "views": views }));
    App::small().with("views/by_date/map.js", format!("\n\n{map}\n\n\n")).write(&project, "blog");
    push_with(&project, "blog", &database, &["--yes"]).ok();
    assert_eq!(database.document("_design/blog")["views"], views);
    edit_remotely(&database, "_design/blog", |document| document["more"] = json!("later"));
    update(&project, &database, "blog", "blog").ok().says("Updated 1 files");
    assert_eq!(project.read_text("blog/views/by_date/map.js"), format!("\n\n{map}\n\n\n"));
    project.write("blog/lists/new.js", "function () {}\n");
    push(&project, "blog", &database).ok();
    assert_eq!(database.document("_design/blog")["views"], views, "no index is rebuilt");
}

pub(crate) fn an_update_only_fetches_what_is_new(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    // Without `_id`, and with a folder that the author removed.
    App::small().without("_id").with("filters/old.js", "function () {}\n").write(&project, "blog");
    push(&project, "blog", &database).ok();
    update(&project, &database, "blog", "blog").ok().says("Up to date");
    assert!(!project.exists("blog/_id"));
    edit_remotely(&database, "_design/blog", |document| {
        document["_attachments"]["new.png"] = attachment("AAEC");
    });
    update(&project, &database, "blog", "blog").ok();
    assert_eq!(project.read("blog/_attachments/new.png"), [0, 1, 2]);
    assert!(!project.exists("blog/_id"));
    push(&project, "blog", &database).ok().says("Up to date");
    assert_eq!(database.generation("_design/blog"), 2);
    project.remove("blog/filters");
    update(&project, &database, "blog", "blog").ok();
    assert!(!project.exists("blog/filters"), "a removed folder does not come back");
    push(&project, "blog", &database).ok();
    assert!(database.document("_design/blog")["filters"].is_null());
}

/// A document is not unpacked over the app of another one.
pub(crate) fn another_document_is_not_unpacked_over_an_app(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    database.store("one", &json!({ "type": "note" }));
    let before = project.app_tree("blog");
    let url = format!("{}/one", database.url());
    project.couchapp(&["clone", &url, "blog", "--update"]).expect(9).says("_design/blog");
    project.couchapp(&["clone", &url, "blog", "--update", "--force"]).expect(9);
    assert_eq!(project.app_tree("blog"), before);
}
