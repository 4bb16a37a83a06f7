//! What is asked at a terminal before something is lost, and before somebody gets a password.

use serde_json::json;

use crate::contract::accounts::{Person, users_change_their_own_password_where_they_may};
use crate::harness::{CANARY, Endpoint, Project, Running, Served};

#[test]
fn a_new_password_is_asked_for_twice_and_never_shown() {
    let endpoint = Endpoint::embedded();
    let project = Project::for_endpoint(&endpoint);
    let person = Person::new(&endpoint, "ann");
    let words = ["user", "add", &person.name, endpoint.origin()];
    let mut running = Running::start_on_terminal(&project, &words);
    running.until_said("New password of ");
    running.press(&format!("{CANARY}-one\n"));
    running.until_said("The same once more: ");
    running.press(&format!("{CANARY}-two\n"));
    running.until_said("the two are not the same");
    for prompt in ["New password of ", "The same once more: "] {
        running.until_said_times(prompt, 2);
        running.press(&format!("{}\n", person.password));
    }
    running.until_said("Added the user");
    running.until_said("end 0");
    assert!(!running.text().contains(CANARY), "{}", running.text());
    assert!(person.signs_in());
    // Nothing is no password.
    let nobody = Person::new(&endpoint, "nobody");
    let mut running = Running::start_on_terminal(&project, &["user", "add", &nobody.name, endpoint.origin()]);
    running.until_said("New password of ");
    running.press("\n");
    running.until_said("end 9");
    assert!(nobody.document().is_none());
}

#[test]
fn the_name_of_a_database_is_typed_to_delete_it() {
    let endpoint = Endpoint::embedded();
    let (database, project) = (endpoint.database(), Project::for_endpoint(&endpoint));
    let url = database.url();
    for (typed, end) in [("y", "end 9"), ("", "end 9"), (database.name(), "end 0")] {
        assert!(database.exists());
        // A yes that was given beforehand is no name.
        let mut running = Running::start_on_terminal(&project, &["db", "delete", &url, "--yes"]);
        running.until_said("Type its name to delete it: ");
        running.press(&format!("{typed}\n"));
        running.until_said(end);
    }
    assert!(!database.exists());
}

/// Where an admin has opened `_users`, everybody has a document of their own.
#[test]
fn where_users_are_open_they_change_their_own_password() {
    let project = Project::new();
    project.set("COUCHAPP_PASSWORD", CANARY);
    let served = Served::start(&project, "--memory --user admin");
    let admin = served.empty_endpoint(Some(("admin", CANARY)));
    admin.put("/_node/_local/_config/couchdb/users_db_security_editable", &json!("true")).ok();
    admin.put("/_users/_security", &json!({ "members": { "roles": [] }, "admins": { "roles": ["_admin"] } })).ok();
    users_change_their_own_password_where_they_may(&admin);
    served.end(&project, "INT").expect(130);
}
