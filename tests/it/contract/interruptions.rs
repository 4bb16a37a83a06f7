//! Clones and updates that are killed, broken off or overtaken.

use serde_json::json;

use super::app::{App, clone, edit_remotely, noise, push};
use super::updating::update;
use crate::fault_proxy::{Action, Cut, FaultProxy};
use crate::harness::{Endpoint, Project};

pub(crate) fn a_killed_update_goes_on(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = format!("{}/_design/blog", database.url_through(&proxy));
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.couchapp(&["clone", &url, "mine"]).ok();
    project.write("blog/_attachments/one.png", noise(5000, 4)).write("blog/_attachments/two.png", noise(5000, 5));
    push(&project, "blog", &database).ok();
    proxy.play(|arrival| if arrival.target.contains("two.png") { Action::StallAnswer(1000) } else { Action::Pass });
    let before = project.app_tree("mine");
    let mut child = project.start("", &["clone", &url, "mine", "--update"]);
    while !proxy.seen().iter().any(|seen| seen.target.contains("two.png")) {
        assert!(child.try_wait().unwrap().is_none(), "ended too early");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(project.app_tree("mine"), before);
    proxy.play(|_| Action::Pass);
    project.couchapp(&["clone", &url, "mine", "--update"]).ok();
    assert_eq!(project.app_tree("mine"), project.app_tree("blog"));
    assert!(!project.exists("mine/.couchapp/incoming"));
    project.couchapp_in("mine", &["push"]).ok().says("Up to date");
}

pub(crate) fn one_clone_at_a_time_works_on_a_folder(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    let held = project.path().join("blog/.couchapp/lock");
    let lock = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(held).unwrap();
    lock.try_lock().unwrap();
    edit_remotely(&database, "_design/blog", |document| document["more"] = json!("later"));
    let before = project.tree("blog");
    update(&project, &database, "blog", "blog").expect(9);
    assert_eq!(project.tree("blog"), before);
    drop(lock);
    update(&project, &database, "blog", "blog").ok();
    assert_eq!(project.read_text("blog/more"), "later\n");
}

pub(crate) fn a_broken_download_leaves_the_folder_as_it_was(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = format!("{}/_design/blog", database.url_through(&proxy));
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.couchapp(&["clone", &url, "mine"]).ok();
    project.write("blog/shows/post.js", "function () { return 'theirs'; }\n");
    project.write("blog/_attachments/dot.png", noise(5000, 4)).write("blog/_attachments/new.png", noise(5000, 5));
    push(&project, "blog", &database).ok();
    let before = project.app_tree("mine");
    proxy.play(
        |arrival| {
            if arrival.target.contains("new.png") { Action::CutAnswer(1000, Cut::Reset) } else { Action::Pass }
        },
    );
    let run = project.couchapp(&["clone", &url, "mine", "--update", "--retries", "1"]);
    assert_ne!(run.code, 0, "{run}");
    assert_eq!(project.app_tree("mine"), before, "{run}");
    proxy.play(|_| Action::Pass);
    project.couchapp(&["clone", &url, "mine", "--update"]).ok();
    assert_eq!(project.app_tree("mine"), project.app_tree("blog"));
    let leftovers: Vec<_> = project.tree("mine").into_keys().filter(|path| path.contains("incoming")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

pub(crate) fn what_is_edited_during_an_update_is_not_replaced(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = format!("{}/_design/blog", database.url_through(&proxy));
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    project.couchapp(&["clone", &url, "mine"]).ok();
    project.write("blog/shows/post.js", "function () { return 'theirs'; }\n");
    project.write("blog/_attachments/dot.png", noise(500, 4)).write("blog/_attachments/new.png", noise(500, 5));
    push(&project, "blog", &database).ok();
    let before = project.app_tree("mine");
    // Saved in an editor while the attachments are on their way.
    for path in ["shows/post.js", "_attachments/dot.png", "_attachments/new.png"] {
        let (file, was) = (project.path().join("mine").join(path), before.get(path).cloned());
        let edited = file.clone();
        proxy.play(move |arrival| {
            if arrival.target.contains(".png") {
                std::fs::write(&edited, "edited meanwhile\n").unwrap();
            }
            Action::Pass
        });
        project.couchapp(&["clone", &url, "mine", "--update"]).expect(5).says(path);
        assert_eq!(project.read_text(&format!("mine/{path}")), "edited meanwhile\n");
        match was {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        assert_eq!(project.app_tree("mine"), before, "nothing else was written");
    }
    proxy.play(|_| Action::Pass);
    project.couchapp(&["clone", &url, "mine", "--update"]).ok();
    assert_eq!(project.app_tree("mine"), project.app_tree("blog"));
}

pub(crate) fn an_interrupted_clone_goes_on(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = format!("{}/_design/blog", database.url_through(&proxy));
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    proxy.play(|arrival| if arrival.target.contains("style.css") { Action::StallAnswer(300) } else { Action::Pass });
    let mut child = project.start("", &["clone", &url, "mine"]);
    while !project.exists("mine/_attachments/dot.png") {
        assert!(child.try_wait().unwrap().is_none(), "ended too early");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!project.exists("mine/_attachments/style.css"));
    proxy.play(|_| Action::Pass);
    project.couchapp_in("mine", &["push"]).expect(9);
    // Of another document: refused, whether it is called an update or not.
    database.store("_design/other", &json!({ "language": "javascript" }));
    let before = project.app_tree("mine");
    for more in [&[][..], &["--update"]] {
        let other = database.design_url("other");
        project.couchapp(&[&["clone", &other, "mine"], more].concat()).expect(9);
        assert_eq!(project.app_tree("mine"), before);
    }
    project.couchapp(&["clone", &url, "mine"]).ok();
    let tree: Vec<_> = project.app_tree("mine").into_iter().filter(|(path, _)| !path.contains(".tmp")).collect();
    for (path, content) in App::small().files {
        assert_eq!(project.read(&format!("mine/{path}")), content, "{path}\n{tree:?}");
    }
    project.couchapp_in("mine", &["push"]).ok().says("Up to date");
    clone(&project, &database, "_design/blog", "mine").expect(9);
}
