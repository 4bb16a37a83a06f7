//! Bringing an index up to date: what the database changed since, by the batch.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::collation::{Collation, compare_raw};
use super::design::Group;
use super::index::{Index, New, Writer};
use crate::serve::failure::Failure;
use crate::serve::functions::{Emitted, FunctionError, Functions, Mapping};
use crate::serve::http::body;
use crate::serve::http::documents::open::{self, Opened};
use crate::serve::http::documents::options::Options;
use crate::serve::http::documents::show;
use crate::serve::mango::Definition;
use crate::serve::store::{Change, Database};

/// So many documents at once.
const BATCH: u64 = 250;
/// So many of them are read at once.
const READ: usize = 25;
/// So many bytes of documents are enough for one call.
const LARGE: usize = 4 << 20;

/// Who says which rows a document has.
enum Mapper {
    JavaScript(Mapping),
    Query(Vec<Definition>),
}

/// Brings an index up to what the database holds now, after whoever builds already.
pub(super) fn update(
    index: &Arc<Index>,
    group: &Group,
    database: &Database,
    functions: &Functions,
) -> Result<(), Failure> {
    let target = database.info()?.sequence;
    let mut writer = index.writer();
    let mut since = writer.sequence()?;
    if since > target && since > database.info()?.sequence {
        // The machine lost its power, and the database writes that the index has: their sequences are used once more.
        writer.clear()?;
        since = 0;
    }
    if since >= target {
        return Ok(());
    }
    let mapper = mapper(group)?;
    while since < target {
        let changes = database.changes(since, BATCH, false)?;
        let Some(last) = changes.last().map(|change| change.sequence) else {
            return writer.replace(&[], target);
        };
        let mut batch = Batch::default();
        for changes in changes.chunks(READ) {
            batch.read(group, &mapper, database, changes)?;
            if batch.bytes > LARGE {
                std::mem::take(&mut batch).write(&mut writer, group, &mapper, functions)?;
            }
        }
        batch.write(&mut writer, group, &mapper, functions)?;
        since = last;
    }
    Ok(())
}

impl From<FunctionError> for Failure {
    fn from(error: FunctionError) -> Self {
        Self::new(error.status, error.error, error.reason)
    }
}

fn mapper(group: &Group) -> Result<Mapper, Failure> {
    match group.language.as_str() {
        "javascript" => {
            let sources: Vec<&str> = group.views.iter().map(|view| view.map.as_str().unwrap_or_default()).collect();
            Ok(Mapper::JavaScript(Mapping::new(&sources, group.library.as_ref())))
        }
        "query" => {
            let definitions = group.views.iter().map(|view| Definition::stored(&view.map));
            Ok(Mapper::Query(definitions.collect::<Result<_, _>>()?))
        }
        other => Err(Failure::new(500, "unknown_query_language", other)),
    }
}

/// Documents that are mapped with one call and written with one transaction.
#[derive(Default)]
struct Batch {
    /// Those that changed, and which of them are mapped.
    changed: VecDeque<Changed>,
    texts: Vec<String>,
    emitted: Vec<Vec<Vec<Emitted>>>,
    bytes: usize,
}

struct Changed {
    id: String,
    is_mapped: bool,
    sequence: u64,
}

