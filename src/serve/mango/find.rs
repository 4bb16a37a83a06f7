//! A query carried out: rows of the chosen index, or documents by id, looked at one after the other.

use std::time::Instant;

use serde_json::{Value, json};

use super::bookmark::Bookmark;
use super::field;
use super::options::Options;
use super::plan::{self, Index, Plan};
use super::ranges::{self, End, Range};
use crate::json::Object;
use crate::serve::failure::Failure;
use crate::serve::functions::Functions;
use crate::serve::http::documents::open::{self, Opened};
use crate::serve::http::documents::options::Options as Shown;
use crate::serve::http::documents::show;
use crate::serve::http::produce::Sink;
use crate::serve::store::{Database, Range as Ids};
use crate::serve::views::rows::{Bound, Id, Range as Keys};
use crate::serve::views::{Views, collation};

/// So many documents are read at once.
const BATCH: usize = 100;

/// Where a query is carried out.
pub(in crate::serve) struct Place<'a> {
    /// The database.
    pub(in crate::serve) database: &'a Database,
    /// Its views, for indexes.
    pub(in crate::serve) views: &'a Views,
    /// For bringing them up to date.
    pub(in crate::serve) functions: &'a Functions,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    keys: u64,
    documents: u64,
    quorum: u64,
}

struct Search<'a, 'sink> {
    place: &'a Place<'a>,
    options: &'a Options,
    sink: &'sink mut Sink,
    covers: bool,
    counts: Counts,
    /// Counted since the last row that was given on; CouchDB loses those before a design document.
    since: Counts,
    /// Whether the first row that is selected was in the page before.
    skips_seen: bool,
    skip: u64,
    limit: u64,
    returned: u64,
    last: Option<Bookmark>,
}

/// A row of an index.
struct Row {
    id: String,
    key: Value,
}

/// Writes the answer of `_find`.
pub(in crate::serve) fn write(place: &Place<'_>, options: &Options, sink: &mut Sink) -> Result<(), Failure> {
    let began = Instant::now();
    let plan = Plan::make(plan::indexes(place.database)?, options, true)?;
    let Some(index) = plan.chosen.and_then(|at| plan.indexes.get(at)) else {
        return Err(Failure::new(
            400,
            "no_usable_index",
            "No index exists for this sort, try indexing by the sort fields.",
        ));
    };
    let given = options.bookmark.as_deref().map(Bookmark::decode).transpose()?;
    options.project(Value::Object(Object::new()))?;
    sink.text("{\"docs\":[")?;
    if plan.is_empty() {
        return sink.text("\r\n]}\r\n\n");
    }
    let mut search = Search {
        place,
        options,
        sink,
        covers: index.covers(required_fields(options).as_deref()),
        counts: Counts::default(),
        since: Counts::default(),
        skips_seen: given.is_some(),
        skip: options.skip,
        limit: options.limit,
        returned: 0,
        last: None,
    };
    if index.is_special() {
        search.documents(&plan, given.as_ref())?;
    } else {
        search.rows(index, &plan, given.as_ref())?;
    }
    search.counts.add(search.since);
    search.end(index, began)
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.documents += other.documents;
        self.quorum += other.quorum;
    }
}

/// The fields that have to be known to select and to show documents.
pub(super) fn required_fields(options: &Options) -> Option<Vec<String>> {
    let mut fields = options.fields.clone()?;
    fields.extend(ranges::fields(options.selector.normal()));
    Some(fields)
}

