//! The rows of a design document's views, in one SQLite file beneath the folder of the database.
//!
//! An index can be built again at any time, so nothing here waits for the disk; the file is in order whenever the process
//! dies. One writer builds, any number of readers see what was there when they began.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};

use super::collation::Collation;
use super::rows::number;
use crate::serve::failure::Failure;
use crate::serve::store::files;

/// The rows of a group of views.
pub struct Index {
    path: PathBuf,
    collations: Vec<Collation>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    is_building: AtomicBool,
}

/// So many connections are kept for the next readers.
const IDLE: usize = 4;

const TABLES: &str = "
    create table if not exists rows (
        view integer not null, key blob not null, id text not null, position integer not null,
        json text not null, value text not null, primary key (view, key, id, position)) without rowid;
    create index if not exists rows_of_documents on rows (id);
    create table if not exists state (name text primary key, value integer not null) without rowid;";

/// A row to be written.
#[derive(Clone, Debug)]
pub(super) struct New {
    /// The number of the view.
    pub(super) view: usize,
    /// The key in its order.
    pub(super) key: Vec<u8>,
    /// Among the rows of the document with this key.
    pub(super) position: usize,
    /// The key as JSON.
    pub(super) json: String,
    /// The value as JSON.
    pub(super) value: String,
}

/// What SQLite failed at.
#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
pub(super) fn failed(error: rusqlite::Error) -> Failure {
    Failure::new(500, "internal_server_error", format!("the index failed: {error}"))
}

impl Index {
    /// Opens or makes the index in its folder, which is there; what belongs to another life of the database is removed.
    pub(super) fn open(path: &Path, instance: u64, collations: Vec<Collation>) -> Result<Self, Failure> {
        let writer = match open(path) {
            Err(error) if is_damaged(&error) => {
                remove(path);
                open(path)
            }
            result => result,
        };
        let writer = writer.map_err(failed)?;
        let instance = i64::try_from(instance & (u64::MAX >> 1)).unwrap_or_default();
        if state(&writer, "instance")? != Some(instance) {
            writer.execute_batch("begin; delete from rows; delete from state;").map_err(failed)?;
            set_state(&writer, "instance", instance)?;
            writer.execute_batch("commit").map_err(failed)?;
        }
        let (readers, is_building) = (Mutex::default(), AtomicBool::new(false));
        Ok(Self { path: path.to_owned(), collations, writer: Mutex::new(writer), readers, is_building })
    }

    /// Whether its file is still there; it goes with its database.
    pub(super) fn is_there(&self) -> bool {
        self.path.exists()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How the rows of a view are ordered.
    pub fn collation(&self, view: usize) -> Collation {
        self.collations.get(view).copied().unwrap_or_default()
    }

    /// Whether somebody builds right now.
    pub fn is_building(&self) -> bool {
        self.is_building.load(Ordering::Relaxed)
    }

    /// The only one who may write; others wait.
    pub(super) fn writer(&self) -> Writer<'_> {
        let connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_building.store(true, Ordering::Relaxed);
        Writer { connection, is_building: &self.is_building }
    }

    /// What is there now.
    pub(super) fn reader(self: &Arc<Self>) -> Result<Reader, Failure> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| connect(&self.path), Ok).map_err(failed)?;
        connection.execute_batch("begin").map_err(failed)?;
        let sequence = state(&connection, "sequence")?.unwrap_or_default();
        let reader =
            Reader { index: Arc::clone(self), connection: Some(connection), sequence: sequence.cast_unsigned() };
        Ok(reader)
    }
}

/// The connection that writes, with its tables.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.execute_batch(TABLES)?;
    Ok(connection)
}

/// Whether the machine lost its power before the file was on the disk.
fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Removes the file, which can be built again, and what SQLite keeps beside it.
fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        // What stays is found to be damaged once more.
        let _ = files::remove_file(Path::new(&file));
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    let set = "pragma journal_mode = wal; pragma synchronous = off; pragma cache_size = -16000;";
    connection.execute_batch(set)?;
    Ok(connection)
}

