//! The function check: parses JavaScript without running it. Pure.
