//! The HTTP API: from a request to an answer.
//!
//! `path` takes a request target apart as CouchDB does, `dispatch` is the table of what exists, the other modules hold the
//! handlers: `async fn name(place: &Place, request: Request) -> Result<Response, Failure>`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request as Incoming, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use self::designs::{Designs, Known};
use self::request::{Query, Request};
use crate::hexadecimal;
use crate::name::Revision;
use crate::random;
use crate::serve::configuration::Configuration;
use crate::serve::failure::Failure;
use crate::serve::functions::Functions;
use crate::serve::replication::Replications;
use crate::serve::statistics::Statistics;
use crate::serve::store::{Database, Store, StoreError};
use crate::serve::users::User;
use crate::serve::users::{Administrator, Users, account, password};
use crate::serve::views::Views;

pub(in crate::serve) mod attachments;
pub(in crate::serve) mod body;
pub(in crate::serve) mod bulk;
pub(in crate::serve) mod changes;
mod cors;
pub(in crate::serve) mod databases;
pub(in crate::serve) mod design;
pub(in crate::serve) mod designs;
mod dispatch;
pub(in crate::serve) mod documents;
pub(in crate::serve) mod listing;
pub(in crate::serve) mod mango;
pub(in crate::serve) mod multipart;
pub(in crate::serve) mod number;
pub(in crate::serve) mod path;
pub(in crate::serve) mod produce;
pub(in crate::serve) mod reload;
mod replication;
pub mod request;
mod room;
mod scheduler;
mod server_wide;
mod session;
#[cfg(test)]
mod tests;
pub(in crate::serve) mod text;
pub(in crate::serve) mod views;

/// What `Server:` says: clients look for CouchDB's name, people for ours.
const SERVER: &str = concat!("CouchDB/3.5.0 (couchapp serve ", env!("CARGO_PKG_VERSION"), ")");

/// The name of the only node.
const NODE: &str = "couchapp@127.0.0.1";

/// The endpoint: what all requests share.
pub struct Server {
    store: Arc<Store>,
    replications: Replications,
    functions: Functions,
    designs: Designs,
    views: Views,
    users: Users,
    configuration: Configuration,
    uuid: String,
    statistics: Statistics,
    stopping: watch::Receiver<bool>,
}

impl Server {
    /// Puts the parts together. `address` is where the endpoint listens, `stopping` turns true when it ends. Blocks.
    pub fn open(
        store: Store,
        functions: Functions,
        administrators: Vec<Administrator>,
        csp: bool,
        statistics: Statistics,
        address: SocketAddr,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, StoreError> {
        let secret = account::secret(&store)?;
        let uuid = hexadecimal::encode(&password::seal(&secret, b"uuid")[..16]);
        let (users, configuration) = (Users::new(administrators, secret), Configuration::new(csp));
        let (designs, views) = (Designs::default(), Views::new());
        let store = Arc::new(store);
        let replications = Replications::open(&store, address)?;
        Ok(Self { store, replications, functions, designs, views, users, configuration, uuid, statistics, stopping })
    }

    /// The databases.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Replications that are carried out here.
    pub fn replications(&self) -> &Replications {
        &self.replications
    }

    /// JavaScript of design documents.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Indexes of views.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// A revision of a design document, kept for its functions; `None` when it is not there. Blocks.
    pub(in crate::serve) fn design(
        &self,
        database: &Database,
        id: &str,
        revision: &Revision,
    ) -> Result<Option<Known>, Failure> {
        self.designs.get(database, id, revision)
    }

    /// Who can sign in.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// What is set.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What tells this endpoint from others: it goes with the folder of its databases.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Whether attachments are sandboxed, as CouchDB 3.5 does by default.
    pub fn sandboxes_attachments(&self) -> bool {
        self.configuration.is("csp", "attachments_enable", true)
    }

    /// Whether what functions of apps answer is sandboxed, as CouchDB 3.5 does by default.
    pub fn csp(&self) -> bool {
        self.configuration.is("csp", "showlist_enable", true)
    }

    /// What it has done so far.
    pub(in crate::serve) fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Turns true when the endpoint ends: feeds that wait for something end then as well.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }
}

/// Answers any request.
pub(in crate::serve) async fn answer_request(State(server): State<Arc<Server>>, incoming: Incoming<Body>) -> Response {
    let sent = incoming.headers().clone();
    server.statistics.request(incoming.method());
    let mut response = if let Some(response) = cors::preflight(server.configuration(), incoming.method(), &sent) {
        response
    } else {
        let mut response = room::during(respond(&server, incoming)).await.unwrap_or_else(IntoResponse::into_response);
        cors::decorate(server.configuration(), &sent, &mut response);
        response
    };
    if response.body().size_hint().exact() == Some(0) && !response.headers().contains_key(header::CONTENT_LENGTH) {
        // The library leaves it out where there never is a body (304), CouchDB does not.
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    server.statistics.answer(response.status().as_u16());
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static(SERVER));
    if let Ok(id) = HeaderValue::from_str(&random::hexadecimal()[..10]) {
        headers.insert(HeaderName::from_static("x-couch-request-id"), id);
    }
    response
}

/// Finds out who asks, and answers.
async fn respond(server: &Arc<Server>, incoming: Incoming<Body>) -> Result<Response, Failure> {
    let recognised = session::recognise(server, incoming.headers()).await?;
    let request = take(incoming, recognised.user)?;
    let mut response = dispatch::dispatch(server, request).await.unwrap_or_else(IntoResponse::into_response);
    if let Some(cookie) = recognised.renewed
        && !response.headers().contains_key(header::SET_COOKIE)
    {
        documents::set(&mut response, header::SET_COOKIE, &cookie);
    }
    Ok(response)
}

/// Reads what a request says, but not its body.
fn take(incoming: Incoming<Body>, user: User) -> Result<Request, Failure> {
    let (parts, body) = incoming.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let method = effective(&parts.method, &parts.headers);
    let segments = path::segments(parts.uri.path()).map_err(|failure| match failure.error.as_str() {
        // What cannot be an id is not there either.
        "illegal_docid" if method == Method::GET => Failure::not_found("missing"),
        _ => failure,
    })?;
    Ok(Request {
        method,
        segments,
        query: Query::parse(parts.uri.query().unwrap_or_default()),
        target,
        headers: parts.headers,
        body,
        user,
    })
}

/// `HEAD` is `GET` to everyone (its body is not sent); clients that know few methods name another one in a header.
fn effective(method: &Method, headers: &HeaderMap) -> Method {
    let named = headers.get("x-http-method-override").filter(|_| method == Method::POST);
    let named = named.and_then(|name| Method::from_bytes(name.as_bytes()).ok());
    let known = |name: &Method| ["GET", "HEAD", "POST", "PUT", "DELETE", "COPY"].contains(&name.as_str());
    let method = named.filter(known).unwrap_or_else(|| method.clone());
    if method == Method::HEAD { Method::GET } else { method }
}

/// An answer without a body.
pub(in crate::serve) fn empty(status: StatusCode) -> Response {
    status.into_response()
}
