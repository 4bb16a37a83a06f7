//! Keep folders and CouchDB in step.
//!
//! Data flows one way: `cli` → `settings` → `commands` → snapshots (`local`, `couch`) → `plan` → `transfer` → `report`.
//! `ddoc` is the pure mapping between a design document and a folder. ARCHITECTURE.md has the picture.

pub mod address;
pub mod check;
pub mod cli;
pub mod commands;
pub mod content_type;
pub mod couch;
pub mod ddoc;
pub mod exit;
pub mod filter;
pub mod hexadecimal;
pub mod json;
pub mod local;
pub mod mark;
pub mod media;
pub mod name;
pub mod path;
pub mod plan;
pub mod random;
pub mod replicator;
pub mod report;
pub mod secret;
#[cfg(feature = "serve")]
pub mod serve;
pub mod settings;
pub mod snapshot;
pub mod transfer;

pub use commands::run;
