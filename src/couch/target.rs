//! The one builder of request targets.
//!
//! `url::Url`, and so reqwest, collapses `.` and `..` segments even when they are percent-encoded, so that an unlucky
//! name would turn `DELETE document` into `DELETE database`. Targets are built here from typed names only, every byte
//! but the unreserved ones is percent-encoded, and the parsed URL is compared with what was meant before it is used.

use url::Url;

use crate::address::Address;
use crate::name::{AttName, DbName, DocId};

/// Why no URL can be built for a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The name is `.` or `..`: clients and proxies take it out of the path.
    #[error("no URL can name `{0}`")]
    Dots(String),
    /// The URL would be longer than servers take.
    #[error("the name is too long for a URL ({0} bytes)")]
    TooLong(usize),
    /// The URL library made another path of it.
    #[error("the path `{meant}` would be sent as `{parsed}`")]
    Changed {
        /// What was meant.
        meant: String,
        /// What the library made of it.
        parsed: String,
    },
}

/// A request target: path and query beneath an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {}

impl Target {
    /// The server itself: `/prefix/`.
    pub fn server(address: &Address) -> Self {
        let _ = address;
        unimplemented!()
    }

    /// An endpoint of the server, as in `/_session`; the segments are encoded.
    pub fn endpoint(address: &Address, segments: &[&str]) -> Self {
        let _ = (address, segments);
        unimplemented!()
    }

    /// A database.
    pub fn database(address: &Address, database: &DbName) -> Self {
        let _ = (address, database);
        unimplemented!()
    }

    /// A document; `_design/` and `_local/` keep their slash.
    pub fn document(address: &Address, database: &DbName, id: &DocId) -> Self {
        let _ = (address, database, id);
        unimplemented!()
    }

    /// An attachment; a `/` in its name is sent as `%2F`.
    pub fn attachment(address: &Address, database: &DbName, id: &DocId, name: &AttName) -> Self {
        let _ = (address, database, id, name);
        unimplemented!()
    }

    /// Adds a query parameter.
    pub fn query(self, key: &str, value: &str) -> Self {
        let _ = (key, value);
        self
    }

    /// The URL, exactly as meant or not at all.
    pub fn url(&self) -> Result<Url, TargetError> {
        unimplemented!()
    }
}
