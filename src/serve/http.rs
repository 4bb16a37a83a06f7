//! The HTTP API: from a request to an answer.

pub mod request;

/// The endpoint: what all requests share.
pub struct Server;
