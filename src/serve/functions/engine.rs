//! One engine.
