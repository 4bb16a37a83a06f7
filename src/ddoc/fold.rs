//! Folder → document.
//!
//! [`tree`] turns files into members, then this module names the document, checks what CouchDB would refuse, expands
//! macros and adds the metadata that the original couchapp needs to clone the document again.

use serde_json::Value;

use super::finding::Findings;
use super::{Finding, FoldOptions, Folded, Sources, macros, metadata};
use crate::name::DocId;
use crate::path::RelPath;
use tree::Built;

pub(super) mod json;
pub(super) mod tree;
mod views;

/// Builds the document of a folder. Errors are collected: the list holds every one of them (and the warnings).
pub fn fold(sources: &Sources, options: &FoldOptions) -> Result<Folded, Vec<Finding>> {
    let mut findings = Findings::new(options.lenient);
    let mut built = tree::build(sources, &mut findings);
    let id = document_id(sources, options, &built, &mut findings);
    for (name, fingerprint) in &sources.attachments {
        if name.is_prohibited() {
            let message = format!("CouchDB refuses attachment names that start with `_` (`{name}`)");
            findings.push(Finding::error(&fingerprint.path, message));
        }
    }
    let is_design = id.as_ref().map_or(options.design, DocId::is_design);
    if is_design {
        views::check(&mut built, &mut findings);
    }
    let objects = match &id {
        Some(id) if options.macros && is_design => {
            macros::expand_document(&mut built.body, &built.origins, id, sources, &mut findings)
        }
        _ => Vec::new(),
    };
    metadata::add(&mut built.body, &built.manifest, &sources.attachments, objects);
    match id {
        Some(id) if !findings.has_errors() => {
            Ok(Folded { id, body: built.body, origins: built.origins, findings: findings.into_sorted() })
        }
        _ => Err(findings.into_sorted()),
    }
}

/// The option, else what the folder says, else its name.
fn document_id(sources: &Sources, options: &FoldOptions, built: &Built, findings: &mut Findings) -> Option<DocId> {
    if let Some(id) = &options.id {
        return Some(id.clone());
    }
    if let Some((text, path)) = &built.id {
        let id = DocId::new(text.clone());
        return id.map_err(|error| findings.push(Finding::error(path, error.to_string()))).ok();
    }
    let prefix = if options.design { "_design/" } else { "" };
    match (DocId::new(format!("{prefix}{}", sources.folder_name)), special(sources, "_id")) {
        (Ok(id), _) => Some(id),
        (Err(error), Some(path)) => {
            let message = format!("is missing, and the folder's name is none for a document: {error}");
            findings.push(Finding::error(&path, message));
            None
        }
        (Err(_), None) => None,
    }
}

/// The path of a special file.
fn special(sources: &Sources, name: &str) -> Option<RelPath> {
    match &sources.root {
        Some(root) => root.join(name).ok(),
        None => RelPath::new(name).ok(),
    }
}

/// The member at `keys`.
pub(super) fn lookup<'a>(body: &'a crate::json::Object, keys: &[String]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(body.get(first)?, |value, key| value.as_object()?.get(key))
}

/// The member at `keys`, to be changed.
pub(super) fn lookup_mut<'a>(body: &'a mut crate::json::Object, keys: &[String]) -> Option<&'a mut Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(body.get_mut(first)?, |value, key| value.as_object_mut()?.get_mut(key))
}

#[cfg(test)]
mod tests;
