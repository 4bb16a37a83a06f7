//! Carries a plan out: bytes from a folder into one write, or attachments into files.

mod download;
mod receive;
mod upload;
mod verify;

pub use download::{Wanted, content, content_md5, fetch};
pub use receive::{Arrived, Fetch, ReceiveOptions, receive};
pub use upload::{FileSource, Outgoing, prepare};
pub use verify::{Mismatch, verify};

use crate::couch::CouchError;
use crate::couch::digest::Damage;
use crate::local::LocalError;
use crate::name::AttName;

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
    /// A background task was lost.
    #[error("a background task ended early")]
    Task(#[source] std::io::Error),
}
