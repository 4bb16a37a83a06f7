//! From a command line to settings.

use super::{Environment, Resolved};
use crate::cli::Cli;
use crate::exit::Failure;

pub(super) fn resolve(cli: &Cli, environment: &Environment) -> Result<Resolved, Failure> {
    let _ = (cli, environment);
    unimplemented!()
}
