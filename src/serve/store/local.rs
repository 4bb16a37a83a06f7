//! `_local` documents: no revisions but a number, never replicated, never in conflict.

use rusqlite::{OptionalExtension as _, Row as SqlRow, params_from_iter};

use super::connection::{signed, unsigned};
use super::database::Database;
use super::error::StoreError;
use super::model::Range;
use super::read::{bounds, parse_members};
use crate::json::Object;

impl Database {
    /// A `_local` document: its revision number (`0-N`) and members.
    pub fn local(&self, id: &str) -> Result<Option<(u64, Object)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT number, members FROM local WHERE id = ?1")?;
            let columns = |row: &SqlRow<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?));
            let found = statement.query_row([id], columns).optional()?;
            found.map(|(number, members)| Ok((unsigned(number), parse_members(&members)?))).transpose()
        })
    }

    /// Writes a `_local` document: its revision number becomes `upon` and one, whatever is there, as CouchDB does it.
    /// `members` of `None` removes it, and gives 0. `None`: there was nothing to remove.
    pub fn write_local(
        &self,
        id: &str,
        upon: Option<u64>,
        members: Option<&Object>,
    ) -> Result<Option<u64>, StoreError> {
        self.change(|transaction| {
            let Some(members) = members else {
                let removed = transaction.prepare_cached("DELETE FROM local WHERE id = ?1")?.execute([id])?;
                return Ok((removed > 0).then_some(0));
            };
            let number = upon.unwrap_or(0).saturating_add(1);
            let members = serde_json::to_string(members).map_err(StoreError::failed)?;
            let mut statement = transaction.prepare_cached(
                "INSERT INTO local VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET number = excluded.number, members = excluded.members",
            )?;
            statement.execute((id, signed(number), members))?;
            Ok(Some(number))
        })
    }

    /// `_local` documents by id.
    pub fn locals(&self, range: &Range) -> Result<Vec<(String, u64)>, StoreError> {
        let (bounds, values) = bounds(range, range.is_descending);
        let direction = if range.is_descending { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT id, number FROM local WHERE TRUE{bounds} ORDER BY id {direction} LIMIT {} OFFSET {}",
            range.limit.map_or(-1, signed),
            signed(range.skip),
        );
        self.read(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let columns = |row: &SqlRow<'_>| Ok((row.get(0)?, unsigned(row.get(1)?)));
            let rows = statement.query_map(params_from_iter(values), columns)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
