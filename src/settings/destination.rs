//! What an argument means as a place on a server.
//!
//! `…://…` is a URL, a bare word a target of the configuration, `:db` a database of the default server. Anything else
//! is refused: a mistyped name must never become a new database.

use super::credentials::Found;
use crate::address::{Address, AddressError, Expect};
use crate::secret::Credentials;

/// One address, with the credentials that its URL brought along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// User and password of the URL itself; they are for this origin only.
    pub userinfo: Option<Found>,
    /// The user that a URL without a password names (`http://bob@host/`).
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

impl Endpoint {
    /// An address without credentials of its own.
    pub fn of(address: Address) -> Self {
        Self { address, userinfo: None, user: None }
    }

    /// Reads a URL. `source` names the place it was written in; `exposed`: others may see it there.
    pub(super) fn parse(url: &str, expect: Expect, source: &str, exposed: bool) -> Result<Self, AddressError> {
        let (address, credentials) = Address::parse(url, expect)?;
        Ok(match credentials {
            Some(Credentials::Basic { user, password }) if password.expose().is_empty() => {
                Self { address, userinfo: None, user: Some(user).filter(|user| !user.is_empty()) }
            }
            Some(credentials) => {
                let userinfo = Some(Found { credentials, source: source.to_owned(), exposed });
                Self { address, userinfo, user: None }
            }
            None => Self::of(address),
        })
    }

    /// The same credentials at another address of the same server.
    pub fn at(&self, address: Address) -> Self {
        let same = address.origin() == self.address.origin();
        Self { address, ..if same { self.clone() } else { Self::of(self.address.clone()) } }
    }
}

impl Destination {
    /// A destination of one address without credentials of its own: the origin of a clone.
    pub fn of(address: Address) -> Self {
        Self { label: None, endpoints: vec![Endpoint::of(address)], confirm: false }
    }

    /// The servers that it is on, each once.
    pub fn servers(&self) -> Vec<Endpoint> {
        let mut servers: Vec<Endpoint> = Vec::new();
        for endpoint in &self.endpoints {
            let server = endpoint.at(endpoint.address.server());
            if servers.iter().all(|known| known.address != server.address) {
                servers.push(server);
            }
        }
        servers
    }
}
