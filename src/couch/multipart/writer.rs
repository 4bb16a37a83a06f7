//! Composes a multipart/related body.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::couch::body::{Body, Segment};
use crate::couch::write::{Progress, Source};

/// An attachment whose bytes follow the document.
#[derive(Clone)]
pub(in crate::couch) struct Part {
    pub(in crate::couch) name: String,
    pub(in crate::couch) content_type: String,
    /// Bytes that the source gives.
    pub(in crate::couch) length: u64,
    pub(in crate::couch) gzip: bool,
    pub(in crate::couch) source: Arc<dyn Source>,
}

/// A document and its parts, which must be in the order of the document's `_attachments`.
pub(in crate::couch) fn related(document: &[u8], parts: Vec<Part>, boundary: &str, progress: Option<Progress>) -> Body {
    let mut head = format!("--{boundary}\r\nContent-Type: application/json\r\n\r\n").into_bytes();
    head.extend_from_slice(document);
    let mut segments = Vec::with_capacity(parts.len() * 2 + 1);
    for part in parts {
        let mut text = format!("\r\n--{boundary}\r\n");
        let _ = write!(text, "Content-Disposition: attachment; filename=\"{}\"\r\n", file_name(&part.name));
        let _ = write!(text, "Content-Type: {}\r\n", header_text(&part.content_type));
        let _ = write!(text, "Content-Length: {}\r\n", part.length);
        if part.gzip {
            text.push_str("Content-Encoding: gzip\r\n");
        }
        text.push_str("\r\n");
        head.extend_from_slice(text.as_bytes());
        segments.push(Segment::Bytes(std::mem::take(&mut head).into()));
        segments.push(Segment::Source { name: part.name, length: part.length, source: part.source });
    }
    head.extend_from_slice(format!("\r\n--{boundary}--").as_bytes());
    segments.push(Segment::Bytes(Bytes::from(head)));
    Body { content_type: format!("multipart/related; boundary=\"{boundary}\""), segments, progress }
}

/// Whether PouchDB reads a name as it is: its parser takes what follows the last backslash, and reads `%22` and `&#…;`
/// as characters.
pub(in crate::couch) fn is_faithful(name: &str) -> bool {
    !name.chars().any(|c| c.is_control() || c == '\\') && !name.contains("%22") && !name.contains("&#")
}

/// The name as it stands between quotes: nothing in it can end the header. A quote is `%22`, as browsers write it
/// (<https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>).
fn file_name(name: &str) -> String {
    const UNFAITHFUL: &AsciiSet = &CONTROLS.add(b'"').add(b'\\').add(b'%').add(b'&');
    if is_faithful(name) { name.replace('"', "%22") } else { utf8_percent_encode(name, UNFAITHFUL).to_string() }
}

/// A content type that cannot end its header; the true one stands in the document.
fn header_text(content_type: &str) -> &str {
    let safe = !content_type.is_empty() && !content_type.chars().any(char::is_control);
    if safe { content_type } else { "application/octet-stream" }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;
    use crate::couch::body::Upload;

    #[tokio::test]
    async fn the_bytes_are_those_of_the_manual() {
        let part = |name: &str, content_type: &str, gzip, bytes: &'static [u8]| Part {
            name: name.into(),
            content_type: content_type.into(),
            length: bytes.len() as u64,
            gzip,
            source: Arc::new(Bytes::from_static(bytes)),
        };
        let parts = vec![
            part("js/app.js", "text/javascript; charset=utf-8", true, b"\x1f\x8bxyz"),
            part("a\"\r\nX: y", "text/plain\r\nX-Evil: 1", false, b""),
            part("ü\" b.png", "image/png", false, b"\r\n--B--"),
        ];
        let body = related(br#"{"_id":"doc"}"#, parts, "B", None);
        assert_eq!(body.content_type, "multipart/related; boundary=\"B\"");
        let expected = "--B\r\nContent-Type: application/json\r\n\r\n{\"_id\":\"doc\"}\
            \r\n--B\r\nContent-Disposition: attachment; filename=\"js/app.js\"\r\n\
            Content-Type: text/javascript; charset=utf-8\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n\
            \x1f\u{FFFD}xyz\
            \r\n--B\r\nContent-Disposition: attachment; filename=\"a%22%0D%0AX: y\"\r\n\
            Content-Type: application/octet-stream\r\nContent-Length: 0\r\n\r\n\
            \r\n--B\r\nContent-Disposition: attachment; filename=\"ü%22 b.png\"\r\n\
            Content-Type: image/png\r\nContent-Length: 7\r\n\r\n\r\n--B--\
            \r\n--B--";
        let stream = body.stream(Upload::new(false), &crate::couch::Network::default());
        let sent: Vec<u8> = stream.map(Result::unwrap).collect::<Vec<_>>().await.concat();
        assert_eq!(String::from_utf8_lossy(&sent), expected);
        assert_eq!(body.length(), sent.len() as u64);
    }
}
