//! How requests travel: limits, certificates, and who hears of retries.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Meter, Pace};
use crate::secret::Secret;

/// Hears of everything in a transfer that a person may want to know while it happens.
pub type Observer = Arc<dyn Fn(Notice) + Send + Sync>;

/// Waits between two tries; replaceable so that a test need not wait.
pub type Pause = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Something that happened on the way and did not end the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A try failed and another one follows: "retrying in 2 s (127.0.0.1:5984, attempt 2 of 4): connection refused".
    Retrying {
        /// The wait before the next try.
        wait: Duration,
        /// Which retry comes next, from 1.
        attempt: u32,
        /// How many retries there are at most ([`Network::retries`]).
        of: u32,
        /// Why the last try failed, in words.
        cause: String,
        /// The request, without credentials.
        request: String,
    },
    /// The answer to a write did not come; the document is read to see whether the write has landed.
    Recognising {
        /// Why, in words.
        cause: String,
        /// The request, without credentials.
        request: String,
    },
}

/// How long to wait between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The upper bound of the first wait; each further one may be twice as long.
    pub first: Duration,
    /// No wait is longer, but for what a server asks for by `Retry-After` (at most 60 s).
    pub longest: Duration,
    /// No new try begins after this time.
    pub total: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(30), total: Duration::from_mins(5) }
    }
}

/// How requests travel.
#[derive(Clone)]
pub struct Network {
    /// How often a failed request is tried again. 4 by default.
    pub retries: u32,
    /// A request ends when no byte has moved for this long. 45 s by default, below the 60 s after which CouchDB gives
    /// up on a stalled upload.
    pub idle_timeout: Duration,
    /// How long a connection may take. 10 s by default.
    pub connect_timeout: Duration,
    /// How long the answer to a multipart upload may take after its last byte before the document is read to see
    /// whether the write has landed: a cluster with a dead node commits but answers after 300 s. 20 s by default.
    /// <https://github.com/apache/couchdb/issues/3939>
    pub late_answer: Duration,
    /// Waits between tries.
    pub backoff: Backoff,
    /// Certificates (PEM, one or more) trusted beside those of the system.
    pub ca_certificate: Option<Vec<u8>>,
    /// A client certificate and its key (PEM).
    pub client_certificate: Option<Vec<u8>>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Limits what is sent.
    pub upload: Option<Arc<Pace>>,
    /// Limits what is received.
    pub download: Option<Arc<Pace>>,
    /// Counts requests and bytes.
    pub meter: Arc<Meter>,
    /// Hears of retries.
    pub observer: Option<Observer>,
    /// Waits; `None` means the clock.
    pub pause: Option<Pause>,
    /// Headers that go with every request to the server, and to no other.
    pub headers: Vec<(String, Secret)>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            retries: 4,
            idle_timeout: Duration::from_secs(45),
            connect_timeout: Duration::from_secs(10),
            late_answer: Duration::from_secs(20),
            backoff: Backoff::default(),
            ca_certificate: None,
            client_certificate: None,
            insecure: false,
            upload: None,
            download: None,
            meter: Arc::default(),
            observer: None,
            pause: None,
            headers: Vec::new(),
        }
    }
}

/// Leaves out the certificates, of which the client's holds its private key, and the headers.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("retries", &self.retries)
            .field("idle_timeout", &self.idle_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("late_answer", &self.late_answer)
            .field("backoff", &self.backoff)
            .field("insecure", &self.insecure)
            .finish_non_exhaustive()
    }
}