impl Search<'_, '_> {
    /// Looks at the rows of an index. False from `rows` ends it.
    fn rows(&mut self, index: &Index, plan: &Plan, given: Option<&Bookmark>) -> Result<(), Failure> {
        let Some(group) = &index.group else { return Ok(()) };
        let number = group.find(&index.name)?.number;
        let place = self.place;
        if self.options.updates() {
            place.views.update(place.database, place.functions, group)?;
        }
        let reader = place.views.reader(place.database, group)?;
        let rows = reader.rows(number, vec![keys(plan, self.options.is_descending(), given)]);
        let mut batch = Vec::with_capacity(BATCH);
        for entry in rows {
            let entry = entry?;
            let key = serde_json::from_str(&entry.json).unwrap_or_default();
            batch.push(Row { id: entry.id, key });
            if batch.len() == BATCH && !self.take(&mut batch, index)? {
                return Ok(());
            }
        }
        self.take(&mut batch, index).map(drop)
    }

    /// Looks at documents by id.
    fn documents(&mut self, plan: &Plan, given: Option<&Bookmark>) -> Result<(), Failure> {
        let Some(mut range) = ids(plan, self.options.is_descending()) else { return Ok(()) };
        if let Some(given) = given {
            range.start = Some(given.key.as_str().unwrap_or(&given.id).to_owned());
        }
        loop {
            range.limit = Some(BATCH as u64);
            let rows = self.place.database.rows(&range)?;
            let is_last = rows.len() < BATCH;
            if let Some(last) = rows.last() {
                (range.start, range.excludes_start) = (Some(last.id.clone()), true);
            }
            let special = &plan.indexes[plan.chosen.unwrap_or_default()];
            let mut batch = rows.into_iter().map(|row| Row { key: row.id.as_str().into(), id: row.id }).collect();
            if !self.take(&mut batch, special)? || is_last {
                return Ok(());
            }
        }
    }

