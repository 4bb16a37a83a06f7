//! Views that CouchDB refuses: it takes the whole design document or none of it.

use serde_json::Value;

use super::super::finding::Findings;
use super::super::{Finding, KeyPath};
use super::tree::Built;
use crate::path::RelPath;

/// Reports every view without a `map`. The original removed views that are empty or no object; so does `lenient`.
pub(super) fn check(built: &mut Built, findings: &mut Findings) {
    let Some(Value::Object(views)) = built.body.get("views") else { return };
    let mut malformed = Vec::new();
    for (name, view) in views {
        let is_empty = view.as_object().is_none_or(serde_json::Map::is_empty);
        // `views.lib` holds modules, no view; it may even be empty.
        let is_good = if name == "lib" { view.is_object() } else { view.get("map").is_some() };
        if is_good {
            continue;
        }
        let keys: KeyPath = vec!["views".to_owned(), name.clone()];
        let Some(path) = place_of(built, &keys) else { continue };
        let message = match view {
            Value::Object(_) => format!("the view `{name}` has no `map`, and CouchDB refuses such a view"),
            _ => format!("the view `{name}` must be a folder with a `map` function"),
        };
        findings.loss(Finding::error(&path, message));
        if is_empty {
            malformed.push((keys, path));
        }
    }
    for (keys, path) in malformed {
        remove(built, &keys, &path);
    }
}

/// The file of `keys`, or the folder that its members share, or the file that holds it.
fn place_of(built: &Built, keys: &KeyPath) -> Option<RelPath> {
    if let Some((_, path)) = built.origins.iter().find(|(known, _)| keys.starts_with(known)) {
        return Some(path.clone());
    }
    let (below, path) = built.origins.iter().find(|(known, _)| known.starts_with(keys))?;
    (keys.len()..below.len()).try_fold(path.clone(), |path, _| path.parent())
}

fn remove(built: &mut Built, keys: &KeyPath, path: &RelPath) {
    if let Some(Value::Object(views)) = built.body.get_mut("views") {
        views.shift_remove(&keys[1]);
    }
    if built.origins.remove(keys).is_some() {
        let line = path.components().skip_while(|name| *name != "views").collect::<Vec<_>>().join("/");
        built.manifest.retain(|known| known.strip_suffix('/').unwrap_or(known) != line);
    }
}
