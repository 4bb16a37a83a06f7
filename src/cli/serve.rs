//! The arguments of `serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

/// `couchapp serve`
#[derive(Clone, Args)]
pub struct ServeArgs {
    /// Apps to push and to watch, each into a database of its folder's name
    #[arg(value_name = "APP")]
    pub apps: Vec<PathBuf>,
    /// A folder of files to send and to watch, into the database of the first app
    #[arg(long, value_name = "DIR")]
    pub media: Option<PathBuf>,
    /// The port to listen at; 0 takes a free one [default: 5984, or the next free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// The address to listen at; beyond this computer only with --user and a password [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<IpAddr>,
    /// Where the databases are kept [default: .couchapp/data of the first app]
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    pub data: Option<PathBuf>,
    /// Keep nothing: everything is gone when it ends
    #[arg(long)]
    pub memory: bool,
    /// Put a sandbox around apps, as CouchDB 3.5 does
    #[arg(long)]
    pub csp: bool,
    /// Reload open pages when their app changes (the default)
    #[arg(long, overrides_with = "no_reload")]
    pub reload: bool,
    /// Leave open pages as they are
    #[arg(long)]
    pub no_reload: bool,
    /// Push and send once, then only serve
    #[arg(long)]
    pub no_watch: bool,
}
