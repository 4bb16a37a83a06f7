//! What goes along with a request: known length, streamed, built anew for every try.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt as _, try_unfold};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::write::{ByteStream, Progress, Source};
use super::{Meter, Network, Pace};

/// A body that can be sent any number of times.
#[derive(Clone)]
pub(super) struct Body {
    pub(super) content_type: String,
    pub(super) segments: Vec<Segment>,
    pub(super) progress: Option<Progress>,
}

/// A piece of a body.
#[derive(Clone)]
pub(super) enum Segment {
    Bytes(Bytes),
    Source { name: String, length: u64, source: Arc<dyn Source> },
}

/// Bodies beyond this size give the server a moment to refuse before they are sent: an answer that comes while we write
/// can be lost in the reset that follows it.
const LARGE: u64 = 1_000_000;
/// On a local server the refusal was seen 20 of 20 times within the longer time (mean 7 ms). What takes little longer than
/// that to be sent waits less: a refusal that is lost costs it hardly more than the wait.
const EARLY_ANSWER: [(u64, Duration); 2] =
    [(16_000_000, Duration::from_millis(10)), (u64::MAX, Duration::from_millis(50))];
/// Pieces handed over at once.
const CHUNK: usize = 64 * 1024;

impl Body {
    /// A JSON text.
    pub(super) fn json(text: Vec<u8>) -> Self {
        let segments = vec![Segment::Bytes(text.into())];
        Self { content_type: "application/json".to_owned(), segments, progress: None }
    }

    /// All bytes of the body.
    pub(super) fn length(&self) -> u64 {
        self.segments.iter().map(Segment::length).sum()
    }

    /// Whether some of it is read while it is sent.
    pub(super) fn has_source(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::Source { .. }))
    }

    /// The bytes of one try; `upload` sees them pass.
    pub(super) fn stream(
        &self,
        upload: Arc<Upload>,
        network: &Network,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let total = self.length();
        let has_source = self.has_source();
        let sending = Sending {
            segments: self.segments.iter().cloned().collect(),
            open: None,
            rest: Bytes::new(),
            // Only what was sent can be refused, so the pause comes when the document is sent and its files are not. A
            // text is read whole before it is judged.
            at_pause: false,
            paused: total <= LARGE || !has_source,
            sent: 0,
            total,
            progress: self.progress.clone(),
            pace: network.upload.clone(),
            meter: Arc::clone(&network.meter),
            upload,
        };
        try_unfold(sending, |mut sending| async move { Ok(sending.next().await?.map(|bytes| (bytes, sending))) })
    }
}

impl Segment {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Source { length, .. } => *length,
        }
    }
}

/// What is known of a try while it runs, shared by the body and the one who waits for the answer.
pub(super) struct Upload {
    state: Mutex<State>,
    stopped: AtomicBool,
    finished: Notify,
}

struct State {
    moved: Instant,
    finished: bool,
    failure: Option<(String, io::Error)>,
}

impl Upload {
    /// Starts the clock of a try.
    pub(super) fn new(finished: bool) -> Arc<Self> {
        let state = State { moved: Instant::now(), finished, failure: None };
        Arc::new(Self { state: Mutex::new(state), stopped: AtomicBool::new(false), finished: Notify::new() })
    }

    /// Comes back when nothing has moved for `idle`, or for `late` after the last byte of the body; tells how long it was.
    pub(super) async fn stalled(&self, idle: Duration, late: Option<Duration>) -> Duration {
        loop {
            let (moved, limit) =
                self.with(|state| (state.moved, late.filter(|_| state.finished).map_or(idle, |late| late.min(idle))));
            if moved.elapsed() >= limit {
                return limit;
            }
            // The last byte can bring the deadline nearer.
            tokio::select! {
                () = sleep_until(moved + limit) => {}
                () = self.finished.notified() => {}
            }
        }
    }

    /// Sends nothing more: the answer is there, or nobody waits for it.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Why the source failed, if it did, and what it was to give.
    pub(super) fn failure(&self) -> Option<(String, io::Error)> {
        self.with(|state| state.failure.take())
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fail(&self, name: &str, error: io::Error) -> io::Error {
        let message = io::Error::other("the source of the upload failed");
        self.with(|state| state.failure = Some((name.to_owned(), error)));
        message
    }
}

/// One try under way.
struct Sending {
    segments: VecDeque<Segment>,
    open: Option<Open>,
    rest: Bytes,
    /// The next bytes are the ones before which a large body pauses.
    at_pause: bool,
    paused: bool,
    sent: u64,
    total: u64,
    progress: Option<Progress>,
    pace: Option<Arc<Pace>>,
    meter: Arc<Meter>,
    upload: Arc<Upload>,
}

/// A source that is being read.
struct Open {
    name: String,
    stream: ByteStream,
    left: u64,
}

impl Sending {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        // The socket has taken what came before.
        self.upload.with(|state| state.moved = Instant::now());
        loop {
            if self.upload.stopped.load(Ordering::Relaxed) {
                return Err(io::Error::other("the answer came before the end of the request"));
            }
            if !self.rest.is_empty() {
                if self.at_pause && !self.paused {
                    self.paused = true;
                    let waits = EARLY_ANSWER.iter().find(|(up_to, _)| self.total <= *up_to);
                    tokio::time::sleep(waits.map_or(Duration::ZERO, |(_, wait)| *wait)).await;
                    continue;
                }
                return Ok(Some(self.hand_over().await));
            }
            if let Some(open) = self.open.take() {
                self.read(open).await?;
                continue;
            }
            match self.segments.pop_front() {
                None => return Ok(None),
                Some(Segment::Bytes(bytes)) => self.rest = bytes,
                Some(Segment::Source { name, length, source }) => {
                    let stream = source.open().await.map_err(|error| self.upload.fail(&name, error))?;
                    self.open = Some(Open { name, stream, left: length });
                }
            }
        }
    }

