//! View indexes: built from `map` functions, kept in CouchDB's order, asked by key and reduced.

pub mod collation;
