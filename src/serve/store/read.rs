//! Reading documents: one by one, many at once, by id and by sequence.

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, params_from_iter};

use super::connection::{signed, unsigned};
use super::database::Database;
use super::error::StoreError;
use super::model::{Blob, Body, Change, Document, Range, Row, Stored};
use crate::couch::digest::Digest;
use crate::hexadecimal;
use crate::json::Object;
use crate::name::Revision;
use crate::serve::tree::{Place, Tree};

impl Database {
    /// A document with all its revisions, deleted or not.
    pub fn document(&self, id: &str) -> Result<Option<Document>, StoreError> {
        self.read(|connection| document(connection, id))
    }

    /// Many documents at once, in the order that was asked for.
    pub fn documents(&self, ids: &[&str]) -> Result<Vec<Option<Document>>, StoreError> {
        self.read(|connection| ids.iter().map(|id| document(connection, id)).collect())
    }

    /// What a revision holds; `None` when it is not there (any more).
    pub fn body(&self, id: &str, revision: &Revision) -> Result<Option<Body>, StoreError> {
        self.read(|connection| body_of(connection, id, revision))
    }

    /// Many at once.
    pub fn bodies(&self, wanted: &[(&str, &Revision)]) -> Result<Vec<Option<Body>>, StoreError> {
        self.read(|connection| wanted.iter().map(|(id, revision)| body_of(connection, id, revision)).collect())
    }

    /// Documents with what their winners hold, in the order that was asked for: all of one moment, so that no body is gone
    /// that the tree still has. A tombstone has its body as well.
    pub fn winners(&self, ids: &[&str]) -> Result<Vec<Option<(Document, Body)>>, StoreError> {
        self.read(|connection| ids.iter().map(|id| winner(connection, id)).collect())
    }

    /// Documents whose winner is no tombstone, design documents included, by id.
    pub fn rows(&self, range: &Range) -> Result<Vec<Row>, StoreError> {
        let (bounds, values) = bounds(range, range.is_descending);
        let direction = if range.is_descending { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT id, winner, sequence FROM document WHERE is_deleted = 0{bounds} ORDER BY id {direction} LIMIT {} OFFSET {}",
            range.limit.map_or(-1, signed),
            signed(range.skip),
        );
        self.read(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let revision = Revision::new(row.get::<_, String>(1)?).map_err(StoreError::failed)?;
                found.push(Row { id: row.get(0)?, revision, sequence: unsigned(row.get(2)?) });
            }
            Ok(found)
        })
    }

    /// How many documents come before the first of a range, what it passes over included: the `offset` of a listing.
    pub fn offset(&self, range: &Range) -> Result<u64, StoreError> {
        let Some(start) = &range.start else { return Ok(0) };
        let before = if range.is_descending { ">" } else { "<" };
        let sql = format!("SELECT count(*) FROM document WHERE is_deleted = 0 AND id {before} ?1");
        self.read(|connection| Ok(unsigned(connection.prepare_cached(&sql)?.query_row([start], |row| row.get(0))?)))
    }

    /// The last change of each document after `since`, oldest first. Descending: newest first and before `since`, where 0
    /// is before nothing.
    pub fn changes(&self, since: u64, limit: u64, is_descending: bool) -> Result<Vec<Change>, StoreError> {
        let (sql, since) = if is_descending {
            let before = if since == 0 { u64::MAX } else { since };
            ("SELECT sequence, tree, id FROM document WHERE sequence < ?1 ORDER BY sequence DESC LIMIT ?2", before)
        } else {
            ("SELECT sequence, tree, id FROM document WHERE sequence > ?1 ORDER BY sequence LIMIT ?2", since)
        };
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([signed(since), signed(limit)])?;
            let mut changes = Vec::new();
            while let Some(row) = rows.next()? {
                let (sequence, tree) = sequence_and_tree(row)?;
                changes.push(Change { sequence, document: Document { id: row.get(2)?, sequence, tree } });
            }
            Ok(changes)
        })
    }

    /// How many changes [`Self::changes`] would give without a limit.
    pub fn count_changes(&self, since: u64, is_descending: bool) -> Result<u64, StoreError> {
        let (sql, since) = if is_descending {
            let before = if since == 0 { u64::MAX } else { since };
            ("SELECT count(*) FROM document WHERE sequence < ?1", before)
        } else {
            ("SELECT count(*) FROM document WHERE sequence > ?1", since)
        };
        self.read(|connection| {
            let count = connection.prepare_cached(sql)?.query_row([signed(since)], |row| row.get(0))?;
            Ok(unsigned(count))
        })
    }
}

