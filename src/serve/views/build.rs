//! Bringing an index up to date: what the database changed since, by the batch.

use std::sync::Arc;

use serde_json::Value;

use super::collation::{Collation, compare_raw};
use super::design::Group;
use super::index::{Index, New, Writer};
use crate::serve::functions::{Emitted, FunctionError, Functions, Mapping};
use crate::serve::http::documents::open::{self, Opened};
use crate::serve::http::documents::options::Options;
use crate::serve::http::documents::show;
use crate::serve::http::request::Failure;
use crate::serve::mango::Definition;
use crate::serve::store::{Change, Database};

/// So many documents at once.
const BATCH: u64 = 250;

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
    if since >= target {
        return Ok(());
    }
    let mapper = mapper(group)?;
    while since < target {
        let changes = database.changes(since, BATCH, false)?;
        let Some(last) = changes.last().map(|change| change.sequence) else {
            return writer.replace(&[], target);
        };
        batch(&mut writer, group, &mapper, database, functions, &changes)?;
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

fn batch(
    writer: &mut Writer<'_>,
    group: &Group,
    mapper: &Mapper,
    database: &Database,
    functions: &Functions,
    changes: &[Change],
) -> Result<(), Failure> {
    let documents = documents(group, database, changes)?;
    let mut emitted = match mapper {
        Mapper::JavaScript(mapping) => {
            let texts = documents.iter().map(|(_, document)| document.to_string()).collect();
            functions.map(mapping, texts)?
        }
        Mapper::Query(definitions) => documents
            .iter()
            .map(|(_, document)| definitions.iter().map(|definition| definition.rows(document)).collect())
            .collect(),
    }
    .into_iter();
    let collations: Vec<Collation> = group.views.iter().map(super::design::View::collation).collect();
    let mut mapped = documents.into_iter().peekable();
    let mut replaced = Vec::with_capacity(changes.len());
    for change in changes {
        let id = &change.document.id;
        let rows = match mapped.next_if(|(mapped, _)| mapped == id) {
            Some(_) => rows(emitted.next().unwrap_or_default(), &collations)?,
            None => Vec::new(),
        };
        replaced.push((id.clone(), rows));
    }
    let last = changes.last().map_or(0, |change| change.sequence);
    writer.replace(&replaced, last)
}

/// The documents of changes that are to be mapped, in the same order.
fn documents(group: &Group, database: &Database, changes: &[Change]) -> Result<Vec<(String, Value)>, Failure> {
    let options =
        Options { conflicts: true, deleted_conflicts: true, local_seq: group.has_local_sequence, ..Options::default() };
    let winners: Vec<_> = changes
        .iter()
        .filter(|change| group.includes_design || !change.document.id.starts_with("_design/"))
        .filter_map(|change| Some((&change.document, change.document.tree.winner()?)))
        .filter(|(_, winner)| !winner.is_deleted)
        .collect();
    let wanted: Vec<_> = winners.iter().map(|(document, winner)| (document.id.as_str(), &winner.revision)).collect();
    let bodies = database.bodies(&wanted)?;
    let mut documents = Vec::with_capacity(winners.len());
    for ((document, winner), body) in winners.iter().zip(bodies) {
        // Without a body it was changed meanwhile, and comes again.
        let Some(body) = body else { continue };
        let meta = open::meta(document, &options);
        let history = vec![winner.revision.clone()];
        let opened = Opened { id: document.id.clone(), history, is_deleted: false, body, meta };
        documents.push((document.id.clone(), Value::Object(show::stubbed(&opened, &options))));
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

fn order(rows: &mut [New]) {
    let value = |row: &New| serde_json::from_str::<Value>(&row.value).unwrap_or_default();
    rows.sort_by(|left, right| left.key.cmp(&right.key).then_with(|| compare_raw(&value(left), &value(right))));
    for at in 1..rows.len() {
        if rows[at].key == rows[at - 1].key {
            rows[at].position = rows[at - 1].position + 1;
        }
    }
}
