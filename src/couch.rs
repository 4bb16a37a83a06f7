//! The CouchDB client; the only module that names reqwest.
//!
//! A [`Server`] is one origin with its credentials, a [`Database`] one of its databases. Every request goes through one
//! builder of request targets ([`target`]), one table of what is worth another try (`retry`), and one classification of
//! answers ([`CouchError`]). Nothing here touches the disk: what is uploaded comes from a [`Source`], what is downloaded
//! is handed on in chunks. Whatever a server says is hostile: answers have size limits, names and order of attachments
//! come from the JSON only, credentials go to the origin they were given for and follow no redirect.

pub mod digest;
pub mod target;

mod account;
mod answer;
mod body;
mod bulk;
mod bulk_get;
mod changes;
mod client;
mod contents;
mod database;
mod document;
mod error;
mod fault;
mod incoming;
mod jobs;
mod listing;
mod meter;
pub(crate) mod multipart;
mod network;
mod pace;
mod part;
mod prediction;
mod range;
mod read;
mod recognise;
mod replication;
mod retry;
mod rows;
mod security;
mod server;
pub(crate) mod term;
mod write;

pub use account::Account;
pub use bulk::BulkRow;
pub use bulk_get::{BulkGet, Piece};
pub use changes::{Change, Changes, Sequence};
pub use contents::{Contents, NoBase64};
pub use database::{Creation, Database, Info};
pub use document::{Document, Read, Stub};
pub use error::{Answer, CouchError, Missing};
pub use incoming::{Incoming, WithAttachments};
pub use jobs::{Earlier, JobDocument, JobSpec, Phase, Told};
pub use listing::{Pages, Unreadable};
pub use meter::{Errand, Meter, Traffic};
pub use network::{Backoff, Network, Notice, Observer, Pause};
pub use pace::Pace;
pub use prediction::{predicted_revision, revision};
pub use range::IdRange;
pub use read::Download;
pub use replication::{Changed, Feed, FeedPage, Fetched, Held, Lacking, Refusal, RevisionText, Selection};
pub use security::Security;
pub use server::{Kind, Server, Session, Welcome};
pub use write::{Attachment, ByteStream, Encoded, NewAttachment, Opening, Progress, Source, Write, Written};
