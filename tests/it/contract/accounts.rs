//! Users of a server, and their passwords: each new one is searched for in all that the tool says and writes.

use serde_json::{Value, json};

use crate::fault_proxy::{Action, FaultProxy};
use crate::harness::{CANARY, Endpoint, Kind, Project, Run, encoded};

/// A user of one test, with a name that nobody else has; removed at the end.
pub(crate) struct Person<'a> {
    endpoint: &'a Endpoint,
    /// The whole name.
    pub(crate) name: String,
    /// The password.
    pub(crate) password: String,
}

impl Drop for Person<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if let Some(document) = self.document() {
            self.endpoint.delete(&format!("{}?rev={}", self.target(), document["_rev"].as_str().unwrap()));
        }
    }
}

impl<'a> Person<'a> {
    /// Somebody who is no user yet. The name ends in `word`.
    pub(crate) fn new(endpoint: &'a Endpoint, word: &str) -> Self {
        let name = format!("{}-{word}", endpoint.unmade_database().name());
        Self { endpoint, name, password: format!("{CANARY}-{}", word.len()) }
    }

    /// A user, added by the tool.
    pub(crate) fn add(project: &Project, endpoint: &'a Endpoint, word: &str) -> Self {
        let person = Self::new(endpoint, word);
        person.run(project, &["add"], &[]).ok();
        person
    }

    /// `couchapp user VERB NAME SERVER …` with the password on stdin.
    fn run(&self, project: &Project, verb: &[&str], more: &[&str]) -> Run {
        let words = [&["user"], verb, &[&self.name, self.endpoint.origin(), "--new-password-stdin"], more].concat();
        project.run_in("", &words, &format!("{}\nanother line\n", self.password))
    }

    fn target(&self) -> String {
        format!("/_users/{}", encoded(&format!("org.couchdb.user:{}", self.name)))
    }

    /// The user's document.
    pub(crate) fn document(&self) -> Option<Value> {
        let answer = self.endpoint.get(&self.target());
        (answer.status == 200).then(|| answer.json())
    }

    /// Whether the server takes the password.
    pub(crate) fn signs_in(&self) -> bool {
        let answer = self.endpoint.signed_in(Some((&self.name, &self.password))).get("/_session");
        answer.status == 200 && answer.json()["userCtx"]["name"] == json!(self.name)
    }
}

fn user(project: &Project, words: &[&str]) -> Run {
    project.couchapp(&[&["user"], words].concat())
}

pub(crate) fn a_user_is_added_and_can_sign_in(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let person = Person::new(endpoint, "ann");
    person.run(&project, &["add"], &["-n"]).ok().says("Would add");
    assert!(person.document().is_none());
    person.run(&project, &["add"], &["--role", "family", "--role", "staff"]).ok().says("Added the user");
    let document = person.document().unwrap();
    assert_eq!((&document["roles"], &document["type"]), (&json!(["family", "staff"]), &json!("user")));
    assert!(document.get("password").is_none() && person.signs_in(), "{document}");
    // Who is there is left alone, the password included.
    let other = Person { endpoint, name: person.name.clone(), password: format!("{CANARY}-other") };
    other.run(&project, &["add"], &[]).expect(5).says("couchapp user password");
    assert_eq!(person.document().unwrap(), document);
    // Each way to give a password, and none at all.
    project.write("secret", format!("{CANARY}-file\n"));
    for (number, (flag, value, password)) in
        [("--new-password-file", "secret", "file"), ("--new-password-command", "cat secret", "file")]
            .into_iter()
            .enumerate()
    {
        let mut person = Person::new(endpoint, &format!("way{number}"));
        person.password = format!("{CANARY}-{password}");
        user(&project, &["add", &person.name, endpoint.origin(), flag, value, "-vv", "--log-file", "log"]).ok();
        assert!(person.signs_in(), "{flag}");
    }
    let nobody = Person::new(endpoint, "nobody");
    for (flags, code) in
        [(&[][..], 9), (&["--new-password-file", "missing"], 2), (&["--new-password-command", "true"], 2)]
    {
        user(&project, &[&["add", &nobody.name, endpoint.origin()], flags].concat()).expect(code);
    }
    project.run_in("", &["user", "add", &nobody.name, endpoint.origin(), "--new-password-stdin"], "").expect(2);
    assert!(nobody.document().is_none());
}

