//! The folder's side: the only module that touches the disk.
