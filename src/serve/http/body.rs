//! What comes along with a request: read with a limit, expanded, parsed.

use std::io::Read as _;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::timeout;

use super::number;
use super::request::{Request, blocking};
use super::room::Room;
use crate::json::{self, Object};
use crate::serve::failure::Failure;

/// The largest JSON that is taken, inline attachments included. CouchDB streams no JSON either; its own limit is 4 GB.
pub(in crate::serve) const LARGEST_JSON: usize = 64 << 20;

/// The most values in one JSON text. Each takes many times the memory of its text; so many are far more than any
/// document or batch has.
const MOST_VALUES: usize = 2_000_000;

/// JSON beyond this is parsed outside of the event loop.
const LARGE: usize = 32 << 10;

/// What a value takes beside its text.
const VALUE: usize = 112;

/// So many times its length can a compressed body have at most.
const MOST_EXPANDED: usize = 1032;

/// So many bytes that nobody wants are read before an answer, for so long at most.
const MOST_DRAINED: usize = 128 << 20;
const LONGEST_DRAIN: Duration = Duration::from_secs(2);

/// For so long a client may say nothing in the middle of a body.
const PATIENCE: Duration = Duration::from_mins(1);

/// 413, as CouchDB answers it.
pub(in crate::serve) fn too_large() -> Failure {
    Failure::new(413, "too_large", "the request entity is too large")
}

/// The whole body.
pub(in crate::serve) async fn bytes(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Failure> {
    let mut stream = body.into_data_stream();
    if length(headers).is_some_and(|length| length > limit as u64) {
        drain(&mut stream).await;
        return Err(too_large());
    }
    let (mut whole, mut room) = (BytesMut::new(), Room::default());
    while let Some(piece) = next(&mut stream).await? {
        if whole.len() + piece.len() > limit {
            drop((whole, room));
            drain(&mut stream).await;
            return Err(too_large());
        }
        room.grow(piece.len()).await?;
        whole.extend_from_slice(&piece);
    }
    room.keep();
    Ok(whole.freeze())
}

/// Reads what nobody wants, within bounds: who is still sending may not see the answer otherwise.
pub(in crate::serve) async fn drain(stream: &mut BodyDataStream) {
    let mut left = MOST_DRAINED;
    let read = async {
        while let Ok(Some(piece)) = next(stream).await {
            let Some(less) = left.checked_sub(piece.len()) else { break };
            left = less;
        }
    };
    // Who takes longer is not waited for.
    let _ = timeout(LONGEST_DRAIN, read).await;
}

/// The next bytes of a body; `None` at its end.
///
/// # Errors
/// 400 when the connection breaks, 408 when nothing comes for too long: what takes the bytes waits as long.
pub(in crate::serve) async fn next(stream: &mut BodyDataStream) -> Result<Option<Bytes>, Failure> {
    let piece = timeout(PATIENCE, stream.next()).await;
    let piece = piece.map_err(|_| Failure::new(408, "timeout", "the rest of the body did not come"))?;
    piece.transpose().map_err(|_| Failure::bad_request("the body ends too early"))
}

/// `Content-Length`
pub(in crate::serve) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body, expanded if it came compressed.
pub(in crate::serve) async fn expanded(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let body = bytes(headers, body, LARGEST_JSON).await?;
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(body),
        // An empty body is none, whatever is said of it.
        Some(b"gzip") if body.is_empty() => Ok(body),
        Some(b"gzip") => {
            let mut room = Room::default();
            room.grow(LARGEST_JSON.min(body.len() * MOST_EXPANDED)).await?;
            let expanded = blocking(move || Ok(Bytes::from(expand(&body)?))).await?;
            room.shrink(expanded.len());
            room.keep();
            Ok(expanded)
        }
        Some(other) => {
            let reason = format!("{} is not a supported content encoding.", String::from_utf8_lossy(other));
            Err(Failure::new(415, "bad_content_type", reason))
        }
    }
}

/// A body that is JSON, with numbers as CouchDB prints them.
pub(in crate::serve) async fn json(request: Request) -> Result<Value, Failure> {
    parsed(expanded(&request.headers, request.body).await?).await
}

/// [`parse`] for what came from outside, once there is room for it.
pub(in crate::serve) async fn parsed(text: Bytes) -> Result<Value, Failure> {
    weigh(&text).await?;
    if text.len() < LARGE { parse(&text) } else { blocking(move || parse(&text)).await }
}

/// Takes room for a text that is to be parsed.
pub(in crate::serve) async fn weigh(text: &[u8]) -> Result<(), Failure> {
    let mut room = Room::default();
    room.grow(text.len() + json::count_values(text) * VALUE).await?;
    room.keep();
    Ok(())
}

/// A body that is a JSON object.
pub(in crate::serve) async fn object(request: Request) -> Result<Object, Failure> {
    match json(request).await? {
        Value::Object(members) => Ok(members),
        _ => Err(Failure::bad_request("Request body must be a JSON object")),
    }
}

/// Refuses a body that is not called JSON.
pub(in crate::serve) fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Failure::new(415, "bad_content_type", "Content-Type must be application/json"))
}

/// Text as JSON, with numbers as CouchDB prints them.
pub(in crate::serve) fn parse(text: &[u8]) -> Result<Value, Failure> {
    let invalid = || Failure::bad_request("invalid UTF-8 JSON");
    if text.len() > MOST_VALUES && json::count_values(text) > MOST_VALUES {
        return Err(too_large());
    }
    let mut value = json::parse(text).map_err(|_| invalid())?;
    if number::normalise(&mut value) { Ok(value) } else { Err(invalid()) }
}

fn expand(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut expanded = Vec::new();
    let read = GzDecoder::new(body).take(LARGEST_JSON as u64 + 1).read_to_end(&mut expanded);
    read.map_err(|_| Failure::bad_request("Request body is not properly gzipped."))?;
    if expanded.len() > LARGEST_JSON { Err(too_large()) } else { Ok(expanded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_values_are_refused() {
        let many = |item: &str| format!("[{}0]", item.repeat(MOST_VALUES + 1));
        assert_eq!(parse(many("0,").as_bytes()).unwrap_err().status, 413);
        assert_eq!(parse(many("[").as_bytes()).unwrap_err().status, 413);
        assert!(parse(many(" ").as_bytes()).is_ok());
    }
}
