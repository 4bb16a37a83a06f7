//! What was written is looked at: a file counts as sent when the server shows its very bytes.

use super::draft::Draft;
use super::single::Onto;
use super::{Outbound, Outcome, Outcomes, Sender, Sent};
use crate::couch::digest::{Candidates, Digest, is_compressible};
use crate::couch::{Attachment, CouchError, Document, Read, Stub, Written};
use crate::local::{LocalError, blocking};
use crate::name::DocId;
use crate::transfer::{TransferError, content_md5};

/// How an attachment on the server compares with the bytes that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    Same,
    Other,
    /// The server compressed it in a way of its own: only reading it tells.
    Unknown,
}

/// Compares what the server lists with the content whose md5 is `plain`; `stored` is the digest expected of it.
pub(super) fn liken(stub: &Stub, length: u64, plain: Digest, stored: Option<Digest>) -> Likeness {
    let Some(digest) = stub.digest else { return Likeness::Unknown };
    let is_compressed = stub.encoding.is_some() || is_compressible(&stub.content_type);
    if stub.length != length {
        // An attachment that came with `Content-Encoding` tells its encoded length.
        return if stub.encoded_length == Some(stub.length) { Likeness::Unknown } else { Likeness::Other };
    }
    match digest {
        digest if digest == plain || Some(digest) == stored => Likeness::Same,
        _ if is_compressed => Likeness::Unknown,
        _ => Likeness::Other,
    }
}

/// What the server shows of a write.
pub(super) enum Looked {
    /// The very bytes that were sent.
    Same(Box<Sent>),
    /// Others; this is their document.
    Altered(Box<Document>),
}

