//! One server: who it is, who we are to it, its databases and its configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::Value;

use super::answer::{Subject, What};
use super::client::{Client, Request, limit};
use super::target::Target;
use super::{CouchError, Database, Meter, Network};
use crate::address::Address;
use crate::name::DbName;
use crate::secret::Credentials;

/// Which program answers. They differ in what they store as an attachment's content (`decisions.md`, Encoded parts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache CouchDB.
    CouchDb,
    /// PouchDB Server: no multipart downloads, digests of the plain bytes, no view signatures.
    PouchDb,
    /// Our own `couchapp serve`.
    Couchapp,
    /// Something else that says `"couchdb":"Welcome"`, Cloudant among them.
    Other,
}

impl Kind {
    /// Whether an attachment may be sent compressed (`"encoding":"gzip"`); others would store the gzip as the content.
    pub fn takes_encoded_parts(self) -> bool {
        matches!(self, Self::CouchDb | Self::Couchapp)
    }
}

/// What `GET /` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Which program answers.
    pub kind: Kind,
    /// Its vendor, as in "The Apache Software Foundation".
    pub vendor: Option<String>,
    /// Its version, as in "3.5.0".
    pub version: Option<String>,
}

impl Welcome {
    /// Whether apps are sandboxed unless an admin lifts it: CouchDB since 3.5 sends `Content-Security-Policy: sandbox`.
    pub fn has_sandbox(&self) -> bool {
        self.kind == Kind::CouchDb && self.number() >= (3, 5)
    }

    /// Whether a replication job of this server may name its credentials in an `auth` object (CouchDB 3.2); others find
    /// them in `headers`.
    pub(super) fn takes_auth_objects(&self) -> bool {
        self.kind == Kind::Couchapp || self.kind == Kind::CouchDb && self.number() >= (3, 2)
    }

    /// Whether a replication job of this server may leave conflicts behind (CouchDB 3.3); others would not heed it.
    pub fn knows_winning_revisions(&self) -> bool {
        self.kind == Kind::Couchapp || self.kind == Kind::CouchDb && self.number() >= (3, 3)
    }

    fn number(&self) -> (u32, u32) {
        let parts = self.version.iter().flat_map(|version| version.split('.'));
        let mut parts = parts.map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

/// Who we are to the server (`GET /_session`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user's name; `None` is anonymous.
    pub user: Option<String>,
    /// The user's roles; `_admin` is a server admin.
    pub roles: Vec<String>,
}

impl Session {
    /// Whether this user may do everything.
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == "_admin")
    }
}

/// One server and the credentials for it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) client: Client,
    /// [`Server::welcome`] has found PouchDB.
    pouchdb: Arc<AtomicBool>,
}

impl Server {
    /// Prepares requests to the server of `address`; nothing is sent yet.
    pub fn connect(address: &Address, credentials: Option<Credentials>, network: &Network) -> Result<Self, CouchError> {
        let client = Client::new(address, credentials, network)?;
        Ok(Self { client, pouchdb: Arc::new(AtomicBool::new(false)) })
    }

    /// The address of the server without credentials.
    pub fn address(&self) -> &Address {
        self.client.address()
    }

