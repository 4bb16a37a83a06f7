//! Servers in a row, joined by one `replicate --chain --both --continuous`: what people change at one end comes to the
//! other, and what is changed there comes back.

use serde_json::Value;

use crate::contract::app::noise;
use crate::contract::leaves::{contents, leaves};
use crate::harness::{Database, Endpoint, Kind, Project, Running, Served, cases, until_found_or};

const STYLE: &str = "blog/_attachments/style.css";

/// Somebody at one end of a chain, with a folder of photos and an app.
struct Person<'a> {
    name: &'static str,
    project: Project,
    database: &'a Database<'a>,
}

impl<'a> Person<'a> {
    fn new(name: &'static str, database: &'a Database<'a>) -> Self {
        Self { name, project: Project::for_endpoint(database.endpoint()), database }
    }

    /// Runs a command that must succeed.
    #[track_caller]
    fn runs(&self, words: &[&str]) {
        self.project.couchapp(&[words, &["--no-input", "--yes"]].concat()).ok();
    }

    /// Sends a new photo; gives its document, its name and its bytes.
    #[track_caller]
    fn sends_a_photo(&self, round: u32) -> (String, String, Vec<u8>) {
        let (name, prefix) = (format!("IMG_{round}.jpg"), format!("from {}", self.name));
        // Small ones travel inside of JSON, large ones by themselves.
        let content = noise(if round.is_multiple_of(2) { 700_000 } else { 5000 }, round);
        self.project.write(&format!("photos/{name}"), &content);
        self.runs(&["sync-dir", "photos", &self.database.url(), "--prefix", &prefix]);
        (format!("from%20{}%2F{name}", self.name), name, content)
    }

    /// Edits the app as it has come here, and pushes it; gives the new style sheet.
    #[track_caller]
    fn edits_the_app(&self, round: u32) -> Vec<u8> {
        self.runs(&["clone", &self.database.design_url("blog"), "blog", "--update"]);
        let text = format!("/* {} {round} */ {}", self.name, "h1 { color: red }\n".repeat(300));
        self.project.write(STYLE, &text);
        self.runs(&["push", "blog", &self.database.url()]);
        text.into_bytes()
    }
}

/// Waits until a database shows something, and looks whenever it changes.
#[track_caller]
fn until(running: &Running, database: &Database<'_>, what: &str, shows: impl Fn() -> bool) {
    let in_vain = || format!("{what} did not come to {}\n{}", database.url(), running.text());
    until_found_or(in_vain, || {
        let is_shown = shows();
        // PouchDB Server would wait for ever.
        if !is_shown && database.endpoint().kind() != Kind::PouchDb {
            database.get("_changes?feed=longpoll&since=now&timeout=100");
        }
        is_shown.then_some(())
    });
}

/// Whether a database has these bytes.
fn has(database: &Database<'_>, document: &str, name: &str, content: &[u8]) -> bool {
    let target = database.beneath(&format!("{document}/{name}"));
    let answer = database.endpoint().send("GET", &target, &[("accept-encoding", "identity")], Vec::new());
    answer.status == 200 && answer.body == content
}

/// All leaves with their content. Servers compress differently, and PouchDB counts generations in its own way.
fn comparable(database: &Database<'_>) -> Vec<((String, String), Value)> {
    let mut found: Vec<_> = contents(database).into_iter().collect();
    for (_, document) in &mut found {
        for (_, attachment) in document["_attachments"].as_object_mut().into_iter().flatten() {
            let attachment = attachment.as_object_mut().unwrap();
            attachment.retain(|key, _| ["content_type", "data"].contains(&key.as_str()));
        }
        if document["_attachments"].is_null() {
            document.as_object_mut().unwrap().shift_remove("_attachments");
        }
    }
    found
}

