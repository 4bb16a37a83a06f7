//! Files and databases that follow each other.

use super::*;

/// One of the commands that go on, as soon as it waits for changes.
#[track_caller]
fn following(project: &Project, words: &[&str]) -> Running {
    let running = Running::start(project, words, "");
    running.until_said("Watching ");
    running
}

/// What is in the file of a document; `None` when there is none.
fn file(database: &Database<'_>, path: &str) -> Option<Vec<u8>> {
    let name = path.rsplit('/').next().unwrap();
    let target = database.beneath(&format!("{}/{name}", path.replace('/', "%2F")));
    let answer = database.endpoint().send("GET", &target, &[("accept-encoding", "identity")], Vec::new());
    (answer.status == 200).then_some(answer.body)
}

#[track_caller]
fn until_sent(running: &Running, database: &Database<'_>, path: &str, content: &str) {
    until_shown(running, database, || (file(database, path).as_deref() == Some(content.as_bytes())).then_some(()));
}

/// Waits until a file is in a folder.
#[track_caller]
fn until_there(running: &Running, project: &Project, path: &str, content: &str) {
    let is_there = || fs::read(project.path().join(path)).ok().as_deref() == Some(content.as_bytes());
    until_found_or(|| format!("{path} is not there\n{}", running.text()), || is_there().then_some(()));
}

#[test]
fn files_go_up_as_they_come() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), Project::for_endpoint(&endpoint));
    project.write_tree("files", [("2010/beach.txt", "sand"), ("2010/sea.txt", "waves")]);
    let running = following(&project, &["sync-dir", "files", &database.url(), "--watch"]);
    assert_eq!(file(&database, "2010/sea.txt").as_deref(), Some("waves".as_bytes()));
    project.write("files/2011/new/snow.txt", "cold");
    until_sent(&running, &database, "2011/new/snow.txt", "cold");
    project.write("files/2010/sea.txt", "storm");
    until_sent(&running, &database, "2010/sea.txt", "storm");
    project.write("files/.saving", "calm");
    fs::rename(project.path().join("files/.saving"), project.path().join("files/2010/sea.txt")).unwrap();
    until_sent(&running, &database, "2010/sea.txt", "calm");
    project.remove("files/2010/beach.txt");
    project.write("files/last.txt", "last");
    until_sent(&running, &database, "last.txt", "last");
    assert_eq!(file(&database, "2010/beach.txt").as_deref(), Some("sand".as_bytes()), "nobody asked to remove it");
    let run = running.end(&project, "INT").expect(130);
    assert!(run.stderr.contains("+ 2011/new/snow.txt"), "{run}");
}

#[test]
fn files_come_down_as_they_are_sent() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), Project::for_endpoint(&endpoint));
    project.write_tree("files", [("a.txt", "a")]);
    let send = || project.couchapp(&["sync-dir", "files", &database.url()]).ok();
    send();
    let down = following(&project, &["sync-dir", &database.url(), "mirror", "--watch"]);
    let dump = following(&project, &["dump", &database.url(), "dumped", "--watch", "--delete", "--max-delete", "all"]);
    until_there(&down, &project, "mirror/a.txt", "a");
    until_there(&dump, &project, "dumped/a.txt", "a");
    project.write_tree("files", [("a.txt", "changed"), ("sub/b.txt", "b")]);
    send();
    for (running, folder) in [(&down, "mirror"), (&dump, "dumped")] {
        until_there(running, &project, &format!("{folder}/a.txt"), "changed");
        until_there(running, &project, &format!("{folder}/sub/b.txt"), "b");
    }
    let revision = database.revision("a.txt");
    database.endpoint().delete(&database.beneath(&format!("a.txt?rev={revision}"))).ok();
    let is_gone = || !project.path().join("dumped/a.txt").exists();
    until_found_or(|| dump.text(), || is_gone().then_some(()));
    assert!(project.path().join("mirror/a.txt").exists(), "nobody asked to remove it");
    down.end(&project, "INT").expect(130);
    dump.end(&project, "TERM").expect(130);
}

#[test]
fn a_database_that_goes_away_is_waited_for() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), Project::for_endpoint(&endpoint));
    project.write_tree("files", [("a.txt", "a")]);
    project.couchapp(&["sync-dir", "files", &database.url()]).ok();
    let proxy = FaultProxy::counting(endpoint.origin());
    let down = following(&project, &["dump", &database.url_through(&proxy), "dumped", "--watch", "--retries", "0"]);
    endpoint.delete(&database.target()).ok();
    down.until_said("does not exist");
    database.make();
    project.write("files/b.txt", "b");
    project.couchapp(&["sync-dir", "files", &database.url()]).ok();
    until_there(&down, &project, "dumped/b.txt", "b");
    down.end(&project, "INT").expect(130);
}

#[test]
fn two_folders_and_a_database_follow_each_other() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), Project::for_endpoint(&endpoint));
    let url = database.url();
    project.write_tree("one", [("first.txt", "1")]);
    project.write_tree("two", [("second.txt", "2")]);
    let all: Vec<Running> = [["one", &url], ["two", &url], [&url, "one"], [&url, "two"]]
        .map(|[from, to]| following(&project, &["sync-dir", from, to, "--watch"]))
        .into();
    let both = |path: &str, content: &str| {
        until_there(&all[2], &project, &format!("one/{path}"), content);
        until_there(&all[3], &project, &format!("two/{path}"), content);
    };
    both("first.txt", "1");
    both("second.txt", "2");
    project.write("one/new/photo.txt", "beach");
    both("new/photo.txt", "beach");
    project.write("two/new/photo.txt", "beach at night");
    both("new/photo.txt", "beach at night");
    // What has come down does not go up again: each document has a revision for each edit by a person.
    for round in ["3", "4", "5"] {
        project.write("one/first.txt", round);
        both("first.txt", round);
    }
    let generations = |ids: [&str; 3]| ids.map(|id| database.generation(&id.replace('/', "%2F")));
    assert_eq!(generations(["first.txt", "second.txt", "new/photo.txt"]), [4, 1, 2]);
    for running in all {
        let run = running.end(&project, "INT").expect(130);
        assert!(!run.output().contains("error: "), "{run}");
    }
}
