//! Carries a plan out: bytes from a folder into one write or into many documents, or attachments into files.

mod download;
mod receive;
mod send;
mod upload;
mod verify;

pub use download::{Wanted, content, content_md5, fetch};
pub use receive::{Arrived, Fetch, ReceiveOptions, receive};
pub use send::{Outbound, Outcome, Replaced, SendOptions, Sent, send};
pub use upload::{FileSource, Outgoing, prepare};
pub use verify::{Mismatch, verify};

use crate::couch::CouchError;
use crate::couch::digest::Damage;
use crate::local::LocalError;
use crate::name::{AttName, DocId};

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The folder's side.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The server's side.
    #[error(transparent)]
    Couch(#[from] CouchError),
    /// An attachment that arrives otherwise than the document says, also when it is asked for again.
    #[error("`{name}` arrives damaged")]
    Damaged {
        /// The attachment.
        name: AttName,
        /// How.
        source: Damage,
    },
    /// A document of this id is there that this tool did not make.
    #[error("the document `{id}` is there, and is none of this tool's")]
    Foreign {
        /// The document.
        id: DocId,
    },
    /// Somebody put another file there since this was planned.
    #[error("somebody else changed the file in `{id}` meanwhile; both are kept")]
    Clash {
        /// The document.
        id: DocId,
    },
    /// The server holds other bytes than were sent.
    #[error("the server stored other bytes in `{id}` than were sent")]
    Altered {
        /// The document.
        id: DocId,
    },
    /// The document was written and is gone.
    #[error("`{id}` was written, and was deleted or replaced before it could be looked at")]
    Vanished {
        /// The document.
        id: DocId,
    },
    /// A background task was lost.
    #[error("a background task ended early")]
    Task(#[source] std::io::Error),
}
