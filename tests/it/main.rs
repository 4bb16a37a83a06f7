//! The integration tests: one crate, one module per subject.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod ddoc;
