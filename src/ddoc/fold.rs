//! Folder → document.

use super::{Finding, FoldOptions, Folded, Sources};

/// Builds the document of a folder. Errors are collected: the list holds every one of them (and the warnings).
pub fn fold(sources: &Sources, options: &FoldOptions) -> Result<Folded, Vec<Finding>> {
    let _ = (sources, options);
    unimplemented!()
}