    /// What went to this server and came from it.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.client.network().meter
    }

    /// Asks who is there; [`CouchError::NotCouchDb`] when it is no CouchDB.
    pub async fn welcome(&self) -> Result<Welcome, CouchError> {
        let target = Target::server(self.address());
        let request = Request::new(Method::GET, target, subject("ask who is there"));
        let not_couchdb = |status, content_type: &str| CouchError::NotCouchDb {
            url: request.target.to_string(),
            content_type: content_type.to_owned(),
            first_line: None,
            status,
        };
        let answer = match self.client.json(&request, limit::SMALL).await {
            Err(CouchError::NotFound { .. }) => return Err(not_couchdb(404, "no welcome")),
            Err(CouchError::Protocol { .. }) => return Err(not_couchdb(200, "no JSON")),
            answer => answer?,
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let vendor = text(answer.pointer("/vendor/name"));
        let version = text(answer.get("version")).or_else(|| text(answer.pointer("/vendor/version")));
        let express = answer.get("express-pouchdb").is_some();
        let kind = match vendor.as_deref() {
            _ if express => Kind::PouchDb,
            _ if answer.get("couchdb").and_then(Value::as_str) != Some("Welcome") => {
                return Err(not_couchdb(200, "foreign JSON"));
            }
            Some("The Apache Software Foundation") => Kind::CouchDb,
            Some("couchapp") => Kind::Couchapp,
            Some(vendor) if vendor.contains("PouchDB") => Kind::PouchDb,
            _ => Kind::Other,
        };
        self.pouchdb.store(kind == Kind::PouchDb, Ordering::Relaxed);
        Ok(Welcome { kind, vendor, version })
    }

    /// Asks who we are.
    pub async fn session(&self) -> Result<Session, CouchError> {
        let target = Target::endpoint(self.address(), &["_session"]);
        let request = Request::new(Method::GET, target, subject("ask who we are"));
        let answer = self.client.json(&request, limit::SMALL).await?;
        let user = answer.pointer("/userCtx/name").and_then(Value::as_str).map(str::to_owned);
        let roles = answer.pointer("/userCtx/roles").and_then(Value::as_array).into_iter().flatten();
        Ok(Session { user, roles: roles.filter_map(Value::as_str).map(str::to_owned).collect() })
    }

    /// The names of all databases; those that are no legal names are left out. Often allowed to admins only.
    pub async fn databases(&self) -> Result<Vec<DbName>, CouchError> {
        let target = Target::endpoint(self.address(), &["_all_dbs"]);
        let request = Request::new(Method::GET, target, subject("list the databases"));
        let answer = self.client.json(&request, limit::LARGE).await?;
        let names = answer.as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(names.filter_map(|name| DbName::new(name).ok()).collect())
    }

    /// A value of the server's configuration; `None` when it is not set. Admins only.
    pub async fn config(&self, section: &str, key: &str) -> Result<Option<String>, CouchError> {
        let request = self.config_request(Method::GET, "read", section, key);
        unset(self.client.json(&request, limit::SMALL).await).map(|value| value.map(text_of))
    }

    /// Sets a value of the configuration and gives back the old one (empty: it was not set).
    pub async fn set_config(&self, section: &str, key: &str, value: &str) -> Result<String, CouchError> {
        let request = self.config_request(Method::PUT, "set", section, key).json(&Value::from(value));
        self.client.json(&request, limit::SMALL).await.map(text_of)
    }

    /// Takes a value out of the configuration; what is not set is not an error.
    pub async fn delete_config(&self, section: &str, key: &str) -> Result<(), CouchError> {
        let request = self.config_request(Method::DELETE, "delete", section, key);
        unset(self.client.json(&request, limit::SMALL).await).map(drop)
    }

    /// The names of the admins that the server's configuration names. Admins only; not every server tells.
    pub async fn administrators(&self) -> Result<Vec<String>, CouchError> {
        let target = Target::endpoint(self.address(), &["_node", "_local", "_config", "admins"]);
        let request = Request::new(Method::GET, target, subject("list the admins"));
        let answer = self.client.json(&request, limit::SMALL).await?;
        Ok(answer.as_object().into_iter().flat_map(|names| names.keys().cloned()).collect())
    }

    /// One of its databases; nothing is sent yet.
    pub fn database(&self, name: &DbName) -> Database {
        Database::new(self.clone(), name.clone())
    }

    /// Whether requests are signed.
    pub fn has_credentials(&self) -> bool {
        self.client.credentials().is_some()
    }

    /// Whether this is known to be PouchDB.
    pub(super) fn is_pouchdb(&self) -> bool {
        self.pouchdb.load(Ordering::Relaxed)
    }

    fn config_request(&self, method: Method, verb: &str, section: &str, key: &str) -> Request {
        let target = Target::endpoint(self.address(), &["_node", "_local", "_config", section, key]);
        Request::new(method, target, subject(&format!("{verb} `[{section}] {key}` of the configuration")))
    }
}

fn subject(action: &str) -> Subject {
    Subject::new(action, What::Server)
}

fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Tells a value that is not set from a server that has no such endpoint.
fn unset(result: Result<Value, CouchError>) -> Result<Option<Value>, CouchError> {
    match result {
        Err(CouchError::NotFound { source, .. }) if source.reason.as_deref() == Some("unknown_config_value") => {
            Ok(None)
        }
        result => result.map(Some),
    }
}