    /// Looks at some rows; false when enough was found.
    fn take(&mut self, batch: &mut Vec<Row>, index: &Index) -> Result<bool, Failure> {
        let documents = if self.covers { Vec::new() } else { self.read(batch)? };
        let mut documents = documents.into_iter();
        for row in batch.drain(..) {
            self.since.keys += 1;
            let document = if self.covers { Some(covered(index, &row)) } else { documents.next().flatten() };
            let Some(document) = document else { continue };
            match (self.covers, self.options.quorum > 1) {
                (true, _) => {}
                (false, true) => self.since.quorum += 1,
                (false, false) => self.since.documents += 1,
            }
            if !self.options.selector.matches(&document) {
                continue;
            }
            let is_seen = std::mem::take(&mut self.skips_seen);
            if is_seen || index.is_special() && row.id.starts_with("_design/") {
                self.since = Counts::default();
                continue;
            }
            self.counts.add(std::mem::take(&mut self.since));
            if !self.found(row, document)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives a document out; false when it was one more than is wanted.
    fn found(&mut self, row: Row, document: Value) -> Result<bool, Failure> {
        if self.limit > 0 {
            self.last = Some(Bookmark { id: row.id, key: row.key });
        }
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(true);
        }
        if self.limit == 0 {
            return Ok(false);
        }
        let shown = self.options.project(document)?;
        self.sink.text(if self.returned == 0 { "\r\n" } else { ",\r\n" })?;
        self.sink.text(&shown.to_string())?;
        (self.limit, self.returned) = (self.limit - 1, self.returned + 1);
        Ok(true)
    }

    fn read(&self, batch: &[Row]) -> Result<Vec<Option<Value>>, Failure> {
        let database = self.place.database;
        let ids: Vec<&str> = batch.iter().map(|row| row.id.as_str()).collect();
        let options = Shown { conflicts: self.options.conflicts, ..Shown::default() };
        let read = database.winners(&ids)?.into_iter().map(|found| {
            let (document, body) = found?;
            let winner = document.tree.winner().filter(|leaf| !leaf.is_deleted)?;
            let (history, meta) = (vec![winner.revision], open::meta(&document, &options));
            let opened = Opened { id: document.id, history, is_deleted: false, body, meta };
            Some(Value::Object(show::stubbed(&opened, &options)))
        });
        Ok(read.collect())
    }

    fn end(self, index: &Index, began: Instant) -> Result<(), Failure> {
        let given = self.options.bookmark.clone().unwrap_or_else(|| "nil".to_owned());
        let bookmark = self.last.as_ref().map_or(given, Bookmark::encode);
        self.sink.text(&format!("\r\n],\r\n\"bookmark\": {}", Value::from(bookmark)))?;
        if self.options.execution_stats {
            let stats = json!({
                "total_keys_examined": self.counts.keys,
                "total_docs_examined": self.counts.documents,
                "total_quorum_docs_examined": self.counts.quorum,
                "results_returned": self.returned,
                "execution_time_ms": began.elapsed().as_secs_f64() * 1000.0,
            });
            self.sink.text(&format!(",\r\n\"execution_stats\": {stats}"))?;
        }
        let warnings = self.warnings(index);
        if !warnings.is_empty() {
            self.sink.text(&format!(",\r\n\"warning\": {}", Value::from(warnings.join("\n"))))?;
        }
        self.sink.text("}\r\n\n")
    }

    fn warnings(&self, index: &Index) -> Vec<String> {
        const RATIO: u64 = 10;
        let mut warnings = Vec::new();
        let design = |name: &String| name.strip_prefix("_design/").unwrap_or(name).to_owned();
        let is_used = |name: &String| index.design.as_deref() == Some(&format!("_design/{}", design(name)));
        match self.options.use_index.as_slice() {
            [name] if !is_used(name) => warnings.push(format!(
                "_design/{} was not used because it does not contain a valid index for this query.",
                design(name)
            )),
            [name, view] if !(is_used(name) && index.name == *view) => warnings.push(format!(
                "_design/{}, {view} was not used because it is not a valid index for this query.",
                design(name)
            )),
            _ => {}
        }
        if index.is_special() {
            warnings.push("No matching index found, create an index to optimize query time.".to_owned());
        }
        if self.counts.documents + self.counts.quorum > RATIO * self.returned.max(1) {
            let warning = "The number of documents examined is high in proportion to the number of results returned. \
                Consider adding a more specific index to improve this.";
            warnings.push(warning.to_owned());
        }
        warnings
    }
}

/// What a row tells of its document.
fn covered(index: &Index, row: &Row) -> Value {
    let mut document = Object::new();
    document.insert("_id".to_owned(), row.id.as_str().into());
    for (column, value) in index.columns().iter().zip(row.key.as_array().into_iter().flatten()) {
        if let Ok(path) = field::path(column) {
            field::set(&mut document, &path, value.clone());
        }
    }
    Value::Object(document)
}

/// The rows between the ends, from the bookmark on.
fn keys(plan: &Plan, is_descending: bool, given: Option<&Bookmark>) -> Keys {
    let start = Bound {
        key: collation::Collation::Unicode.key(&Value::Array(ranges::start(&plan.ranges))),
        id: Id::Text(String::new()),
    };
    let end = Bound { key: ranges::after(&ranges::end(&plan.ranges)), id: Id::Greatest };
    let (start, end) = if is_descending { (end, start) } else { (start, end) };
    let start = given.map_or(start, |given| Bound {
        key: collation::Collation::Unicode.key(&given.key),
        id: Id::Text(given.id.clone()),
    });
    Keys { start: Some(start), end: Some(end), excludes_end: false, is_descending }
}

/// The ids between the ends; `None` when no text can be between them.
fn ids(plan: &Plan, is_descending: bool) -> Option<Ids> {
    let (low, high) = match plan.ranges.first() {
        Some(Range::Between(low, high)) => (low, high),
        _ => (&End::Open, &End::Open),
    };
    let low = match low {
        End::Value(Value::String(id), _) => Some(id.clone()),
        _ => None,
    };
    let high = match high {
        End::Open => None,
        End::Value(Value::String(id), _) => Some(id.clone()),
        // Erlang has all other values before texts.
        End::Value(..) => return None,
    };
    let (start, end) = if is_descending { (high, low) } else { (low, high) };
    Some(Ids { start, end, is_descending, ..Ids::default() })
}
