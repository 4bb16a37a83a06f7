//! Databases on the disk: documents in SQLite, large attachments in files named by their content.
//!
//! One folder for each database. In it one SQLite file with documents and small attachments (64 KiB), a file for each larger
//! attachment, and what the indexes keep. Everything here blocks: call it from a blocking task.
//!
//! A write that has returned survives the death of the process, `kill -9` included. SQLite runs with a write-ahead log and
//! `synchronous=NORMAL`, and files are not synced: when the *machine* loses its power, the last writes before may be lost and
//! the largest attachments among them be damaged, which is seen when they are read. This is an endpoint for development.

mod blobs;
mod compact;
mod connection;
mod database;
mod edit;
mod error;
pub(in crate::serve) mod files;
mod local;
mod model;
mod names;
mod read;
mod reader;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use self::database::Spare;
use self::files::Lock;

pub use self::blobs::BlobWriter;
pub use self::database::Database;
pub use self::error::StoreError;
pub use self::model::{
    Blob, Body, Change, Check, Document, Edit, Info, Outcome, Previous, Range, Refusal, Row, Stored, Upon,
};
pub use self::reader::BlobReader;

/// All databases of one endpoint, beneath one folder.
pub struct Store {
    root: PathBuf,
    databases: Mutex<BTreeMap<String, Entry>>,
    /// Rings when a database is made.
    made: watch::Sender<u64>,
    spare: Spare,
    /// One process at a time: each keeps in memory which attachments are about to be referred to.
    _lock: Lock,
}

/// A database, opened when it is first asked for.
enum Entry {
    Closed(PathBuf),
    Open(Arc<Database>),
}

impl Store {
    /// Opens or makes the folder. Fails when another process has it open.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        files::make_private(root)?;
        let lock = files::lock(&root.join("lock"))?;
        let mut found = Vec::new();
        for folder in files::entries(root)? {
            let Some(file_name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
            if names::is_deleted(file_name) {
                files::remove_folder(&folder)?;
            } else if let Some((name, instance)) = names::parse(file_name) {
                found.push((instance, name, folder));
            }
        }
        found.sort();
        let mut databases = BTreeMap::new();
        for (_, name, folder) in found {
            if let Some(Entry::Closed(earlier)) = databases.insert(name, Entry::Closed(folder)) {
                // Its deletion had begun: only then can there be a later one.
                files::remove_folder(&earlier)?;
            }
        }
        let (made, spare) = (watch::Sender::new(0), Spare::default());
        Ok(Self { root: root.to_owned(), databases: Mutex::new(databases), made, spare, _lock: lock })
    }

    /// The names of all databases, in order.
    pub fn names(&self) -> Vec<String> {
        held(&self.databases).keys().cloned().collect()
    }

    /// Makes a database. The name may be any text, and leads nowhere but beneath the folder.
    pub fn create(&self, name: &str) -> Result<Arc<Database>, StoreError> {
        if names::is_too_long(name) {
            return Err(StoreError::TooLong);
        }
        let mut databases = held(&self.databases);
        if databases.contains_key(name) {
            return Err(StoreError::Exists);
        }
        // No two databases are ever at the same place: what is left open of a deleted one cannot touch its successor.
        let folder = files::make_new(|instance| self.root.join(names::folder(name, instance)))?;
        let opened = Database::open(name, &folder, &self.spare).inspect_err(|_| {
            // The error says more than a failure to tidy up would.
            let _ = files::remove_folder(&folder);
        });
        let database = Arc::new(opened?);
        databases.insert(name.to_owned(), Entry::Open(Arc::clone(&database)));
        self.made.send_modify(|count| *count += 1);
        Ok(database)
    }

    /// Rings after a database was made.
    pub fn made(&self) -> watch::Receiver<u64> {
        self.made.subscribe()
    }

    /// A database that exists.
    pub fn database(&self, name: &str) -> Result<Arc<Database>, StoreError> {
        let mut databases = held(&self.databases);
        match databases.get_mut(name) {
            None => Err(StoreError::Missing),
            Some(Entry::Open(database)) => Ok(Arc::clone(database)),
            Some(entry @ Entry::Closed(_)) => {
                let Entry::Closed(folder) = &*entry else { return Err(StoreError::Missing) };
                let database = Arc::new(Database::open(name, folder, &self.spare)?);
                *entry = Entry::Open(Arc::clone(&database));
                Ok(database)
            }
        }
    }

    /// A database that is open already, if nobody is just making, opening or removing one. Never blocks.
    pub fn opened(&self, name: &str) -> Option<Arc<Database>> {
        match self.databases.try_lock().ok()?.get(name)? {
            Entry::Open(database) => Some(Arc::clone(database)),
            Entry::Closed(_) => None,
        }
    }

    /// Removes a database. Those who hold it get [`StoreError::Missing`] from then on.
    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        // From here on nobody finds it, and what waits for a write to end is nobody but this.
        let removed = held(&self.databases).remove(name);
        let folder = match removed {
            None => return Err(StoreError::Missing),
            Some(Entry::Closed(folder)) => folder,
            Some(Entry::Open(database)) => {
                database.close();
                database.folder().to_owned()
            }
        };
        // With the new name it is gone; what cannot be removed now is removed when the store is opened again.
        let deleted = self.root.join(names::deleted());
        if let Err(error) = files::rename(&folder, &deleted) {
            held(&self.databases).entry(name.to_owned()).or_insert(Entry::Closed(folder));
            return Err(error.into());
        }
        if let Err(error) = files::remove_folder(&deleted) {
            tracing::warn!("cannot remove {}: {error}", deleted.display());
        }
        Ok(())
    }
}

/// A lock whose holder panicked guards nothing half done: SQLite has rolled back, maps are changed in one step.
fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
