//! `clone`: a folder that holds the whole document, and nothing beside it.

use serde_json::{Value, json};

use super::app::{App, assert_identical, clone, edit_remotely, push, push_with};
use crate::fault_proxy::FaultProxy;
use crate::harness::{Endpoint, Project};

pub(crate) fn a_clone_pushed_elsewhere_is_identical(endpoint: &Endpoint) {
    let (project, one, two) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    let app = App::full();
    app.write(&project, "blog");
    push(&project, "blog", &one).ok();
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = format!("{}/_design/blog", one.url_through(&proxy));
    project.couchapp(&["clone", &url, "copy"]).ok();
    assert_eq!(proxy.writes(), []);
    for (path, content) in &app.files {
        assert_eq!(project.read(&format!("copy/{path}")), *content, "{path}");
    }
    let names = |folder: &str| project.app_tree(folder).into_keys().collect::<Vec<_>>();
    assert_eq!(names("copy"), names("blog"));
    push(&project, "copy", &two).ok();
    assert_eq!(two.generation("_design/blog"), 1);
    assert_identical(&one, &two, "_design/blog");
    push(&project, "copy", &one).ok().says("Up to date");
    push(&project, "copy", &two).ok().says("Up to date");
}

pub(crate) fn a_clone_knows_where_it_is_from(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    clone(&project, &database, "_design/blog", "mine").ok();
    project.couchapp_in("mine", &["status", "--exit-code"]).ok();
    project.write("mine/shows/post.js", "function () { return 2; }\n");
    project.couchapp_in("mine/shows", &["status", "--exit-code"]).expect(3);
    let run = project.couchapp_in("mine/shows", &["push"]).ok();
    let target = run.output().find(&database.design_url("blog")).expect("the target is named");
    assert!(target < run.output().find("shows/post.js").unwrap(), "the target is named first\n{run}");
    assert_eq!(database.generation("_design/blog"), 2);
    // Nothing that is the tool's own travels with the app.
    let document = database.document("_design/blog").to_string();
    assert!(!document.contains(".couchapp") && !document.contains("gitignore"), "{document}");
    assert!(project.exists("mine/.couchapp/.gitignore"));
}

pub(crate) fn a_folder_with_something_in_it_is_refused(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.write("taken/.couchapprc", "{ \"env\": {} }").write("file", "x");
    let before = project.census_outside("nothing");
    clone(&project, &database, "_design/blog", "taken").expect(9).says("not empty");
    assert_ne!(clone(&project, &database, "_design/blog", "file").code, 0);
    clone(&project, &database, "_design/blog", "blog").expect(9);
    assert_eq!(project.census_outside("nothing"), before);
    std::fs::create_dir(project.path().join("empty")).unwrap();
    clone(&project, &database, "_design/blog", "empty").ok();
    assert!(project.exists("empty/views/by_date/map.js"));
    // Without a folder it is the name of the document.
    project.remove("blog");
    let url = database.design_url("blog");
    project.couchapp(&["clone", &url]).ok();
    assert!(project.exists("blog/views/by_date/map.js"));
}

pub(crate) fn an_old_revision_can_be_cloned(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    let first = database.revision("_design/blog");
    project.write("blog/shows/post.js", "function () { return 2; }\n").write("blog/_attachments/index.html", "2\n");
    push(&project, "blog", &database).ok();
    let url = database.design_url("blog");
    project.couchapp(&["clone", &url, "old", "--rev", &first]).ok();
    for (path, content) in App::small().files {
        assert_eq!(project.read(&format!("old/{path}")), content, "{path}");
    }
    project.couchapp(&["clone", &url, "never", "--rev", "7-967a00dff5e02add41819138abb3284d"]).expect(6);
    project.couchapp(&["clone", &url, "never", "--rev", "newest"]).expect(2);
    assert!(!project.exists("never/_id"));
}

pub(crate) fn a_plain_document_can_be_cloned(endpoint: &Endpoint) {
    let (project, one, two) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    one.store(
        "holiday 2010/beach",
        &json!({
            "title": "Beach", "tags": ["sun", "sea"], "size": 12, "exif": { "iso": 100, "lens": { "name": "50 mm" } },
            "nothing": null, "empty": {}, "text": "two\nlines\n",
            "_attachments": { "beach.jpg": { "content_type": "image/jpeg", "data": "AAECAwQF" } },
        }),
    );
    let rest = "holiday%202010%2Fbeach";
    clone(&project, &one, rest, "beach").ok();
    assert_eq!(project.read("beach/_attachments/beach.jpg"), [0, 1, 2, 3, 4, 5]);
    push(&project, "beach", &two).ok();
    let members = |database: &crate::harness::Database<'_>| {
        let mut document = database.document(rest);
        for member in ["_rev", "_attachments", "couchapp"] {
            document.as_object_mut().unwrap().shift_remove(member);
        }
        super::app::sorted(&document)
    };
    assert_eq!(members(&one), members(&two));
    assert_eq!(one.attachment(rest, "beach.jpg"), two.attachment(rest, "beach.jpg"));
}

pub(crate) fn a_design_address_without_a_name_means_the_only_one(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let url = format!("{}/_design", database.url());
    project.couchapp(&["clone", &url, "none"]).expect(6);
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.couchapp(&["clone", &url, "only"]).ok();
    assert_eq!(project.read_text("only/_id"), "_design/blog\n");
    database.store("_design/other", &json!({ "language": "javascript" }));
    let run = project.couchapp(&["clone", &url, "which"]);
    assert_ne!(run.code, 0);
    let run = run.says("_design/blog").says("_design/other");
    assert!(!project.exists("which"), "{run}");
}

pub(crate) fn what_is_missing_has_its_code(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    clone(&project, &database, "_design/blog", "a").expect(6).says("_design/blog");
    let missing = endpoint.unmade_database();
    clone(&project, &missing, "_design/blog", "a").expect(6).says(missing.name());
    // A document that was there.
    let revision = database.store("_design/blog", &json!({}));
    database.endpoint().delete(&database.beneath(&format!("_design/blog?rev={revision}"))).ok();
    clone(&project, &database, "_design/blog", "a").expect(6);
    assert!(!project.exists("a"));
    project.couchapp(&["push", "nowhere", &database.url()]).expect(6);
    project.couchapp(&["status", "./nowhere"]).expect(6);
}

pub(crate) fn a_document_is_printed(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push_with(&project, "blog", &database, &[]).ok();
    edit_remotely(&database, "_design/blog", |document| document["big"] = json!(12_345_678_901_234_567_890_u64));
    let run = clone(&project, &database, "_design/blog", "-").ok();
    let printed: Value = serde_json::from_str(&run.stdout).unwrap();
    let stored = database.document("_design/blog");
    assert_eq!(printed["big"], stored["big"]);
    assert_eq!((&printed["_id"], &printed["views"]), (&stored["_id"], &stored["views"]));
    assert!(!project.exists("-"));
}
