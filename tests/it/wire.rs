//! HTTP/1.1 as bytes: heads, body framing and answers, for the stand-in and the fault proxy.
//!
//! Heads are kept byte for byte beside what was understood of them, so that a proxy passes on exactly what it got.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use tokio::net::TcpStream;

/// No head may be longer; CouchDB refuses requests far below this.
const LONGEST_HEAD: usize = 256 * 1024;

/// The most that is read at once, so that a cut at byte k lies inside many pieces of a long body.
const PIECE: u64 = 16 * 1024;

/// The head of a request or an answer.
pub(crate) struct Head {
    /// The head as it came, with its empty line.
    pub(crate) raw: Vec<u8>,
    /// The request line or the status line.
    pub(crate) first: String,
    /// Names in lower case, values trimmed, in order.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Reads a head; `None` when the connection ended before its first byte.
    pub(crate) async fn read(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        let mut raw = Vec::new();
        let mut lines = Vec::new();
        loop {
            let start = raw.len();
            if reader.read_until(b'\n', &mut raw).await? == 0 {
                return if raw.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            if raw.len() > LONGEST_HEAD {
                return Err(io::Error::other("the head is too long"));
            }
            let line = String::from_utf8_lossy(&raw[start..]).trim_end_matches(['\r', '\n']).to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut lines = lines.into_iter();
        let first = lines.next().unwrap_or_default();
        let headers = lines
            .filter_map(|line| {
                line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect();
        Ok(Some(Self { raw, first, headers }))
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    /// The target of a request, as it was sent.
    pub(crate) fn target(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// How the body of a request is framed.
    pub(crate) fn request_body(&self) -> Body {
        self.body(Body::Length(0))
    }

    /// How the body of an answer to `method` is framed.
    pub(crate) fn answer_body(&self, method: &str) -> Body {
        let status = self.status();
        if method == "HEAD" || status == 204 || status == 304 || (100..200).contains(&status) {
            return Body::Length(0);
        }
        self.body(Body::UntilClose)
    }

    fn body(&self, otherwise: Body) -> Body {
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Body::ChunkSize;
        }
        self.header("content-length").and_then(|length| length.parse().ok()).map_or(otherwise, Body::Length)
    }
}

/// A body that is read piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes are still to come.
    Length(u64),
    /// A line with the size of a chunk comes next.
    ChunkSize,
    /// So many bytes of a chunk are still to come.
    Chunk(u64),
    /// The line end after a chunk comes next.
    ChunkEnd,
    /// Trailers, up to an empty line.
    Trailers,
    /// Everything until the other side closes.
    UntilClose,
}

/// Bytes of a body.
pub(crate) struct Piece {
    /// As they travel.
    pub(crate) raw: Vec<u8>,
    /// Whether they are content and not framing.
    pub(crate) is_content: bool,
}

impl Body {
    /// The next bytes; `None` at the end of the body.
    pub(crate) async fn next(&mut self, reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Piece>> {
        match *self {
            Self::Length(0) => Ok(None),
            Self::Length(left) => {
                let raw = some(reader, left.min(PIECE)).await?;
                *self = Self::Length(left - raw.len() as u64);
                Ok(Some(Piece { raw, is_content: true }))
            }
            Self::Chunk(left) => {
                let raw = some(reader, left.min(PIECE)).await?;
                let left = left - raw.len() as u64;
                *self = if left == 0 { Self::ChunkEnd } else { Self::Chunk(left) };
                Ok(Some(Piece { raw, is_content: true }))
            }
            Self::UntilClose => {
                let mut raw = Vec::new();
                reader.take(PIECE).read_buf(&mut raw).await?;
                Ok((!raw.is_empty()).then_some(Piece { raw, is_content: true }))
            }
            Self::ChunkSize | Self::ChunkEnd | Self::Trailers => self.line(reader).await.map(Some),
        }
    }

    async fn line(&mut self, reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Piece> {
        let mut raw = Vec::new();
        if reader.read_until(b'\n', &mut raw).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&raw);
        let text = text.trim();
        *self = match *self {
            Self::ChunkSize => {
                let size = text.split(';').next().unwrap_or_default();
                match u64::from_str_radix(size, 16).map_err(|_| io::Error::other("no chunk size"))? {
                    0 => Self::Trailers,
                    size => Self::Chunk(size),
                }
            }
            Self::Trailers if text.is_empty() => Self::Length(0),
            Self::ChunkEnd => Self::ChunkSize,
            state => state,
        };
        Ok(Piece { raw, is_content: false })
    }

    /// The whole content.
    pub(crate) async fn collect(mut self, reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        while let Some(piece) = self.next(reader).await? {
            if piece.is_content {
                content.extend_from_slice(&piece.raw);
            }
        }
        Ok(content)
    }
}

async fn some(reader: &mut (impl AsyncBufRead + Unpin), most: u64) -> io::Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(usize::try_from(most).unwrap_or_default());
    if reader.take(most).read_buf(&mut raw).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(raw)
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Names and values, without the framing.
    pub(crate) headers: Vec<(String, String)>,
    /// The content.
    pub(crate) body: Vec<u8>,
    /// Sent in chunks, without a length, as CouchDB sends lists.
    pub(crate) is_chunked: bool,
}

impl Answer {
    /// An answer with a body of this type.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), is_chunked: false }
    }

    /// A JSON answer, ended by a line feed as CouchDB ends it.
    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json", format!("{value}\n"))
    }

    /// A JSON error as CouchDB words it.
    pub(crate) fn error(status: u16, error: &str, reason: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": error, "reason": reason }))
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The answer to `method` as bytes.
    pub(crate) fn to_bytes(&self, method: &str) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", self.status, reason_phrase(self.status)).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        let has_body = method != "HEAD" && self.status != 304;
        if self.is_chunked {
            bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in self.body.chunks(1000).filter(|_| has_body) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(if has_body { b"0\r\n\r\n" } else { b"" });
        } else {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
            bytes.extend_from_slice(if has_body { &self.body } else { b"" });
        }
        bytes
    }
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Object Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Something Else",
    }
}

/// Closes a connection by a reset instead of an end.
#[expect(clippy::needless_pass_by_value, reason = "the connection ends here")]
pub(crate) fn reset(stream: TcpStream) {
    // An error means that the connection is gone already.
    let _ = stream.set_zero_linger();
}

/// Whether a request can change what the server holds. `POST`s that only ask are known by their last segment.
pub(crate) fn is_write(method: &str, target: &str) -> bool {
    const QUESTIONS: [&str; 5] = ["_all_docs", "_bulk_get", "_revs_diff", "_session", "_find"];
    let path = target.split('?').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    match method {
        "GET" | "HEAD" | "OPTIONS" => false,
        "POST" => !QUESTIONS.contains(&last),
        _ => true,
    }
}
