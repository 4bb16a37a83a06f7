//! Bytes of attachments on their way into the store: compressed as CouchDB compresses, their digest checked. Blocks; what
//! comes from a connection goes through [`Intake`].

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::couch::digest::{self, Digest, SERVER_LEVEL};
use crate::serve::failure::Failure;
use crate::serve::store::{Blob, BlobWriter, Database, StoreError};

/// How bytes are stored.
#[derive(Clone, Debug, Default)]
pub(in crate::serve) struct Form {
    /// They arrive compressed.
    pub(in crate::serve) is_gzip: bool,
    /// The store compresses them.
    pub(in crate::serve) compresses: bool,
    /// Of the bytes as they arrive.
    pub(in crate::serve) digest: Option<Digest>,
}

impl Form {
    /// For bytes that are as their content type says.
    pub(in crate::serve) fn of(content_type: &str) -> Self {
        Self { is_gzip: false, compresses: digest::is_compressible(content_type), digest: None }
    }
}

/// Bytes being stored.
pub(in crate::serve) struct Storing {
    form: Form,
    target: Target,
    arrived: Md5,
    length: u64,
}

enum Target {
    Plain(Writer),
    Compressed(GzEncoder<Writer>),
}

struct Writer(BlobWriter);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storing {
    /// Begins.
    pub(in crate::serve) fn begin(database: &Database, form: Form) -> Result<Self, Failure> {
        let writer = Writer(database.begin_blob(form.is_gzip || form.compresses)?);
        let target = match form.compresses {
            true => Target::Compressed(digest::encoder(SERVER_LEVEL, writer)),
            false => Target::Plain(writer),
        };
        Ok(Self { form, target, arrived: Md5::new(), length: 0 })
    }

    /// Takes the next bytes.
    pub(in crate::serve) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.length += bytes.len() as u64;
        self.arrived.update(bytes);
        let written = match &mut self.target {
            Target::Plain(writer) => writer.write_all(bytes),
            Target::Compressed(encoder) => encoder.write_all(bytes),
        };
        written.map_err(failed)
    }

    /// Ends. The length of what arrived compressed is that of the compressed bytes, as CouchDB knows no other.
    pub(in crate::serve) fn finish(self) -> Result<Blob, Failure> {
        let arrived = Digest::from_md5(self.arrived.finalize().into());
        if self.form.digest.is_some_and(|expected| expected != arrived) {
            // Not a word about the digest: this is what CouchDB says.
            return Err(Failure::new(500, "unknown_error", "function_clause"));
        }
        let writer = match self.target {
            Target::Plain(writer) => writer,
            Target::Compressed(encoder) => encoder.finish().map_err(failed)?,
        };
        let mut blob = writer.0.finish()?;
        blob.length = self.length;
        Ok(blob)
    }
}

fn failed(error: io::Error) -> Failure {
    StoreError::Failed(Box::new(error)).into()
}

/// Stores bytes that are at hand.
pub(in crate::serve) fn whole(database: &Database, form: Form, bytes: &[u8]) -> Result<Blob, Failure> {
    let mut storing = Storing::begin(database, form)?;
    storing.write(bytes)?;
    storing.finish()
}

/// So many uploads at once: each holds a thread until its last byte has come, and everything else that blocks needs threads as
/// well, of which there are 512. The others wait for their turn.
static UPLOADS: Semaphore = Semaphore::const_new(128);

/// Bytes that come from a connection, stored on a blocking thread. Dropped without an end, it leaves nothing behind.
pub(in crate::serve) struct Intake {
    sender: mpsc::Sender<Bytes>,
    task: JoinHandle<Result<Option<Blob>, Failure>>,
    whole: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Intake {
    /// Begins, when it is its turn.
    pub(in crate::serve) async fn begin(database: &Arc<Database>, form: Form) -> Self {
        let turn = UPLOADS.acquire().await;
        let (sender, mut receiver) = mpsc::channel::<Bytes>(4);
        let (whole, mut is_whole) = tokio::sync::oneshot::channel();
        let database = Arc::clone(database);
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut storing = Storing::begin(&database, form)?;
            while let Some(bytes) = receiver.blocking_recv() {
                storing.write(&bytes)?;
            }
            match is_whole.try_recv() {
                Ok(()) => storing.finish().map(Some),
                Err(_) => Ok(None),
            }
        });
        Self { sender, task, whole: Some(whole) }
    }

    /// Takes the next bytes; waits while the store is behind.
    pub(in crate::serve) async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        // A store that has failed tells why at the end.
        if self.sender.send(bytes).await.is_err() { self.failure().await } else { Ok(()) }
    }

    /// Ends.
    pub(in crate::serve) async fn finish(mut self) -> Result<Blob, Failure> {
        if let Some(whole) = self.whole.take() {
            let _ = whole.send(());
        }
        drop(self.sender);
        match self.task.await {
            Ok(result) => result?.ok_or_else(lost),
            Err(_) => Err(lost()),
        }
    }

    async fn failure(&mut self) -> Result<(), Failure> {
        match (&mut self.task).await {
            Ok(Err(failure)) => Err(failure),
            _ => Err(lost()),
        }
    }
}

fn lost() -> Failure {
    Failure::new(500, "internal_server_error", "the attachment could not be stored")
}
