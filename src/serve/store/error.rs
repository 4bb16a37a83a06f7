//! What a store fails at.

use std::error::Error;

/// What a store failed at.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is a database of this name already.
    #[error("the database exists")]
    Exists,
    /// There is no such database (any more).
    #[error("the database does not exist")]
    Missing,
    /// The name has no room on the disk: with what is escaped in it, it may have 238 characters.
    #[error("the name of the database is too long")]
    TooLong,
    /// A digest that the client gave is not that of its bytes.
    #[error("the bytes are not those of the digest")]
    Digest,
    /// SQLite or the disk failed.
    #[error("the store failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Something that has no cause but itself.
    pub(super) fn failed(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(reason.into())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::failed(error)
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}
