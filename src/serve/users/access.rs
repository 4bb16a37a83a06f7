//! Who may do what: the security object of a database, and what is for administrators only.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/database/security.html>

use axum::http::Method;
use serde_json::{Value, json};

use crate::serve::failure::Failure;
use crate::serve::replication::owner::is_replicator;
use crate::serve::store::{Database, StoreError};
use crate::serve::users::User;

/// Administrators of the server have it.
pub(in crate::serve) const ADMINISTRATOR: &str = "_admin";

/// The security object of a database that was never given one: for administrators only, as in CouchDB since 3.0.
pub(in crate::serve) fn default_security() -> Value {
    json!({ "members": { "roles": [ADMINISTRATOR] }, "admins": { "roles": [ADMINISTRATOR] } })
}

/// The security object of a database. Blocks.
pub(in crate::serve) fn security(database: &Database) -> Result<Value, StoreError> {
    Ok(database.setting("security")?.unwrap_or_else(default_security))
}

/// Whether a security object is one.
///
/// # Errors
/// What is wrong with it. (CouchDB's cluster hides that behind a 500 `no_majority`.)
pub(in crate::serve) fn check_security(security: &Value) -> Result<(), Failure> {
    let Value::Object(members) = security else {
        return Err(Failure::bad_request("Security object must be a JSON object"));
    };
    for group in ["admins", "members", "readers"] {
        let Some(group) = members.get(group) else { continue };
        let Value::Object(lists) = group else {
            return Err(Failure::bad_request("admins or members must be a JSON list of strings"));
        };
        for list in ["names", "roles"] {
            let is_list = |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
            if lists.get(list).is_some_and(|value| !is_list(value)) {
                return Err(Failure::bad_request(format!("{list} must be a JSON list of strings")));
            }
        }
    }
    Ok(())
}

/// Whether somebody administers the server.
pub(in crate::serve) fn is_server_admin(user: &User) -> bool {
    user.roles.iter().any(|role| role == ADMINISTRATOR)
}

/// Whether somebody administers a database: writes design documents and changes its settings.
pub(in crate::serve) fn is_admin(user: &User, security: &Value) -> bool {
    is_server_admin(user) || is_listed(user, security.get("admins"))
}

/// Whether somebody may read and write the documents of a database: everybody when it names no members.
pub(in crate::serve) fn is_member(user: &User, security: &Value) -> bool {
    let members = security.get("members").or_else(|| security.get("readers"));
    let names_nobody = ["names", "roles"].iter().all(|list| {
        let list = members.and_then(|members| members.get(list)).and_then(Value::as_array);
        list.is_none_or(Vec::is_empty)
    });
    is_admin(user, security) || names_nobody || is_listed(user, members)
}

fn is_listed(user: &User, group: Option<&Value>) -> bool {
    let has = |list: &str, wanted: &str| {
        let items = group.and_then(|group| group.get(list)).and_then(Value::as_array);
        items.into_iter().flatten().any(|item| item.as_str() == Some(wanted))
    };
    user.roles.iter().any(|role| has("roles", role)) || user.name.as_deref().is_some_and(|name| has("names", name))
}

/// 401 when somebody could sign in to be allowed, 403 for who has.
fn refuse(user: &User, anonymous: &str, known: &str) -> Failure {
    if user.name.is_none() {
        Failure::new(401, "unauthorized", anonymous)
    } else {
        Failure::new(403, "forbidden", known)
    }
}

/// Lets administrators of the server pass.
pub(in crate::serve) fn require_server_admin(user: &User) -> Result<(), Failure> {
    if is_server_admin(user) {
        return Ok(());
    }
    Err(Failure::new(401, "unauthorized", "You are not a server admin."))
}

/// Lets administrators of a database pass, before a setting is changed or a design document is written.
pub(in crate::serve) fn require_admin(user: &User, security: &Value) -> Result<(), Failure> {
    const REASON: &str = "You are not a db or server admin.";
    if is_admin(user, security) { Ok(()) } else { Err(refuse(user, REASON, REASON)) }
}

/// Lets members of a database pass.
pub(in crate::serve) fn require_member(user: &User, security: &Value) -> Result<(), Failure> {
    if is_member(user, security) {
        return Ok(());
    }
    Err(refuse(user, "You are not authorized to access this db.", "You are not allowed to access this db."))
}

/// What belongs to the whole server: most of it is for administrators. `segments` are those of the whole path.
pub(in crate::serve) fn authorize_server_wide(method: &Method, segments: &[&str], user: &User) -> Result<(), Failure> {
    match segments {
        ["_replicate"] if user.name.is_none() && !is_server_admin(user) => {
            Err(Failure::new(401, "unauthorized", "You are not an authenticated user"))
        }
        [] | ["favicon.ico", ..] | ["_up" | "_uuids" | "_session" | "_replicate"] => Ok(()),
        ["_utils", ..] if matches!(*method, Method::GET | Method::HEAD) => Ok(()),
        _ => require_server_admin(user),
    }
}