impl Sender<'_> {
    /// Reads documents back whose revisions do not vouch for them, and returns the files of which nothing could be seen.
    pub(super) async fn confirm(
        &self,
        doubtful: Vec<(Draft, Written)>,
        outcomes: &mut Outcomes,
    ) -> Result<Vec<Outbound>, TransferError> {
        let ids: Vec<DocId> = doubtful.iter().map(|(draft, _)| draft.file.id.clone()).collect();
        let Ok(documents) = self.sort(self.database.documents(&ids).await.map_err(TransferError::from))? else {
            return Ok(doubtful.into_iter().map(|(draft, _)| draft.file).collect());
        };
        for ((draft, written), document) in doubtful.into_iter().zip(documents) {
            match self.sort(self.look_back(&draft, written, document).await)? {
                // What was damaged on its way is sent once more, by itself and with its digest.
                Ok(Looked::Altered(document)) => {
                    let file = draft.file.onto(&document);
                    outcomes.push(self.deliver(file, Onto::Known(Some(*document))).await?);
                }
                Ok(Looked::Same(sent)) => self.settled(draft.file, Ok(*sent), outcomes),
                Err(error) => self.settled(draft.file, Err(error), outcomes),
            }
        }
        Ok(Vec::new())
    }

    async fn look_back(
        &self,
        draft: &Draft,
        written: Written,
        document: Option<Document>,
    ) -> Result<Looked, TransferError> {
        // Somebody may have written on top of ours at once; what ours was is no longer listed, but still there.
        let document = match document.filter(|document| document.revision == written.revision) {
            Some(document) => Some(document),
            None => self.revision(draft, &written).await?,
        };
        let Some(document) = document else {
            return Err(TransferError::Vanished { id: draft.file.id.clone() });
        };
        self.compare(draft, document, written).await
    }

    async fn revision(&self, draft: &Draft, written: &Written) -> Result<Option<Document>, TransferError> {
        let read = Read { revision: Some(written.revision.clone()), ..Read::default() };
        match self.database.document(&draft.file.id, &read).await {
            Ok(document) => Ok(Some(document)),
            Err(CouchError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Compares a draft with the document that the server shows of it.
    pub(super) async fn compare(
        &self,
        draft: &Draft,
        document: Document,
        written: Written,
    ) -> Result<Looked, TransferError> {
        for (name, sent) in &draft.write.attachments {
            let Attachment::New(new) = sent else { continue };
            let Some(stub) = document.attachment(name) else { return Ok(Looked::Altered(Box::new(document))) };
            let is_own = *name == draft.own;
            let plain = if is_own { Digest::from_md5(draft.fingerprint.md5) } else { new.digest };
            let likeness = match liken(stub, new.length, plain, draft.stored(name)) {
                Likeness::Unknown if is_own => self.look_closer(draft, &document, stub).await?,
                likeness => likeness,
            };
            if likeness != Likeness::Same {
                return Ok(Looked::Altered(Box::new(document)));
            }
        }
        let Some(stub) = document.attachment(&draft.own) else { return Ok(Looked::Altered(Box::new(document))) };
        Ok(Looked::Same(Box::new(Sent {
            fingerprint: draft.fingerprint.clone(),
            revision: document.revision.clone(),
            attachment: draft.own.clone(),
            digest: stub.digest,
            encoded: stub.encoding.is_some(),
            weak: written.weak,
            has_conflicts: draft.has_conflicts,
        })))
    }

    /// Compresses the file as servers do, and where that tells nothing reads what the server holds.
    async fn look_closer(&self, draft: &Draft, document: &Document, stub: &Stub) -> Result<Likeness, TransferError> {
        let small = draft.fingerprint.length <= super::INLINE;
        if let (Some(digest), true) = (stub.digest, small) {
            let (folder, path) = (self.folder.clone(), draft.file.path.clone());
            let candidates = move || -> Result<Candidates, LocalError> {
                Ok(Candidates::of(&folder.read(&path, super::INLINE)?, true))
            };
            if let Ok(candidates) = blocking(candidates).await.map_err(TransferError::Task)?
                && candidates.plain == Digest::from_md5(draft.fingerprint.md5)
                && candidates.contain(digest)
            {
                return Ok(Likeness::Same);
            }
        }
        let md5 = content_md5(self.database, &document.id, &document.revision, &draft.own, stub).await?;
        Ok(if md5 == draft.fingerprint.md5 { Likeness::Same } else { Likeness::Other })
    }
}

impl Draft {
    /// The outcome for a write whose revision vouches for its content.
    pub(super) fn sent(self, written: Written) -> (Outbound, Outcome) {
        let file = self.file.clone();
        (file, Ok(self.held(written)))
    }

    /// What the server holds after such a write.
    pub(super) fn held(self, written: Written) -> Sent {
        let digest = self.stored(&self.own);
        let encoded = digest.is_some_and(|digest| digest != Digest::from_md5(self.fingerprint.md5));
        let (fingerprint, attachment) = (self.fingerprint, self.own);
        let has_conflicts = self.has_conflicts;
        Sent { fingerprint, revision: written.revision, attachment, digest, encoded, weak: written.weak, has_conflicts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::couch::digest;
    use crate::json::Object;

    fn stub(content: &[u8], stored: &[u8], content_type: &str) -> Stub {
        Stub {
            content_type: content_type.into(),
            length: content.len() as u64,
            digest: Some(digest::of(stored)),
            revpos: Some(1),
            encoding: (content != stored).then(|| "gzip".into()),
            encoded_length: None,
            raw: Object::new(),
        }
    }

    #[test]
    fn one_altered_byte_is_another_content() {
        let (sent, altered) = (b"a picture".as_slice(), b"a pictvre".as_slice());
        let judge = |stub: &Stub, stored| liken(stub, sent.len() as u64, digest::of(sent), stored);
        assert_eq!(judge(&stub(sent, sent, "image/jpeg"), None), Likeness::Same);
        assert_eq!(judge(&stub(altered, altered, "image/jpeg"), None), Likeness::Other);
        assert_eq!(judge(&stub(b"a pictur", b"a pictur", "image/jpeg"), None), Likeness::Other);
        let (compressed, other) = (digest::gzip(sent, 8), digest::gzip(altered, 8));
        assert_eq!(judge(&stub(sent, &compressed, "text/plain"), Some(digest::of(&compressed))), Likeness::Same);
        assert_eq!(judge(&stub(sent, &compressed, "text/plain"), None), Likeness::Unknown);
        assert_eq!(judge(&stub(altered, &other, "text/plain"), Some(digest::of(&compressed))), Likeness::Unknown);
        // A server that stores text as it is.
        assert_eq!(judge(&stub(sent, sent, "text/plain"), Some(digest::of(&compressed))), Likeness::Same);
        let nameless = Stub { digest: None, ..stub(sent, sent, "image/jpeg") };
        assert_eq!(judge(&nameless, None), Likeness::Unknown);
    }
}
