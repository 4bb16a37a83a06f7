//! The integration tests: one crate, one module per subject.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod client;
mod requests;
mod scripted_server;