/// Whether a request for a database is for administrators of the server, whatever its security object says, and whether the
/// database is there or not. `segments` are those after its name.
pub(in crate::serve) fn authorize_name(
    method: &Method,
    name: &str,
    segments: &[&str],
    user: &User,
) -> Result<(), Failure> {
    let is_system = matches!(name, "_users" | "_replicator");
    if name.starts_with('_') && !is_system {
        return require_server_admin(user);
    }
    match segments {
        [] if matches!(*method, Method::PUT | Method::DELETE) => require_server_admin(user),
        ["_all_docs" | "_changes", ..] if is_system || is_replicator(name) => require_server_admin(user),
        // What shows several documents at once, or what functions make of them, does not look whose they are.
        ["_find" | "_explain" | "_index" | "_local" | "_local_docs" | "_design_docs" | "_bulk_get", ..]
        | ["_design", _, _, ..]
            if name == "_users" || is_replicator(name) && segments != ["_bulk_get"] =>
        {
            require_server_admin(user)
        }
        // The same with an escaped slash.
        [id] if (name == "_users" || is_replicator(name)) && id.starts_with("_local/") => require_server_admin(user),
        ["_purge" | "_purged_infos_limit" | "_sync_shards"] => require_server_admin(user),
        _ => Ok(()),
    }
}

/// Whether somebody may ask a database for something at all. What is written is looked at when it is known.
pub(in crate::serve) fn authorize_database(segments: &[&str], security: &Value, user: &User) -> Result<(), Failure> {
    match segments {
        ["_compact", ..] | ["_view_cleanup"] if !is_admin(user, security) => {
            require_member(user, security)?;
            Err(Failure::new(401, "unauthorized", "You are not a server or db admin."))
        }
        _ => require_member(user, security),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, roles: &[&str]) -> User {
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        User { name, roles: roles.iter().map(|role| (*role).to_owned()).collect() }
    }

    #[test]
    fn the_security_object_decides() {
        let family = json!({ "admins": { "names": ["eva"], "roles": ["boss"] }, "members": { "roles": ["family"] } });
        let old = json!({ "readers": { "names": ["jan"] } });
        let (open, empty) = (json!({}), json!({ "members": { "names": [], "roles": [] } }));
        let table = [
            (user("", &[]), &family, false, false),
            (user("jan", &[]), &family, false, false),
            (user("jan", &["family"]), &family, true, false),
            (user("jan", &["boss"]), &family, true, true),
            (user("eva", &[]), &family, true, true),
            (user("", &["_admin"]), &family, true, true),
            (user("jan", &[]), &old, true, false),
            (user("eva", &[]), &old, false, false),
            (user("", &[]), &open, true, false),
            (user("", &[]), &empty, true, false),
            (user("jan", &["x"]), &default_security(), false, false),
            (user("", &["_admin"]), &default_security(), true, true),
        ];
        for (user, security, member, admin) in table {
            assert_eq!((is_member(&user, security), is_admin(&user, security)), (member, admin), "{user:?} {security}");
        }
    }

    #[test]
    fn refusals_are_those_of_couchdb() {
        let (nobody, jan) = (user("", &[]), user("jan", &[]));
        let closed = default_security();
        let status = |result: Result<(), Failure>| {
            let failure = result.unwrap_err();
            (failure.status.as_u16(), failure.reason.unwrap())
        };
        assert_eq!(
            status(require_member(&nobody, &closed)),
            (401, "You are not authorized to access this db.".to_owned())
        );
        assert_eq!(status(require_member(&jan, &closed)), (403, "You are not allowed to access this db.".to_owned()));
        assert_eq!(status(require_admin(&nobody, &json!({}))).0, 401);
        assert_eq!(status(require_admin(&jan, &json!({}))).0, 403);
        assert_eq!(status(authorize_database(&["_compact"], &json!({}), &jan)).0, 401);
        assert_eq!(status(authorize_database(&["_compact"], &closed, &jan)).0, 403);
    }

    #[test]
    fn some_of_it_is_for_administrators() {
        let (nobody, admin) = (user("", &[]), user("", &["_admin"]));
        let wide: [(&[&str], bool); 9] = [
            (&[], true),
            (&["_up"], true),
            (&["_session"], true),
            (&["_uuids"], true),
            (&["_all_dbs"], false),
            (&["_dbs_info"], false),
            (&["_node", "_local", "_config"], false),
            (&["_membership"], false),
            (&["_replicate"], false),
        ];
        for (segments, open) in wide {
            assert_eq!(authorize_server_wide(&Method::GET, segments, &nobody).is_ok(), open, "{segments:?}");
            assert!(authorize_server_wide(&Method::GET, segments, &admin).is_ok(), "{segments:?}");
        }
        let named: [(Method, &str, &[&str], bool); 13] = [
            (Method::GET, "_users", &["_local/x"], false),
            (Method::GET, "db", &["_local/x"], true),
            (Method::GET, "_nothing", &[], false),
            (Method::POST, "_users", &["_find"], false),
            (Method::GET, "_users", &["_design", "x", "_view", "y"], false),
            (Method::GET, "db", &["_design", "x", "_view", "y"], true),
            (Method::PUT, "db", &[], false),
            (Method::DELETE, "db", &[], false),
            (Method::GET, "db", &[], true),
            (Method::POST, "db", &["_all_docs"], true),
            (Method::GET, "_users", &["_all_docs"], false),
            (Method::GET, "_users", &["_changes"], false),
            (Method::GET, "_users", &["org.couchdb.user:x"], true),
        ];
        for (method, name, segments, open) in named {
            assert_eq!(authorize_name(&method, name, segments, &nobody).is_ok(), open, "{method} {name} {segments:?}");
        }
    }

    #[test]
    fn a_security_object_is_looked_at() {
        for good in [json!({}), default_security(), json!({ "admins": {}, "members": { "names": ["a"] }, "x": 1 })] {
            check_security(&good).unwrap();
        }
        for bad in [
            json!([]),
            json!("x"),
            json!({ "admins": [] }),
            json!({ "admins": { "names": "x" } }),
            json!({ "members": { "roles": [1] } }),
        ] {
            assert_eq!(check_security(&bad).unwrap_err().status.as_u16(), 400, "{bad}");
        }
    }
}
