//! The documents of the database `_users`: what they have to be, who may write and who may read them.
//!
//! <https://docs.couchdb.org/en/3.5.x/intro/security.html#authentication-database>

use serde_json::Value;

use super::access;
use super::{new_secret, password};
use crate::hexadecimal;
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::store::{Refusal, Store, StoreError};
use crate::serve::users::User;

/// The name of the database.
pub(in crate::serve) const DATABASE: &str = "_users";

/// What the id of a user's document begins with.
const PREFIX: &str = "org.couchdb.user:";

/// The id of a user's document.
pub(in crate::serve) fn id(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Makes the database if it is not there, and gives what cookies are sealed with: it is kept beside the documents, where no
/// request leads.
pub(in crate::serve) fn secret(store: &Store) -> Result<Vec<u8>, StoreError> {
    const SETTING: &str = "cookie_secret";
    let database = match store.database(DATABASE) {
        Err(StoreError::Missing) => {
            let database = store.create(DATABASE)?;
            database.set("security", &access::default_security())?;
            database
        }
        database => database?,
    };
    if let Some(Value::String(secret)) = database.setting(SETTING)? {
        return Ok(secret.into_bytes());
    }
    let secret = hexadecimal::encode(&new_secret());
    database.set(SETTING, &secret.as_str().into())?;
    Ok(secret.into_bytes())
}

fn is_own(user: &User, id: &str) -> bool {
    id.strip_prefix(PREFIX).is_some_and(|name| user.name.as_deref() == Some(name))
}

/// Before a document is stored: others' documents are not there for a user, and passwords are never stored. Takes its time:
/// call it from a blocking task.
pub(in crate::serve) fn before_write(
    user: &User,
    security: &Value,
    id: &str,
    members: &mut Object,
    iterations: u32,
) -> Result<(), Failure> {
    if !access::is_admin(user, security) && user.name.is_some() && !is_own(user, id) {
        return Err(Failure::not_found("missing"));
    }
    if id.starts_with("_design/") || id.starts_with("_local/") {
        return Ok(());
    }
    password::hide(members, iterations)
}

/// Before a document is shown: everybody sees only their own.
pub(in crate::serve) fn before_show(user: &User, security: &Value, id: &str) -> Result<(), Failure> {
    if access::is_admin(user, security) || is_own(user, id) {
        return Ok(());
    }
    if id.starts_with("_design/") {
        let reason = "Only administrators can view design docs in the users database.";
        return Err(Failure::new(403, "forbidden", reason));
    }
    Err(Failure::not_found("missing"))
}

/// What is stored, and what it replaces.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Update<'a> {
    /// The id.
    pub(in crate::serve) id: &'a str,
    /// What is written.
    pub(in crate::serve) members: &'a Object,
    /// Whether it is a tombstone.
    pub(in crate::serve) is_deleted: bool,
    /// What it replaces.
    pub(in crate::serve) before: Option<&'a Object>,
}

/// The check of CouchDB's `_design/_auth`. Not for design documents.
pub(in crate::serve) fn validate(update: Update<'_>, user: &User, security: &Value) -> Result<(), Refusal> {
    let name = |members: &Object| members.get("name").cloned().unwrap_or(Value::Null);
    let own = user.name.as_deref().map_or(Value::Null, Value::from);
    if update.is_deleted {
        let is_allowed = access::is_server_admin(user) || update.before.is_some_and(|before| name(before) == own);
        return demand(is_allowed, "Only admins may delete other user docs.");
    }
    validate_shape(update)?;
    let new = update.members;
    if let Some(before) = update.before {
        demand(name(before) == name(new), "Usernames can not be changed.")?;
    }
    validate_password(new)?;
    if !access::is_admin(user, security) {
        match update.before {
            None => demand(roles(new).is_empty(), "Only _admin may set roles")?,
            Some(before) => {
                demand(name(new) == own, "You may only update your own user document.")?;
                demand(roles(before) == roles(new), "Only _admin may edit roles")?;
            }
        }
    }
    let is_free = |role: &&str| *role == "_metrics" || !role.starts_with('_');
    demand(roles(new).iter().all(is_free), "No system roles (starting with underscore) in users db.")?;
    let name = new.get("name").and_then(Value::as_str).unwrap_or_default();
    demand(!name.starts_with('_'), "Username may not start with underscore.")?;
    demand(!name.contains(':'), "Character `:` is not allowed in usernames.")
}

