//! Connections to the SQLite file of a database: how they are opened, and what is in the file.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;

/// The layout of the file, for later versions to know.
const VERSION: i64 = 1;

/// `document.tree` says where bodies are; `blob.uses` counts the attachments of bodies that have these bytes, and
/// `blob.bytes` is NULL where they are in a file. `state` has what would take a scan to count.
const SCHEMA: &str = "
    CREATE TABLE document (
        id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, is_deleted INTEGER NOT NULL, winner TEXT NOT NULL, tree BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE UNIQUE INDEX change ON document (sequence);
    CREATE TABLE body (number INTEGER PRIMARY KEY, members TEXT NOT NULL, attachments TEXT) STRICT;
    CREATE TABLE blob (
        number INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE, uses INTEGER NOT NULL, length INTEGER NOT NULL, bytes BLOB
    ) STRICT;
    CREATE INDEX unused ON blob (number) WHERE uses = 0;
    CREATE TABLE local (id TEXT PRIMARY KEY, number INTEGER NOT NULL, members TEXT NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TABLE state (
        row INTEGER PRIMARY KEY CHECK (row = 1), documents INTEGER NOT NULL, deleted INTEGER NOT NULL,
        sequence INTEGER NOT NULL, bodies INTEGER NOT NULL, active INTEGER NOT NULL, outside INTEGER NOT NULL
    ) STRICT;
    INSERT INTO state VALUES (1, 0, 0, 0, 0, 0, 0);
";

/// Opens the file to write, and makes it if it is not there.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // The log is copied back in larger portions: two syncs each, which small writes would spend their time with.
    connection.pragma_update(None, "wal_autocheckpoint", 8000)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    match transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        VERSION => {}
        other => {
            return Err(StoreError::failed(format!("the data has the layout {other}, which another version made")));
        }
    }
    transaction.commit()?;
    Ok(connection)
}

/// Opens the file to read.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Each connection is used by one thread at a time.
fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The row of `state`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Documents that are there.
    pub(super) documents: u64,
    /// Documents that are deleted.
    pub(super) deleted: u64,
    /// The sequence of the last write.
    pub(super) sequence: u64,
    /// The number of the last body.
    pub(super) bodies: u64,
    /// Bytes of all leaves.
    pub(super) active: u64,
    /// Bytes of attachments in files.
    pub(super) outside: u64,
}

impl State {
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let mut statement = connection
            .prepare_cached("SELECT documents, deleted, sequence, bodies, active, outside FROM state WHERE row = 1")?;
        let state = statement.query_row([], |row| {
            let [documents, deleted, sequence] = [row.get(0)?, row.get(1)?, row.get(2)?].map(unsigned);
            let [bodies, active, outside] = [row.get(3)?, row.get(4)?, row.get(5)?].map(unsigned);
            Ok(Self { documents, deleted, sequence, bodies, active, outside })
        })?;
        Ok(state)
    }

    pub(super) fn save(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached(
            "UPDATE state SET documents = ?1, deleted = ?2, sequence = ?3, bodies = ?4, active = ?5, outside = ?6 WHERE row = 1",
        )?;
        let numbers = [self.documents, self.deleted, self.sequence, self.bodies, self.active, self.outside];
        statement.execute(numbers.map(signed))?;
        Ok(())
    }
}

/// A number as SQLite has it; none of ours comes near the end.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as SQLite has it; none of ours is negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
