//! Whether a folder is still as it was read, asked right before something in it is replaced.

use super::{FolderFiles, LocalAttachment};
use crate::couch::digest;
use crate::filter::Verdict;
use crate::local::{FileEntry, HashCache, LocalError, Sums};
use crate::path::RelPath;

impl FolderFiles {
    /// Whether the rules of the folder leave a file at `path` out.
    pub fn is_ignored(&self, path: &RelPath) -> bool {
        self.rules.verdict(path, false) != Verdict::Kept
    }

    /// Whether the file at `path`, of which `attachment` was read if it is one, has the bytes that were read, or is still
    /// missing where there was none.
    pub fn is_as_read(&self, path: &RelPath, attachment: Option<&LocalAttachment>) -> Result<bool, LocalError> {
        let known = match self.fields.get(path) {
            Some(bytes) => Some(digest::of(bytes).md5()),
            None => attachment.map(|file| file.md5),
        };
        let entry = FileEntry { path: path.clone(), length: 0, modified: 0, inode: 0, device: 0, executable: false };
        // Without a cache every byte is read again.
        let sums = self.folder.fingerprints(&[entry], &HashCache::default(), Sums::Md5, &|_| {});
        match sums.into_iter().next() {
            Some(Ok(sum)) => Ok(known == Some(sum.md5)),
            Some(Err(LocalError::NotFound { .. })) => Ok(known.is_none()),
            Some(Err(LocalError::Changed { .. } | LocalError::NotAFile { .. })) | None => Ok(false),
            Some(Err(error)) => Err(error),
        }
    }
}
