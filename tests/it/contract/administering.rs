//! Databases that are made for somebody, and who may use them.

use serde_json::{Value, json};

use super::accounts::Person;
use super::app::App;
use crate::fault_proxy::{Action, FaultProxy};
use crate::harness::{Database, Endpoint, Kind, Project, Run};
use crate::wire::Answer;

fn db(project: &Project, words: &[&str]) -> Run {
    project.couchapp(&[&["db"], words].concat())
}

fn security(database: &Database<'_>) -> Value {
    database.get("_security").expect(200).json()
}

/// What somebody is answered who asks for the database.
fn status(database: &Database<'_>, person: Option<&Person<'_>>) -> u16 {
    let endpoint = database.endpoint().signed_in(person.map(|person| (person.name.as_str(), person.password.as_str())));
    endpoint.get(&database.target()).status
}

/// The README's three lines: one for me, one for my wife, one for the family.
pub(crate) fn each_has_a_database_and_the_family_another(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    App::small().write(&project, "blog");
    let [mine, hers, ours] = [(); 3].map(|()| endpoint.unmade_database());
    let [me, wife, stranger] = ["me", "wife", "stranger"].map(|name| Person::add(&project, endpoint, name));
    for (database, members) in [(&mine, &[&me][..]), (&hers, &[&wife]), (&ours, &[&me, &wife])] {
        let url = database.url();
        let mut words = vec!["create", &url, "--app", "blog"];
        words.extend(members.iter().flat_map(|person| ["--member", &person.name]));
        let run = db(&project, &words).ok();
        assert!(run.stderr.contains("Created the database") && run.stderr.contains("Pushed: rev"), "{run}");
        assert_eq!(database.generation("_design/blog"), 1);
        // Once more changes nothing.
        let run = db(&project, &words).ok();
        assert!(run.stderr.contains("is there already (members: ") && run.stderr.contains("Up to date"), "{run}");
        assert_eq!(database.generation("_design/blog"), 1);
        for (person, expected) in [(&me, 403), (&wife, 403), (&stranger, 403)] {
            let is_member = members.iter().any(|member| member.name == person.name);
            // PouchDB Server says 401 to whoever is no member.
            let expected = if endpoint.kind() == Kind::PouchDb { 401 } else { expected };
            assert_eq!(status(database, Some(person)), if is_member { 200 } else { expected }, "{url} {}", person.name);
        }
        // At PouchDB Server, who does not sign in is the admin.
        assert_eq!(status(database, None), if endpoint.kind() == Kind::PouchDb { 200 } else { 401 });
    }
}

pub(crate) fn members_are_written_before_anything_else(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    App::small().write(&project, "blog");
    let database = endpoint.unmade_database();
    let proxy = FaultProxy::counting(endpoint.origin());
    let url = database.url_through(&proxy);
    db(&project, &["create", &url, "--app", "blog", "--member-role", "family", "--admin", "nobody-yet"])
        .ok()
        .says("there is no user `nobody-yet`");
    let writes: Vec<String> = proxy
        .seen()
        .iter()
        .filter(|seen| ["PUT", "POST", "DELETE"].contains(&seen.method.as_str()))
        .map(|seen| format!("{} {}", seen.method, seen.target.replace(database.name(), "db")))
        .collect();
    assert_eq!(writes[..2], ["PUT /db", "PUT /db/_security"], "{writes:?}");
    let expected = json!({
        "admins": { "names": ["nobody-yet"], "roles": [] },
        "members": { "names": [], "roles": ["family"] },
    });
    assert_eq!(security(&database), expected);
    // A database without members is the admins' own, whatever the server's default is.
    let closed = endpoint.unmade_database();
    db(&project, &["create", &closed.url()]).ok().says("members: admins only");
    assert_eq!(security(&closed)["members"], json!({ "names": [], "roles": ["_admin"] }));
    let public = endpoint.unmade_database();
    db(&project, &["create", &public.url(), "--public"]).ok().says("members: everybody");
    assert_eq!(status(&public, None), 200);
}

