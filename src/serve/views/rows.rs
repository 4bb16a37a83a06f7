//! Rows of a view, one after the other, fetched by the page.

use std::collections::VecDeque;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::index::{Reader, failed};
use crate::serve::failure::Failure;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key in its order.
    pub key: Vec<u8>,
    /// The document that emitted it.
    pub id: String,
    /// The key as JSON.
    pub json: String,
    /// The value as JSON.
    pub value: String,
    position: i64,
}

/// A document id as one end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// This one; the empty one comes before all others.
    Text(String),
    /// After all others.
    Greatest,
}

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            // SQLite has every blob after every text.
            Self::Greatest => ValueRef::Blob(b"\xff"),
        }))
    }
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The key in its order.
    pub key: Vec<u8>,
    /// The document.
    pub id: Id,
}

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// From here, included.
    pub start: Option<Bound>,
    /// To here.
    pub end: Option<Bound>,
    /// Whether the end itself belongs to it.
    pub excludes_end: bool,
    /// From the end of the order to its beginning.
    pub is_descending: bool,
}

const PAGE: usize = 256;
/// A page has no further rows when it is as large as this, in bytes.
const LARGE: usize = 4 << 20;

/// As SQLite has numbers.
pub(super) fn number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The place after which the next page begins.
#[derive(Clone, Debug)]
struct Place {
    key: Vec<u8>,
    id: Id,
    position: i64,
}

impl Range {
    /// The place just before the first row.
    fn place(&self) -> Place {
        let bound = self.start.clone();
        if self.is_descending {
            // No key begins with such a byte.
            let bound = bound.unwrap_or(Bound { key: vec![0xff], id: Id::Greatest });
            Place { key: bound.key, id: bound.id, position: i64::MAX }
        } else {
            let bound = bound.unwrap_or(Bound { key: Vec::new(), id: Id::Text(String::new()) });
            Place { key: bound.key, id: bound.id, position: -1 }
        }
    }

    fn query(&self) -> String {
        let (after, order) = if self.is_descending { ("<", " desc") } else { (">", "") };
        let end = match (&self.end, self.is_descending, self.excludes_end) {
            (None, ..) => "",
            (Some(_), false, false) => "and (key, id) <= (?6, ?7)",
            (Some(_), false, true) => "and (key, id) < (?6, ?7)",
            (Some(_), true, false) => "and (key, id) >= (?6, ?7)",
            (Some(_), true, true) => "and (key, id) > (?6, ?7)",
        };
        format!(
            "select key, id, json, value, position from rows
             where view = ?1 and (key, id, position) {after} (?2, ?3, ?4) {end}
             order by key{order}, id{order}, position{order} limit ?5"
        )
    }
}

impl Reader {
    /// The rows of ranges, one range after the other.
    pub fn rows(&self, view: usize, ranges: Vec<Range>) -> Rows<'_> {
        let (ready, run) = (VecDeque::new(), Vec::new());
        Rows { reader: self, view, ranges: ranges.into(), place: None, ready, range_of_last: 0, run, has_failed: false }
    }

    /// How many rows come before a range, in its direction.
    pub fn before(&self, view: usize, range: &Range) -> Result<u64, Failure> {
        if range.start.is_none() {
            return Ok(0);
        }
        let place = range.place();
        let before = if range.is_descending { ">" } else { "<" };
        let query = format!("select count(*) from rows where view = ?1 and (key, id, position) {before} (?2, ?3, ?4)");
        let mut statement = self.connection()?.prepare_cached(&query).map_err(failed)?;
        let count =
            statement.query_row((number(view), &place.key, &place.id, place.position), |row| row.get::<_, i64>(0));
        Ok(count.map_err(failed)?.cast_unsigned())
    }
}

/// See [`Reader::rows`].
pub struct Rows<'reader> {
    reader: &'reader Reader,
    view: usize,
    ranges: VecDeque<Range>,
    place: Option<Place>,
    ready: VecDeque<(usize, Entry)>,
    range_of_last: usize,
    /// Rows of one key and document whose order is turned when they come from the end.
    run: Vec<Entry>,
    has_failed: bool,
}

impl Iterator for Rows<'_> {
    type Item = Result<Entry, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((range, entry)) = self.ready.pop_front() {
                self.range_of_last = range;
                return Some(Ok(entry));
            }
            if self.has_failed || self.ranges.is_empty() {
                return None;
            }
            if let Err(failure) = self.fetch() {
                self.has_failed = true;
                return Some(Err(failure));
            }
        }
    }
}

/// Rows until they are enough, and whether there are no more.
fn page(rows: impl Iterator<Item = rusqlite::Result<Entry>>) -> rusqlite::Result<(Vec<Entry>, bool)> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for entry in rows {
        let entry = entry?;
        bytes += entry.key.len() + entry.json.len() + entry.value.len();
        entries.push(entry);
        if bytes >= LARGE {
            return Ok((entries, false));
        }
    }
    let is_last = entries.len() < PAGE;
    Ok((entries, is_last))
}

impl Rows<'_> {
    /// How many ranges are still to come, that of the last row included: it tells ranges apart.
    pub(super) fn remaining(&self) -> usize {
        self.range_of_last
    }

    fn fetch(&mut self) -> Result<(), Failure> {
        let Some(range) = self.ranges.front() else { return Ok(()) };
        let place = self.place.clone().unwrap_or_else(|| range.place());
        let mut statement = self.reader.connection()?.prepare_cached(&range.query()).map_err(failed)?;
        let (view, limit) = (number(self.view), number(PAGE));
        let mut values: Vec<&dyn ToSql> = vec![&view, &place.key, &place.id, &place.position, &limit];
        if let Some(end) = &range.end {
            values.extend([&end.key as &dyn ToSql, &end.id]);
        }
        let entries = statement.query_map(values.as_slice(), |row| {
            Ok(Entry {
                key: row.get(0)?,
                id: row.get(1)?,
                json: row.get(2)?,
                value: row.get(3)?,
                position: row.get(4)?,
            })
        });
        let (entries, is_last) = page(entries.map_err(failed)?).map_err(failed)?;
        let is_descending = range.is_descending;
        self.place = entries.last().map(|last| Place {
            key: last.key.clone(),
            id: Id::Text(last.id.clone()),
            position: last.position,
        });
        if is_descending {
            entries.into_iter().for_each(|entry| self.turn(entry));
        } else {
            let range = self.ranges.len();
            self.ready.extend(entries.into_iter().map(|entry| (range, entry)));
        }
        if is_last {
            let range = self.ranges.len();
            self.ready.extend(self.run.drain(..).rev().map(|entry| (range, entry)));
            self.ranges.pop_front();
            self.place = None;
        }
        Ok(())
    }

    /// CouchDB has what a document emits for one key in the same order both ways.
    fn turn(&mut self, entry: Entry) {
        if self.run.first().is_some_and(|first| first.key != entry.key || first.id != entry.id) {
            let range = self.ranges.len();
            self.ready.extend(self.run.drain(..).rev().map(|entry| (range, entry)));
        }
        self.run.push(entry);
    }
}
