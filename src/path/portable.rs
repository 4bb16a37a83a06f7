//! Which names can be created on every system, and how the others are escaped.
