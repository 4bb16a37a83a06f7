//! Answers that are made piece by piece on a blocking thread, in bounded memory: what is small goes out whole, with its
//! length; what is large goes out as it is made.

use std::io::{self, Write};

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::prelude::BASE64_STANDARD;
use base64::write::EncoderWriter;
use bytes::Bytes;
use flate2::write::GzDecoder;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::serve::failure::Failure;
use crate::serve::store::{Blob, Database};

pub(in crate::serve) mod live;

/// What is smaller is one piece with a length.
const WHOLE: usize = 256 << 10;
/// What is sent at once beyond that.
const PIECE: usize = 64 << 10;

enum Message {
    Whole(Vec<u8>),
    Piece(Vec<u8>),
    End,
    Failed(Failure),
}

/// Where an answer is written to.
pub(in crate::serve) struct Sink {
    buffer: Vec<u8>,
    has_begun: bool,
    sender: mpsc::Sender<Message>,
}

impl Sink {
    /// Writes text; an error when nobody listens any more.
    pub(in crate::serve) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes; an error when nobody listens any more.
    pub(in crate::serve) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < if self.has_begun { PIECE } else { WHOLE } { Ok(()) } else { self.flush_pieces() }
    }

    /// Sends what was written so far.
    pub(in crate::serve) fn flush_pieces(&mut self) -> Result<(), Failure> {
        self.has_begun = true;
        let piece = std::mem::take(&mut self.buffer);
        if piece.is_empty() { Ok(()) } else { self.send(Message::Piece(piece)) }
    }

    /// Bytes as they are stored.
    pub(in crate::serve) fn stored(&mut self, database: &Database, blob: &Blob) -> Result<(), Failure> {
        let mut reader = database.read_blob(blob, 0)?;
        while let Some(piece) = reader.next()? {
            self.bytes(&piece)?;
        }
        Ok(())
    }

    /// Bytes as they are stored, from a point, so many.
    pub(in crate::serve) fn range(
        &mut self,
        database: &Database,
        blob: &Blob,
        from: u64,
        length: u64,
    ) -> Result<(), Failure> {
        let (mut reader, mut left) = (database.read_blob(blob, from)?, length);
        while left > 0 {
            let Some(piece) = reader.next()? else { break };
            let taken = usize::try_from(left).map_or(piece.len(), |left| piece.len().min(left));
            self.bytes(&piece[..taken])?;
            left -= taken as u64;
        }
        Ok(())
    }

    /// Bytes as they were before the store compressed them.
    pub(in crate::serve) fn content(&mut self, database: &Database, blob: &Blob) -> Result<(), Failure> {
        copy(database, blob, self).map(drop)
    }

    /// The content as base64.
    pub(in crate::serve) fn base64(&mut self, database: &Database, blob: &Blob) -> Result<(), Failure> {
        let mut encoder = copy(database, blob, EncoderWriter::new(&mut *self, &BASE64_STANDARD))?;
        encoder.finish().map(drop).map_err(|_| gone())
    }

    fn send(&mut self, message: Message) -> Result<(), Failure> {
        self.sender.blocking_send(message).map_err(|_| gone())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gone() -> Failure {
    Failure::new(500, "internal_server_error", "nobody listens any more")
}

fn damaged() -> Failure {
    Failure::new(500, "unknown_error", "data_error")
}

/// The content of an attachment, without the store's compression.
fn copy<W: Write>(database: &Database, blob: &Blob, mut writer: W) -> Result<W, Failure> {
    let mut reader = database.read_blob(blob, 0)?;
    if !blob.is_gzip {
        while let Some(piece) = reader.next()? {
            writer.write_all(&piece).map_err(|_| gone())?;
        }
        return Ok(writer);
    }
    let mut decoder = GzDecoder::new(writer);
    while let Some(piece) = reader.next()? {
        decoder.write_all(&piece).map_err(|_| damaged())?;
    }
    decoder.finish().map_err(|_| damaged())
}

/// Makes an answer of what `make` writes. It runs on a blocking thread, for as long as somebody reads; an error before the
/// first piece was sent is the answer, one after it breaks the connection.
pub(in crate::serve) async fn produce(
    response: Response,
    make: impl FnOnce(&mut Sink) -> Result<(), Failure> + Send + 'static,
) -> Result<Response, Failure> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut sink = Sink { buffer: Vec::new(), has_begun: false, sender };
        let made = make(&mut sink);
        // Whoever does not listen any more needs no end.
        let _ = match made {
            Err(failure) => sink.send(Message::Failed(failure)),
            Ok(()) if !sink.has_begun => {
                let whole = std::mem::take(&mut sink.buffer);
                sink.send(Message::Whole(whole))
            }
            Ok(()) => sink.flush_pieces().and_then(|()| sink.send(Message::End)),
        };
    });
    respond(response, receiver).await
}

/// The answer, as soon as it is known how it begins.
async fn respond(mut response: Response, mut receiver: mpsc::Receiver<Message>) -> Result<Response, Failure> {
    *response.body_mut() = match receiver.recv().await {
        Some(Message::Whole(bytes)) => Body::from(bytes),
        Some(Message::Piece(first)) => following(first, receiver),
        Some(Message::Failed(failure)) => return Err(failure),
        Some(Message::End) => Body::empty(),
        None => return Err(Failure::new(500, "internal_server_error", "the request could not be carried out")),
    };
    Ok(response)
}

/// The first piece and what comes after it.
fn following(first: Vec<u8>, receiver: mpsc::Receiver<Message>) -> Body {
    let state = (Some(first), Some(receiver));
    Body::from_stream(stream::unfold(state, |(first, receiver)| async move {
        let mut receiver = receiver?;
        if let Some(first) = first {
            return Some((Ok(Bytes::from(first)), (None, Some(receiver))));
        }
        match receiver.recv().await {
            Some(Message::Piece(piece) | Message::Whole(piece)) => {
                Some((Ok(Bytes::from(piece)), (None, Some(receiver))))
            }
            Some(Message::End) => None,
            Some(Message::Failed(failure)) => {
                Some((Err(io::Error::other(failure.reason.unwrap_or(failure.error))), (None, None)))
            }
            None => Some((Err(io::Error::other("the answer could not be finished")), (None, None))),
        }
    }))
}

/// An answer whose body comes later. Only JSON is said to be revalidated; parts are not.
pub(in crate::serve) fn head(status: u16, content_type: &str) -> Response {
    let mut response = super::request::answer(status, &serde_json::Value::Null);
    *response.body_mut() = Body::empty();
    if content_type != "application/json" {
        response.headers_mut().remove(header::CACHE_CONTROL);
    }
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

/// Says how long the body will be.
pub(in crate::serve) fn set_length(response: &mut Response, length: u64) {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}
