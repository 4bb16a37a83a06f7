//! The integration tests: one crate, one module per subject.

mod client;
mod requests;
mod scripted_server;