fn validate_shape(update: Update<'_>) -> Result<(), Refusal> {
    let new = update.members;
    demand(new.get("type").and_then(Value::as_str) == Some("user"), "doc.type must be user")?;
    demand(new.get("name").is_some_and(is_truthy), "doc.name is required")?;
    let roles = new.get("roles").filter(|roles| is_truthy(roles));
    demand(roles.is_some(), "doc.roles must exist")?;
    let roles = roles.and_then(Value::as_array);
    demand(roles.is_some(), "doc.roles must be an array")?;
    demand(roles.into_iter().flatten().all(Value::is_string), "doc.roles can only contain strings")?;
    let is_id = new.get("name").and_then(Value::as_str).is_some_and(|name| id(name) == update.id);
    demand(is_id, "Doc ID must be of the form org.couchdb.user:name")
}

fn validate_password(new: &Object) -> Result<(), Refusal> {
    let has = |name: &str| new.get(name).is_some_and(is_truthy);
    demand(!has("password_sha") || has("salt"), "Users with password_sha must have a salt.")?;
    let scheme = new.get("password_scheme").filter(|scheme| is_truthy(scheme));
    if let Some(scheme) = scheme {
        let shown = scheme.as_str().map_or_else(|| scheme.to_string(), str::to_owned);
        let is_known = ["simple", "pbkdf2", "simple+pbkdf2"].contains(&shown.as_str());
        demand(is_known, &format!("Password scheme `{shown}` not supported."))?;
    }
    if scheme.and_then(Value::as_str) == Some("pbkdf2") {
        demand(new.get("iterations").is_some_and(Value::is_number), "iterations must be a number.")?;
        demand(new.get("derived_key").is_some_and(Value::is_string), "derived_key must be a string.")?;
    }
    Ok(())
}

/// The roles, in order.
fn roles(members: &Object) -> Vec<&str> {
    let roles = members.get("roles").and_then(Value::as_array);
    let mut roles: Vec<&str> = roles.into_iter().flatten().filter_map(Value::as_str).collect();
    roles.sort_unstable();
    roles
}