pub(crate) fn names_of_users_are_names_and_nothing_else(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    for word in ["..", "%2e%2e", "a/../b", "a+b", "a b", "é?x#y", "_users"] {
        let person = Person::add(&project, endpoint, word);
        assert_eq!(person.document().unwrap()["name"], json!(person.name), "{word}");
        assert!(person.signs_in(), "{word}");
        user(&project, &["remove", &person.name, endpoint.origin(), "--yes"]).ok();
        assert!(person.document().is_none(), "{word}");
    }
    // Names that are nobody's, and would be databases, servers or others' documents if they were paths.
    for bare in ["..", ".", "%2e", "a/b", "a+b", "*"] {
        user(&project, &["remove", bare, endpoint.origin(), "--yes"]).expect(6).says("there is no user");
    }
    for refused in ["", "_users", "_design/_auth", "a:b", "a\nb"] {
        for verb in ["add", "password", "remove"] {
            user(&project, &[verb, refused, endpoint.origin(), "--yes"]).expect(2);
        }
    }
    user(&project, &["add", "ann", endpoint.origin(), "--role", "_admin"]).expect(2).says("CouchDB's own");
    endpoint.get("/_users").expect(200);
}

pub(crate) fn a_password_is_changed_and_nothing_else(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let mut person = Person::new(endpoint, "ann");
    let document = json!({
        "name": person.name, "type": "user", "roles": ["family"], "password": "first",
        "email": "ann@example.com", "settings": { "n": [1.50, null] },
    });
    endpoint.put(&person.target(), &document).ok();
    person.password = format!("{CANARY}-second");
    person.run(&project, &["password"], &["-n"]).ok().says("Would give");
    person.run(&project, &["password"], &[]).ok().says("has another password");
    assert!(person.signs_in());
    let now = person.document().unwrap();
    for key in ["name", "roles", "email", "settings"] {
        assert_eq!(now[key].to_string(), document[key].to_string(), "{key}");
    }
    assert!(now.get("password").is_none() && now["_rev"].as_str().unwrap().starts_with("2-"), "{now}");
    let nobody = Person::new(endpoint, "nobody");
    nobody.run(&project, &["password"], &[]).expect(6).says("there is no user");
}

/// CouchDB keeps `_users` closed since 3.0; where it is open, as in PouchDB Server, everybody has a document of their own.
pub(crate) fn users_change_their_own_password_where_they_may(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let (mut person, other) = (Person::add(&project, endpoint, "ann"), Person::add(&project, endpoint, "bob"));
    project.set("COUCHAPP_USER", &person.name).set("COUCHAPP_PASSWORD", &person.password);
    let is_open = endpoint.signed_in(Some((&person.name, &person.password))).get(&person.target()).status == 200;
    assert!(is_open || endpoint.kind() == Kind::CouchDb);
    person.password = format!("{CANARY}-of-her-own");
    let run = person.run(&project, &["password"], &[]);
    if is_open {
        run.ok().says("the password from COUCHAPP_PASSWORD is the old one now");
        assert!(person.signs_in());
        project.set("COUCHAPP_PASSWORD", &person.password);
    } else {
        run.expect(4).says("CouchDB keeps `_users` closed since 3.0");
        assert!(!format!("{:?}", person.document()).contains("own"));
    }
    let before = other.document();
    // PouchDB Server fails where it should refuse.
    let codes: &[i32] = if endpoint.kind() == Kind::PouchDb { &[7] } else { &[4, 6] };
    let run = other.run(&project, &["password"], &[]);
    assert!(codes.contains(&run.code), "{run}");
    let run = user(&project, &["remove", &other.name, endpoint.origin(), "--yes"]);
    assert!(codes.contains(&run.code), "{run}");
    assert_eq!(other.document(), before);
}

pub(crate) fn admins_of_the_server_are_no_users(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    // At PouchDB Server everybody is one, and nobody has a name.
    let Some((admin, _)) = endpoint.credentials() else {
        user(&project, &["password", "admin", endpoint.origin()]).expect(6).says("there is no user");
        return;
    };
    for verb in ["password", "remove"] {
        user(&project, &[verb, admin, endpoint.origin(), "--yes"]).expect(6).says("by its configuration");
    }
    user(&project, &["add", admin, endpoint.origin()]).expect(5).says("by its configuration");
}

pub(crate) fn a_removed_user_is_told_of_where_the_name_stands(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let person = Person::add(&project, endpoint, "ann");
    let (member, admin, other) = (endpoint.database(), endpoint.database(), endpoint.database());
    member.put("_security", &json!({ "members": { "names": ["x", person.name] } })).ok();
    admin.put("_security", &json!({ "admins": { "names": [person.name] }, "members": { "roles": ["_admin"] } })).ok();
    other.put("_security", &json!({ "members": { "roles": [person.name] } })).ok();
    let server = endpoint.origin();
    let run = user(&project, &["remove", &person.name, server]).expect(9);
    for (database, is_named) in [(&member, true), (&admin, true), (&other, false)] {
        assert_eq!(run.stderr.contains(database.name()) && run.stderr.contains("is named in"), is_named, "{run}");
    }
    user(&project, &["remove", &person.name, server, "-n"]).ok().says("Would remove");
    assert!(person.document().is_some());
    let run = user(&project, &["remove", &person.name, server, "--yes", "--json"]).ok();
    let last = run.lines_of_json().pop().unwrap();
    assert_eq!(last["named_in"].as_array().unwrap().len(), 2, "{run}");
    assert!(person.document().is_none() && !person.signs_in());
}

