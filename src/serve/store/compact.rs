//! Tidying up: what no revision refers to is swept away.

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow};

use super::connection::{State, unsigned};
use super::database::Database;
use super::error::StoreError;
use super::files::Address;
use super::{read, write};

/// The file is written anew when more than one in so many of its pages is free.
const FREE_PAGES: i64 = 4;

/// So many documents are looked at in one transaction; other writers get their turn in between.
const DOCUMENTS: i64 = 2000;

impl Database {
    /// Drops the bodies of revisions that are no leaves, and what no revision refers to any more.
    pub fn compact(&self) -> Result<(), StoreError> {
        let mut after = Some(String::new());
        while let Some(last) = after {
            after = self.change(|transaction| strip(transaction, &last))?;
        }
        self.blobs.prune();
        self.sweep()?;
        self.with_writer(|connection| {
            let count = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            if count("freelist_count")? * FREE_PAGES > count("page_count")? {
                // Not in memory, where the copy of a large database has no room.
                connection.execute_batch("PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY")?;
            }
            // Readers may keep the log from being cut short; then a later write does it.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(())
        })
    }

    /// Removes attachments that no body has. Those that wait for their document are left alone.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        // A row goes before its file: a file without a row is found by the next sweep, a row without a file would be a loss.
        self.change(remove_unused)?;
        let files = self.blobs.files().addresses()?;
        let mut left = Vec::new();
        self.read(|connection| {
            for address in files {
                if !has_file(connection, &address)? {
                    left.push(address);
                }
            }
            Ok(())
        })?;
        for address in left {
            let is_used = || self.read(|connection| has_file(connection, &address));
            self.blobs.remove_file(&address, is_used)?;
        }
        Ok(())
    }
}

/// Drops the bodies of some documents after one; gives the last, if there may be more.
fn strip(connection: &Connection, after: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM document WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let ids: Vec<String> = statement.query_map((after, DOCUMENTS), |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in &ids {
        let Some(mut document) = read::document(connection, id)? else { continue };
        let dropped = document.tree.strip();
        if !dropped.is_empty() {
            write::save_document(connection, id, document.sequence, &document.tree)?;
        }
        for place in dropped {
            write::remove_body(connection, place)?;
        }
    }
    Ok(ids.into_iter().last())
}

fn remove_unused(connection: &rusqlite::Transaction<'_>) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("SELECT number, length, bytes IS NULL FROM blob WHERE uses = 0")?;
    let columns = |row: &SqlRow<'_>| Ok((row.get(0)?, unsigned(row.get(1)?), row.get(2)?));
    let unused: Vec<(i64, u64, bool)> = statement.query_map([], columns)?.collect::<Result<_, _>>()?;
    if unused.is_empty() {
        return Ok(());
    }
    let mut state = State::load(connection)?;
    for (number, length, is_file) in unused {
        connection.prepare_cached("DELETE FROM blob WHERE number = ?1")?.execute([number])?;
        if is_file {
            state.outside = state.outside.saturating_sub(length);
        }
    }
    state.save(connection)
}

/// Whether an attachment that is used is in a file.
fn has_file(connection: &Connection, address: &Address) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM blob WHERE address = ?1 AND bytes IS NULL")?;
    Ok(statement.query_row([&address[..]], |_| Ok(())).optional()?.is_some())
}