/// Whether JavaScript takes a value for true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn demand(is_so: bool, reason: &str) -> Result<(), Refusal> {
    if is_so {
        return Ok(());
    }
    Err(Refusal { status: 403, error: "forbidden".to_owned(), reason: reason.to_owned() })
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

    fn verdict(new: &Value, before: Option<Value>, by: &User) -> Option<String> {
        let (new, before) = (object(new.clone()), before.map(object));
        let update = Update {
            id: "org.couchdb.user:jan",
            is_deleted: new.contains_key("_deleted"),
            members: &new,
            before: before.as_ref(),
        };
        validate(update, by, &json!({})).err().map(|refusal| refusal.reason)
    }

    #[test]
    fn documents_of_users_have_a_form() {
        let table = [
            (json!({ "name": "jan", "roles": [], "type": "user" }), None),
            (json!({ "name": "jan", "roles": ["_metrics", "x"], "type": "user" }), None),
            (json!({ "name": "jan", "roles": [] }), Some("doc.type must be user")),
            (json!({ "roles": [], "type": "user" }), Some("doc.name is required")),
            (json!({ "name": "", "roles": [], "type": "user" }), Some("doc.name is required")),
            (json!({ "name": "jan", "type": "user" }), Some("doc.roles must exist")),
            (json!({ "name": "jan", "roles": "x", "type": "user" }), Some("doc.roles must be an array")),
            (json!({ "name": "jan", "roles": [1], "type": "user" }), Some("doc.roles can only contain strings")),
            (
                json!({ "name": "eva", "roles": [], "type": "user" }),
                Some("Doc ID must be of the form org.couchdb.user:name"),
            ),
            (
                json!({ "name": "jan", "roles": ["_admin"], "type": "user" }),
                Some("No system roles (starting with underscore) in users db."),
            ),
            (
                json!({ "name": "jan", "roles": [], "type": "user", "password_scheme": "md5" }),
                Some("Password scheme `md5` not supported."),
            ),
            (
                json!({ "name": "jan", "roles": [], "type": "user", "password_scheme": "pbkdf2" }),
                Some("iterations must be a number."),
            ),
            (
                json!({ "name": "jan", "roles": [], "type": "user", "password_scheme": "pbkdf2", "iterations": 1 }),
                Some("derived_key must be a string."),
            ),
        ];
        let admin = user(None, &["_admin"]);
        for (new, expected) in table {
            assert_eq!(verdict(&new, None, &admin).as_deref(), expected, "{new}");
        }
    }

    #[test]
    fn everybody_writes_only_their_own() {
        let document = |roles: &[&str]| json!({ "name": "jan", "roles": roles, "type": "user" });
        let (nobody, jan, eva, admin) =
            (user(None, &[]), user(Some("jan"), &[]), user(Some("eva"), &[]), user(None, &["_admin"]));
        let table = [
            (&nobody, document(&[]), None, None),
            (&nobody, document(&["x"]), None, Some("Only _admin may set roles")),
            (&nobody, document(&[]), Some(document(&[])), Some("You may only update your own user document.")),
            (&jan, document(&["x"]), Some(document(&["x"])), None),
            (&jan, document(&["x"]), Some(document(&[])), Some("Only _admin may edit roles")),
            (&jan, document(&["a", "b"]), Some(document(&["b", "a"])), None),
            (&eva, document(&[]), Some(document(&[])), Some("You may only update your own user document.")),
            (&admin, document(&["x"]), Some(document(&[])), None),
            (&admin, document(&[]), Some(json!({ "name": "eva" })), Some("Usernames can not be changed.")),
            (&jan, json!({ "_deleted": true }), Some(document(&[])), None),
            (&eva, json!({ "_deleted": true }), Some(document(&[])), Some("Only admins may delete other user docs.")),
            (&admin, json!({ "_deleted": true }), Some(document(&[])), None),
        ];
        for (by, new, before, expected) in table {
            assert_eq!(verdict(&new, before.clone(), by).as_deref(), expected, "{by:?} {new} {before:?}");
        }
    }

    #[test]
    fn everybody_sees_only_their_own() {
        let (nobody, jan, admin) = (user(None, &[]), user(Some("jan"), &[]), user(None, &["_admin"]));
        let open = json!({});
        for (by, id, status) in [
            (&admin, "org.couchdb.user:jan", None),
            (&admin, "_design/_auth", None),
            (&jan, "org.couchdb.user:jan", None),
            (&jan, "org.couchdb.user:eva", Some(404)),
            (&nobody, "org.couchdb.user:jan", Some(404)),
            (&jan, "_design/_auth", Some(403)),
        ] {
            let shown = before_show(by, &open, id).err().map(|failure| failure.status.as_u16());
            assert_eq!(shown, status, "{by:?} {id}");
        }
        let mut members = object(json!({ "password": "x" }));
        assert!(before_write(&jan, &open, "org.couchdb.user:eva", &mut members, 1).is_err());
        assert!(members.contains_key("password"));
        before_write(&nobody, &open, "org.couchdb.user:eva", &mut members, 1).unwrap();
        assert!(!members.contains_key("password"));
    }
}