impl Batch {
    fn read(&mut self, group: &Group, mapper: &Mapper, database: &Database, changes: &[Change]) -> Result<(), Failure> {
        let mut documents = documents(group, database, changes)?.into_iter().peekable();
        for change in changes {
            let id = &change.document.id;
            let document = documents.next_if(|(mapped, _)| mapped == id);
            let (id, sequence) = (id.clone(), change.sequence);
            self.changed.push_back(Changed { id, is_mapped: document.is_some(), sequence });
            match (document, mapper) {
                (Some((_, document)), Mapper::JavaScript(_)) => {
                    let text = document.to_string();
                    self.bytes += text.len();
                    self.texts.push(text);
                }
                (Some((_, document)), Mapper::Query(definitions)) => {
                    let rows = definitions.iter().map(|definition| definition.rows(&document));
                    self.emitted.push(rows.collect());
                }
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn write(
        mut self,
        writer: &mut Writer<'_>,
        group: &Group,
        mapper: &Mapper,
        functions: &Functions,
    ) -> Result<(), Failure> {
        let (mapped, texts) = (std::mem::take(&mut self.emitted), std::mem::take(&mut self.texts));
        if let Mapper::JavaScript(mapping) = mapper {
            functions.map(mapping, texts, |emitted| self.write_rows(writer, group, emitted))?;
        }
        self.write_rows(writer, group, mapped)?;
        // Those at the end that are not mapped.
        self.write_rows(writer, group, Vec::new())
    }

    /// Writes the rows of the next documents, and of what is not mapped between them.
    fn write_rows(
        &mut self,
        writer: &mut Writer<'_>,
        group: &Group,
        emitted: Vec<Vec<Vec<Emitted>>>,
    ) -> Result<(), Failure> {
        let collations: Vec<Collation> = group.views.iter().map(super::design::View::collation).collect();
        let (mut emitted, mut replaced, mut reached) = (emitted.into_iter(), Vec::new(), None);
        while let Some(next) = self.changed.front() {
            let emitted = if next.is_mapped { emitted.next() } else { Some(Vec::new()) };
            let Some(mut emitted) = emitted else { break };
            let Some(Changed { id, sequence, .. }) = self.changed.pop_front() else { break };
            emitted.iter_mut().for_each(|rows| rows.retain(|row| is_readable(&row.key) && is_readable(&row.value)));
            replaced.push((id, rows(emitted, &collations)?));
            reached = Some(sequence);
        }
        reached.map_or(Ok(()), |sequence| writer.replace(&replaced, sequence))
    }
}

/// The documents of changes that are to be mapped, in the same order.
fn documents(group: &Group, database: &Database, changes: &[Change]) -> Result<Vec<(String, Value)>, Failure> {
    let options =
        Options { conflicts: true, deleted_conflicts: true, local_seq: group.has_local_sequence, ..Options::default() };
    let is_live = |change: &&Change| change.document.tree.winner().is_some_and(|winner| !winner.is_deleted);
    let ids = changes.iter().filter(is_live).map(|change| change.document.id.as_str());
    let ids: Vec<&str> = ids.filter(|id| group.includes_design || !id.starts_with("_design/")).collect();
    let mut documents = Vec::with_capacity(ids.len());
    // As they are now: what was changed meanwhile comes again.
    for (document, body) in database.winners(&ids)?.into_iter().flatten() {
        let Some(winner) = document.tree.winner().filter(|winner| !winner.is_deleted) else { continue };
        let (history, meta) = (vec![winner.revision], open::meta(&document, &options));
        let opened = Opened { id: document.id.clone(), history, is_deleted: false, body, meta };
        documents.push((document.id, Value::Object(show::stubbed(&opened, &options))));
    }
    Ok(documents)
}

/// The rows of one document, in the order in which CouchDB has those of one key: that of their values as Erlang's terms.
fn rows(emitted: Vec<Vec<Emitted>>, collations: &[Collation]) -> Result<Vec<New>, Failure> {
    let invalid = |_| Failure::new(500, "invalid_json", "a map function gave what is no JSON");
    let mut all = Vec::new();
    for (view, (emitted, collation)) in emitted.into_iter().zip(collations).enumerate() {
        let mut rows = Vec::with_capacity(emitted.len());
        for Emitted { key: json, value } in emitted {
            let (json, value) = (printed(json)?, printed(value)?);
            let key: Value = serde_json::from_str(&json).map_err(invalid)?;
            rows.push(New { view, key: collation.key(&key), position: 0, json, value });
        }
        if rows.len() > 1 {
            order(&mut rows);
        }
        all.extend(rows);
    }
    Ok(all)
}

/// Whether JSON is not nested deeper than any reader takes; a row of such a kind is left out.
fn is_readable(json: &str) -> bool {
    const DEEPEST: usize = 120;
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => depth += 1,
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return false;
        }
    }
    true
}

/// JavaScript prints numbers as CouchDB does, but for those that are too small for CouchDB.
fn printed(json: String) -> Result<String, Failure> {
    if !json.contains("e-3") {
        return Ok(json);
    }
    let value = body::parse(json.as_bytes())?;
    Ok(value.to_string())
}

fn order(rows: &mut [New]) {
    let value = |row: &New| serde_json::from_str::<Value>(&row.value).unwrap_or_default();
    rows.sort_by(|left, right| left.key.cmp(&right.key).then_with(|| compare_raw(&value(left), &value(right))));
    for at in 1..rows.len() {
        if rows[at].key == rows[at - 1].key {
            rows[at].position = rows[at - 1].position + 1;
        }
    }
}
