//! A document as a flat list of named values, for comparing and showing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Origins;
use crate::json::Object;

/// The values of `body` by the file they come from: one entry per file of `origins`, and for what `origins` does not
/// know one entry per file that `unfold` would write. The generated `couchapp.manifest`, `.signatures` and `.objects` are
/// left out. Give the same `origins` for all the sides of a comparison.
pub fn leaves(body: &Object, origins: &Origins) -> BTreeMap<String, Value> {
    let _ = (body, origins);
    unimplemented!()
}
