//! multipart/related, as CouchDB speaks it: a writer with a known length and a streaming reader.
