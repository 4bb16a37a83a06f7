//! A document that changed on the server between the plan and the write.
//!
//! Fields that people edit meanwhile are kept; a file that somebody else put there is not overwritten. And what an
//! earlier run, killed before it saw the answer, has written after all is no conflict.

use super::confirm::{Likeness, liken};
use super::{Outbound, Replaced, Sender, Sent};
use crate::couch::Document;
use crate::couch::digest::Digest;
use crate::local::{Fingerprint, Sums, blocking};
use crate::media::Record;
use crate::transfer::TransferError;

impl Outbound {
    /// Whether a document is ours and holds the very file that this one was to replace. A digest that the server does
    /// not tell is the same as no other.
    pub(super) fn replaces_file_of(&self, document: &Document) -> bool {
        let Some(replaced) = &self.replaces else { return false };
        if Record::read(&document.id, &document.body).is_none() {
            return false;
        }
        let digest = file_digest(document);
        document.revision.as_str() == &*replaced.revision || (digest.is_some() && digest == replaced.digest)
    }

    /// The same file, to replace what `document` holds.
    pub(super) fn onto(self, document: &Document) -> Self {
        let (revision, digest) = (document.revision.as_str().into(), file_digest(document));
        Self { replaces: Some(Replaced { revision, digest }), ..self }
    }
}

/// The digest of the file that a document of ours holds.
fn file_digest(document: &Document) -> Option<Digest> {
    let record = Record::read(&document.id, &document.body)?;
    document.attachment(&record.attachment)?.digest
}

impl Sender<'_> {
    /// The document of a file as it is now.
    pub(super) async fn current(&self, file: &Outbound) -> Result<Option<Document>, TransferError> {
        Ok(self.database.documents(std::slice::from_ref(&file.id)).await?.into_iter().next().flatten())
    }

    /// Looks at what stands where a file was to go.
    pub(super) async fn look(&self, file: &Outbound) -> Result<Found, TransferError> {
        let Some(document) = self.current(file).await? else { return Ok(Found::Gone) };
        let Some(record) = Record::read(&document.id, &document.body) else { return Ok(Found::Foreign) };
        let stub = document.attachment(&record.attachment);
        let (folder, path) = (self.folder.clone(), file.path.clone());
        let reading = move || folder.fingerprint(&path, Sums::Md5AndSha256, &|_| ());
        let fingerprint: Fingerprint = blocking(reading).await.map_err(TransferError::Task)??;
        let same = stub.is_some_and(|stub| {
            let likeness = liken(stub, fingerprint.length, Digest::from_md5(fingerprint.md5), None);
            let claimed = Some(record.sha256) == fingerprint.sha256 && record.size == fingerprint.length;
            claimed && likeness == Likeness::Same
        });
        if let (true, Some(stub)) = (same, stub) {
            let (digest, encoded) = (stub.digest, stub.encoding.is_some());
            let (revision, attachment) = (document.revision.clone(), record.attachment);
            let has_conflicts = !document.conflicts.is_empty();
            return Ok(Found::Ours(Box::new(Sent {
                fingerprint,
                revision,
                attachment,
                digest,
                encoded,
                weak: false,
                has_conflicts,
            })));
        }
        // A new document of ours whose text cannot be compared by digests holds what it says, if nobody replaced it: its
        // content is sent again, which changes nothing but the revision.
        let is_own_text = file.replaces.is_none() && Some(record.sha256) == fingerprint.sha256;
        if file.replaces_file_of(&document) || is_own_text || self.options.force {
            return Ok(Found::Edited(Box::new(document)));
        }
        Ok(Found::Replaced)
    }
}

/// What stands where a file was to go.
pub(super) enum Found {
    Gone,
    Foreign,
    /// The file itself is there.
    Ours(Box<Sent>),
    /// The attachment is as it was planned to be replaced, or may be overwritten.
    Edited(Box<Document>),
    /// Another content.
    Replaced,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::couch::Stub;
    use crate::couch::digest;
    use crate::json::Object;
    use crate::media::{created, file_attachment};
    use crate::name::{DocId, Revision};
    use crate::path::RelPath;

    fn document(content: &[u8], digest: Option<Digest>) -> Document {
        let path = RelPath::new("a.jpg").unwrap();
        let record = Record {
            size: content.len() as u64,
            content_type: "image/jpeg".to_owned(),
            modified: 1,
            sha256: [1; 32],
            attachment: file_attachment(&path),
            facts: Object::new(),
            path,
        };
        let stub = Stub {
            content_type: "image/jpeg".into(),
            length: content.len() as u64,
            digest,
            revpos: Some(1),
            encoding: None,
            encoded_length: None,
            raw: Object::new(),
        };
        Document {
            id: DocId::new("a.jpg").unwrap(),
            revision: Revision::new("1-a").unwrap(),
            deleted: false,
            body: created(&record, &[]),
            attachments: vec![(record.attachment.clone(), stub)],
            conflicts: Vec::new(),
            ancestors: Vec::new(),
        }
    }

    #[test]
    fn only_what_was_to_be_replaced_is_replaced() {
        let (ours, theirs) = (digest::of(b"ours"), digest::of(b"theirs"));
        let path = RelPath::new("a.jpg").unwrap();
        let file = |replaces: Option<Option<Digest>>| Outbound {
            filed: path.clone(),
            id: DocId::new("a.jpg").unwrap(),
            length: 4,
            replaces: replaces.map(|digest| Replaced { revision: "1-b".into(), digest }),
            path: path.clone(),
        };
        let table = [
            (Some(Some(ours)), Some(ours), true),
            (Some(Some(ours)), Some(theirs), false),
            (Some(Some(ours)), None, false),
            (Some(None), None, false),
            (Some(None), Some(ours), false),
            (None, None, false),
            (None, Some(ours), false),
        ];
        for (replaces, stored, expected) in table {
            let document = document(b"ours", stored);
            assert_eq!(file(replaces).replaces_file_of(&document), expected, "{replaces:?} {stored:?}");
        }
        // A server that tells no digests tells revisions.
        let mut unchanged = document(b"ours", None);
        unchanged.revision = Revision::new("1-b").unwrap();
        assert!(file(Some(None)).replaces_file_of(&unchanged));
        let planned = file(Some(Some(ours)));
        let mut edited = document(b"ours", Some(ours));
        edited.body.insert("caption".into(), json!("Sunset"));
        assert!(planned.replaces_file_of(&edited), "fields are no matter of the file");
        let mut foreign = edited.clone();
        foreign.body.shift_remove("file");
        assert!(!planned.replaces_file_of(&foreign));
        let mut bare = edited;
        bare.attachments.clear();
        assert!(!planned.replaces_file_of(&bare));
        assert!(planned.onto(&document(b"theirs", Some(theirs))).replaces_file_of(&document(b"", Some(theirs))));
    }
}