/// Lets people at both ends of a row of databases change things in turns.
fn people_at_both_ends_share(row: &[&Database<'_>]) {
    let (first, last) = (Person::new("ann", row[0]), Person::new("bob", row[row.len() - 1]));
    first.project.write_tree(
        "blog",
        [
            ("_id", "_design/blog"),
            ("language", "javascript"),
            ("views/names/map.js", "function (doc) { emit(doc._id, null); }"),
            ("_attachments/index.html", "<!doctype html><title>Blog</title>"),
            ("_attachments/style.css", "h1 { color: blue }"),
        ],
    );
    first.runs(&["push", "blog", &first.database.url()]);
    let urls: Vec<String> = row.iter().map(|place| place.url_with_password()).collect();
    let places: Vec<&str> = urls.iter().map(String::as_str).collect();
    let words = [&["replicate"], &places[..], &["--chain", "--both", "--continuous"]].concat();
    let joining = Project::new();
    row.iter()
        .filter_map(|place| place.endpoint().credentials())
        .for_each(|(user, word)| joining.keep_secret(user, word));
    let running = Running::start(&joining, &words, "");
    until(&running, last.database, "the app", || last.database.get("_design/blog").status == 200);
    last.runs(&["clone", &last.database.design_url("blog"), "blog"]);
    for round in 0..cases(2) {
        for (person, other) in [(&first, &last), (&last, &first)] {
            let (document, name, content) = person.sends_a_photo(round);
            for place in row {
                until(&running, place, "the photo", || has(place, &document, &name, &content));
            }
            let style = person.edits_the_app(round);
            for place in row {
                until(&running, place, "the edit", || has(place, "_design/blog", "style.css", &style));
            }
            // Whoever got a photo may delete it for all.
            std::fs::remove_file(person.project.path().join(format!("photos/{name}"))).unwrap();
            let revision = other.database.revision(&document);
            other.database.endpoint().delete(&other.database.beneath(&format!("{document}?rev={revision}"))).ok();
            for place in row {
                until(&running, place, "the deletion", || place.get(&document).status == 404);
            }
        }
    }
    running.end(&joining, "INT").expect(130).says("Stopped");
    // The app was edited by turns, so nobody's edit became a conflict.
    assert!(leaves(row[0]).values().all(|revisions| revisions.len() == 1));
    for place in &row[1..] {
        assert_eq!(leaves(row[0]), leaves(place));
        assert_eq!(comparable(row[0]), comparable(place), "{}", place.url());
    }
}

#[test]
fn embedded_endpoints_pass_on_what_is_changed_at_either_end() {
    let project = Project::new();
    let served: Vec<Served> = (0..3).map(|_| Served::start(&project, "--memory")).collect();
    let endpoints: Vec<Endpoint> = served.iter().map(|served| served.empty_endpoint(None)).collect();
    let databases: Vec<Database<'_>> = endpoints.iter().map(Endpoint::database).collect();
    people_at_both_ends_share(&databases.iter().collect::<Vec<_>>());
}

fn with_the_middle(endpoint: &Endpoint) {
    let project = Project::new();
    let served = [Served::start(&project, "--memory"), Served::start(&project, "--memory")];
    let ends = served.each_ref().map(|served| served.empty_endpoint(None));
    let [first, last] = ends.each_ref().map(Endpoint::database);
    let middle = endpoint.database();
    people_at_both_ends_share(&[&first, &middle, &last]);
}

#[test]
fn a_server_with_passwords_stands_in_the_middle() {
    with_the_middle(&Endpoint::embedded());
}

#[test]
#[cfg_attr(not(endpoint), ignore = "set COUCHAPP_TEST_URL")]
fn the_endpoint_stands_in_the_middle() {
    with_the_middle(&Endpoint::from_environment());
}

#[test]
#[cfg_attr(not(endpoint), ignore = "set COUCHAPP_TEST_URL")]
fn the_endpoint_stands_at_both_ends() {
    let endpoint = Endpoint::from_environment();
    let databases = [endpoint.database(), endpoint.database(), endpoint.database()];
    people_at_both_ends_share(&databases.iter().collect::<Vec<_>>());
}
