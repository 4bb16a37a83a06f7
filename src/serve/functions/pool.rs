//! The threads.

pub(super) struct Pool;
