//! A proxy in front of any endpoint that damages the conversation by a script: answers that are lost, connections that
//! are cut at byte k or stall, answers that some other proxy would give. The script sees the requests one after the
//! other, so a run with one client is the same each time.

mod alteration;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

pub(crate) use self::alteration::Alteration;
use self::alteration::holds;
use crate::fake_couch::Seen;
use crate::harness::runtime;
use crate::wire::{Answer, Body, Head, Piece};

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// By a reset.
    Reset,
    /// By an ordinary end.
    Finish,
}

/// What happens to one request.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// It passes, and so does its answer.
    Pass,
    /// It passes as soon as the gate lets it through; one permit lets one through.
    Hold(Arc<Semaphore>),
    /// It is forwarded whole; its answer is read and thrown away, and the client's connection is reset.
    SwallowAnswer,
    /// Only its first bytes are forwarded, then both connections are cut.
    CutRequest(usize, Cut),
    /// It is forwarded whole; only the first bytes of its answer come back, then the connection is cut.
    CutAnswer(usize, Cut),
    /// Only its first bytes are forwarded; then nothing moves until the client gives up.
    StallRequest(usize),
    /// It is forwarded whole; only the first bytes of its answer come back, then nothing until the client gives up.
    StallAnswer(usize),
    /// It is not forwarded; this is the answer.
    Replace(Answer),
    /// It is forwarded whole, but this is the answer, as from a proxy that lost patience.
    ReplaceAnswer(Answer),
    /// It is forwarded with another byte in its content, where there is what the alteration looks for.
    AlterRequest(Alteration),
    /// Its answer comes back with another byte in its content, where there is what the alteration looks for.
    AlterAnswer(Alteration),
    /// It is not forwarded if its content holds these bytes; then this is the answer.
    RefuseHolding(Vec<u8>, Answer),
}

/// A request as the script sees it.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Which request it is, from 1.
    pub(crate) number: usize,
    /// Which of the requests that write it is, from 1; 0 for a request that only asks.
    pub(crate) write_number: usize,
    /// The method.
    pub(crate) method: String,
    /// The target as it was sent.
    pub(crate) target: String,
}

type Script = Box<dyn FnMut(&Arrival) -> Action + Send>;

struct Shared {
    upstream: String,
    script: Mutex<Script>,
    seen: Mutex<Vec<Seen>>,
    /// How many bodies have been altered.
    altered: AtomicUsize,
    /// Bytes of answers that were passed on.
    answered: AtomicUsize,
}

/// A running proxy; it ends when this is dropped.
pub(crate) struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl FaultProxy {
    /// A proxy for the server at `origin` (`http://host:port`, without credentials).
    pub(crate) fn start(origin: &str, script: impl FnMut(&Arrival) -> Action + Send + 'static) -> Self {
        let upstream = origin.strip_prefix("http://").expect("the proxy speaks plain HTTP").trim_end_matches('/');
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            script: Mutex::new(Box::new(script)),
            seen: Mutex::default(),
            altered: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
        });
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = shared.clone();
        let accepting = runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move { converse(stream, &shared).await });
            }
        });
        Self { address, shared, accepting: accepting.abort_handle() }
    }

    /// A proxy that changes nothing and only counts.
    pub(crate) fn counting(origin: &str) -> Self {
        Self::start(origin, |_| Action::Pass)
    }

    /// `http://127.0.0.1:…`
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the script; the numbers go on.
    pub(crate) fn play(&self, script: impl FnMut(&Arrival) -> Action + Send + 'static) {
        *locked(&self.shared.script) = Box::new(script);
    }

    /// All requests so far. A body counts as far as it has arrived.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        locked(&self.shared.seen).clone()
    }

    /// The requests so far that can have changed something.
    pub(crate) fn writes(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(Seen::is_write).collect()
    }

    /// How many bodies it has altered, or refused for what they hold.
    pub(crate) fn altered(&self) -> usize {
        self.shared.altered.load(Ordering::Relaxed)
    }

    /// How many bytes of answers have come back so far.
    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Forgets the requests so far; the numbers begin again.
    pub(crate) fn forget(&self) {
        locked(&self.shared.seen).clear();
        self.shared.altered.store(0, Ordering::Relaxed);
        self.shared.answered.store(0, Ordering::Relaxed);
    }
}

