//! Which paths are left out, and by which rule. Pure.
