//! The `couchapp` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    couchapp::run(std::env::args_os())
}
