//! Credentials: where they are looked for, in which order, and for whom.
//!
//! First hit wins: user and password of the URL itself; `--password-stdin`, `--password-file`, `--password-command`;
//! `COUCHAPP_TOKEN`, `COUCHAPP_USER` with `COUCHAPP_PASSWORD`; the user file; netrc. What is found is for the asked
//! origin only. Asking at the terminal is up to the caller ([`crate::report::Printer::prompt_password`]).

use super::Warning;
use super::destination::Endpoint;
use crate::exit::Failure;
use crate::secret::Credentials;

/// Credentials and the place they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The credentials.
    pub credentials: Credentials,
    /// The place, for people: `netrc entry for couch.example.com`.
    pub source: String,
}

/// The outcome of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// What was found.
    pub found: Option<Found>,
    /// The user to ask a password for, when a place knew only the name.
    pub user: Option<String>,
    /// The places that were looked at, in order, for the hint of a 401.
    pub places: Vec<String>,
    /// What should be said: a password on the command line, Basic over plain http.
    pub warnings: Vec<Warning>,
}

/// The places, read when they are asked for the first time.
#[derive(Clone, Debug)]
pub struct Sources {}

impl Sources {
    /// Looks for the credentials of `endpoint`.
    ///
    /// Fails when a place that the user pointed at cannot be read (a password file, a password command).
    pub fn look_up(&self, endpoint: &Endpoint) -> Result<LookUp, Failure> {
        let _ = endpoint;
        unimplemented!()
    }
}
