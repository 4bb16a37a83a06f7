//! The `couchapp` command.

fn main() {}
