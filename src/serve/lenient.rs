//! Connections whose request targets may hold what RFC 3986 forbids: `curl 'http://…/_all_docs?key="a"'`.
//!
//! CouchDB takes such targets and everybody sends them by hand, but the HTTP library refuses them before we see them. So
//! quotes, angle brackets and the like are escaped on their way in. That has to know where a request begins, and so where
//! the body of the one before it ends; anything that is not understood is passed on as it is, for the library to judge.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

use self::framing::{Framing, Progress};
use super::statistics::{Ongoing, Statistics};

mod framing;

/// Heads beyond this are passed on as they are.
const LARGEST_HEAD: usize = 256 << 10;

/// How HTTP/2 begins without being asked for: CouchDB does not speak it, but the HTTP library would.
const HTTP_2: &[u8] = b"PRI * HTTP/2";
/// How long a head may take to arrive once it has begun.
const PATIENCE: Duration = Duration::from_secs(30);

/// Listens, and makes what comes in lenient.
pub(super) struct LenientListener {
    pub(super) listener: TcpListener,
    pub(super) statistics: Statistics,
}

impl Listener for LenientListener {
    type Io = Lenient<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        (Lenient::new(stream, &self.statistics), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection.
pub(super) struct Lenient<S> {
    inner: S,
    state: State,
    /// Came in and was not looked at yet.
    raw: BytesMut,
    /// May be handed on.
    ready: BytesMut,
    /// So much of an unfinished head holds no end.
    searched: usize,
    /// When an unfinished head is late.
    late: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    statistics: Statistics,
    _connection: Ongoing,
}

enum State {
    Head,
    Body(Framing),
    /// Nothing is understood any more.
    Raw,
    /// Nothing is answered any more.
    Refused,
}

impl<S> Lenient<S> {
    pub(super) fn new(inner: S, statistics: &Statistics) -> Self {
        let (raw, ready, statistics) = (BytesMut::new(), BytesMut::new(), statistics.clone());
        let connection = statistics.connection();
        let (searched, late, patience) = (0, None, PATIENCE);
        Self { inner, state: State::Head, raw, ready, searched, late, patience, statistics, _connection: connection }
    }

    /// Moves what is understood from `raw` to `ready`.
    fn digest(&mut self) {
        while !self.raw.is_empty() {
            match &mut self.state {
                State::Raw => self.ready.unsplit(self.raw.split()),
                State::Refused => self.raw.clear(),
                State::Head => {
                    // Empty lines before a request are allowed.
                    let empty = self.raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    if empty > 0 {
                        self.ready.unsplit(self.raw.split_to(empty));
                        continue;
                    }
                    let Some(end) = framing::end_of_head(&self.raw, self.searched) else {
                        if self.raw.len() > LARGEST_HEAD {
                            self.state = State::Raw;
                            continue;
                        }
                        self.searched = self.raw.len();
                        return;
                    };
                    self.searched = 0;
                    let head = self.raw.split_to(end);
                    if head.starts_with(HTTP_2) {
                        self.state = State::Refused;
                        continue;
                    }
                    self.state = framing::after(&head).map_or(State::Raw, State::Body);
                    escape_target(&head, &mut self.ready);
                    self.end_of_body();
                }
                State::Body(framing) => {
                    let Progress { taken, is_understood } = framing.advance(&self.raw);
                    self.ready.unsplit(self.raw.split_to(taken));
                    if !is_understood {
                        self.state = State::Raw;
                    }
                    self.end_of_body();
                }
            }
        }
    }

    /// An error when a head that has begun does not end in time.
    fn poll_late(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.raw.is_empty() || !matches!(self.state, State::Head) {
            self.late = None;
            return Ok(());
        }
        let patience = self.patience;
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if late.as_mut().poll(context).is_ready() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    fn end_of_body(&mut self) {
        if matches!(&self.state, State::Body(framing) if framing.is_over()) {
            self.state = State::Head;
        }
    }
}

/// Copies a head, with what may not stand in a target escaped in its first line.
fn escape_target(head: &[u8], into: &mut BytesMut) {
    let line = head.iter().position(|byte| *byte == b'\n').unwrap_or(head.len());
    for byte in &head[..line] {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => {
                into.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            _ => into.extend_from_slice(&[*byte]),
        }
    }
    into.extend_from_slice(&head[line..]);
}

impl<S: AsyncRead + Unpin> AsyncRead for Lenient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.ready.is_empty() {
                let count = this.ready.len().min(buffer.remaining());
                buffer.put_slice(&this.ready[..count]);
                this.ready.advance(count);
                return Poll::Ready(Ok(()));
            }
            if matches!(this.state, State::Refused) {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            this.poll_late(context)?;
            let mut space = [0; 16 << 10];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                // The end: what is half is handed on as it is.
                if this.raw.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                this.state = State::Raw;
            }
            this.statistics.receive(read.filled().len());
            this.raw.extend_from_slice(read.filled());
            this.digest();
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lenient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.statistics.send(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, slices))?;
        self.statistics.send(sent);
        Poll::Ready(Ok(sent))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A stream that gives its pieces one by one.
    struct Pieces(Vec<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.0.is_empty() {
                buffer.put_slice(&self.0.remove(0));
            }
            Poll::Ready(Ok(()))
        }
    }

