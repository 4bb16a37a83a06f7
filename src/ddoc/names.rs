//! Keys and file names: which key a file has, which places hold functions, and the names a manifest remembers.

use std::collections::BTreeMap;

use crate::path::RelPath;

/// Members of the document's root that no file name can hold.
pub(super) const FIELDS_FILE: &str = "_fields.json";

/// True names of attachments whose local name is another.
pub(super) const NAMES_FILE: &str = "_names.json";

/// Members that CouchDB keeps for itself but stores as they are sent
/// (<https://github.com/apache/couchdb/blob/main/src/couch/src/couch_doc.erl>, `transfer_fields`).
const STORED_SPECIALS: [&str; 6] = [
    "_access",
    "_replication_id",
    "_replication_state",
    "_replication_state_reason",
    "_replication_state_time",
    "_replication_stats",
];

/// Objects whose string members are functions.
const FUNCTION_SECTIONS: [&str; 5] = ["shows", "lists", "updates", "filters", "spatial"];

/// Whether CouchDB stores a root member of this name.
pub(super) fn is_storable(root_key: &str) -> bool {
    !root_key.starts_with('_') || STORED_SPECIALS.contains(&root_key)
}

/// Whether a server adds this root member to its answers; it is not part of a document's content.
pub(super) fn is_of_server(root_key: &str) -> bool {
    const OF_SERVER: [&str; 9] = [
        "_id",
        "_rev",
        "_attachments",
        "_deleted",
        "_revisions",
        "_revs_info",
        "_conflicts",
        "_deleted_conflicts",
        "_local_seq",
    ];
    OF_SERVER.contains(&root_key)
}

/// The key of the field in a file of this name: without the last extension. The name does not begin with a dot.
pub(super) fn key_of(file_name: &str) -> &str {
    file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem)
}

/// Whether files of this name hold JSON.
pub(super) fn is_json(file_name: &str) -> bool {
    file_name.rsplit_once('.').is_some_and(|(_, extension)| extension == "json")
}

/// Whether a string at this place is source code, which must be text.
pub(super) fn is_function(keys: &[String]) -> bool {
    match keys {
        [root] => root == "validate_doc_update" || root == "rewrites",
        [views, library, _, ..] if views == "views" && library == "lib" => true,
        _ => is_macro_place(keys),
    }
}

/// Whether macros are expanded in a string at this place.
pub(super) fn is_macro_place(keys: &[String]) -> bool {
    match keys {
        [root] => root == "validate_doc_update",
        [section, _] => FUNCTION_SECTIONS.contains(&section.as_str()),
        [section, _, _] => section == "views" || section == "fulltext",
        _ => false,
    }
}

/// What a manifest remembers about a key: the names it had as a file, whether it was a folder, and the same for its
/// members.
#[derive(Debug, Default)]
pub(super) struct Hint {
    pub(super) folder: bool,
    pub(super) files: Vec<String>,
    pub(super) members: BTreeMap<String, Hint>,
}

impl Hint {
    /// Reads a manifest: files, and folders with a final `/`. Lines that are no path are passed over.
    pub(super) fn from_manifest(lines: &[String]) -> Self {
        let mut root = Self::default();
        for line in lines {
            let (text, is_folder) = match line.strip_suffix('/') {
                Some(text) => (text, true),
                None => (line.as_str(), false),
            };
            if let Ok(path) = RelPath::new(text) {
                root.add(&path, is_folder);
            }
        }
        root
    }

    fn add(&mut self, path: &RelPath, is_folder: bool) {
        let mut hint = self;
        for name in path.ancestors().map(|folder| folder.rsplit('/').next().unwrap_or(folder)) {
            hint = hint.members.entry(name.to_owned()).or_default();
            hint.folder = true;
        }
        if is_folder {
            hint.members.entry(path.name().to_owned()).or_default().folder = true;
        } else {
            let known = hint.members.entry(key_of(path.name()).to_owned()).or_default();
            known.files.push(path.name().to_owned());
        }
    }

    pub(super) fn member(&self, key: &str) -> Option<&Self> {
        self.members.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_extension_is_not_part_of_the_key() {
        let cases = [
            ("map.js", "map"),
            ("lib.min.js", "lib.min"),
            ("README", "README"),
            ("trail.", "trail"),
            ("x.js~", "x"),
            ("x~", "x~"),
            ("a[href=#signup].json", "a[href=#signup]"),
        ];
        for (name, key) in cases {
            assert_eq!(key_of(name), key, "{name}");
        }
    }

    #[test]
    fn functions_are_known_by_their_place() {
        let keys = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        for path in ["views/a/map", "views/lib/m", "views/lib/a/b", "shows/s", "validate_doc_update", "rewrites"] {
            assert!(is_function(&keys(path)), "{path}");
        }
        for path in ["views", "views/a", "lib/m", "shows/a/b", "language", "vendor/x/shows/y"] {
            assert!(!is_function(&keys(path)), "{path}");
        }
        assert!(!is_macro_place(&keys("rewrites")) && !is_macro_place(&keys("views/lib/a/b")));
    }
}
