//! Random sequences with fixed seeds.
pub(super) fn sequences() -> Vec<super::script::Sequence> { Vec::new() }
