//! Design documents whose functions are called, kept by revision.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::functions::Design;
use crate::serve::store::Database;

/// More than that many begin anew.
const MOST: usize = 256;

/// A design document that is known.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Known {
    /// For the functions.
    pub(in crate::serve) design: Arc<Design>,
    /// The document with `_id` and `_rev`.
    pub(in crate::serve) document: Arc<Object>,
    /// Whether it has a `validate_doc_update`.
    pub(in crate::serve) validates: bool,
}

/// The design documents that were used last.
#[derive(Default)]
pub(super) struct Designs(Mutex<HashMap<Key, Known>>);

/// The database by its instance: another one of the same name is another.
type Key = (String, u64, String, Revision);

impl Designs {
    /// A design document; `None` when that revision is not there. Blocks.
    pub(super) fn get(&self, database: &Database, id: &str, revision: &Revision) -> Result<Option<Known>, Failure> {
        let key = (database.name().to_owned(), database.info()?.instance, id.to_owned(), revision.clone());
        if let Some(known) = self.lock().get(&key) {
            return Ok(Some(known.clone()));
        }
        let Some(body) = database.body(id, revision)? else { return Ok(None) };
        let mut document = Object::new();
        document.insert("_id".to_owned(), id.into());
        document.insert("_rev".to_owned(), revision.as_str().into());
        document.extend(body.members);
        let validates = document.get("validate_doc_update").is_some_and(|function| *function != Value::Null);
        let known = Known { design: Arc::new(Design::new(&document)), document: Arc::new(document), validates };
        let mut kept = self.lock();
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(key, known.clone());
        Ok(Some(known))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
