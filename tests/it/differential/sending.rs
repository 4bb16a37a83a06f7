//! Requests as bytes: a server is sent exactly what the script says, right or wrong.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::wire::Head;

/// No answer takes longer, even on a machine that has much else to do.
const LONGEST: Duration = Duration::from_mins(4);

/// An answer as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Raw {
    /// The status; 0 if there was none.
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// The content.
    pub(super) body: Vec<u8>,
    /// Whether the connection broke in the middle of it.
    pub(super) is_broken: bool,
}

impl Raw {
    /// A header, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The content as JSON; `null` if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What a script keeps of it: a JSON pointer, `etag` or `cookie`.
    pub(super) fn kept(&self, what: &str) -> String {
        let value = match what {
            "etag" => self.header("etag").map(str::to_owned),
            "cookie" => self.header("set-cookie").map(|cookie| cookie.split(';').next().unwrap_or_default().to_owned()),
            pointer => self.json().pointer(pointer).map(text_of),
        };
        value.unwrap_or_default()
    }
}

/// A request that is ready to be sent.
#[derive(Clone)]
pub(super) struct Prepared {
    /// Host and port.
    pub(super) authority: String,
    /// The method.
    pub(super) method: String,
    /// The target, encoded.
    pub(super) target: String,
    /// Names and values.
    pub(super) headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub(super) body: Option<Vec<u8>>,
    /// Whether it is sent in chunks.
    pub(super) is_chunked: bool,
}

impl Prepared {
    /// Sends it and reads the whole answer.
    pub(super) async fn send(self) -> Raw {
        self.send_and_tell(oneshot::channel().0).await
    }

    /// The same, and tells when the answer begins: a feed begins when it has read what there is, and waits.
    pub(super) async fn send_and_tell(self, began: oneshot::Sender<()>) -> Raw {
        match tokio::time::timeout(LONGEST, self.exchange(began)).await {
            Ok(Ok(raw)) => raw,
            Ok(Err(_)) => Raw { is_broken: true, ..Raw::default() },
            Err(elapsed) => panic!("{} {}: no answer within {LONGEST:?}: {elapsed}", self.method, self.target),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.authority);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.is_chunked {
            head.push_str("Transfer-Encoding: chunked\r\n");
        } else if (self.body.is_some() || ["POST", "PUT"].contains(&self.method.as_str()))
            && !head.contains("Content-Length:")
        {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut bytes = format!("{head}Connection: close\r\n\r\n").into_bytes();
        if self.is_chunked {
            for chunk in body.chunks(7000) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(body);
        }
        bytes
    }

    async fn exchange(&self, began: oneshot::Sender<()>) -> io::Result<Raw> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        let (reader, mut writer) = stream.split();
        // A server may answer and close before it has read everything.
        let written = writer.write_all(&self.to_bytes()).await;
        let mut reader = BufReader::new(reader);
        let head = match Head::read(&mut reader).await {
            Ok(Some(head)) => head,
            Ok(None) => return Err(written.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())),
            Err(error) => return Err(error),
        };
        let _ = began.send(());
        let mut raw = Raw { status: head.status(), headers: head.headers.clone(), ..Raw::default() };
        let mut framing = head.answer_body(&self.method);
        loop {
            match framing.next(&mut reader).await {
                Ok(Some(piece)) if piece.is_content => raw.body.extend_from_slice(&piece.raw),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(raw),
                Err(_) => return Ok(Raw { is_broken: true, ..raw }),
            }
        }
    }
}

/// A value as it stands in a request.
pub(super) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
