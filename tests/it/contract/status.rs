//! `status` and `diff`: the push without its last step.

use super::app::{App, edit_remotely, push};
use crate::fault_proxy::FaultProxy;
use crate::harness::{Endpoint, Project};

pub(crate) fn differences_are_shown(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = database.url_through(&proxy);
    App::small().write(&project, "blog");
    project.couchapp(&["status", "blog", &url, "--exit-code"]).expect(3);
    project.couchapp(&["push", "blog", &url]).ok();
    proxy.forget();
    project.couchapp(&["status", "blog", &url, "--exit-code"]).ok();
    project.couchapp(&["diff", "--dir", "blog", "--to", &url, "--exit-code"]).ok();

    project.write("blog/views/by_date/map.js", "function (doc) {\n  emit(doc.title, 1);\n}\n");
    project.write("blog/_attachments/logo.svg", "<svg/>\n").remove("blog/_attachments/dot.png");
    let run = project.couchapp(&["status", "blog", &url]).ok();
    for line in ["~ views/by_date/map.js", "+ _attachments/logo.svg", "- _attachments/dot.png"] {
        assert!(run.stdout.contains(line), "no {line}\n{run}");
    }
    assert!(run.stdout.contains("1 changed, 1 new, 1 removed"), "{run}");
    project.couchapp(&["status", "blog", &url, "--exit-code"]).expect(3);
    let json = project.couchapp(&["status", "blog", &url, "--json"]).ok().lines_of_json();
    assert!(json.iter().any(|line| line.to_string().contains("views/by_date/map.js")), "{json:?}");

    let run = project.couchapp(&["diff", "--dir", "blog", "--to", &url]).ok();
    for line in ["-  emit(doc.date, 1);", "+  emit(doc.title, 1);", "logo.svg", "dot.png"] {
        assert!(run.stdout.contains(line), "no {line}\n{run}");
    }
    let run = project.couchapp(&["diff", "--dir", "blog", "--to", &url, "views"]).ok();
    assert!(run.stdout.contains("doc.title") && !run.stdout.contains("logo.svg"), "{run}");
    project.couchapp(&["diff", "--dir", "blog", "--to", &url, "--exit-code"]).expect(3);

    edit_remotely(&database, "_design/blog", |document| document["theirs"] = "x".into());
    let run = project.couchapp(&["status", "blog", &url, "--exit-code"]).expect(3);
    assert!(run.stdout.contains("theirs"), "{run}");
    assert_eq!(proxy.writes(), []);
    assert_eq!(database.generation("_design/blog"), 2);
}

pub(crate) fn ignored_files_are_explained(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small()
        .with(".couchappignore", "# drafts\n*.draft\n/notes\n!keep.draft\n")
        .with("_attachments/one.draft", "x")
        .with("_attachments/keep.draft", "x")
        .with("notes/plan.txt", "x")
        .with(".git/config", "x")
        .with("_attachments/.DS_Store", "x")
        .with("_attachments/index.html~", "x")
        .write(&project, "blog");
    push(&project, "blog", &database).ok();
    let document = database.document("_design/blog");
    let names: Vec<_> = document["_attachments"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(document["_attachments"]["keep.draft"].is_object() && document["notes"].is_null(), "{document}");
    let url = database.url();
    let run = project.couchapp(&["status", "blog", &url, "--ignored"]).ok();
    for text in ["_attachments/one.draft", "*.draft", "notes", ".DS_Store", "index.html~"] {
        assert!(run.stdout.contains(text), "no {text}\n{run}");
    }
}
