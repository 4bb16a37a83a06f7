//! The embedded endpoint: CouchDB's documented HTTP API for what a couchapp uses, on one node, for development.
//!
//! Commands reach it through HTTP with the ordinary client, so that it is tested like any other endpoint. Requests come in
//! through `http`, which knows the API; `store` keeps documents and attachments, `tree` has the revision rules, `functions`
//! runs JavaScript, `views` keeps indexes. Its truth is CouchDB 3.5: <https://docs.couchdb.org/en/3.5.x/api/index.html>.

pub mod functions;
pub mod http;
pub mod mango;
pub mod store;
pub mod tree;
pub mod views;
