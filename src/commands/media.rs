//! What `sync-dir` and `dump` share: the folder with its rules, the memory of earlier runs, and what could not be done.

pub(super) mod down;
mod memory;
mod place;
mod tree;
mod troubles;
mod words;

pub(super) use memory::Memory;
pub(super) use place::place;
pub(super) use tree::{Tree, open_tree, rules};
pub(super) use troubles::Troubles;
pub(super) use words::{fields, files, foretell, listing, outcome, would};
