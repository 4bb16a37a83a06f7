//! Who may do what in a database.

use reqwest::Method;
use serde_json::Value;

use super::client::limit;
use super::{CouchError, Database, Session};
use crate::json::Object;

/// The admins that `_security` of a database names; only they and server admins may write design documents.
/// <https://docs.couchdb.org/en/stable/api/database/security.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Names of users.
    pub admin_names: Vec<String>,
    /// Roles.
    pub admin_roles: Vec<String>,
}

impl Security {
    /// Whether the user of `session` is an admin of the database, by name or by a role.
    pub fn is_admin(&self, session: &Session) -> bool {
        session.user.as_ref().is_some_and(|user| self.admin_names.contains(user))
            || session.roles.iter().any(|role| self.admin_roles.contains(role))
    }

    fn read(answer: &Value) -> Self {
        let texts = |pointer: &str| {
            let list = answer.pointer(pointer).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self { admin_names: texts("/admins/names"), admin_roles: texts("/admins/roles") }
    }
}

impl Database {
    /// Asks who the admins of the database are. Members of the database may ask.
    pub async fn security(&self) -> Result<Security, CouchError> {
        let request = self.request(Method::GET, self.endpoint("_security"), "read the security of");
        let answer = self.server().client.json(&request, limit::SMALL).await?;
        Ok(Security::read(&answer))
    }

    /// The security object as it stands. Members of the database may ask.
    pub async fn security_object(&self) -> Result<Object, CouchError> {
        let request = self.request(Method::GET, self.endpoint("_security"), "read the security of");
        match self.server().client.json(&request, limit::SMALL).await? {
            Value::Object(object) => Ok(object),
            _ => Err(self.protocol(&request, "its security is no object")),
        }
    }

    /// Replaces the security object. Admins of the database only.
    pub async fn set_security(&self, object: &Object) -> Result<(), CouchError> {
        let request = self.request(Method::PUT, self.endpoint("_security"), "set the security of");
        let request = request.json(&Value::Object(object.clone()));
        self.server().client.json(&request, limit::SMALL).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_admin_is_known_by_name_or_role() {
        let security = Security::read(&json!({"admins": {"names": ["ann"], "roles": ["_admin", "staff"]}}));
        let session = |user: Option<&str>, roles: &[&str]| Session {
            user: user.map(str::to_owned),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        assert!(security.is_admin(&session(Some("ann"), &[])));
        assert!(security.is_admin(&session(Some("bob"), &["staff"])));
        assert!(!security.is_admin(&session(Some("bob"), &[])));
        assert!(!security.is_admin(&session(None, &[])));
        assert_eq!(Security::read(&json!({})), Security::default());
    }
}
