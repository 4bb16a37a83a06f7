//! View indexes: built from `map` functions, kept in CouchDB's order, asked by key and reduced.
//!
//! The index of a design document is one file in the database's [`Database::index_folder`], named by CouchDB's signature, so
//! that it stays when nothing changed but attachments, shows or lists. A query brings it up to date first: it maps what the
//! database changed since, by the batch, one builder at a time. All of it blocks.

mod answer;
mod build;
pub mod collation;
pub mod design;
mod distinct;
pub mod index;
pub mod number;
pub mod parameters;
pub mod reduce;
pub mod rows;
mod sum;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

pub use self::answer::{Answer, Row};
use self::design::{Group, View};
use self::index::{Index, Reader};
use self::parameters::{Parameters, Update};
use crate::serve::failure::Failure;
use crate::serve::functions::Functions;
use crate::serve::store::{Database, files};

/// All indexes that are open.
#[derive(Default)]
pub struct Views {
    indexes: Mutex<HashMap<PathBuf, Arc<Index>>>,
}

impl Views {
    /// Opens nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks a view, after its index was brought up to date if the parameters want that first.
    ///
    /// # Errors
    /// 404 `missing_named_view`, 400 `query_parse_error` for what CouchDB refuses, and what map functions fail at.
    pub fn ask<'a>(
        &self,
        database: &'a Database,
        functions: &'a Functions,
        group: &'a Group,
        name: &str,
        parameters: &'a Parameters,
    ) -> Result<Answer<'a>, Failure> {
        let named = group.find(name)?;
        let is_reduced = parameters.check(named.reduce.is_some())?;
        let index = self.index(database, group)?;
        if parameters.update == Update::First {
            build::update(&index, group, database, functions)?;
        }
        let reduce = named.reduce.filter(|_| is_reduced);
        Answer::new(database, functions, index.reader()?, named.number, reduce, parameters)
    }

    /// Brings the index of a design document up to date.
    pub fn update(&self, database: &Database, functions: &Functions, group: &Group) -> Result<(), Failure> {
        build::update(&self.index(database, group)?, group, database, functions)
    }

    /// The same, unless somebody does it already, as in CouchDB.
    pub fn update_lazily(&self, database: &Database, functions: &Functions, group: &Group) -> Result<(), Failure> {
        let index = self.index(database, group)?;
        if index.is_building() { Ok(()) } else { build::update(&index, group, database, functions) }
    }

    /// The rows of a design document's views as they are now.
    pub(in crate::serve) fn reader(&self, database: &Database, group: &Group) -> Result<Reader, Failure> {
        self.index(database, group)?.reader()
    }

    /// What `_design/…/_info` says under `view_index`.
    pub fn info(&self, database: &Database, group: &Group) -> Result<Value, Failure> {
        let index = self.index(database, group)?;
        let reader = index.reader()?;
        let pending = database.info()?.sequence.saturating_sub(reader.sequence);
        let file = files::size(index.path());
        let external = reader.external_size()?;
        Ok(json!({
            "updates_pending": { "minimum": pending, "preferred": pending, "total": pending },
            "waiting_commit": false,
            "waiting_clients": 0,
            "updater_running": index.is_building(),
            "update_seq": reader.sequence,
            "sizes": { "file": file, "external": external, "active": external },
            "signature": group.signature,
            "purge_seq": 0,
            "language": group.language,
            "compact_running": false,
            "collator_versions": [COLLATOR],
        }))
    }

    /// Removes the indexes that belong to none of these signatures.
    pub fn clean(&self, database: &Database, signatures: &[String]) -> Result<(), Failure> {
        let Ok(paths) = files::entries(&database.index_folder()) else { return Ok(()) };
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((signature, rest)) = name.and_then(|name| name.split_once('.')) else { continue };
            if rest.starts_with("view") && !signatures.iter().any(|known| known == signature) {
                indexes.remove(&path);
                // Whoever reads it still has it open.
                let _ = files::remove_file(&path);
            }
        }
        Ok(())
    }

    fn index(&self, database: &Database, group: &Group) -> Result<Arc<Index>, Failure> {
        let path = database.index_folder().join(format!("{}.view", group.signature));
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.retain(|_, index| index.is_there());
        if let Some(index) = indexes.get(&path) {
            return Ok(Arc::clone(index));
        }
        let collations = group.views.iter().map(View::collation).collect();
        let index = Arc::new(Index::open(&path, database.info()?.instance, collations)?);
        indexes.insert(path, Arc::clone(&index));
        Ok(index)
    }
}

/// The version of the root collation's data, as `_info` tells it.
const COLLATOR: &str = "icu4x-2";
