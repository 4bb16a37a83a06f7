//! What a push removes, what it keeps, and when it refuses.

use serde_json::json;

use super::app::{App, push, push_with};
use crate::harness::{Endpoint, Project};

pub(crate) fn removed_files_are_removed(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().with("lists/old.js", "function () {}\n").write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.remove("blog/_attachments/dot.png").remove("blog/lists");
    push(&project, "blog", &database).ok().says("- _attachments/dot.png").says("- lists/old.js");
    let document = database.document("_design/blog");
    assert!(document["_attachments"]["dot.png"].is_null() && document["lists"].is_null(), "{document}");
    assert!(document["_attachments"]["index.html"].is_object());

    // A clone knows what it has cloned.
    super::app::clone(&project, &database, "_design/blog", "copy").ok();
    project.remove("copy/_attachments/style.css").remove("copy/shows");
    push(&project, "copy", &database).ok();
    let document = database.document("_design/blog");
    assert!(document["_attachments"]["style.css"].is_null() && document["shows"].is_null(), "{document}");
}

pub(crate) fn what_nobody_here_knows_is_kept_until_delete(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    database.store(
        "_design/blog",
        &json!({
            "language": "javascript", "notes": "by somebody else",
            "_attachments": { "theirs.png": { "content_type": "image/png", "data": "AAEC" } },
        }),
    );
    App::small().write(&project, "blog");
    let run = push_with(&project, "blog", &database, &["--yes"]).ok();
    assert!(run.output().contains("theirs.png"), "what is kept is listed\n{run}");
    let document = database.document("_design/blog");
    assert_eq!(document["notes"], json!("by somebody else"));
    assert_eq!(database.attachment("_design/blog", "theirs.png"), [0, 1, 2]);

    push(&project, "blog", &database).ok().says("Up to date");
    assert_eq!(database.attachment("_design/blog", "theirs.png"), [0, 1, 2]);
    push_with(&project, "blog", &database, &["--delete"]).ok();
    let document = database.document("_design/blog");
    assert!(document["_attachments"]["theirs.png"].is_null() && document["notes"].is_null(), "{document}");
    assert!(document["_attachments"]["dot.png"].is_object());
}

pub(crate) fn more_than_half_is_not_removed(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let mut app = App::small();
    for number in 0..30 {
        app = app.with(&format!("_attachments/page{number}.txt"), format!("{number}\n"));
    }
    app.write(&project, "blog");
    push(&project, "blog", &database).ok();
    for number in 0..25 {
        project.remove(&format!("blog/_attachments/page{number}.txt"));
    }
    let run = push(&project, "blog", &database).expect(9).says("--max-delete");
    assert!(run.stderr.contains("25"), "{run}");
    push_with(&project, "blog", &database, &["--yes"]).expect(9);
    push_with(&project, "blog", &database, &["--max-delete", "24"]).expect(9);
    assert_eq!(database.generation("_design/blog"), 1);
    push_with(&project, "blog", &database, &["--max-delete", "25"]).ok();
    assert_eq!(database.document("_design/blog")["_attachments"].as_object().unwrap().len(), 8);
}

pub(crate) fn an_empty_folder_is_not_pushed(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    for path in ["language", "views", "shows", "_attachments"] {
        project.remove(&format!("blog/{path}"));
    }
    push(&project, "blog", &database).expect(9).says("--allow-empty");
    assert_eq!(database.generation("_design/blog"), 1);
    assert!(database.document("_design/blog")["views"].is_object());
}
