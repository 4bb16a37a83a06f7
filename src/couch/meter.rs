//! Counts what goes to servers and comes from them: requests by what they are for, and bytes.
//!
//! Every try of every request is counted where it is sent. Bytes are those of HTTP/1.1, as far as they are known here:
//! first lines, headers that we set or were given, and bodies.

use std::iter::Sum;
use std::sync::atomic::{AtomicU64, Ordering};

use super::client::Request;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// What has changed.
    Changes,
    /// The same, waiting until something changes: one of them is open for each job that has nothing to do.
    Waits,
    /// Which revisions a database lacks (`_revs_diff`).
    Compares,
    /// Documents and attachments.
    Reads,
    /// The same, written.
    Writes,
    /// Checkpoints: documents that are kept on one server only.
    Checkpoints,
    /// Who is there, and how much a database holds.
    Other,
}

impl Errand {
    /// All of them, with their names in events.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Changes, "changes"),
        (Self::Waits, "waits"),
        (Self::Compares, "compares"),
        (Self::Reads, "reads"),
        (Self::Writes, "writes"),
        (Self::Checkpoints, "checkpoints"),
        (Self::Other, "other"),
    ];

    /// What a request is for, by its method and the last segments of its path.
    fn of(request: &Request) -> Self {
        let is_read = request.method == reqwest::Method::GET || request.method == reqwest::Method::HEAD;
        match request.target.endpoint_name() {
            Some("_changes") if request.is_wait => Self::Waits,
            Some("_changes") => Self::Changes,
            Some("_revs_diff") => Self::Compares,
            Some("_bulk_get" | "_all_docs") => Self::Reads,
            Some("_bulk_docs") => Self::Writes,
            Some("_local") => Self::Checkpoints,
            Some(_) => Self::Other,
            None if is_read => Self::Reads,
            None => Self::Writes,
        }
    }
}

/// Counts; shared by all that is to be counted together.
#[derive(Debug, Default)]
pub struct Meter {
    requests: [AtomicU64; Errand::ALL.len()],
    sent: AtomicU64,
    received: AtomicU64,
}

/// What a [`Meter`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    requests: [u64; Errand::ALL.len()],
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes that came.
    pub received: u64,
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum.requests.iter_mut().zip(one.requests).for_each(|(sum, one)| *sum += one);
            (sum.sent, sum.received) = (sum.sent + one.sent, sum.received + one.received);
            sum
        })
    }
}

impl Traffic {
    /// How many requests were for this.
    pub fn requests(&self, errand: Errand) -> u64 {
        self.requests[errand as usize]
    }

    /// All requests.
    pub fn all(&self) -> u64 {
        self.requests.iter().sum()
    }
}

impl Meter {
    /// What was counted so far.
    pub fn traffic(&self) -> Traffic {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { requests: self.requests.each_ref().map(get), sent: get(&self.sent), received: get(&self.received) }
    }

    /// A request is about to be sent; its body is not counted yet.
    pub(super) fn count(&self, request: &Request, head: u64) {
        self.requests[Errand::of(request) as usize].fetch_add(1, Ordering::Relaxed);
        self.send(head);
    }

    /// Bytes go out.
    pub(super) fn send(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes came in.
    pub(super) fn receive(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The bytes of headers: `name: value\r\n`, and the empty line.
pub(super) fn length(headers: &reqwest::header::HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| name.as_str().len() as u64 + value.len() as u64 + 4).sum::<u64>() + 2
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::super::answer::{Subject, What};
    use super::super::target::Target;
    use super::*;
    use crate::address::{Address, Expect};
    use crate::name::{AttName, DbName, DocId};

    #[test]
    fn what_a_request_is_for() {
        let (address, database) = (Address::parse("http://h/p", Expect::Server).unwrap().0, DbName::new("d").unwrap());
        let document = |id: &str| Target::document(&address, &database, &DocId::new(id).unwrap());
        let endpoint = |name: &str| Target::database_endpoint(&address, &database, name);
        let meter = Meter::default();
        let mut expected = Traffic::default();
        for (method, target, is_wait, errand) in [
            (Method::GET, endpoint("_changes"), false, Errand::Changes),
            (Method::POST, endpoint("_changes").query("feed", "longpoll"), true, Errand::Waits),
            (Method::POST, endpoint("_revs_diff"), false, Errand::Compares),
            (Method::POST, endpoint("_bulk_get").query("revs", "true"), false, Errand::Reads),
            (Method::POST, endpoint("_bulk_docs"), false, Errand::Writes),
            (Method::GET, document("_local/x"), false, Errand::Checkpoints),
            (Method::PUT, document("_local/_changes"), false, Errand::Checkpoints),
            (Method::GET, document("_design/x"), false, Errand::Reads),
            (Method::PUT, document("a"), false, Errand::Writes),
            (
                Method::GET,
                Target::attachment(&address, &database, &DocId::new("a").unwrap(), &AttName::new("b").unwrap()),
                false,
                Errand::Reads,
            ),
            (Method::GET, Target::database(&address, &database), false, Errand::Other),
            (Method::GET, Target::server(&address), false, Errand::Other),
            (Method::GET, Target::endpoint(&address, &["_session"]), false, Errand::Other),
        ] {
            let shown = target.to_string();
            let request = Request { is_wait, ..Request::new(method, target, Subject::new("", What::Server)) };
            meter.count(&request, 10);
            expected.requests[errand as usize] += 1;
            expected.sent += 10;
            assert_eq!(meter.traffic(), expected, "{shown}");
        }
        assert_eq!(meter.traffic().all(), 13);
        let both: Traffic = [meter.traffic(), meter.traffic()].into_iter().sum();
        assert_eq!((both.all(), both.sent, both.received), (26, 260, 0));
        assert_eq!(meter.traffic().requests(Errand::Checkpoints), 2);
    }
}