pub(crate) fn a_database_without_its_members_is_removed_again(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    App::small().write(&project, "blog");
    let database = endpoint.unmade_database();
    let refuse = |arrival: &crate::fault_proxy::Arrival| {
        if arrival.method == "PUT" && arrival.target.ends_with("/_security") {
            return Action::Replace(Answer::error(403, "forbidden", "not today"));
        }
        Action::Pass
    };
    let proxy = FaultProxy::start(endpoint.origin(), refuse);
    let url = database.url_through(&proxy);
    db(&project, &["create", &url, "--member", "ann", "--app", "blog"]).expect(4).says("was removed again");
    assert!(!database.exists());
    // What is in one that others filled meanwhile stays.
    let (other, place) = (endpoint.signed_in(endpoint.credentials()), database.beneath("x"));
    proxy.play(move |arrival| {
        let action = refuse(arrival);
        if matches!(action, Action::Replace(_)) {
            tokio::task::block_in_place(|| other.put(&place, &json!({})).expect(201));
        }
        action
    });
    db(&project, &["create", &url, "--member", "ann"]).expect(4).says("look who may use it");
    assert_eq!(database.generation("x"), 1);
    // An app that cannot be pushed makes no database.
    let broken = endpoint.unmade_database();
    project.write("blog/views/by_date/map.js", "function (doc) { emit(; }\n");
    db(&project, &["create", &broken.url(), "--app", "blog"]).expect(2).says("does not compile");
    db(&project, &["create", &broken.url(), "--app", "nowhere"]).expect(6);
    assert!(!broken.exists());
}

pub(crate) fn what_a_security_object_holds_survives(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let before = json!({
        "zeta": [1.50, { "deep": null, "é": "\u{1F600}" }],
        "members": { "names": ["ann", "bob"], "roles": [], "note": "ours" },
        "cloudant": { "key": ["_reader"] },
        "admins": { "names": ["eve"], "roles": [] },
    });
    database.put("_security", &before).ok();
    let url = database.url();
    db(&project, &["security", &url, "--add-member", "pat", "--add-admin-role", "staff"]).ok();
    let mut expected = before.clone();
    expected["members"]["names"] = json!(["ann", "bob", "pat"]);
    expected["admins"]["roles"] = json!(["staff"]);
    assert_eq!(security(&database).to_string(), expected.to_string());
    // Taking away needs a yes.
    db(&project, &["security", &url, "--remove-member", "bob"]).expect(9).says("taking rights away from bob");
    db(&project, &["security", &url, "--remove-member", "bob", "-n"]).ok().says("- member bob");
    assert_eq!(security(&database), expected);
    db(&project, &["security", &url, "--set-public"]).expect(9).says("opening the database to everybody");
    for name in ["bob", "ann", "pat"] {
        db(&project, &["security", &url, "--remove-member", name, "--yes"]).ok();
    }
    // The last one leaves a closed database, not an open one.
    assert_eq!(security(&database)["members"], json!({ "names": [], "roles": ["_admin"], "note": "ours" }));
    db(&project, &["security", &url, "--set-public", "--yes"]).ok();
    assert_eq!(status(&database, None), 200);
    db(&project, &["security", &url, "--set-private", "--add-member", "ann", "--yes"]).ok();
    db(&project, &["security", &url, "--remove-member", "nobody"]).ok().says("nobody is no member of it");
    assert_eq!(security(&database)["zeta"].to_string(), expected["zeta"].to_string());
    assert_eq!(security(&database)["cloudant"], expected["cloudant"]);
    // What somebody else changes meanwhile is not written over.
    let proxy = FaultProxy::start(endpoint.origin(), {
        let mut reads = 0;
        move |arrival| {
            reads += usize::from(arrival.method == "GET" && arrival.target.ends_with("/_security"));
            let other = json!({ "members": { "names": ["somebody"] } });
            if reads == 2 { Action::ReplaceAnswer(Answer::json(200, &other)) } else { Action::Pass }
        }
    });
    let run = db(&project, &["security", &database.url_through(&proxy), "--add-member", "zoe"]);
    run.expect(5).says("was changed by somebody else");
    assert_eq!(security(&database)["members"]["names"], json!(["ann"]));
}