pub(crate) fn a_lost_answer_is_told_as_such(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let person = Person::new(endpoint, "ann");
    let mut lost = false;
    let proxy = FaultProxy::start(endpoint.origin(), move |arrival| {
        let is_it = arrival.method == "PUT" && !lost;
        lost |= is_it;
        if is_it { Action::SwallowAnswer } else { Action::Pass }
    });
    let words = ["user", "add", &person.name, &proxy.origin(), "--new-password-stdin"];
    let run = project.run_in("", &words, &person.password).expect(7);
    assert!(run.stderr.contains("it is not known whether"), "{run}");
    assert!(person.signs_in());
    // A write that did not land is sent again.
    let person = Person::new(endpoint, "bob");
    let mut lost = false;
    proxy.play(move |arrival| {
        let is_it = arrival.method == "PUT" && !lost;
        lost |= is_it;
        if is_it { Action::CutRequest(40, crate::fault_proxy::Cut::Reset) } else { Action::Pass }
    });
    let words = ["user", "add", &person.name, &proxy.origin(), "--new-password-stdin"];
    project.run_in("", &words, &person.password).ok();
    assert!(person.signs_in());
}

pub(crate) fn a_session_of_users(endpoint: &Endpoint) {
    let project = Project::for_endpoint(endpoint);
    let (ann, bob) = (Person::new(endpoint, "ann"), Person::new(endpoint, "bob"));
    let server = endpoint.origin();
    let mut runs = vec![
        ann.run(&project, &["add"], &["--role", "family"]),
        ann.run(&project, &["add"], &[]),
        user(&project, &["add", &bob.name, server]),
        ann.run(&project, &["password"], &[]),
        ann.run(&project, &["password"], &["--json"]),
        user(&project, &["remove", &bob.name, server]),
        user(&project, &["remove", &ann.name, server]),
    ];
    let list = user(&project, &["list", server]).ok();
    assert!(list.stdout.lines().any(|line| line.starts_with(&ann.name) && line.ends_with("  family")), "{list}");
    runs.push(user(&project, &["remove", &ann.name, server, "--yes"]));
    runs.push(user(&project, &["add", "a:b", server]));
    runs.push(user(&project, &["add", "ann", server, "--role", "_admin"]));
    // Databases of others, which come and go meanwhile, are asked for who they are for.
    let busy = regex::Regex::new("(?m)^retrying in .*\n").unwrap();
    let text = busy.replace_all(&super::sessions::text(&runs), "").into_owned();
    insta::assert_snapshot!(text, @r#"
    exit 0
    ----- stdout
    ----- stderr
    Added the user `[DB]-ann` to http://127.0.0.1:[PORT] (roles: family)
    =====
    exit 5
    ----- stdout
    ----- stderr
    error: there is a user `[DB]-ann` on `127.0.0.1:[PORT]` already
    hint: `couchapp user password` gives a user another password
    =====
    exit 9
    ----- stdout
    ----- stderr
    error: there is no new password for `[DB]-bob`
    hint: on a terminal it is asked for; `--new-password-stdin`, `--new-password-file` and `--new-password-command` give it elsewhere
    =====
    exit 0
    ----- stdout
    ----- stderr
    `[DB]-ann` has another password on http://127.0.0.1:[PORT]
    =====
    exit 0
    ----- stdout
    {"v":1,"type":"summary","ok":true,"server":"http://127.0.0.1:[PORT]","user":"[DB]-ann","elapsed_ms":[TIME]}
    ----- stderr
    =====
    exit 6
    ----- stdout
    ----- stderr
    error: there is no user `[DB]-bob` on `127.0.0.1:[PORT]`
    hint: `couchapp user list` names those that there are
    =====
    exit 9
    ----- stdout
    ----- stderr
    `[DB]-ann` has roles: family
    error: removing the user `[DB]-ann` has to be confirmed
    hint: `--yes` confirms it where nobody can be asked
    =====
    exit 0
    ----- stdout
    ----- stderr
    `[DB]-ann` has roles: family
    Removed the user `[DB]-ann` from http://127.0.0.1:[PORT]
    =====
    exit 2
    ----- stdout
    ----- stderr
    error: `a:b` is no name of a user: a `:` ends the name where a password follows
    =====
    exit 2
    ----- stdout
    ----- stderr
    error: `_admin` is no role for a user: roles that begin with `_` are CouchDB's own, and `_users` takes none of them
    "#);
}
