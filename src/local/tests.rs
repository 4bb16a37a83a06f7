//! Tests on real folders.

use std::path::Path;

use super::*;

mod hash;
mod ledger;
mod read;
mod remember;
mod resume;
mod walk;
mod write;

fn rel(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

/// Makes files, each with its path as content.
fn fill(root: &Path, paths: &[&str]) {
    for path in paths {
        let file = root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, path).unwrap();
    }
}

/// Every path below `root`, links not followed, sorted.
fn census(root: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name();
    let path = |entry: walkdir::DirEntry| entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned();
    entries.into_iter().map(|entry| path(entry.unwrap())).collect()
}
