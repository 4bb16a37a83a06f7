//! multipart, as CouchDB speaks it: a writer with a known length and a streaming reader.
//!
//! CouchDB takes names and order of the parts from the JSON in the first one and ignores their headers; PouchDB takes
//! the names from `Content-Disposition` and dies without them. What comes back has headers that whoever stored an
//! attachment could choose, so the reader trusts none but `Content-Encoding`.

mod reader;
mod writer;

pub(crate) use reader::{Event, Headers, Reader, ReaderError, boundary_of};
pub(super) use writer::{Part, is_faithful, related};
