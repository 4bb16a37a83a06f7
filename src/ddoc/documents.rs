//! `_docs/`: documents that are pushed beside an app.
//!
//! A folder document is built with [`super::fold`](fn@super::fold) from a [`super::Sources`] whose `root` is
//! `_docs/<name>` and whose `folder_name` is that name, with [`super::FoldOptions`] `macros` and `design` off. A plain
//! one is its JSON, unchanged: nothing is added to it.

use serde_json::Value;

use super::finding::Findings;
use super::fold::json;
use super::{Finding, Folded, Origins, names};
use crate::name::DocId;
use crate::path::RelPath;

/// The document in the file `_docs/<name>.json`: its id is its `_id`, else the name without `.json`.
///
/// Its `_rev` is left out, as the current one is asked for when it is pushed. Its only origin is the empty key path: the
/// file holds all of it.
pub fn plain(path: &RelPath, text: &[u8]) -> Result<Folded, Vec<Finding>> {
    let mut findings = Findings::new(false);
    let value = json::read(path, text, &mut findings);
    let Value::Object(mut body) = value else {
        findings.push(Finding::error(path, "a document must be an object"));
        return Err(findings.into_sorted());
    };
    let stem = path.name().strip_suffix(".json").unwrap_or(path.name());
    let id = match body.shift_remove("_id") {
        None => DocId::new(stem).map_err(|error| error.to_string()),
        Some(Value::String(id)) => DocId::new(id).map_err(|error| error.to_string()),
        Some(_) => Err("`_id` must be a string".to_owned()),
    };
    body.shift_remove("_rev");
    for key in body.keys() {
        if key == "_attachments" {
            let message = format!("attachments of a document belong in the folder `_docs/{stem}/_attachments`");
            findings.push(Finding::error(path, message));
        } else if !names::is_storable(key) {
            let message = format!("`{key}` cannot be a document field: CouchDB keeps names that start with `_`");
            findings.push(Finding::error(path, message));
        }
    }
    match id {
        Ok(id) if !findings.has_errors() => {
            let origins = Origins::from([(Vec::new(), path.clone())]);
            Ok(Folded { id, body, origins, findings: findings.into_sorted() })
        }
        Ok(_) => Err(findings.into_sorted()),
        Err(message) => {
            findings.push(Finding::error(path, message));
            Err(findings.into_sorted())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_document_is_its_json() {
        let path = RelPath::new("_docs/a.json").unwrap();
        let folded = plain(&path, br#"{"_rev": "1-a", "b": 1.50, "a": []}"#).unwrap();
        assert_eq!(
            (folded.id.as_str(), Value::Object(folded.body)),
            ("a", serde_json::from_str(r#"{"b":1.50,"a":[]}"#).unwrap())
        );
        assert_eq!(plain(&path, br#"{"_id": "x/y"}"#).unwrap().id.as_str(), "x/y");
        let bad = [
            ("[1]", "must be an object"),
            (r#"{"_id": ""}"#, "empty"),
            (r#"{"_id": 5}"#, "string"),
            (r#"{"_foo": 5}"#, "cannot be a document field"),
            (r#"{"_deleted": true}"#, "cannot be a document field"),
            (r#"{"_attachments": {}}"#, "_docs/a/_attachments"),
            (r#"{"a": 1,}"#, "trailing comma"),
        ];
        for (text, words) in bad {
            let findings = plain(&path, text.as_bytes()).unwrap_err();
            assert!(findings.iter().any(|finding| finding.message.contains(words)), "{text}: {findings:?}");
        }
    }
}
