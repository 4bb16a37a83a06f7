//! A stand-in for CouchDB inside the test process: real revision rules for what `clone` and `push` need, a log of all
//! requests, and failures on demand. Its truth is a real CouchDB 3.5: `rig.rs` asks both the same questions.
//!
//! It has no reduce functions, shows, lists, continuous changes or replication; cases that need those run on real endpoints only.

mod attachment;
mod changes;
mod documents;
mod incoming;
mod lists;
mod mixed;
mod multipart;
mod number;
mod request;
mod routes;
mod store;
mod term;
mod views;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use self::request::Request;
use self::routes::{Options, State};
use crate::harness::{CANARY, runtime};
use crate::wire::{self, Answer, Head};

/// A request that the stand-in has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The method.
    pub(crate) method: String,
    /// The target as it was sent.
    pub(crate) target: String,
    /// The length of the body as it was received.
    pub(crate) body_length: usize,
}

impl Seen {
    /// Whether it can change what the server holds.
    pub(crate) fn is_write(&self) -> bool {
        wire::is_write(&self.method, &self.target)
    }
}

/// What happens to a request instead of an answer to it.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is not carried out; this is the answer.
    Answer(Answer),
    /// It is not carried out; the connection is reset.
    Reset,
    /// It is carried out; the connection is reset instead of the answer.
    Swallow,
    /// It is carried out; the answer never comes.
    Hang,
}

struct Planned {
    only_writes: bool,
    left: usize,
    fault: Fault,
}

struct Shared {
    state: Mutex<State>,
    seen: Mutex<Vec<Seen>>,
    planned: Mutex<Vec<Planned>>,
}

/// A running stand-in; it ends when this is dropped.
pub(crate) struct FakeCouch {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl Drop for FakeCouch {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl FakeCouch {
    /// A stand-in with the admin `admin`, whose password is the canary.
    pub(crate) fn start() -> Self {
        Self::with(Some(("admin".into(), CANARY.into())), None, 1 << 30)
    }

    /// A stand-in where everybody may do everything.
    pub(crate) fn start_open() -> Self {
        Self::with(None, None, 1 << 30)
    }

    /// A stand-in with the admin and with a user `reader` of the same password, who is no admin.
    pub(crate) fn start_with_reader() -> Self {
        Self::with(Some(("admin".into(), CANARY.into())), Some(("reader".into(), CANARY.into())), 1 << 30)
    }

    /// A stand-in that refuses attachments over `limit` bytes.
    pub(crate) fn start_with_limit(limit: u64) -> Self {
        Self::with(Some(("admin".into(), CANARY.into())), None, limit)
    }

    fn with(admin: Option<(String, String)>, user: Option<(String, String)>, max_attachment_size: u64) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(Options { admin, user, max_attachment_size })),
            seen: Mutex::default(),
            planned: Mutex::default(),
        });
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = shared.clone();
        let accepting = runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self { address, shared, accepting: accepting.abort_handle() }
    }

    /// `http://127.0.0.1:…`
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// User and password of the admin.
    pub(crate) fn admin(&self) -> Option<(String, String)> {
        locked(&self.shared.state).options.admin.clone()
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        locked(&self.shared.seen).clone()
    }

    /// The requests so far that can have changed something.
    pub(crate) fn writes(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(Seen::is_write).collect()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        locked(&self.shared.seen).clear();
    }

    /// Lets nobody write a document, as a `validate_doc_update` would.
    pub(crate) fn forbid(&self, database: &str, id: &str, reason: &str) {
        let mut state = locked(&self.shared.state);
        let database = state.databases.get_mut(database).expect("a database of this stand-in");
        database.forbidden.insert(id.to_owned(), reason.to_owned());
    }

    /// Lets the `n`-th request from now on fail (the next one is the first).
    pub(crate) fn fail_nth(&self, n: usize, fault: Fault) {
        locked(&self.shared.planned).push(Planned { only_writes: false, left: n, fault });
    }

    /// Forgets the failures that are still to come.
    pub(crate) fn fail_no_more(&self) {
        locked(&self.shared.planned).clear();
    }

    /// Lets the `n`-th request from now on that can change something fail.
    pub(crate) fn fail_nth_write(&self, n: usize, fault: Fault) {
        locked(&self.shared.planned).push(Planned { only_writes: true, left: n, fault });
    }
}

impl Shared {
    fn fault_for(&self, seen: &Seen) -> Option<Fault> {
        let mut planned = locked(&self.planned);
        for plan in planned.iter_mut().filter(|plan| !plan.only_writes || seen.is_write()) {
            plan.left = plan.left.saturating_sub(1);
        }
        let due = planned.iter().position(|plan| plan.left == 0)?;
        Some(planned.remove(due).fault)
    }
}

async fn serve(stream: TcpStream, shared: &Shared) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(head)) = Head::read(&mut stream).await {
        match exchange(&mut stream, &head, shared).await {
            Ok(Next::Request) => {}
            Ok(Next::End) | Err(_) => return,
            Ok(Next::Reset) => return wire::reset(stream.into_inner()),
        }
    }
}

enum Next {
    Request,
    End,
    Reset,
}

async fn exchange(stream: &mut BufReader<TcpStream>, head: &Head, shared: &Shared) -> std::io::Result<Next> {
    let method = head.method().to_owned();
    let length = head.header("content-length").and_then(|length| length.parse().ok());
    let early = Request::new(head, Vec::new()).and_then(|request| locked(&shared.state).refuse_early(&request, length));
    let log = |body_length| {
        let seen = Seen { method: method.clone(), target: head.target().to_owned(), body_length };
        locked(&shared.seen).push(seen.clone());
        seen
    };
    if let Err(refusal) = early {
        log(0);
        stream.write_all(&refusal.with("Connection", "close").to_bytes(&method)).await?;
        stream.flush().await?;
        // The unread body makes this close a reset, as it does with CouchDB.
        return Ok(Next::End);
    }
    if head.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let body = head.request_body().collect(stream).await?;
    let fault = shared.fault_for(&log(body.len()));
    if let Some(Fault::Answer(answer)) = &fault {
        stream.write_all(&answer.to_bytes(&method)).await?;
        return Ok(Next::Request);
    }
    if matches!(fault, Some(Fault::Reset)) {
        return Ok(Next::Reset);
    }
    let answer = match Request::new(head, body) {
        Ok(request) => locked(&shared.state).answer(&request),
        Err(refusal) => refusal,
    };
    match fault {
        Some(Fault::Swallow) => return Ok(Next::Reset),
        Some(Fault::Hang) => {
            // Until the client gives up and closes.
            while Head::read(stream).await?.is_some() {}
            return Ok(Next::End);
        }
        _ => stream.write_all(&answer.to_bytes(&method)).await?,
    }
    let closes = head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(if closes { Next::End } else { Next::Request })
}
