//! What the endpoint has done since it began: requests and their answers as CouchDB counts them, and bytes.
//!
//! <https://docs.couchdb.org/en/3.5.x/api/server/common.html#node-node-name-stats>

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::Method;
use serde_json::{Map, Value, json};

/// Methods that are counted.
const METHODS: [&str; 7] = ["COPY", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];
/// Statuses that CouchDB counts.
const STATUSES: [u16; 25] = [
    200, 201, 202, 204, 206, 301, 302, 304, 400, 401, 403, 404, 405, 406, 409, 412, 413, 414, 415, 416, 417, 500, 501,
    503, 507,
];

/// Counters; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Statistics(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    methods: [AtomicU64; METHODS.len()],
    statuses: [AtomicU64; STATUSES.len()],
    listeners: AtomicU64,
    connections: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// Something that goes on, counted until it is dropped.
#[derive(Debug)]
pub struct Ongoing(Arc<Counters>, fn(&Counters) -> &AtomicU64);

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.1(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Statistics {
    /// A request came in.
    pub(super) fn request(&self, method: &Method) {
        add(&self.0.requests, 1);
        if let Some(at) = METHODS.iter().position(|known| *known == method.as_str()) {
            add(&self.0.methods[at], 1);
        }
    }

    /// It was answered.
    pub(super) fn answer(&self, status: u16) {
        if let Ok(at) = STATUSES.binary_search(&status) {
            add(&self.0.statuses[at], 1);
        }
    }

    /// Somebody begins to listen to what changes.
    pub(super) fn listener(&self) -> Ongoing {
        self.ongoing(|counters| &counters.listeners)
    }

    /// A connection was opened.
    pub(super) fn connection(&self) -> Ongoing {
        self.ongoing(|counters| &counters.connections)
    }

    /// Bytes came in.
    pub(super) fn receive(&self, bytes: usize) {
        add(&self.0.received, bytes as u64);
    }

    /// Bytes went out.
    pub(super) fn send(&self, bytes: usize) {
        add(&self.0.sent, bytes as u64);
    }

    /// All of it in CouchDB's form; what CouchDB does not count is under `couchapp`.
    pub(super) fn all(&self) -> Value {
        let counters = &self.0;
        let methods = METHODS.iter().zip(&counters.methods).map(|(method, counter)| {
            ((*method).to_owned(), metric("counter", counter, &format!("number of HTTP {method} requests")))
        });
        let statuses = STATUSES.iter().zip(&counters.statuses).map(|(status, counter)| {
            (status.to_string(), metric("counter", counter, &format!("number of HTTP {status} responses")))
        });
        let (methods, statuses): (Map<String, Value>, Map<String, Value>) = (methods.collect(), statuses.collect());
        json!({
            "couchdb": {
                "httpd": {
                    "requests": metric("counter", &counters.requests, "number of HTTP requests"),
                    "clients_requesting_changes":
                        metric("counter", &counters.listeners, "number of clients for continuous _changes"),
                },
                "httpd_request_methods": methods,
                "httpd_status_codes": statuses,
            },
            "couchapp": {
                "connections": metric("gauge", &counters.connections, "number of open connections"),
                "received": metric("counter", &counters.received, "bytes of all requests"),
                "sent": metric("counter", &counters.sent, "bytes of all responses"),
            },
        })
    }

    fn ongoing(&self, of: fn(&Counters) -> &AtomicU64) -> Ongoing {
        add(of(&self.0), 1);
        Ongoing(Arc::clone(&self.0), of)
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn metric(kind: &str, counter: &AtomicU64, description: &str) -> Value {
    json!({ "value": counter.load(Ordering::Relaxed), "type": kind, "desc": description })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_where_couchdb_has_it() {
        let statistics = Statistics::default();
        for (method, status) in [(Method::GET, 200), (Method::GET, 404), (Method::PATCH, 405), (Method::PUT, 299)] {
            statistics.request(&method);
            statistics.answer(status);
        }
        let (listener, _connection) = (statistics.listener(), statistics.clone().connection());
        statistics.receive(3);
        statistics.send(4);
        let value = |pointer: &str| statistics.all().pointer(pointer).unwrap()["value"].clone();
        for (pointer, expected) in [
            ("/couchdb/httpd/requests", 4),
            ("/couchdb/httpd/clients_requesting_changes", 1),
            ("/couchdb/httpd_request_methods/GET", 2),
            ("/couchdb/httpd_request_methods/PUT", 1),
            ("/couchdb/httpd_status_codes/200", 1),
            ("/couchdb/httpd_status_codes/404", 1),
            ("/couchdb/httpd_status_codes/500", 0),
            ("/couchapp/connections", 1),
            ("/couchapp/received", 3),
            ("/couchapp/sent", 4),
        ] {
            assert_eq!(value(pointer), expected, "{pointer}");
        }
        drop(listener);
        assert_eq!(value("/couchdb/httpd/clients_requesting_changes"), 0);
        assert!(STATUSES.is_sorted());
    }
}
