//! `_bulk_get` as `multipart/mixed`: a `multipart/related` for each document with attachments.

use serde_json::Value;

use super::multipart;
use super::store::Attachments;
use crate::wire::Answer;

/// One element of the answer.
pub(crate) enum Item {
    /// A document, its id and revision, and its attachments.
    Document(Value, Attachments),
    /// Why there is none.
    Error(Value),
}

/// The whole answer.
pub(crate) fn answer(items: &[Item]) -> Answer {
    const OUTER: &str = "--mixed0000000000000000000000000000";
    let mut body = Vec::new();
    for (index, item) in items.iter().enumerate() {
        body.extend_from_slice(format!("\r\n--{OUTER}\r\n").as_bytes());
        match item {
            Item::Document(document, attachments) if attachments.is_empty() => {
                body.extend_from_slice(format!("Content-Type: application/json\r\n\r\n{document}").as_bytes());
            }
            Item::Document(document, attachments) => {
                let inner = format!("--related{index:028}");
                let related = multipart::answer(document, attachments, &inner);
                let (id, rev) = (document["_id"].as_str().unwrap(), document["_rev"].as_str().unwrap());
                let head =
                    format!("X-Doc-Id: {id}\r\nX-Rev-Id: {rev}\r\nContent-Type: multipart/related; boundary={inner}");
                body.extend_from_slice(format!("{head}\r\n\r\n").as_bytes());
                body.extend_from_slice(&related.body);
            }
            Item::Error(error) => {
                let head = "Content-Type: application/json; error=\"true\"";
                body.extend_from_slice(format!("{head}\r\n\r\n{error}").as_bytes());
            }
        }
    }
    body.extend_from_slice(format!("\r\n--{OUTER}--").as_bytes());
    let mut answer = Answer::new(200, &format!("multipart/mixed; boundary=\"{OUTER}\""), body);
    answer.is_chunked = true;
    answer
}
