//! The base: what a push may remember, and what it must not.

use serde_json::json;

use super::app::{App, edit_remotely, push, push_with};
use crate::harness::{Endpoint, Project};

fn style(color: &str) -> String {
    format!("a {{ color: {color} }}\n")
}

/// Without a base, `--only` confirms what it pushes and nothing else.
pub(crate) fn what_only_did_not_show_is_asked_for_later(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    database.store("_design/blog", &json!({ "shows": { "post": "function () { return 'theirs'; }" } }));
    App::small().write(&project, "blog");
    push_with(&project, "blog", &database, &["--only", "views", "--yes"]).ok();
    push(&project, "blog", &database).expect(9);
    assert_eq!(database.document("_design/blog")["shows"]["post"], json!("function () { return 'theirs'; }"));
    push_with(&project, "blog", &database, &["--only", "nothing/**"]).expect(2).says("--only");
    push(&project, "blog", &database).expect(9);
}

/// What they changed stays their change although a forced push passed it over.
pub(crate) fn a_forced_part_hides_no_other_change(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().with("shows/other.js", "function () { return 1; }\n").write(&project, "blog");
    push(&project, "blog", &database).ok();
    edit_remotely(&database, "_design/blog", |document| {
        document["shows"]["other"] = json!("function () { return 'theirs'; }");
    });
    project.write("blog/shows/post.js", "function () { return 'mine'; }\n");
    push(&project, "blog", &database).expect(5).says("shows/other.js");
    push_with(&project, "blog", &database, &["--force", "--only", "shows/post.js"]).ok();
    assert_eq!(database.document("_design/blog")["shows"]["other"], json!("function () { return 'theirs'; }"));
    push(&project, "blog", &database).expect(5).says("shows/other.js");
    push_with(&project, "blog", &database, &["--force"]).ok();
    assert_eq!(database.document("_design/blog")["shows"]["other"], json!("function () { return 1; }"));
}

/// The signature that a push leaves in the document outlives the attachment it was about.
pub(crate) fn a_stale_signature_hides_no_change(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().with("_attachments/style.css", style("red")).write(&project, "blog");
    push(&project, "blog", &database).ok();
    edit_remotely(&database, "_design/blog", |document| {
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(style("tan"));
        document["_attachments"]["style.css"] = json!({ "content_type": "text/css", "data": data });
    });
    push(&project, "blog", &database).expect(5).says("style.css");
    assert_eq!(database.attachment("_design/blog", "style.css"), style("tan").as_bytes());
    push_with(&project, "blog", &database, &["--force"]).ok();
    assert_eq!(database.attachment("_design/blog", "style.css"), style("red").as_bytes());
}

/// A database is made when everything else is settled.
pub(crate) fn a_refused_push_makes_no_database(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.unmade_database());
    let target = format!("[targets.prod]\nurl = \"{}\"\nconfirm = true\n", database.url());
    App::small().with("couchapp.toml", target).write(&project, "blog");
    project.couchapp(&["push", "blog", "prod", "--create-db"]).expect(9);
    assert!(!database.exists());
    let dry = project.couchapp(&["push", "blog", "prod", "--create-db", "-n"]).ok();
    assert!(dry.says("create the database").output().contains("views/by_date/map.js"));
    assert!(!database.exists());
    project.couchapp(&["push", "blog", "prod", "--create-db", "--yes"]).ok();
    assert_eq!(database.generation("_design/blog"), 1);
}

/// `status` and `diff` see the app as a push would.
pub(crate) fn status_heeds_the_settings_of_push(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    project.write_tree("site", [("index.html", "<h1>x</h1>\n"), ("views/page.html", "x\n")]);
    let text = format!("default = \"here\"\n[targets.here]\nurl = \"{}\"\n[push]\nlayout = \"web\"\n", database.url());
    project.write("site/couchapp.toml", text);
    project.couchapp(&["push", "site"]).ok();
    assert_eq!(database.attachment("_design/site", "views/page.html"), b"x\n");
    project.couchapp(&["status", "site", "--exit-code"]).ok();
}

/// What somebody else pushed is not removed by a checkout that never saw it.
pub(crate) fn a_fresh_checkout_removes_nothing_unasked(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    App::small().write(&project, "fresh");
    project.write("fresh/_id", "_design/blog\n");
    push(&project, "blog", &database).ok();
    project.write("blog/_attachments/new.txt", "new\n").write("blog/shows/new.js", "function () {}\n");
    push(&project, "blog", &database).ok();
    push(&project, "fresh", &database).expect(9).says("new.txt");
    assert_eq!(database.attachment("_design/blog", "new.txt"), b"new\n");
    push_with(&project, "fresh", &database, &["--yes"]).ok();
    assert!(database.document("_design/blog")["_attachments"]["new.txt"].is_null());
}

/// A word that names no file is no reason to say that nothing differs.
pub(crate) fn a_difference_in_nothing_is_an_error(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    let url = database.url();
    project.couchapp(&["diff", "prod", "--dir", "blog", "--to", &url]).expect(2).says("--to prod");
    project.couchapp(&["diff", "views", "--dir", "blog", "--to", &url]).ok();
    project.couchapp(&["push", "blog", ""]).expect(2);
}

/// A clone goes back to where it came from, whatever a folder above it is configured for.
pub(crate) fn a_clone_below_another_project_keeps_its_origin(endpoint: &Endpoint) {
    let (project, one, two) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &one).ok();
    project.write("couchapp.toml", format!("default = \"dev\"\n[targets.dev]\nurl = \"{}\"\n", two.url()));
    project.couchapp(&["clone", &one.design_url("blog"), "copy"]).ok();
    project.write("copy/shows/post.js", "function () { return 2; }\n");
    project.couchapp_in("copy", &["push"]).ok();
    assert_eq!(one.generation("_design/blog"), 2);
}
