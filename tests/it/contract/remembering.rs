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
