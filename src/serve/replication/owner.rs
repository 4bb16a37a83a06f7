//! The documents of `_replicator` and `*/_replicator`: whose they are, who may write and who may see all of them. Pure.
//!
//! Such a database is for administrators, as CouchDB makes it. Where they let others in, each document has an owner, and
//! nobody else sees what it takes to get into its databases.
//! <https://docs.couchdb.org/en/3.5.x/replication/replicator.html>

use serde_json::Value;

use super::end;
use super::wanted::Wanted;
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::users::{User, access};

/// The name of the database.
pub(in crate::serve) const DATABASE: &str = "_replicator";

/// Whose document it is.
const OWNER: &str = "owner";
/// Where a replication has come to, when that is the end of it.
pub(in crate::serve) const STATE: &str = "_replication_state";

/// Whether documents of a database are replications.
pub(in crate::serve) fn is_replicator(database: &str) -> bool {
    database == DATABASE || database.ends_with("/_replicator")
}

/// Before a document is stored: it is given its owner, and has to be a replication.
pub(in crate::serve) fn before_write(
    user: &User,
    security: &Value,
    id: &str,
    is_deleted: bool,
    members: &mut Object,
) -> Result<(), Failure> {
    if id.starts_with("_design/") || id.starts_with("_local/") || is_deleted {
        return Ok(());
    }
    let own = user.name.as_deref().map_or(Value::Null, Value::from);
    match members.get(OWNER) {
        Some(owner) if *owner == own => {}
        Some(Value::Null) | None => {
            members.insert(OWNER.to_owned(), own);
        }
        Some(_) if access::is_admin(user, security) => {}
        Some(_) => {
            let reason = "Can't update replication documents from other users.";
            return Err(Failure::new(403, "forbidden", reason));
        }
    }
    if members.get(STATE).and_then(Value::as_str) == Some("failed") {
        return Ok(());
    }
    Wanted::parse_document(members).map(drop).map_err(|invalid| invalid.for_document())
}

/// Whether somebody sees a document only without what gets into its databases.
pub(in crate::serve) fn is_hidden(user: &User, security: &Value, id: &str, members: &Object) -> bool {
    let is_own = user.name.is_some() && members.get(OWNER).and_then(Value::as_str) == user.name.as_deref();
    !id.starts_with("_design/") && !access::is_admin(user, security) && !is_own
}

/// Takes out what gets into the databases.
pub(in crate::serve) fn hide(members: &mut Object) {
    for key in ["source", "target"] {
        if let Some(value) = members.get_mut(key) {
            *value = end::stripped(value);
        }
    }
    // A proxy may have a password, too.
    for key in ["proxy", "source_proxy", "target_proxy"] {
        members.shift_remove(key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        match value {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    fn user(name: Option<&str>, roles: &[&str]) -> User {
        User { name: name.map(str::to_owned), roles: roles.iter().map(|role| (*role).to_owned()).collect() }
    }

    fn document(owner: Option<Value>) -> Object {
        let mut document = object(json!({ "source": "http://jan:canary@h/a", "target": { "url": "http://h/b", "auth":
            { "basic": { "username": "jan", "password": "canary" } } } }));
        owner.map(|owner| document.insert(OWNER.to_owned(), owner));
        document
    }

    #[test]
    fn documents_have_owners() {
        let (nobody, jan, admin, party) =
            (user(None, &[]), user(Some("jan"), &[]), user(Some("root"), &["_admin"]), user(None, &["_admin"]));
        let rows = [
            (&jan, None, Ok(json!("jan"))),
            (&jan, Some(json!("jan")), Ok(json!("jan"))),
            (&jan, Some(json!("eva")), Err(403)),
            (&nobody, Some(json!("eva")), Err(403)),
            (&admin, None, Ok(json!("root"))),
            (&admin, Some(json!("eva")), Ok(json!("eva"))),
            (&admin, Some(json!(null)), Ok(json!("root"))),
            (&party, None, Ok(json!(null))),
        ];
        for (by, owner, expected) in rows {
            let mut members = document(owner.clone());
            let written = before_write(by, &json!({}), "x", false, &mut members);
            let written = written.map(|()| members[OWNER].clone()).map_err(|failure| failure.status.as_u16());
            assert_eq!(written, expected, "{by:?} {owner:?}");
        }
    }

    #[test]
    fn what_is_no_replication_is_not_stored() {
        let admin = user(None, &["_admin"]);
        let rows = [
            ("x", false, json!({}), false),
            ("x", false, json!({ "source": "a", "target": "b" }), false),
            ("x", false, json!({ "source": "a", "_replication_state": "completed" }), false),
            ("x", false, json!({ "_replication_state": "failed" }), true),
            ("x", true, json!({}), true),
            ("_design/x", false, json!({}), true),
            ("_local/x", false, json!({}), true),
        ];
        for (id, is_deleted, members, is_stored) in rows {
            let stored = before_write(&admin, &json!({}), id, is_deleted, &mut object(members.clone()));
            assert_eq!(stored.is_ok(), is_stored, "{id} {members}");
        }
    }

    #[test]
    fn others_see_no_password() {
        let (security, mut shown) = (json!({ "admins": { "names": ["boss"] } }), document(Some(json!("jan"))));
        let rows = [
            (user(Some("jan"), &[]), false),
            (user(Some("boss"), &[]), false),
            (user(None, &["_admin"]), false),
            (user(Some("eva"), &[]), true),
            (user(None, &[]), true),
        ];
        for (by, hidden) in rows {
            assert_eq!(is_hidden(&by, &security, "x", &shown), hidden, "{by:?}");
        }
        assert!(is_hidden(&user(None, &[]), &security, "x", &document(Some(json!(null)))));
        hide(&mut shown);
        assert!(!Value::Object(shown).to_string().contains("canary"));
        assert!(is_replicator("_replicator") && is_replicator("a/_replicator") && !is_replicator("a_replicator"));
    }
}
