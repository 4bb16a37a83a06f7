//! Passwords: each way to give one works, and none ever shows it. The harness searches the output and all files of
//! every run.

use super::app::{App, push, push_with};
use crate::harness::{CANARY, Endpoint, Kind, Project};

pub(crate) fn wrong_passwords_have_their_code(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    App::small().write(&project, "blog");
    push(&project, "blog", &database).ok();
    // A user that nobody has: CouchDB locks accounts after a few wrong passwords, and this must not be the admin's.
    project.set("COUCHAPP_USER", database.name()).set("COUCHAPP_PASSWORD", &format!("{CANARY}-wrong"));
    project.write("blog/shows/post.js", "function () { return 2; }\n");
    let (url, design) = (database.url(), database.design_url("blog"));
    for arguments in [
        vec!["status", "blog", &url],
        vec!["diff", "--dir", "blog", "--to", &url],
        vec!["clone", &design, "copy"],
        vec!["push", "blog", &url],
        vec!["auth", "check", &url],
    ] {
        let run = project.couchapp(&arguments);
        assert_eq!(run.code, 4, "{arguments:?}\n{run}");
        assert!(run.stderr.contains("hint:"), "{run}");
    }
    assert!(!project.exists("copy"));
    assert_eq!(database.generation("_design/blog"), 1);
    // No credentials at all; PouchDB Server, which has no accounts here, wants none.
    project.unset("COUCHAPP_USER").unset("COUCHAPP_PASSWORD");
    let expected = if endpoint.kind() == Kind::PouchDb { 0 } else { 4 };
    push_with(&project, "blog", &database, &["--no-input"]).expect(expected);
}

/// Puts a password in its place, and gives the arguments after `push blog`.
type Source<'a> = Box<dyn Fn(&Project) -> Vec<String> + 'a>;

pub(crate) fn every_source_of_a_password_works_and_none_shows_it(endpoint: &Endpoint) {
    let database = endpoint.database();
    let (user, password) = endpoint.credentials().unwrap_or(("admin", CANARY));
    let host = endpoint.origin().strip_prefix("http://").unwrap();
    let (name, _) = host.split_once(':').unwrap_or((host, ""));
    let url = database.url();
    let with_password = match endpoint.credentials() {
        Some(_) => database.url_with_password(),
        None => url.replacen("://", &format!("://{user}:{password}@"), 1),
    };
    let sources: Vec<(&str, Source<'_>)> = vec![
        ("URL", Box::new(|_| vec![with_password.clone()])),
        (
            "environment",
            Box::new(|project| {
                project.set("COUCHAPP_USER", user).set("COUCHAPP_PASSWORD", password);
                vec![url.clone()]
            }),
        ),
        (
            "netrc",
            Box::new(|project| {
                project.write("../home/.netrc", format!("machine {name} login {user} password {password}\n"));
                vec![url.clone()]
            }),
        ),
        (
            "file",
            Box::new(|project| {
                project.write("password", format!("{password}\n"));
                vec![url.clone(), "--user".into(), user.into(), "--password-file".into(), "password".into()]
            }),
        ),
        (
            "command",
            Box::new(|project| {
                project.write("password", format!("{password}\n"));
                vec![url.clone(), "--user".into(), user.into(), "--password-command".into(), "cat password".into()]
            }),
        ),
        ("stdin", Box::new(|_| vec![url.clone(), "--user".into(), user.into(), "--password-stdin".into()])),
        (
            "user file",
            Box::new(|project| {
                let text =
                    format!("[credentials.\"{}\"]\nuser = \"{user}\"\npassword = \"{password}\"\n", endpoint.origin());
                project.write("../config/couchapp/config.toml", text);
                vec![url.clone()]
            }),
        ),
        (
            "old configuration",
            Box::new(|project| {
                let text = format!("{{ \"env\": {{ \"mine\": {{ \"db\": \"{with_password}\" }} }} }}");
                project.write("blog/.couchapprc", text);
                vec!["mine".into()]
            }),
        ),
    ];
    // PouchDB Server has no accounts here, and refuses whoever claims to have one.
    let expected = if endpoint.kind() == Kind::PouchDb { 4 } else { 0 };
    for (number, (source, prepare)) in sources.iter().enumerate() {
        let project = Project::new();
        project.keep_secret(user, password);
        App::small().with("shows/post.js", format!("function () {{ return {number}; }}\n")).write(&project, "blog");
        let target = prepare(&project);
        for more in
            [&["-n"][..], &["--yes"], &["-vv", "--yes"], &["--json", "--yes"], &["--log-file", "log", "-vv", "--yes"]]
        {
            let more: Vec<String> = more.iter().map(|&argument| argument.to_owned()).collect();
            let arguments = [vec!["push".to_owned(), "blog".to_owned()], target.clone(), more].concat();
            let run = project.run_in("", &arguments, &format!("{password}\n"));
            assert_eq!(run.code, expected, "{source}: {arguments:?}\n{run}");
            // A refusal names the source.
            assert!(expected == 0 || run.stderr.contains("(from "), "{source}\n{run}");
        }
        assert!(project.read_text("log").contains(host), "{source}: the log is no log");
        let shown = project.run_in("blog", &["config", "show", "--origin"], "").ok();
        assert!(!shown.stdout.is_empty());
        if expected == 0 {
            assert_eq!(database.generation("_design/blog"), number as u64 + 1, "{source}");
        }
    }
    // Errors, too, in which servers like to quote the address.
    let project = Project::new();
    project.keep_secret(user, password);
    for arguments in [
        vec!["clone".to_owned(), format!("{with_password}-not/_design/x")],
        vec!["clone".to_owned(), with_password.replace("http://", "ftp://")],
        vec!["push".to_owned(), with_password.clone()],
        vec!["push".to_owned(), "nowhere".to_owned(), format!("{with_password}/%zz")],
        vec!["clone".to_owned(), with_password.replace(name, "nowhere.invalid"), "--retries".into(), "0".into()],
        vec!["status".to_owned(), with_password.replace("://", ":/")],
    ] {
        let run = project.couchapp(&arguments);
        assert_ne!(run.code, 0, "{arguments:?}\n{run}");
    }
}
