//! Keys and file names.