pub(crate) fn who_is_no_admin_is_told_so(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let (ann, bob) = (Person::add(&project, endpoint, "ann"), Person::add(&project, endpoint, "bob"));
    let url = database.url();
    db(&project, &["security", &url, "--set-private", "--add-member", &ann.name, "--yes"]).ok();
    db(&project, &["security", &url, "--add-admin", &bob.name, "--yes"]).ok();
    project.set("COUCHAPP_USER", &ann.name).set("COUCHAPP_PASSWORD", &ann.password);
    db(&project, &["security", &url, "--add-member", "eve"]).expect(4);
    let other = endpoint.unmade_database();
    // PouchDB Server never answers a user who makes a database, has no answers left for one that a user wanted to delete, and
    // lists all for everybody.
    if endpoint.kind() != Kind::PouchDb {
        db(&project, &["delete", &url, "--confirm", database.name()]).expect(4);
        db(&project, &["create", &other.url()]).expect(4);
        let run = db(&project, &["list", endpoint.origin()]).expect(4);
        assert!(run.stderr.contains("only an admin of") && run.stderr.contains("admin_only_all_dbs"), "{run}");
    }
    assert!(database.exists() && !other.exists());
    // It is their design document that may not be written, whatever else was tried before it.
    project.write("app/_id", "_design/guarded").write("app/validate_doc_update.js", "function () {}");
    if endpoint.kind() != Kind::PouchDb {
        let run = project.couchapp(&["push", "app", &url]).expect(4).says("`_design/guarded`");
        assert!(!run.output().contains("couchapp-check-"), "{run}");
    }
    // An admin of the database can shut the door behind them, but not by chance.
    project.set("COUCHAPP_USER", &bob.name).set("COUCHAPP_PASSWORD", &bob.password);
    let run = db(&project, &["security", &url, "--remove-admin", &bob.name]).expect(9);
    assert!(run.stderr.contains("you would be no admin"), "{run}");
}

pub(crate) fn a_database_is_deleted_by_its_name(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    database.put("a", &json!({})).ok();
    let (url, name) = (database.url(), database.name());
    let run = db(&project, &["delete", &url, "-n"]).ok();
    assert!(run.stderr.contains("has 1 document") && run.stderr.contains("Would delete"), "{run}");
    for (words, says) in [
        (&[][..], "has to be confirmed"),
        (&["--yes"], "has to be confirmed"),
        (&["--confirm", "another"], "was not confirmed"),
        (&["--confirm", "", "--yes"], "was not confirmed"),
        (&["--confirm", &url, "--yes"], "was not confirmed"),
    ] {
        db(&project, &[&["delete", &url], words].concat()).expect(9).says(says);
    }
    let server = endpoint.origin();
    for system in ["_users", "_replicator", "_global_changes"] {
        db(&project, &["delete", &format!("{server}/{system}"), "--confirm", system]).expect(9);
    }
    // Nothing but a database is named by any of these, least of all the server or this database.
    for hostile in ["..", "%2e%2e", "%2E.", ".", "", "x/..", "x%00", &format!("{name}/%2e%2e"), &format!("{name}?x=1")]
    {
        for words in [&["delete"][..], &["create"], &["security"]] {
            let place = format!("{server}/{hostile}");
            let run = db(&project, &[words, &[&place, "--no-input"]].concat());
            assert!([2, 6, 1].contains(&run.code), "{words:?} {hostile:?}\n{run}");
        }
    }
    assert_eq!(database.generation("a"), 1);
    db(&project, &["delete", &url, "--confirm", name]).ok().says("Deleted");
    assert!(!database.exists());
    db(&project, &["delete", &url, "--confirm", name]).expect(6);
    // Names with everything that CouchDB allows; PouchDB Server loses a slash.
    let slash = if endpoint.kind() == Kind::PouchDb { "" } else { "/" };
    let odd = format!("{name}{slash}a+b(c)$-_1");
    let place = format!("{server}/{}", crate::harness::encoded(&odd));
    db(&project, &["create", &place, "--member", "ann"]).ok();
    assert_eq!(endpoint.get(&format!("/{}", crate::harness::encoded(&odd))).expect(200).json()["db_name"], json!(odd));
    db(&project, &["delete", &place, "--confirm", &odd]).ok();
    endpoint.get(&format!("/{}", crate::harness::encoded(&odd))).expect(404);
}

