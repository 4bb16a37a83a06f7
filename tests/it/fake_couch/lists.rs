//! Requests about many documents at once.

use serde_json::{Map, Value, json};

use super::attachment::Shown;
use super::documents;
use super::incoming::{Incoming, check_id};
use super::mixed;
use super::request::Request;
use super::store::{Database, Document, Rev, View};
use crate::wire::Answer;

type Answered = Result<Answer, Answer>;

/// `_all_docs`; ids are compared by bytes, as CouchDB does it here.
pub(crate) fn all_docs(database: &Database, request: &Request, only_designs: bool) -> Answered {
    let asked = if request.method == "POST" { request.posted_json()? } else { json!({}) };
    let parameter = |name: &str| asked.get(name).cloned().or_else(|| request.query_json(name));
    let text = |name: &str| parameter(name).and_then(|value| value.as_str().map(str::to_owned));
    let asks = |name: &str| parameter(name) == Some(Value::Bool(true));
    let with_documents = asks("include_docs");
    let shown = if request.asks("attachments") { Shown::Data } else { Shown::Stub };
    let (with_conflicts, with_encoding) = (asks("conflicts"), asks("att_encoding_info"));
    let view = View { shown, with_encoding, with_conflicts, ..View::PLAIN };
    let row = |id: &str, document: &Document| {
        let (rev, node) = document.winner()?;
        let mut row = Map::new();
        row.insert("id".into(), json!(id));
        row.insert("key".into(), json!(id));
        let rev_text = rev.to_string();
        let value =
            if node.is_deleted { json!({ "rev": rev_text, "deleted": true }) } else { json!({ "rev": rev_text }) };
        row.insert("value".into(), value);
        if with_documents {
            let shown = if node.is_deleted { Value::Null } else { document.to_json(id, rev, node, view) };
            row.insert("doc".into(), shown);
        }
        Some(Value::Object(row))
    };
    let live = || database.documents.iter().filter(|(_, document)| document.live().is_some());
    let total = live().count();
    let mut offset = Value::Null;
    let rows: Vec<Value> = if let Some(Value::Array(keys)) = parameter("keys") {
        let one = |key: &Value| {
            let id = key.as_str().unwrap_or_default();
            let known = database.documents.get(id).and_then(|document| row(id, document));
            known.unwrap_or_else(|| json!({ "key": key, "error": "not_found" }))
        };
        keys.iter().map(one).collect()
    } else {
        offset = json!(0);
        let key = text("key");
        let start = key.clone().or_else(|| text("startkey")).or_else(|| text("start_key"));
        let end = key.or_else(|| text("endkey")).or_else(|| text("end_key"));
        let exclusive = parameter("inclusive_end") == Some(Value::Bool(false));
        let limit = parameter("limit")
            .and_then(|limit| limit.as_u64())
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(usize::MAX);
        let skip = parameter("skip")
            .and_then(|skip| skip.as_u64())
            .and_then(|skip| usize::try_from(skip).ok())
            .unwrap_or_default();
        live()
            .filter(|(id, _)| !only_designs || id.starts_with("_design/"))
            .filter(|(id, _)| start.as_ref().is_none_or(|start| *id >= start))
            .filter(|(id, _)| end.as_ref().is_none_or(|end| *id < end || (*id == end && !exclusive)))
            .skip(skip)
            .take(limit)
            .filter_map(|(id, document)| row(id, document))
            .collect()
    };
    let mut answer = Answer::json(200, &json!({ "total_rows": total, "offset": offset, "rows": rows }));
    answer.is_chunked = true;
    Ok(answer)
}

/// A document as it was before a request.
struct Saved(Option<Document>, Option<u64>);

impl Saved {
    fn of(database: &Database, id: &str) -> Self {
        Self(database.documents.get(id).cloned(), database.changed.get(id).copied())
    }

    fn restore(self, database: &mut Database, id: String) {
        match self.1 {
            Some(sequence) => database.changed.insert(id.clone(), sequence),
            None => database.changed.remove(&id),
        };
        match self.0 {
            Some(document) => drop(database.documents.insert(id, document)),
            None => drop(database.documents.remove(&id)),
        }
    }
}

