//! Recognition of our own write after its answer was lost.
//!
//! An answer that does not come says nothing: CouchDB commits and then the connection breaks, and the repeated write
//! would be told 409. The document itself tells: if our parent is the parent of what is there now and the content is
//! ours, the write has landed; if our parent is still the current revision, nothing has happened.

use bytes::Bytes;

use super::digest::{self, Digest, Verifier};
use super::{Attachment, CouchError, Database, Document, Missing, Read, Stub, Write};
use crate::json::{Object, same_object};
use crate::name::{AttName, DocId, Revision};

/// What a document looks like when our write has landed.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) id: DocId,
    parent: Option<Revision>,
    deleted: bool,
    body: Object,
    attachments: Vec<(AttName, Content)>,
}

/// What an attachment must be.
#[derive(Debug)]
pub(super) enum Content {
    /// What this stub says.
    Stub(Stub),
    /// Sent bytes.
    Sent { content_type: String, length: u64, gzip: bool, digest: Digest },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Our write, under this revision.
    Landed(Revision),
    /// The state before our write.
    Untouched,
    /// Somebody else's write.
    Changed,
}

impl Expected {
    pub(super) fn of(write: &Write) -> Self {
        let content = |attachment: &Attachment| match attachment {
            Attachment::Stub(stub) => Content::Stub(stub.clone()),
            Attachment::New(new) => Content::Sent {
                content_type: new.content_type.clone(),
                length: new.length,
                gzip: new.encoded.is_some(),
                digest: new.digest,
            },
        };
        let attachments = write.attachments.iter().map(|(name, attachment)| (name.clone(), content(attachment)));
        Self {
            id: write.id.clone(),
            parent: write.parent.clone(),
            deleted: false,
            body: write.body.clone(),
            attachments: attachments.collect(),
        }
    }

    pub(super) fn tombstone(id: &DocId, parent: &Revision) -> Self {
        let (body, attachments) = (Object::new(), Vec::new());
        Self { id: id.clone(), parent: Some(parent.clone()), deleted: true, body, attachments }
    }
}

impl Database {
    /// Reads the document to see what became of a write.
    pub(super) async fn recognise(&self, expected: &Expected) -> Result<Found, CouchError> {
        let read = Read { revisions: true, ..Read::default() };
        let current = match self.document(&expected.id, &read).await {
            Err(CouchError::NotFound { what: Missing::Document { .. }, .. }) => return self.absent(expected).await,
            current => current?,
        };
        let Some(parent) = &expected.parent else {
            // Who creates has no parent; the document may stand on a tombstone.
            let ours = self.is_ours(expected, &current).await?;
            return Ok(if ours { Found::Landed(current.revision) } else { Found::Changed });
        };
        if current.revision == *parent {
            return Ok(Found::Untouched);
        }
        let Some(at) = current.ancestors.iter().position(|ancestor| ancestor == parent) else {
            return Ok(Found::Changed);
        };
        let candidate = match at.checked_sub(1) {
            None => current,
            // Somebody has written on top of the child of our parent, which may have been ours.
            Some(child) => {
                let read = Read { revision: Some(current.ancestors[child].clone()), ..Read::default() };
                match self.document(&expected.id, &read).await {
                    Err(CouchError::NotFound { .. }) => return Ok(Found::Changed),
                    candidate => candidate?,
                }
            }
        };
        let ours = self.is_ours(expected, &candidate).await?;
        Ok(if ours { Found::Landed(candidate.revision) } else { Found::Changed })
    }

    /// There is no document: it was never there, or it is deleted.
    async fn absent(&self, expected: &Expected) -> Result<Found, CouchError> {
        let Some(parent) = &expected.parent else { return Ok(Found::Untouched) };
        let Some(tombstone) = self.tombstone_of(&expected.id).await? else { return Ok(Found::Changed) };
        if !expected.deleted {
            return Ok(Found::Changed);
        }
        let read = Read { revision: Some(tombstone.clone()), revisions: true, conflicts: false };
        let deleted = self.document(&expected.id, &read).await?;
        let ours = deleted.deleted && deleted.ancestors.first() == Some(parent);
        Ok(if ours { Found::Landed(tombstone) } else { Found::Changed })
    }

    async fn is_ours(&self, expected: &Expected, found: &Document) -> Result<bool, CouchError> {
        let same = found.deleted == expected.deleted
            && same_object(&found.body, &expected.body)
            && found.attachments.len() == expected.attachments.len();
        if !same {
            return Ok(false);
        }
        for (name, content) in &expected.attachments {
            let ours = match found.attachment(name) {
                Some(stub) => self.is_content(found, name, stub, content).await?,
                None => false,
            };
            if !ours {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_content(
        &self,
        found: &Document,
        name: &AttName,
        stub: &Stub,
        content: &Content,
    ) -> Result<bool, CouchError> {
        match content {
            Content::Stub(kept) => Ok(stub.digest == kept.digest && stub.length == kept.length),
            Content::Sent { content_type, length, gzip, digest } => {
                if stub.length != *length || stub.content_type != *content_type {
                    return Ok(false);
                }
                let stored_by_server = stub.encoding.is_some() && !gzip;
                match stub.digest {
                    Some(found) if !stored_by_server => Ok(found == *digest),
                    _ if *gzip => Ok(false),
                    // The digest is that of the server's own gzip: only the content tells.
                    _ => Ok(self.content_digest(found, name, stub).await? == Some(*digest)),
                }
            }
        }
    }

    /// The digest of an attachment's content; `None` when what arrives is damaged.
    async fn content_digest(
        &self,
        found: &Document,
        name: &AttName,
        stub: &Stub,
    ) -> Result<Option<Digest>, CouchError> {
        let mut download = self.attachment(&found.id, name, &found.revision).await?;
        let mut verifier = Verifier::new(stub, download.encoding.as_deref() == Some("gzip"));
        let (mut content, mut hasher) = (Vec::new(), digest::CandidateHasher::new(false));
        while let Some(bytes) = download.chunk().await? {
            let bytes: Bytes = bytes;
            if verifier.update(&bytes, &mut content).is_err() {
                return Ok(None);
            }
            hasher.update(&content);
            content.clear();
        }
        Ok(verifier.finish().is_ok().then(|| hasher.finish().plain))
    }
}
