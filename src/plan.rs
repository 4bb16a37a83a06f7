//! What has to change, as plain data. Pure.
