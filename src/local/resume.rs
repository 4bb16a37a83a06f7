//! Unfinished files: those that go on where a run before them ended, and those that nobody will finish.

use std::path::Path;

use super::{Destination, Listing, LocalError, WriteOptions, Writer};
use crate::path::RelPath;

impl Destination {
    /// [`begin`](Self::begin) for a large file: what an earlier try with the same `tag` left is there already, and how many
    /// bytes that are. The tag names the content that is expected (a digest, a revision); another one begins anew.
    ///
    /// Dropped, the writer leaves its bytes for the next try.
    pub fn resume(&self, path: &RelPath, options: WriteOptions, tag: &str) -> Result<(Writer, u64), LocalError> {
        let _ = (path, options, tag);
        unimplemented!()
    }

    /// Where [`resume`](Self::resume) keeps the unfinished file.
    pub fn partial(path: &RelPath, tag: &str) -> Result<RelPath, LocalError> {
        let _ = (path, tag);
        unimplemented!()
    }

    /// Removes the unfinished files of runs that were killed, as `listing` found them, but for those that `keep` wants.
    /// How many. Only for who holds the folder's lock: another run's files look the same.
    pub fn remove_temporaries(&self, listing: &Listing, keep: &dyn Fn(&RelPath) -> bool) -> Result<usize, LocalError> {
        let _ = (listing, keep);
        unimplemented!()
    }
}

/// Waits until everything that was written to the file system of `root` is on its disk. Where there is no such call, it
/// does nothing. Blocks.
pub fn sync_file_system(root: &Path) -> Result<(), LocalError> {
    let _ = root;
    unimplemented!()
}
