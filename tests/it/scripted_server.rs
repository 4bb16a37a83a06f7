//! A server on a raw socket that does what a script says, faults included, and keeps what it was sent byte for byte.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came over the socket.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// The request target, not decoded.
    pub(crate) target: String,
    /// Header lines without the first line, as sent.
    pub(crate) headers: String,
    /// As much of the body as the script wanted to read.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// Method and target.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn length(&self) -> usize {
        self.header("content-length").map_or(0, |text| text.parse().unwrap())
    }
}

/// How much of the body is read before the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Read {
    Nothing,
    Bytes(usize),
    All,
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Keep,
    Close,
    Reset,
    /// Nothing more comes until the client goes away.
    Hang,
}

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) read: Read,
    pub(crate) send: Vec<u8>,
    pub(crate) end: End,
}

impl Step {
    /// A whole answer with a JSON body.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::answer(status, "Content-Type: application/json\r\n", body.as_bytes())
    }

    /// A whole answer; `headers` are lines with their line breaks.
    pub(crate) fn answer(status: u16, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        Self { read: Read::All, send: [head.as_bytes(), body].concat(), end: End::Keep }
    }

    /// Bytes as they are, then the end.
    pub(crate) fn raw(send: &[u8], end: End) -> Self {
        Self { read: Read::All, send: send.to_vec(), end }
    }

    /// No answer.
    pub(crate) fn silence(read: Read, end: End) -> Self {
        Self { read, send: Vec::new(), end }
    }

    /// The answer comes before the body is read, and then the connection is reset, as CouchDB does.
    pub(crate) fn early(self) -> Self {
        Self { read: Read::Nothing, end: End::Reset, ..self }
    }
}

type Script = Arc<dyn Fn(&Seen) -> Step + Send + Sync>;

/// The server; it stops when it is dropped.
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    left: Arc<Mutex<VecDeque<Step>>>,
    task: JoinHandle<()>,
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ScriptedServer {
    /// Takes one step per request, in order; a request too many is answered with 400.
    pub(crate) async fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let left: Arc<Mutex<VecDeque<Step>>> = Arc::new(Mutex::new(steps.into_iter().collect()));
        let script = Arc::clone(&left);
        let step = move |_: &Seen| {
            let next = script.lock().unwrap().pop_front();
            next.unwrap_or_else(|| Step::json(400, r#"{"error":"script","reason":"the script is over"}"#))
        };
        Self::start(Arc::new(step), left).await
    }

    /// Asks `script` what to do with each request.
    pub(crate) async fn script(script: impl Fn(&Seen) -> Step + Send + Sync + 'static) -> Self {
        Self::start(Arc::new(script), Arc::default()).await
    }

    async fn start(script: Script, left: Arc<Mutex<VecDeque<Step>>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(connection(socket, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { address, seen, left, task }
    }

    /// Scheme, host and port.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was sent so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Methods and targets of everything that was sent so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    /// The methods of everything that was sent so far, as in "PUT GET PUT".
    pub(crate) fn methods(&self) -> String {
        self.seen().iter().map(|seen| seen.method.clone()).collect::<Vec<_>>().join(" ")
    }

    /// How many steps were not taken.
    pub(crate) fn left(&self) -> usize {
        self.left.lock().unwrap().len()
    }
}

async fn connection(mut socket: TcpStream, script: Script, log: Arc<Mutex<Vec<Seen>>>) {
    let mut buffer = Vec::new();
    loop {
        let Some(mut seen) = head(&mut socket, &mut buffer).await else { return };
        let step = script(&seen);
        let wanted = match step.read {
            Read::Nothing => 0,
            Read::Bytes(count) => count.min(seen.length()),
            Read::All => seen.length(),
        };
        while buffer.len() < wanted {
            let mut chunk = vec![0; 16 * 1024];
            match socket.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            }
        }
        seen.body = buffer.drain(..wanted).collect();
        log.lock().unwrap().push(seen);
        if socket.write_all(&step.send).await.is_err() {
            return;
        }
        match step.end {
            End::Keep => {}
            End::Close => return,
            End::Reset => {
                socket.set_zero_linger().unwrap();
                return;
            }
            End::Hang => {
                let mut chunk = vec![0; 16 * 1024];
                while socket.read(&mut chunk).await.is_ok_and(|count| count > 0) {}
                return;
            }
        }
    }
}

async fn head(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        let mut chunk = vec![0; 16 * 1024];
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    };
    let head: Vec<u8> = buffer.drain(..end + 4).collect();
    let text = String::from_utf8(head).unwrap();
    let (first, headers) = text.split_once("\r\n").unwrap();
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    Some(Seen { method, target, headers: headers.to_owned(), body: Vec::new() })
}
