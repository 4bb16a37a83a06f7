//! A write is done when the server shows what was sent.

use crate::couch::{Attachment, Document, Write};
use crate::json;

/// What the server holds is not what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The body differs.
    #[error("the document's fields are not those that were sent")]
    Body,
    /// An attachment is missing, or one is there that was not sent.
    #[error("the server lists other attachments than were sent")]
    Names,
    /// An attachment differs.
    #[error("attachment `{0}` is not what was sent")]
    Attachment(String),
}

/// Compares `document`, as read back, with the write that made it.
///
/// A part that the server compressed by itself has a digest that cannot be predicted surely; CouchDB checked the digest of
/// what arrived, so its length is compared here.
pub fn verify(write: &Write, document: &Document) -> Result<(), Mismatch> {
    if !json::same_object(&write.body, &document.body) {
        return Err(Mismatch::Body);
    }
    if write.attachments.len() != document.attachments.len() {
        return Err(Mismatch::Names);
    }
    for (name, sent) in &write.attachments {
        let stored = document.attachment(name).ok_or(Mismatch::Names)?;
        let same = match sent {
            Attachment::Stub(stub) => stub.digest == stored.digest && stub.length == stored.length,
            Attachment::New(new) => {
                let as_sent = new.encoded.is_some() == stored.encoding.is_some();
                stored.length == new.length && (!as_sent || stored.digest.is_none_or(|digest| digest == new.digest))
            }
        };
        if !same {
            return Err(Mismatch::Attachment(name.to_string()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::couch::digest::{self, Digest};
    use crate::couch::{NewAttachment, Stub};
    use crate::json::Object;
    use crate::name::{AttName, DocId, Revision};

    fn name() -> AttName {
        AttName::new("a.txt").unwrap()
    }

    fn sent(bytes: &'static [u8]) -> Write {
        let new = NewAttachment {
            content_type: "text/plain".into(),
            length: bytes.len() as u64,
            encoded: None,
            digest: digest::of(bytes),
            source: Arc::new(Bytes::from_static(bytes)),
        };
        Write {
            id: DocId::new("d").unwrap(),
            parent: None,
            body: json!({"a": 1}).as_object().unwrap().clone(),
            attachments: vec![(name(), Attachment::New(new))],
            progress: None,
        }
    }

    fn stored(bytes: &[u8], digest: Digest, encoding: Option<&str>) -> Document {
        let stub = Stub {
            content_type: "text/plain".into(),
            length: bytes.len() as u64,
            digest: Some(digest),
            revpos: Some(1),
            encoding: encoding.map(str::to_owned),
            encoded_length: None,
            raw: Object::new(),
        };
        Document {
            id: DocId::new("d").unwrap(),
            revision: Revision::new("1-a").unwrap(),
            deleted: false,
            body: json!({"a": 1}).as_object().unwrap().clone(),
            attachments: vec![(name(), stub)],
            conflicts: Vec::new(),
            ancestors: Vec::new(),
        }
    }

    #[test]
    fn one_altered_byte_is_found() {
        let write = sent(b"text");
        assert_eq!(verify(&write, &stored(b"text", digest::of(b"text"), None)), Ok(()));
        let altered = stored(b"tezt", digest::of(b"tezt"), None);
        assert_eq!(verify(&write, &altered), Err(Mismatch::Attachment("a.txt".into())));
        let shorter = stored(b"tex", digest::of(b"tex"), Some("gzip"));
        assert_eq!(verify(&write, &shorter), Err(Mismatch::Attachment("a.txt".into())));
    }

    #[test]
    fn what_the_server_compressed_is_told_by_its_length() {
        let compressed = stored(b"text", digest::of(&digest::gzip(b"text", 8)), Some("gzip"));
        assert_eq!(verify(&sent(b"text"), &compressed), Ok(()));
    }

    #[test]
    fn other_fields_and_other_attachments_are_found() {
        let mut document = stored(b"text", digest::of(b"text"), None);
        document.body.insert("b".into(), 1.into());
        assert_eq!(verify(&sent(b"text"), &document), Err(Mismatch::Body));
        let mut document = stored(b"text", digest::of(b"text"), None);
        document.attachments.clear();
        assert_eq!(verify(&sent(b"text"), &document), Err(Mismatch::Names));
    }
}
