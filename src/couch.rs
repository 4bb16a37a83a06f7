//! The CouchDB client; the only module that names reqwest.