    fn through(stream: &[u8], cuts: &[usize]) -> Vec<u8> {
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([stream.len()]) {
            if cut > from {
                pieces.push(stream[from..cut].to_vec());
                from = cut;
            }
        }
        let mut read = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(Lenient::new(Pieces(pieces), &Statistics::default()).read_to_end(&mut read)).unwrap();
        read
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_is_not_waited_for() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut connection =
            Lenient { patience: Duration::from_millis(5), ..Lenient::new(server, &Statistics::default()) };
        tokio::io::AsyncWriteExt::write_all(&mut client, b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nX: ").await.unwrap();
        let mut read = Vec::new();
        let error = connection.read_to_end(&mut read).await.unwrap_err();
        assert_eq!((error.kind(), read.as_slice()), (io::ErrorKind::TimedOut, b"GET / HTTP/1.1\r\n\r\n".as_slice()));
    }

    const STREAM: &str = "GET /a?key=\"x\" HTTP/1.1\r\nHost: \"h\"\r\n\r\n\
        PUT /<b> HTTP/1.1\r\nContent-Length: 9\r\n\r\n\"GET /<\"\r\n\
        \r\nPOST /c?{} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;x=\"y\"\r\nGET \"\r\n3\r\n<>\"\r\n0\r\nT: \"u\"\r\n\r\n\
        GET /ä|^ HTTP/1.1\r\n\r\n";
    const ESCAPED: &str = "GET /a?key=%22x%22 HTTP/1.1\r\nHost: \"h\"\r\n\r\n\
        PUT /%3Cb%3E HTTP/1.1\r\nContent-Length: 9\r\n\r\n\"GET /<\"\r\n\
        \r\nPOST /c?%7B%7D HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;x=\"y\"\r\nGET \"\r\n3\r\n<>\"\r\n0\r\nT: \"u\"\r\n\r\n\
        GET /%C3%A4%7C%5E HTTP/1.1\r\n\r\n";

    /// What the library takes for the end of a head and what it does not, it has to be here as well: a head that does not end
    /// here is never handed on.
    #[tokio::test]
    async fn a_head_ends_where_the_library_says() {
        for (sent, expected) in [
            ("GET /\"1 HTTP/1.1\nHost: h\n\n", "GET /%221 HTTP/1.1\nHost: h\n\n"),
            ("GET /\"2 HTTP/1.1\nHost: h\n\r\n", "GET /%222 HTTP/1.1\nHost: h\n\r\n"),
            ("GET /\"3 HTTP/1.1\r\n\n", "GET /%223 HTTP/1.1\r\n\n"),
            // An upgrade that nobody grants changes nothing.
            (
                "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\nGET /\" HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\nGET /%22 HTTP/1.1\r\n\r\n",
            ),
        ] {
            // The client goes on listening, so there is no end to wait for.
            let (mut client, server) = tokio::io::duplex(4096);
            tokio::io::AsyncWriteExt::write_all(&mut client, sent.as_bytes()).await.unwrap();
            let mut lenient = Lenient::new(server, &Statistics::default());
            let mut read = vec![0; expected.len()];
            let wait = std::time::Duration::from_secs(10);
            let told = tokio::time::timeout(wait, lenient.read_exact(&mut read)).await;
            assert!(told.is_ok(), "{sent:?} is kept back");
            assert_eq!(String::from_utf8_lossy(&read), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn only_targets_are_escaped_however_they_arrive(mut cuts in proptest::collection::vec(0usize..600, 0..40)) {
            cuts.sort_unstable();
            let through = through(STREAM.as_bytes(), &cuts);
            prop_assert_eq!(String::from_utf8_lossy(&through), ESCAPED);
        }

        #[test]
        fn nothing_is_lost_of_what_is_not_understood(
            stream in proptest::collection::vec(prop::sample::select(b"GET /: \r\n0123chunkedx".to_vec()), 0..300),
            mut cuts in proptest::collection::vec(0usize..300, 0..20),
        ) {
            cuts.sort_unstable();
            prop_assert_eq!(through(&stream, &cuts), stream);
        }
    }
}
