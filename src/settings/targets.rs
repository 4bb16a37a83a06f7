//! The named targets of the configuration.

use super::destination::{Destination, Endpoint};
use crate::address::Address;
use crate::exit::Failure;

/// The targets by name, the default one, and the default server.
#[derive(Clone, Debug)]
pub struct Targets {}

impl Targets {
    /// Whether `name` is a target of the configuration.
    pub fn has(&self, name: &str) -> bool {
        let _ = name;
        unimplemented!()
    }

    /// What `argument` means as a destination. Errors end with code 2 and suggest what may have been meant.
    pub fn destination(&self, argument: &str) -> Result<Destination, Failure> {
        let _ = argument;
        unimplemented!()
    }

    /// What `argument` means as the source of a clone: as above, but a URL must name a document (or end in `/_design`).
    pub fn source(&self, argument: &str) -> Result<(Endpoint, Option<String>), Failure> {
        let _ = argument;
        unimplemented!()
    }

    /// The default target; without one, `origin`, the address the folder was cloned from; without that an error that
    /// says what to do.
    pub fn default_destination(&self, origin: Option<&Address>) -> Result<Destination, Failure> {
        let _ = origin;
        unimplemented!()
    }
}