    /// Takes the next bytes of a source. Its last bytes are held back until it has shown that nothing follows them, so
    /// that a file that grows never becomes a whole upload of something else.
    async fn read(&mut self, mut open: Open) -> io::Result<()> {
        let wrong = |kind, text: &str| io::Error::new(kind, text.to_owned());
        match open.stream.next().await {
            Some(Ok(bytes)) if bytes.is_empty() => {}
            Some(Ok(bytes)) => {
                let Some(left) = open.left.checked_sub(bytes.len() as u64) else {
                    let error = wrong(io::ErrorKind::InvalidData, "it has become longer");
                    return Err(self.upload.fail(&open.name, error));
                };
                open.left = left;
                self.rest = bytes;
                self.at_pause = true;
                if left == 0 {
                    return self.expect_end(open).await;
                }
            }
            Some(Err(error)) => return Err(self.upload.fail(&open.name, error)),
            None if open.left == 0 => return Ok(()),
            None => {
                let error = wrong(io::ErrorKind::UnexpectedEof, "it has become shorter");
                return Err(self.upload.fail(&open.name, error));
            }
        }
        self.open = Some(open);
        Ok(())
    }

    async fn expect_end(&mut self, mut open: Open) -> io::Result<()> {
        while let Some(item) = open.stream.next().await {
            match item {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(_) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, "it has become longer");
                    return Err(self.upload.fail(&open.name, error));
                }
                Err(error) => return Err(self.upload.fail(&open.name, error)),
            }
        }
        Ok(())
    }

    async fn hand_over(&mut self) -> Bytes {
        let most = self.pace.as_ref().map_or(CHUNK, |pace| pace.piece().min(CHUNK));
        let chunk = self.rest.split_to(self.rest.len().min(most));
        if let Some(pace) = &self.pace {
            pace.pass(chunk.len()).await;
        }
        self.sent += chunk.len() as u64;
        self.meter.send(chunk.len() as u64);
        // HTTP libraries do not ask again after the last announced byte.
        let finished = self.sent == self.total;
        self.upload.with(|state| {
            state.moved = Instant::now();
            state.finished = finished;
        });
        if finished {
            self.upload.finished.notify_one();
        }
        if let Some(progress) = &self.progress {
            progress(self.sent, self.total);
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::iter;

    use super::*;
    use crate::couch::Opening;

    struct Pieces(Vec<Result<&'static [u8], io::ErrorKind>>);

    impl Source for Pieces {
        fn open(&self) -> Opening<'_> {
            let pieces: Vec<io::Result<Bytes>> =
                self.0.iter().map(|piece| piece.map(Bytes::from_static).map_err(io::Error::from)).collect();
            Box::pin(async move { Ok(Box::pin(iter(pieces)) as ByteStream) })
        }
    }

    async fn send(length: u64, pieces: Vec<Result<&'static [u8], io::ErrorKind>>) -> Result<Vec<u8>, String> {
        let source = Segment::Source { name: "a".into(), length, source: Arc::new(Pieces(pieces)) };
        let end = Segment::Bytes(Bytes::from_static(b"!"));
        let body = Body { content_type: String::new(), segments: vec![source, end], progress: None };
        let upload = Upload::new(false);
        let mut stream = Box::pin(body.stream(Arc::clone(&upload), &Network::default()));
        let mut sent = Vec::new();
        while let Some(bytes) = stream.next().await {
            match bytes {
                Ok(bytes) => sent.extend_from_slice(&bytes),
                Err(_) => return Err(upload.failure().map(|(name, error)| format!("{name}: {error}")).unwrap()),
            }
        }
        Ok(sent)
    }

    #[tokio::test]
    async fn a_source_gives_what_was_announced_or_fails() {
        assert_eq!(send(4, vec![Ok(b"ab"), Ok(b""), Ok(b"cd"), Ok(b"")]).await, Ok(b"abcd!".to_vec()));
        assert_eq!(send(0, vec![]).await, Ok(b"!".to_vec()));
        assert_eq!(send(3, vec![Ok(b"ab"), Ok(b"cd")]).await, Err("a: it has become longer".into()));
        assert_eq!(send(4, vec![Ok(b"abcd"), Ok(b"e")]).await, Err("a: it has become longer".into()));
        assert_eq!(send(0, vec![Ok(b"x")]).await, Err("a: it has become longer".into()));
        assert_eq!(send(5, vec![Ok(b"abcd")]).await, Err("a: it has become shorter".into()));
        let failed = send(5, vec![Ok(b"abcd"), Err(io::ErrorKind::PermissionDenied)]).await;
        assert_eq!(failed, Err("a: permission denied".into()));
    }
}
