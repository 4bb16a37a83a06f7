//! Both sides as they are now, read before anything is planned: the folder, and the document on the server.

pub mod attachments;