fn state(connection: &Connection, name: &str) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached("select value from state where name = ?1").map_err(failed)?;
    statement.query_row([name], |row| row.get(0)).optional().map_err(failed)
}

fn set_state(connection: &Connection, name: &str, value: i64) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached("insert or replace into state values (?1, ?2)").map_err(failed)?;
    statement.execute(params![name, value]).map(drop).map_err(failed)
}

fn total(view: usize) -> String {
    format!("rows {view}")
}

/// One who builds.
pub(super) struct Writer<'index> {
    connection: MutexGuard<'index, Connection>,
    is_building: &'index AtomicBool,
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.is_building.store(false, Ordering::Relaxed);
    }
}

impl Writer<'_> {
    /// Up to which sequence of the database everything is in.
    pub(super) fn sequence(&self) -> Result<u64, Failure> {
        Ok(state(&self.connection, "sequence")?.unwrap_or_default().cast_unsigned())
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) -> Result<(), Failure> {
        let transaction = self.connection.transaction().map_err(failed)?;
        transaction.execute_batch("delete from rows; delete from state where name <> 'instance'").map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Replaces the rows of documents, and says up to which sequence everything is in then.
    pub(super) fn replace(&mut self, documents: &[(String, Vec<New>)], sequence: u64) -> Result<(), Failure> {
        let transaction = self.connection.transaction().map_err(failed)?;
        let mut totals = std::collections::BTreeMap::<usize, i64>::new();
        let is_empty = state(&transaction, "sequence")?.is_none();
        {
            let mut rows_of = transaction
                .prepare_cached("select view, count(*) from rows where id = ?1 group by view")
                .map_err(failed)?;
            let mut remove = transaction.prepare_cached("delete from rows where id = ?1").map_err(failed)?;
            let mut insert = transaction
                .prepare_cached(
                    "insert into rows (view, key, id, position, json, value) values (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .map_err(failed)?;
            for (id, rows) in documents {
                if !is_empty {
                    let mut removed = 0;
                    let counts = rows_of.query_map([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
                    for count in counts.map_err(failed)? {
                        let (view, count) = count.map_err(failed)?;
                        *totals.entry(usize::try_from(view).unwrap_or_default()).or_default() -= count;
                        removed += count;
                    }
                    if removed > 0 {
                        remove.execute([id]).map_err(failed)?;
                    }
                }
                for row in rows {
                    let values = params![number(row.view), row.key, id, number(row.position), row.json, row.value];
                    insert.execute(values).map_err(failed)?;
                    *totals.entry(row.view).or_default() += 1;
                }
            }
        }
        for (view, change) in totals {
            let before = state(&transaction, &total(view))?.unwrap_or_default();
            set_state(&transaction, &total(view), before + change)?;
        }
        set_state(&transaction, "sequence", sequence.cast_signed())?;
        transaction.commit().map_err(failed)
    }
}

/// What one reader sees.
pub struct Reader {
    index: Arc<Index>,
    connection: Option<Connection>,
    /// Up to which sequence of the database everything is in.
    pub sequence: u64,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let mut idle = self.index.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE && connection.execute_batch("rollback").is_ok() {
            idle.push(connection);
        }
    }
}

impl Reader {
    /// How the rows of a view are ordered.
    pub fn collation(&self, view: usize) -> Collation {
        self.index.collation(view)
    }

    /// How many rows a view has.
    pub fn total(&self, view: usize) -> Result<u64, Failure> {
        Ok(state(self.connection()?, &total(view))?.unwrap_or_default().cast_unsigned())
    }

    /// Bytes of all keys and values.
    pub(super) fn external_size(&self) -> Result<u64, Failure> {
        let query = "select coalesce(sum(length(json) + length(value)), 0) from rows";
        let size = self.connection()?.query_row(query, [], |row| row.get::<_, i64>(0));
        size.map(i64::cast_unsigned).map_err(failed)
    }

    pub(super) fn connection(&self) -> Result<&Connection, Failure> {
        self.connection.as_ref().ok_or_else(|| Failure::new(500, "internal_server_error", "the index is closed"))
    }
}