impl Shared {
    /// Counts a request and asks the script what to do with it.
    fn arrive(&self, head: &Head) -> (usize, Action) {
        let seen = Seen { method: head.method().to_owned(), target: head.target().to_owned(), body_length: 0 };
        let mut all = locked(&self.seen);
        all.push(seen.clone());
        let write_number = if seen.is_write() { all.iter().filter(|seen| seen.is_write()).count() } else { 0 };
        let index = all.len() - 1;
        let arrival = Arrival { number: all.len(), write_number, method: seen.method, target: seen.target };
        drop(all);
        let action = (locked(&self.script))(&arrival);
        (index, action)
    }

    fn count(&self, index: usize, length: usize) {
        if let Some(seen) = locked(&self.seen).get_mut(index) {
            seen.body_length += length;
        }
    }
}

/// One end of the conversation.
struct Side {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Side {
    fn new(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self { read: BufReader::new(read), write }
    }

    /// Closes by a reset instead of an end.
    fn reset(self) {
        // An error means that the connection is gone already.
        let _ = self.write.as_ref().set_zero_linger();
        self.write.forget();
    }
}

/// One client connection, with one connection to the server behind it.
async fn converse(client: TcpStream, shared: &Shared) {
    let mut client = Side::new(client);
    let mut server = None;
    while let Ok(Some(head)) = Head::read(&mut client.read).await {
        if server.is_none() {
            server = TcpStream::connect(&shared.upstream).await.ok().map(Side::new);
        }
        let Some(upstream) = server.as_mut() else { return client.reset() };
        match exchange(&mut client, upstream, &head, shared).await {
            Ok(Next::Request) => {}
            Ok(Next::Cut(Cut::Finish)) => return,
            Ok(Next::Cut(Cut::Reset)) | Err(_) => {
                if let Some(server) = server {
                    server.reset();
                }
                return client.reset();
            }
            Ok(Next::Stall) => {
                let mut rest = Vec::new();
                let _ = client.read.read_to_end(&mut rest).await;
                return;
            }
        }
    }
}

enum Next {
    /// The connection is good for another request.
    Request,
    /// Both connections are cut.
    Cut(Cut),
    /// Nothing moves any more, until the client closes.
    Stall,
}

async fn exchange(client: &mut Side, server: &mut Side, head: &Head, shared: &Shared) -> io::Result<Next> {
    let (index, action) = shared.arrive(head);
    if let Action::Hold(gate) = &action {
        gate.acquire().await.expect("a gate is never closed").forget();
    }
    let (mut body, mut held) = (head.request_body(), Vec::new());
    if matches!(action, Action::AlterRequest(_) | Action::RefuseHolding(..)) {
        while let Some(piece) = body.next(&mut client.read).await? {
            held.push(piece);
        }
    }
    let action = match action {
        Action::RefuseHolding(bytes, answer) if holds(&held, &bytes) => {
            shared.altered.fetch_add(1, Ordering::Relaxed);
            Action::Replace(answer)
        }
        Action::RefuseHolding(..) => Action::Pass,
        Action::AlterRequest(alteration) => {
            shared.altered.fetch_add(usize::from(alteration.apply(&mut held)), Ordering::Relaxed);
            Action::Pass
        }
        action => action,
    };
    let (request_limit, answer_limit) = match &action {
        Action::CutRequest(at, _) | Action::StallRequest(at) => (*at, 0),
        Action::Replace(_) => (0, 0),
        Action::CutAnswer(at, _) | Action::StallAnswer(at) => (usize::MAX, *at),
        Action::SwallowAnswer | Action::ReplaceAnswer(_) => (usize::MAX, 0),
        _ => (usize::MAX, usize::MAX),
    };
    let sender = Sender { to: &mut server.write, left: request_limit };
    let upload = upload(&mut client.read, sender, &head.raw, (held, body), |length| shared.count(index, length));
    match action {
        Action::CutRequest(_, cut) => {
            upload.await?;
            return Ok(Next::Cut(cut));
        }
        Action::StallRequest(_) => {
            upload.await?;
            return Ok(Next::Stall);
        }
        Action::Replace(answer) => {
            upload.await?;
            client.write.write_all(&answer.to_bytes(head.method())).await?;
            return Ok(Next::Cut(Cut::Finish));
        }
        _ => {}
    }
    let alteration = if let Action::AlterAnswer(alteration) = &action { Some(alteration) } else { None };
    let sender = Sender { to: &mut client.write, left: answer_limit };
    let download = download(&mut server.read, sender, head.method(), alteration, shared);
    // A server may answer before it has read the whole request; then nobody wants the rest.
    let ends = {
        tokio::pin!(upload, download);
        tokio::select! {
            biased;
            sent = &mut upload => {
                sent?;
                download.await?
            }
            answered = &mut download => {
                answered?;
                true
            }
        }
    };
    Ok(match action {
        Action::SwallowAnswer => Next::Cut(Cut::Reset),
        Action::CutAnswer(_, cut) => Next::Cut(cut),
        Action::StallAnswer(_) => Next::Stall,
        Action::ReplaceAnswer(answer) => {
            client.write.write_all(&answer.to_bytes(head.method())).await?;
            Next::Cut(Cut::Finish)
        }
        _ if ends || closes(head) => Next::Cut(Cut::Finish),
        _ => Next::Request,
    })
}

/// Passes on a request: what was held back of it, then the rest of its body. Fails when the client breaks off; that the server takes no more is no failure, because its
/// answer says why.
async fn upload(
    client: &mut BufReader<OwnedReadHalf>,
    mut sender: Sender<'_>,
    head: &[u8],
    (held, mut body): (Vec<Piece>, Body),
    count: impl Fn(usize),
) -> io::Result<()> {
    let mut taken = sender.send(head).await;
    for piece in held {
        count(if piece.is_content { piece.raw.len() } else { 0 });
        if taken.is_ok() {
            taken = sender.send(&piece.raw).await;
        }
    }
    while let Some(piece) = body.next(client).await? {
        count(if piece.is_content { piece.raw.len() } else { 0 });
        if taken.is_ok() {
            taken = sender.send(&piece.raw).await;
        }
    }
    Ok(())
}

fn closes(head: &Head) -> bool {
    head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

/// Passes on an answer; says whether the server's connection ends with it.
async fn download(
    server: &mut BufReader<OwnedReadHalf>,
    mut sender: Sender<'_>,
    method: &str,
    alteration: Option<&Alteration>,
    shared: &Shared,
) -> io::Result<bool> {
    loop {
        let head = Head::read(server).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        sender.send(&head.raw).await?;
        let mut body = head.answer_body(method);
        let ends = body == Body::UntilClose || closes(&head);
        let mut held = Vec::new();
        while let Some(piece) = body.next(server).await? {
            if alteration.is_some() {
                held.push(piece);
            } else {
                shared.answered.fetch_add(piece.raw.len().min(sender.left), Ordering::Relaxed);
                sender.send(&piece.raw).await?;
            }
        }
        if let Some(alteration) = alteration {
            shared.altered.fetch_add(usize::from(alteration.apply(&mut held)), Ordering::Relaxed);
        }
        for piece in held {
            sender.send(&piece.raw).await?;
        }
        if head.status() >= 200 {
            return Ok(ends);
        }
    }
}

/// Passes on the first bytes and drops the others.
struct Sender<'a> {
    to: &'a mut OwnedWriteHalf,
    left: usize,
}

impl Sender<'_> {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let now = bytes.len().min(self.left);
        self.left -= now;
        self.to.write_all(&bytes[..now]).await
    }
}
