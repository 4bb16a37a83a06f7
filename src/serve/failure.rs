//! What every part of the endpoint fails with: an error as CouchDB tells it.

use axum::http::StatusCode;

use super::store::StoreError;

/// An error as CouchDB answers it: `{"error": …, "reason": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// The word.
    pub error: String,
    /// The reason; `null` for none.
    pub reason: Option<String>,
}

impl Failure {
    /// Any error.
    pub fn new(status: u16, error: impl Into<String>, reason: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, error: error.into(), reason: Some(reason.into()) }
    }

    /// 400 `bad_request`
    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(400, "bad_request", reason)
    }

    /// 400 `query_parse_error`
    pub fn query(reason: impl Into<String>) -> Self {
        Self::new(400, "query_parse_error", reason)
    }

    /// 404 `not_found`; CouchDB's reasons are `missing`, `deleted`, `no_db_file`…
    pub fn not_found(reason: impl Into<String>) -> Self {
        Self::new(404, "not_found", reason)
    }

    /// 409 `conflict`
    pub fn conflict() -> Self {
        Self::new(409, "conflict", "Document update conflict.")
    }

    /// 501: something that CouchDB has and this endpoint has not.
    pub fn absent(what: &str) -> Self {
        Self::new(501, "not_implemented", format!("{what} is not part of this development endpoint"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing => Self::not_found("Database does not exist."),
            StoreError::Exists => {
                Self::new(412, "file_exists", "The database could not be created, the file already exists.")
            }
            StoreError::TooLong => {
                Self::new(400, "database_name_too_long", "At least one path segment of the name is too long.")
            }
            StoreError::Digest => Self::new(400, "content_md5_mismatch", "Possible message corruption."),
            StoreError::Failed(source) => Self::new(500, "internal_server_error", source.to_string()),
        }
    }
}
