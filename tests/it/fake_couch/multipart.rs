//! `multipart/related` as CouchDB reads and writes it.

use serde_json::Value;

use super::store::Attachments;
use crate::wire::Answer;

/// A document with the bytes of its attachments.
pub(crate) struct Related {
    /// The first part.
    pub(crate) json: Vec<u8>,
    /// The content of the others, in order.
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Reads a body; `None` when it is no multipart at all.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Option<Related> {
    let boundary = content_type.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    let mut parts = Vec::new();
    let mut rest = &body[find(body, delimiter.as_bytes())? + delimiter.len()..];
    while !rest.starts_with(b"--") {
        let head_end = find(rest, b"\r\n\r\n")?;
        let content = &rest[head_end + 4..];
        let end = find(content, format!("\r\n{delimiter}").as_bytes());
        // CouchDB takes a body whose last boundary is missing.
        parts.push(content[..end.unwrap_or(content.len())].to_vec());
        let Some(end) = end else { break };
        rest = &content[end + 2 + delimiter.len()..];
    }
    let mut parts = parts.into_iter();
    Some(Related { json: parts.next()?, parts: parts.collect() })
}

/// A document and the stored bytes of its attachments as an answer.
pub(crate) fn answer(document: &Value, attachments: &Attachments, boundary: &str) -> Answer {
    let mut body = format!("--{boundary}\r\nContent-Type: application/json\r\n\r\n{document}").into_bytes();
    for (name, file) in attachments {
        let mut head = format!("\r\n--{boundary}\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n");
        head.push_str(&format!("Content-Type: {}\r\nContent-Length: {}\r\n", file.content_type, file.stored.len()));
        head.push_str(if file.is_gzip { "Content-Encoding: gzip\r\n\r\n" } else { "\r\n" });
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&file.stored);
    }
    body.extend_from_slice(format!("\r\n--{boundary}--").as_bytes());
    Answer::new(200, &format!("multipart/related; boundary=\"{boundary}\""), body)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| *byte == first) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
