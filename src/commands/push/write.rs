//! Writing one document: assembled from the plan, sent as one revision, read back.

use anyhow::Result;

use crate::commands::prepare::{Place, Prepared};
use crate::couch::digest::Digest;
use crate::couch::{Attachment, CouchError, Document, Write};
use crate::exit::{Exit, Failure};
use crate::hexadecimal;
use crate::mark::Mark;
use crate::name::{AttName, Revision};
use crate::plan::{Key, compose};
use crate::transfer::{self, Outgoing};

/// What was written.
pub(super) struct Pushed {
    pub before: Option<Revision>,
    pub after: Revision,
    pub document: Document,
    pub weak: bool,
}

impl Place<'_> {
    /// Writes the document as one revision, and reads it back.
    pub(super) async fn write(&self, prepared: &Prepared<'_>, mut write: Write) -> Result<Pushed> {
        let written = match self.database.put(&write).await {
            // The server does not have an attachment that its own document lists: everything is sent anew.
            Err(CouchError::MissingStub { .. }) => {
                let progress = write.progress.take();
                write = Write { progress, ..self.assemble(prepared, false).await? };
                self.database.put(&write).await
            }
            other => other,
        };
        let written = written.map_err(|error| self.failure(error, prepared))?;
        let document = self.read(&write.id).await?.filter(|document| document.revision == written.revision);
        let document = document.ok_or_else(|| {
            let message = format!("`{}` was written, but somebody else changed it at once", write.id);
            Failure::new(Exit::Conflict, message).hint("`couchapp status` shows what differs now")
        })?;
        transfer::verify(&write, &document).map_err(|mismatch| {
            Failure::new(Exit::Failed, format!("`{}` was written, but not as it was sent", write.id)).because(mismatch)
        })?;
        let before = prepared.remote.as_ref().map(|remote| remote.revision.clone());
        Ok(Pushed { before, after: written.revision, document, weak: written.weak })
    }

    fn failure(&self, error: CouchError, prepared: &Prepared<'_>) -> anyhow::Error {
        match error {
            CouchError::Conflict { .. } => {
                let message = format!("`{}` changed on the server during this push", prepared.local.folded.id);
                let failure = Failure::new(Exit::Conflict, message).because(error);
                failure.hint("nothing was overwritten; push again to see what changed").into()
            }
            error => self.reached.failure(error),
        }
    }

    /// The write that the plan asks for. Without `stubs`, what is unchanged is sent again where the folder has it.
    pub(super) async fn assemble(&self, prepared: &Prepared<'_>, stubs: bool) -> Result<Write> {
        let mut outgoing = Vec::new();
        let mut kept = Vec::new();
        for change in &prepared.plan.changes {
            let Key::Attachment(name) = &change.key else { continue };
            let file = prepared.local.attachments.get(name);
            let stub = prepared.remote.as_ref().and_then(|remote| remote.attachment(name));
            match (change.mark, stub, file) {
                (Mark::Removed, ..) => {}
                (Mark::Same, Some(stub), _) if stubs => kept.push((name.clone(), Attachment::Stub(stub.clone()))),
                (Mark::New | Mark::Changed | Mark::Same, _, Some(_)) => outgoing.push(prepared.outgoing(name)),
                (_, Some(stub), _) => kept.push((name.clone(), Attachment::Stub(stub.clone()))),
                (_, None, _) => {}
            }
        }
        let outgoing = outgoing.into_iter().flatten().collect();
        let encode = self.reached.welcome.kind.takes_encoded_parts();
        let new = transfer::prepare(&self.app.folder, outgoing, encode).await?;
        let mut attachments = kept;
        attachments.extend(new.into_iter().map(|(name, new)| (name, Attachment::New(new))));
        attachments.sort_by(|(left, _), (right, _)| left.cmp(right));
        let nothing = crate::json::Object::new();
        let theirs = prepared.remote.as_ref().map_or(&nothing, |remote| &remote.body);
        Ok(Write {
            id: prepared.local.folded.id.clone(),
            parent: prepared.remote.as_ref().map(|remote| remote.revision.clone()),
            body: compose(&prepared.compared.body, theirs, &prepared.plan),
            attachments,
            progress: None,
        })
    }
}

impl Prepared<'_> {
    fn outgoing(&self, name: &AttName) -> Option<Outgoing> {
        let file = self.local.attachments.get(name)?;
        let entry = self.compared.ours.attachments.get(name)?;
        let cloned = self.origin.as_ref().and_then(|origin| origin.attachments.get(name.as_str()));
        let stored_as = cloned
            .filter(|known| known.md5.as_deref().and_then(hexadecimal::decode) == Some(file.md5))
            .and_then(|known| known.digest.parse::<Digest>().ok());
        Some(Outgoing {
            name: name.clone(),
            path: file.path.clone(),
            length: file.length,
            md5: file.md5,
            content_type: entry.content_type.clone(),
            guessed: self.compared.guessed.contains(name),
            stored_as,
        })
    }
}