pub(crate) fn databases_are_listed(endpoint: &Endpoint) {
    let (project, database) = (Project::for_endpoint(endpoint), endpoint.database());
    let security = json!({ "members": { "names": ["ann"], "roles": ["family"] } });
    database.put("_security", &security).ok();
    for number in 0..3 {
        database.put(&format!("d{number}"), &json!({})).ok();
    }
    let run = db(&project, &["list", endpoint.origin()]).ok();
    let line = run.stdout.lines().find(|line| line.starts_with(database.name())).unwrap_or_else(|| panic!("{run}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words[1], words[words.len() - 3..].join(" ")), ("3", "ann, role family".to_owned()), "{run}");
    assert!(!run.stdout.contains("_users") && run.stdout.contains("who may read"), "{run}");
    assert!(db(&project, &["list", endpoint.origin(), "--all"]).ok().stdout.contains("_users"));
    let run = db(&project, &["list", endpoint.origin(), "--json"]).ok();
    let answer = &run.lines_of_json()[0];
    let found = answer["databases"].as_array().unwrap().iter().find(|found| found["name"] == database.name()).unwrap();
    assert_eq!((&found["documents"], &found["public"], &found["security"]), (&json!(3), &json!(false), &security));
}

pub(crate) fn a_session_of_databases(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    App::default().with("_id", "_design/a").with("language", "javascript").write(&project, "a");
    let (one, two) = (endpoint.unmade_database(), endpoint.unmade_database());
    let (first, second) = (one.url(), two.url());
    let made = told(
        &project,
        &[
            &["create", &first, "--member", "ann", "-n"],
            &["create", &first, &second, "--member", "ann", "--app", "a"],
            &["create", &first, "--member", "ann"],
            &["create", &first, "--member", "bob", "--admin-role", "staff"],
            &["create", &first, "--member", "bob", "--admin-role", "staff", "--yes"],
        ],
    );
    insta::assert_snapshot!(made, @r#"
    exit 0
    ----- stdout
    ----- stderr
    Would create the database http://127.0.0.1:[PORT]/[DB] (members: ann; admins: server admins only)
    =====
    exit 0
    ----- stdout
    ----- stderr
    warning: there is no user `ann` on `127.0.0.1:[PORT]` yet: `couchapp user add` makes one
    Created the database http://127.0.0.1:[PORT]/[DB] (members: ann; admins: server admins only)
    Pushing a → http://127.0.0.1:[PORT]/[DB]/_design/a
      + language
    Pushed: rev [REV], 12 B sent, 0 B unchanged, [TIME]
    warning: there is no user `ann` on `127.0.0.1:[PORT]` yet: `couchapp user add` makes one
    Created the database http://127.0.0.1:[PORT]/[DB] (members: ann; admins: server admins only)
    Pushing a → http://127.0.0.1:[PORT]/[DB]/_design/a
      + language
    Pushed: rev [REV], 12 B sent, 0 B unchanged, [TIME]
    =====
    exit 0
    ----- stdout
    ----- stderr
    The database http://127.0.0.1:[PORT]/[DB] is there already (members: ann; admins: server admins only)
    =====
    exit 9
    ----- stdout
    ----- stderr
    The database http://127.0.0.1:[PORT]/[DB] is there already, with 1 document, and for others:
      - member ann
      + member bob
      + admin role staff
    error: changing who may use `http://127.0.0.1:[PORT]/[DB]` has to be confirmed
    hint: `--yes` confirms it where nobody can be asked
    =====
    exit 0
    ----- stdout
    ----- stderr
    The database http://127.0.0.1:[PORT]/[DB] is there already, with 1 document, and for others:
      - member ann
      + member bob
      + admin role staff
    warning: there is no user `bob` on `127.0.0.1:[PORT]` yet: `couchapp user add` makes one
    Changed who may use http://127.0.0.1:[PORT]/[DB] (members: bob; admins: role staff)
    "#);
    settled(&project, &first);
}

/// What is said of who may use a database, and of its end.
fn settled(project: &Project, first: &str) {
    let settled = told(
        project,
        &[
            &["security", first],
            &["security", first, "--add-member", "eve", "--remove-member", "bob", "-n"],
            &["security", first, "--set-public"],
            &["security", first, "--set-public", "--yes", "--json"],
            &["security", first, "--add-member", "bob", "--yes"],
            &["delete", first],
        ],
    );
    insta::assert_snapshot!(settled, @r#"
    exit 0
    ----- stdout
    http://127.0.0.1:[PORT]/[DB]
      members  bob
      admins   role staff
    ----- stderr
    =====
    exit 0
    ----- stdout
    ----- stderr
    Who may use http://127.0.0.1:[PORT]/[DB]:
      - member bob
      + member eve
    warning: there is no user `eve` on `127.0.0.1:[PORT]` yet: `couchapp user add` makes one
    Would change who may use http://127.0.0.1:[PORT]/[DB] (members: eve; admins: role staff)
    =====
    exit 9
    ----- stdout
    ----- stderr
    Who may use http://127.0.0.1:[PORT]/[DB]:
      + everybody may read and write documents
      - member bob
    error: opening the database to everybody has to be confirmed
    hint: `--yes` confirms it where nobody can be asked
    =====
    exit 0
    ----- stdout
    {"v":1,"type":"plan","add":1,"change":0,"remove":1,"same":0,"conflict":0,"bytes":0}
    {"v":1,"type":"item","op":"add","path":"everybody may read and write documents"}
    {"v":1,"type":"item","op":"remove","path":"member bob"}
    {"v":1,"type":"summary","ok":true,"url":"http://127.0.0.1:[PORT]/[DB]","public":true,"security":{"admins":{"names":[],"roles":["staff"]},"members":{"names":[],"roles":[]}},"changes":2,"elapsed_ms":[TIME]}
    ----- stderr
    =====
    exit 0
    ----- stdout
    ----- stderr
    Who may use http://127.0.0.1:[PORT]/[DB]:
      - everybody may read and write documents
      + member bob
    warning: there is no user `bob` on `127.0.0.1:[PORT]` yet: `couchapp user add` makes one
    Changed who may use http://127.0.0.1:[PORT]/[DB] (members: bob; admins: role staff)
    =====
    exit 9
    ----- stdout
    ----- stderr
    The database http://127.0.0.1:[PORT]/[DB] has 1 document
    error: deleting `http://127.0.0.1:[PORT]/[DB]` has to be confirmed
    hint: `--confirm [DB]` confirms it where nobody can be asked; `--yes` does not
    "#);
}

/// What sessions of `db` print. Not every server tells how much room a database takes.
fn told(project: &Project, sessions: &[&[&str]]) -> String {
    let runs: Vec<Run> = sessions.iter().map(|words| db(project, words)).collect();
    let size = regex::Regex::new(", [0-9.]+ [KM]?i?B on the disk").unwrap();
    size.replace_all(&super::sessions::text(&runs), "").into_owned()
}
