//! What an argument means as a place on a server.
//!
//! `…://…` is a URL, a bare word a target of the configuration, `:db` a database of the default server. Anything else
//! is refused: a mistyped name must never become a new database.

use crate::address::Address;

use super::credentials::Found;

/// One address, with the credentials that its URL brought along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// User and password of the URL itself; they are for this origin only.
    pub userinfo: Option<Found>,
    /// The user named by a URL without a password (`http://bob@host/`).
    pub user: Option<String>,
}

/// Where a push goes, or what a folder is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The target's name, if it was named.
    pub label: Option<String>,
    /// One or more addresses (a target may list several URLs), each with a database.
    pub endpoints: Vec<Endpoint>,
    /// Ask before every push (`confirm = true`).
    pub confirm: bool,
}

impl Destination {
    /// A destination of one address without credentials of its own: the origin of a clone.
    pub fn of(address: Address) -> Self {
        Self { label: None, endpoints: vec![Endpoint { address, userinfo: None, user: None }], confirm: false }
    }
}
