//! The users of a server: documents of its database `_users`, with the passwords hashed by the server.
//!
//! <https://docs.couchdb.org/en/stable/intro/security.html#authentication-database>

use std::fmt;

use reqwest::Method;
use serde_json::Value;

use super::client::{Request, limit};
use super::retry::{self, Next, Repeat};
use super::{CouchError, Database, Document, IdRange, Missing, Read, Server};
use crate::json::Object;
use crate::name::{DbName, Revision, UserName};
use crate::secret::Secret;

/// So many at once in a listing.
const PAGE: usize = 1000;

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub name: UserName,
    /// The roles.
    pub roles: Vec<String>,
    /// The current revision of the document.
    pub revision: Revision,
    /// The server keeps the password as it is.
    pub is_clear: bool,
    /// All members of the document; a hash of the password is among them.
    body: Object,
}

impl Account {
    fn of(document: Document) -> Option<Self> {
        let name = UserName::new(document.id.as_str().strip_prefix(UserName::PREFIX)?).ok()?;
        let roles = document.body.get("roles").and_then(Value::as_array).into_iter().flatten();
        let roles = roles.filter_map(Value::as_str).map(str::to_owned).collect();
        let is_clear = document.body.contains_key("password");
        Some(Self { name, roles, revision: document.revision, is_clear, body: document.body })
    }
}

/// Leaves the hash out.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name).field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl Server {
    fn users(&self) -> Database {
        self.database(&DbName::users())
    }

    /// Reads a user's document. Users see their own, admins all; who may not see it is told that there is none, or is
    /// refused.
    pub async fn account(&self, name: &UserName) -> Result<Option<Account>, CouchError> {
        match self.users().document(&name.document(), &Read::default()).await {
            Ok(document) => Ok(Account::of(document)),
            Err(CouchError::NotFound { what: Missing::Document { .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All users, in the order of their names. Admins only.
    pub async fn accounts(&self) -> Result<Vec<Account>, CouchError> {
        let mut pages = self.users().pages(&IdRange::prefix(UserName::PREFIX), PAGE);
        let mut accounts = Vec::new();
        while let Some(documents) = pages.next().await? {
            accounts.extend(documents.into_iter().filter_map(Account::of));
        }
        Ok(accounts)
    }

    /// Makes a user. [`CouchError::Conflict`] when there is one of this name.
    pub async fn add_account(&self, name: &UserName, roles: &[String], password: &Secret) -> Result<(), CouchError> {
        let members = [
            ("name", Value::from(name.as_str())),
            ("roles", roles.iter().map(|role| Value::from(role.as_str())).collect()),
            ("type", Value::from("user")),
        ];
        let body = members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        self.write_account(name, None, body, password).await
    }

    /// Gives a user another password; everything else in the document stays. [`CouchError::Conflict`] when it is not as it
    /// was any longer.
    pub async fn set_password(&self, account: &Account, password: &Secret) -> Result<(), CouchError> {
        self.write_account(&account.name, Some(&account.revision), account.body.clone(), password).await
    }

    /// Removes a user.
    pub async fn remove_account(&self, account: &Account) -> Result<(), CouchError> {
        self.users().delete(&account.name.document(), &account.revision).await.map(drop)
    }

    /// What the server makes of a password cannot be foretold, so that a write whose answer was lost is not recognised:
    /// only that it has not landed shows, and then it is sent again.
    async fn write_account(
        &self,
        name: &UserName,
        parent: Option<&Revision>,
        mut body: Object,
        password: &Secret,
    ) -> Result<(), CouchError> {
        let (database, id) = (self.users(), name.document());
        body.insert("password".to_owned(), Value::from(password.expose()));
        if let Some(parent) = parent {
            body.insert("_rev".to_owned(), Value::from(parent.as_str()));
        }
        let target = database.document_target(&id);
        let request = Request::new(Method::PUT, target, database.document_subject("write", &id));
        let request = request.json(&Value::Object(body));
        let mut attempts = self.client.attempts(&request);
        loop {
            let fault = match self.client.exchange(&request).await {
                Ok(reply) => return reply.json(limit::SMALL).await.map(drop),
                Err(fault) => fault,
            };
            let is_doubtful = match retry::next(fault.effect, Repeat::Recognise) {
                Next::Stop => return Err(fault.error),
                Next::Again => false,
                Next::Recognise => {
                    attempts.recognising(&fault);
                    let now = self.account(name).await.map(|account| account.map(|account| account.revision));
                    now.ok().is_none_or(|now| now.as_ref() != parent)
                }
            };
            if is_doubtful {
                return Err(CouchError::Unconfirmed { id: id.to_string(), source: Box::new(fault.error) });
            }
            attempts.again(fault).await?;
        }
    }
}