/// `_bulk_docs`: one document that is bad in itself refuses all of them, a conflict only itself.
pub(crate) fn bulk_docs(database: &mut Database, request: &Request, limit: u64) -> Answered {
    let asked = request.posted_json()?;
    let Some(Value::Array(documents)) = asked.get("docs") else {
        return Err(Answer::error(400, "bad_request", "POST body must include `docs` parameter."));
    };
    let mut incoming = Vec::new();
    for document in documents {
        let document = Incoming::new(document.clone())?;
        let id =
            document.id.clone().unwrap_or_else(|| format!("fake{:028x}", database.sequence + incoming.len() as u64));
        check_id(&id)?;
        document.check_size(&id)?;
        incoming.push((id, document));
    }
    let is_foreign = asked.get("new_edits") == Some(&Value::Bool(false));
    // One bad document undoes the others.
    let saved: Vec<_> = incoming.iter().map(|(id, _)| (id.clone(), Saved::of(database, id))).collect();
    let sequence = database.sequence;
    let mut rows = Vec::new();
    for (id, document) in incoming {
        let outcome = if is_foreign {
            documents::store_foreign(database, &id, document, limit)
        } else {
            let given = document.rev.clone();
            documents::store(database, &id, document, given.as_ref(), Vec::new(), limit)
        };
        match outcome {
            Ok(_) if is_foreign => {}
            Ok(rev) => rows.push(json!({ "ok": true, "id": id, "rev": rev.to_string() })),
            Err(answer) if answer.status == 409 => {
                rows.push(json!({ "id": id, "error": "conflict", "reason": "Document update conflict." }));
            }
            Err(_) if database.forbidden.contains_key(&id) => {
                rows.push(json!({ "id": id, "error": "forbidden", "reason": database.forbidden[&id] }));
            }
            Err(answer) => {
                saved.into_iter().for_each(|(id, saved)| saved.restore(database, id));
                database.sequence = sequence;
                return Err(answer);
            }
        }
    }
    Ok(Answer::json(201, &json!(rows)))
}

/// `_bulk_get`: `multipart/mixed` for who accepts nothing else, as CouchDB has it.
pub(crate) fn bulk_get(database: &Database, request: &Request) -> Answered {
    let asked = request.posted_json()?;
    let Some(Value::Array(documents)) = asked.get("docs") else {
        return Err(Answer::error(400, "bad_request", "Missing JSON list of 'docs'."));
    };
    let is_mixed = request.header("accept") == Some("multipart/mixed");
    let shown = match (request.asks("attachments"), is_mixed) {
        (true, true) => Shown::Follows,
        (true, false) => Shown::Data,
        (false, _) => Shown::Stub,
    };
    let view = View {
        shown,
        with_encoding: request.asks("att_encoding_info"),
        with_revisions: request.asks("revs"),
        ..View::PLAIN
    };
    let one = |wanted: &Value| {
        let id = wanted["id"].as_str().unwrap_or_default();
        let rev = wanted["rev"].as_str();
        let known = database.documents.get(id).and_then(|document| {
            let (rev, node) = match rev {
                Some(rev) => document.revision(&Rev::parse(rev).ok()?)?,
                None => document.live()?,
            };
            let sent = if shown == Shown::Follows { node.attachments.clone() } else { Vec::new() };
            Some(mixed::Item::Document(document.to_json(id, rev, node, view), sent))
        });
        known.unwrap_or_else(|| {
            let rev = rev.unwrap_or("undefined");
            mixed::Item::Error(json!({ "rev": rev, "reason": "missing", "id": id, "error": "not_found" }))
        })
    };
    let items: Vec<mixed::Item> = documents.iter().map(one).collect();
    if is_mixed {
        return Ok(mixed::answer(&items));
    }
    let results = documents.iter().zip(items).map(|(wanted, item)| match item {
        mixed::Item::Document(document, _) => json!({ "id": wanted["id"], "docs": [{ "ok": document }] }),
        mixed::Item::Error(error) => json!({ "id": wanted["id"], "docs": [{ "error": error }] }),
    });
    Ok(Answer::json(200, &json!({ "results": results.collect::<Vec<_>>() })))
}
