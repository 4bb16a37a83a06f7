//! The pure mapping between a design document and a folder.
