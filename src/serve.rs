//! The embedded endpoint: CouchDB's documented HTTP API for what a couchapp uses, on one node, for development.
//!
//! Commands reach it through HTTP with the ordinary client, so that it is tested like any other endpoint. Requests come in
//! through `http`, which knows the API; `store` keeps documents and attachments, `tree` has the revision rules, `functions`
//! runs JavaScript, `views` keeps indexes. Its truth is CouchDB 3.5: <https://docs.couchdb.org/en/3.5.x/api/index.html>.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::functions::{Functions, Limits};
use self::http::Server;
use self::lenient::LenientListener;
use self::replication::Replications;
use self::statistics::Statistics;
use self::store::{Store, StoreError};
use self::users::Administrator;

pub mod configuration;
pub mod failure;
pub mod functions;
pub mod http;
mod lenient;
pub mod mango;
pub mod replication;
pub mod statistics;
pub mod store;
pub mod tree;
pub mod users;
pub mod views;

/// How long open requests may take to end after [`Running::stop`].
const PATIENCE: Duration = Duration::from_secs(3);

/// What an endpoint is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub host: IpAddr,
    /// At which port; 0 takes a free one.
    pub port: u16,
    /// Where the databases are kept; made when it is not there.
    pub folder: PathBuf,
    /// Whether apps are sandboxed as CouchDB 3.5 does by default.
    pub csp: bool,
    /// Whether open pages reload when their app changes.
    pub reload: bool,
    /// What functions may use up.
    pub limits: Limits,
    /// Administrators of the server. Without one everybody is, and nobody but this computer may ask.
    pub administrators: Vec<Administrator>,
}

impl Options {
    /// On this computer only, at a free port, without a sandbox.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (limits, administrators) = (Limits::default(), Vec::new());
        Self { host, port: 0, folder: folder.into(), csp: false, reload: false, limits, administrators }
    }
}

/// Why an endpoint does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Other computers could ask, and everybody would be an administrator.
    #[error("without an administrator only this computer may ask, and {address} is for others as well")]
    Open {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// Nothing can listen there.
    #[error("{address} cannot be listened at")]
    Address {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The databases cannot be opened.
    #[error("the databases in {} cannot be opened", folder.display())]
    Store {
        /// Where they are.
        folder: PathBuf,
        /// Why.
        source: StoreError,
    },
}

/// An endpoint that answers. Dropped, it ends at once.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
    replications: Replications,
}

impl Running {
    /// Ends replications, takes no more requests, tells feeds to end, and waits a little for what is under way.
    pub async fn stop(mut self) {
        // First, while their databases still answer.
        self.replications.end().await;
        self.stop.send_replace(true);
        if tokio::time::timeout(PATIENCE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }

    /// Waits until it ends by itself, which it does only when something is wrong.
    pub async fn ended(&mut self) -> io::Result<()> {
        (&mut self.task).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.replications.end_now();
        self.stop.send_replace(true);
        self.task.abort();
    }
}

/// Starts an endpoint on the current runtime.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let wanted = SocketAddr::new(options.host, options.port);
    if options.administrators.is_empty() && !options.host.to_canonical().is_loopback() {
        return Err(StartError::Open { address: wanted });
    }
    let unheard = |source| StartError::Address { address: wanted, source };
    let listener = TcpListener::bind(wanted).await.map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    let (stop, stopping) = watch::channel(false);
    let (folder, heard) = (options.folder.clone(), stopping.clone());
    let statistics = Statistics::default();
    let counting = statistics.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let store = Store::open(&options.folder)?;
        let functions = Functions::new(options.limits);
        Server::open(store, functions, options.administrators, options.csp, counting, address, heard)
    });
    let server = opened.await.map_err(|error| StoreError::Failed(Box::new(error))).and_then(|opened| opened);
    let server = Arc::new(server.map_err(|source| StartError::Store { folder, source })?);
    let replications = server.replications().clone();
    let router = Router::new().fallback(http::answer_request).with_state(server);
    let router = if options.reload { router.layer(from_fn(http::reload::follow)) } else { router };
    let task = tokio::spawn(async move {
        let mut stopping = stopping;
        let stopped = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        axum::serve(LenientListener { listener, statistics }, router).with_graceful_shutdown(stopped).await
    });
    replications.follow_documents();
    Ok(Running { address, stop, task, replications })
}
