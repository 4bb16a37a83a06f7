//! A file of a media folder as a document: its id, its `file` record, what the file itself tells, its thumbnail.
//!
//! Everything here is computed from what it is given: no disk, no server, no clock. Files and documents are foreign:
//! whatever bytes or JSON they hold, nothing here fails, panics, or uses more time and memory than its limits allow.
//! What cannot be told is left out.
//!
//! The document of a file belongs to the people who use it. Of its members only `file` is ours, and `type` and `tags`
//! on the day it is created.

pub use crate::name::escape::{
    attachment_name, document_id, file_attachment, thumbnail_attachment as thumbnail_name, unescaped,
};
pub use facts::describe;
pub use record::{Record, created, folder_tags, has_tags, updated};
pub use thumbnail::{Thumbnail, thumbnail};

mod archive;
mod book;
mod bounded;
mod facts;
mod film;
mod pdf;
mod picture;
mod record;
mod sound;
mod thumbnail;
mod time;

#[cfg(test)]
mod damage;
#[cfg(test)]
mod samples;