/// The conditions of a range, from `AND` on, and what stands for their question marks.
pub(super) fn bounds(range: &Range, is_descending: bool) -> (String, Vec<&str>) {
    let (first, last) = if is_descending { ("<", ">") } else { (">", "<") };
    let (mut sql, mut values) = (String::new(), Vec::new());
    if let Some(start) = &range.start {
        let including = if range.excludes_start { "" } else { "=" };
        sql.push_str(&format!(" AND id {first}{including} ?"));
        values.push(start.as_str());
    }
    if let Some(end) = &range.end {
        let including = if range.excludes_end { "" } else { "=" };
        sql.push_str(&format!(" AND id {last}{including} ?"));
        values.push(end.as_str());
    }
    (sql, values)
}

/// A document, within a transaction.
pub(super) fn document(connection: &Connection, id: &str) -> Result<Option<Document>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT sequence, tree FROM document WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (sequence, tree) = sequence_and_tree(row)?;
    Ok(Some(Document { id: id.to_owned(), sequence, tree }))
}

fn sequence_and_tree(row: &SqlRow<'_>) -> Result<(u64, Tree), StoreError> {
    let bytes = row.get_ref(1)?.as_blob().map_err(StoreError::failed)?;
    Ok((unsigned(row.get(0)?), Tree::from_bytes(bytes).map_err(StoreError::failed)?))
}

fn body_of(connection: &Connection, id: &str, revision: &Revision) -> Result<Option<Body>, StoreError> {
    let place = document(connection, id)?.and_then(|document| document.tree.place(revision));
    place.map_or(Ok(None), |(place, _)| body(connection, place))
}

fn winner(connection: &Connection, id: &str) -> Result<Option<(Document, Body)>, StoreError> {
    let Some(document) = document(connection, id)? else { return Ok(None) };
    let place = document.tree.winner().and_then(|leaf| document.tree.place(&leaf.revision));
    let body = place.map_or(Ok(None), |(place, _)| body(connection, place))?;
    Ok(body.map(|body| (document, body)))
}

/// What is at a place, within a transaction.
pub(super) fn body(connection: &Connection, place: Place) -> Result<Option<Body>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT members, attachments FROM body WHERE number = ?1")?;
    let columns = |row: &SqlRow<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?));
    let Some((members, attachments)) = statement.query_row([signed(place.number)], columns).optional()? else {
        return Ok(None);
    };
    Ok(Some(Body { members: parse_members(&members)?, attachments: parse_attachments(attachments.as_deref())? }))
}

/// The members of a body as they are kept.
pub(super) fn parse_members(text: &str) -> Result<Object, StoreError> {
    serde_json::from_str(text).map_err(StoreError::failed)
}

/// An attachment as it is kept: name, content type, revpos, address, digest, stored length, length, whether it is gzip.
type Written = (String, String, u64, String, String, u64, u64, bool);

/// Attachments as they are kept; `None` for none.
pub(super) fn write_attachments(attachments: &[Stored]) -> Result<Option<String>, StoreError> {
    if attachments.is_empty() {
        return Ok(None);
    }
    let written = attachments.iter().map(|Stored { name, content_type, revpos, blob }| {
        let (address, digest) = (hexadecimal::encode(&blob.address), blob.digest.to_string());
        (name, content_type, revpos, address, digest, blob.stored_length, blob.length, blob.is_gzip)
    });
    serde_json::to_string(&written.collect::<Vec<_>>()).map(Some).map_err(StoreError::failed)
}

/// The opposite of [`write_attachments`].
pub(super) fn parse_attachments(text: Option<&str>) -> Result<Vec<Stored>, StoreError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let written: Vec<Written> = serde_json::from_str(text).map_err(StoreError::failed)?;
    let attachments =
        written.into_iter().map(|(name, content_type, revpos, address, digest, stored_length, length, is_gzip)| {
            let address =
                hexadecimal::decode(&address).ok_or_else(|| StoreError::failed("an attachment has no address"))?;
            let digest: Digest = digest.parse().map_err(StoreError::failed)?;
            Ok(Stored { name, content_type, revpos, blob: Blob { address, digest, stored_length, length, is_gzip } })
        });
    attachments.collect()
}
