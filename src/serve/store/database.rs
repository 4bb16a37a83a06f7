//! One database: its connections, and what belongs to it as a whole.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OptionalExtension as _, Transaction};
use tokio::sync::watch;

use super::blobs::Blobs;
use super::connection::{self, State, unsigned};
use super::error::StoreError;
use super::model::Info;
use super::{files, held, names};

/// Connections that one database keeps for the next readers.
const MOST_IDLE_READERS: usize = 8;
/// As many of all databases together, beside one for each: each has two files open and some memory.
const MOST_SPARE_READERS: usize = 256;

/// How many connections the databases of a store keep beside one for each.
pub(super) type Spare = Arc<AtomicUsize>;

const INDEXES: &str = "indexes";

/// One database.
pub struct Database {
    name: String,
    folder: PathBuf,
    instance: u64,
    /// `None` once the database is deleted.
    writer: Mutex<Option<Connection>>,
    readers: Mutex<Vec<Connection>>,
    spare: Spare,
    is_gone: AtomicBool,
    /// `None` once the database is deleted.
    bell: Mutex<Option<watch::Sender<u64>>>,
    pub(super) blobs: Blobs,
}

impl Database {
    /// Opens a database in its folder, which is there, and sweeps away what nothing refers to.
    pub(super) fn open(name: &str, folder: &Path, spare: &Spare) -> Result<Self, StoreError> {
        let file_name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let instance = names::parse(file_name).map_or(0, |(_, instance)| instance);
        files::make_private(&folder.join(INDEXES))?;
        let writer = connection::writer(&file(folder))?;
        let sequence = State::load(&writer)?.sequence;
        let database = Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            instance,
            writer: Mutex::new(Some(writer)),
            readers: Mutex::default(),
            spare: Arc::clone(spare),
            is_gone: AtomicBool::new(false),
            bell: Mutex::new(Some(watch::Sender::new(sequence))),
            blobs: Blobs::open(folder)?,
        };
        database.sweep()?;
        Ok(database)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How much it holds.
    pub fn info(&self) -> Result<Info, StoreError> {
        self.read(|connection| {
            let state = State::load(connection)?;
            let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            Ok(Info {
                documents: state.documents,
                deleted: state.deleted,
                sequence: state.sequence,
                instance: self.instance,
                file_size: unsigned(pages) * unsigned(page_size) + state.outside,
                active_size: state.active,
            })
        })
    }

    /// Rings after every write, with the last sequence; ends when the database is deleted.
    pub fn bell(&self) -> watch::Receiver<u64> {
        match &*held(&self.bell) {
            Some(bell) => bell.subscribe(),
            // Its sender is gone, as that of this database is.
            None => watch::Sender::new(0).subscribe(),
        }
    }

    pub(super) fn ring(&self, sequence: u64) {
        if let Some(bell) = &*held(&self.bell) {
            bell.send_replace(sequence);
        }
    }

    /// A value that belongs to the database: `security`, `revs_limit`.
    pub fn setting(&self, name: &str) -> Result<Option<serde_json::Value>, StoreError> {
        self.read(|connection| setting(connection, name))
    }

    /// Sets such a value as part of the database's making.
    pub fn set(&self, name: &str, value: &serde_json::Value) -> Result<(), StoreError> {
        self.change(|transaction| set(transaction, name, value))
    }

    /// Changes such a value. It counts as an update, as in CouchDB (`couch_bt_engine:increment_update_seq`).
    pub fn update_setting(&self, name: &str, value: &serde_json::Value) -> Result<(), StoreError> {
        let sequence = self.change(|transaction| {
            set(transaction, name, value)?;
            let mut state = State::load(transaction)?;
            state.sequence += 1;
            state.save(transaction)?;
            Ok(state.sequence)
        })?;
        self.ring(sequence);
        Ok(())
    }

    /// Where indexes of this database may keep files. The folder is there, goes with the database, and is never that of
    /// another one, not even of the same name.
    pub fn index_folder(&self) -> PathBuf {
        self.folder.join(INDEXES)
    }

    /// Reads in one transaction: what is read is of one moment.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.take_reader();
        self.or_missing(|| {
            let mut connection = match idle {
                Some(connection) => connection,
                None => connection::reader(&file(&self.folder))?,
            };
            let transaction = connection.transaction()?;
            let result = work(&transaction)?;
            transaction.finish()?;
            self.keep_reader(connection);
            Ok(result)
        })
    }

    fn take_reader(&self) -> Option<Connection> {
        let mut readers = held(&self.readers);
        if readers.len() > 1 {
            self.spare.fetch_sub(1, Ordering::Relaxed);
        }
        readers.pop()
    }

    fn keep_reader(&self, connection: Connection) {
        let mut readers = held(&self.readers);
        if self.is_gone() || readers.len() >= MOST_IDLE_READERS {
            return;
        }
        if !readers.is_empty() && self.spare.fetch_add(1, Ordering::Relaxed) >= MOST_SPARE_READERS {
            self.spare.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        readers.push(connection);
    }

    /// Changes something in one transaction. When this returns, the change survives the death of the process.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with_writer(|connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })
    }

    /// Waits for the one connection that writes.
    pub(super) fn with_writer<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = held(&self.writer);
        let connection = writer.as_mut().ok_or(StoreError::Missing)?;
        self.or_missing(|| work(connection))
    }

    /// Lets go of everything, for the folder to be removed. Waits for a write to end; what is being read is read to its end.
    pub(super) fn close(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        *held(&self.writer) = None;
        while self.take_reader().is_some() {}
        *held(&self.bell) = None;
    }

    /// Whatever fails when the database is gone fails because of that.
    pub(super) fn or_missing<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.is_gone() {
            return Err(StoreError::Missing);
        }
        work().map_err(|error| if self.is_gone() { StoreError::Missing } else { error })
    }

    /// Whether it is deleted, or about to be.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }
}

/// A setting, within a transaction.
pub(super) fn setting(connection: &Connection, name: &str) -> Result<Option<serde_json::Value>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
    let text: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(StoreError::failed)).transpose()
}

fn set(connection: &Connection, name: &str, value: &serde_json::Value) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?;
    statement.execute((name, value.to_string()))?;
    Ok(())
}

fn file(folder: &Path) -> PathBuf {
    folder.join("documents.sqlite")
}
