//! `!code` and `!json`: includes in function sources, expanded as text.

use std::collections::BTreeSet;

use super::Sources;
use crate::path::RelPath;

/// The files that the macros of `sources` include and that are not loaded yet (neither in `fields` nor in `includes`),
/// out of `listing`, all files of the app's folder. Load them into [`Sources::includes`] and ask again, as they may
/// include others, until nothing is missing.
pub fn missing(sources: &Sources, listing: &BTreeSet<RelPath>) -> BTreeSet<RelPath> {
    let _ = (sources, listing);
    unimplemented!()
}
