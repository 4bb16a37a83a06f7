//! One server: who it is, who we are to it, its databases and its configuration.

use super::{CouchError, Database, Network};
use crate::address::Address;
use crate::name::DbName;
use crate::secret::Credentials;

/// Which program answers. They differ in what they store as an attachment's content (`decisions.md`, Encoded parts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache CouchDB (or Cloudant).
    CouchDb,
    /// PouchDB Server: no multipart downloads, digests of the plain bytes, no view signatures.
    PouchDb,
    /// Our own `couchapp serve`.
    Couchapp,
    /// Something else that says `"couchdb":"Welcome"`.
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
pub struct Server {}

impl Server {
    /// Prepares requests to the server of `address`; nothing is sent yet.
    pub fn connect(address: &Address, credentials: Option<Credentials>, network: &Network) -> Result<Self, CouchError> {
        let _ = (address, credentials, network);
        unimplemented!()
    }

    /// The address of the server without credentials.
    pub fn address(&self) -> &Address {
        unimplemented!()
    }

    /// Asks who is there; [`CouchError::NotCouchDb`] when it is no CouchDB.
    pub async fn welcome(&self) -> Result<Welcome, CouchError> {
        unimplemented!()
    }

    /// Asks who we are.
    pub async fn session(&self) -> Result<Session, CouchError> {
        unimplemented!()
    }

    /// The names of all databases; those that are no legal names are left out. Often allowed to admins only.
    pub async fn databases(&self) -> Result<Vec<DbName>, CouchError> {
        unimplemented!()
    }

    /// A value of the server's configuration; `None` when it is not set. Admins only.
    pub async fn config(&self, section: &str, key: &str) -> Result<Option<String>, CouchError> {
        let _ = (section, key);
        unimplemented!()
    }

    /// Sets a value of the configuration and gives back the old one (empty: it was not set).
    pub async fn set_config(&self, section: &str, key: &str, value: &str) -> Result<String, CouchError> {
        let _ = (section, key, value);
        unimplemented!()
    }

    /// Takes a value out of the configuration; what is not set is not an error.
    pub async fn delete_config(&self, section: &str, key: &str) -> Result<(), CouchError> {
        let _ = (section, key);
        unimplemented!()
    }

    /// One of its databases; nothing is sent yet.
    pub fn database(&self, name: &DbName) -> Database {
        let _ = name;
        unimplemented!()
    }
}
