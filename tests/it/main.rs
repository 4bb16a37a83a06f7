//! The integration tests: one crate, one module per subject.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]
#![allow(clippy::missing_docs_in_private_items, reason = "tests say in their names what they show")]

mod architecture;
#[cfg(all(target_os = "linux", feature = "serve"))]
mod asking;
#[cfg(all(unix, feature = "serve"))]
mod chains;
mod client;
mod contract;
mod ddoc;
#[cfg(feature = "serve")]
mod differential;
#[cfg(feature = "serve")]
mod embedded;
#[cfg(feature = "serve")]
mod embedded_jobs;
mod fake;
mod fake_couch;
mod fault_proxy;
mod functions;
mod harness;
#[cfg(all(unix, feature = "serve"))]
mod hostile_requests;
mod receive;
#[cfg(feature = "serve")]
mod reloading;
#[cfg(feature = "serve")]
mod replicator;
mod requests;
mod rig;
mod scripted_server;
#[cfg(all(unix, feature = "serve"))]
mod serving;
#[cfg(all(unix, feature = "serve"))]
mod watching;
mod wire;
