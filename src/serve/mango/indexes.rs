//! Indexes made and removed: design documents of the language `query`, as CouchDB writes them.

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::definition::{Definition, invalid_key, missing_key};
use super::options::{positive, use_index};
use super::plan;
use super::term;
use crate::couch::term::{Doubtful, Term};
use crate::hexadecimal;
use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::http::documents::incoming::Incoming;
use crate::serve::http::documents::write;
use crate::serve::http::request::Place;
use crate::serve::users::User;

/// What `POST /db/_index` is asked for.
struct Asked {
    definition: Definition,
    /// As it came: the options of the view, and part of the name.
    raw: Value,
    name: Option<String>,
    design: Option<String>,
    replicas: u64,
    is_partitioned: Option<bool>,
}

impl Asked {
    fn parse(body: &Object) -> Result<Self, Failure> {
        let raw = body.get("index").cloned().ok_or_else(|| missing_key("index"))?;
        let kind = match body.get("type") {
            None => "json",
            Some(Value::String(kind)) => kind,
            Some(other) => return Err(invalid_string(other)),
        };
        let name = text(body, "name")?;
        let design = text(body, "ddoc")?;
        let replicas = positive(body.get("w"), 2)?;
        let is_partitioned = match body.get("partitioned") {
            None => None,
            Some(Value::Bool(value)) => Some(*value),
            Some(other) => {
                let term = term::plain(other);
                let reason = format!("Unknown Error: mango_opts :: {{invalid_partitioned_value,{term}}}");
                return Err(Failure::new(500, "unknown_error", reason));
            }
        };
        let known = ["index", "type", "name", "ddoc", "w", "partitioned"];
        if let Some(unknown) = body.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(invalid_key(unknown));
        }
        match kind {
            "json" => {}
            "text" | "nouveau" => return Err(Failure::new(503, "required index service unavailable", kind)),
            other => {
                return Err(Failure::new(400, "invalid_index", format!("Invalid type for index: {other}")));
            }
        }
        let definition = Definition::asked(&raw)?;
        Ok(Self { definition, raw, name, design, replicas, is_partitioned })
    }

    /// The name of what has none: the SHA-1 of the request as a term.
    fn generated(&self) -> String {
        let mut term = Term::new();
        let mut write = || -> Result<(), Doubtful> {
            let named = |term: &mut Term, tag: &str, text: Option<&String>| {
                term.tuple(2);
                term.atom(tag);
                match text {
                    Some(text) => term.binary(text.as_bytes()),
                    None => term.atom("auto_name"),
                }
            };
            term.tuple(2);
            term.value(&self.raw)?;
            term.list(6, |term| {
                named(term, "ddoc", self.design.as_ref());
                term.tuple(2);
                term.atom("def");
                term.value(&self.raw)?;
                named(term, "name", self.name.as_ref());
                term.tuple(2);
                term.atom("partitioned");
                match self.is_partitioned {
                    Some(value) => term.boolean(value),
                    None => term.atom("db_default"),
                }
                term.tuple(2);
                term.atom("type");
                term.binary(b"json");
                term.tuple(2);
                term.atom("w");
                term.integer(i64::try_from(self.replicas).unwrap_or_default());
                Ok(())
            })
        };
        let is_exact = write().is_ok();
        let bytes = if is_exact { term.into_bytes() } else { self.raw.to_string().into_bytes() };
        let sum: [u8; 20] = Sha1::digest(bytes).into();
        hexadecimal::encode(&sum)
    }
}

fn invalid_string(value: &Value) -> Failure {
    Failure::new(400, "invalid_string", format!("Invalid string: {}", term::plain(value)))
}

fn text(body: &Object, name: &str) -> Result<Option<String>, Failure> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => {
            Err(Failure::new(400, "invalid_empty_string", "Index name or ddoc cannot be empty string"))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(invalid_string(other)),
    }
}

fn design_id(name: &str) -> String {
    if name.starts_with("_design/") { name.to_owned() } else { format!("_design/{name}") }
}

/// A design document, with the revision that the next one is upon.
struct Design {
    id: String,
    revision: Option<Revision>,
    members: Object,
}

fn load(place: &Place, id: &str) -> Result<Design, Failure> {
    let empty = || [("language".to_owned(), Value::from("query"))].into_iter().collect();
    let winner = place.database.document(id)?.and_then(|document| document.tree.winner());
    let Some(winner) = winner.filter(|winner| !winner.is_deleted) else {
        return Ok(Design { id: id.to_owned(), revision: None, members: empty() });
    };
    let body = place.database.body(id, &winner.revision)?;
    let members = body.map_or_else(empty, |body| body.members);
    match members.get("language") {
        Some(language) if language == "query" => {}
        other => {
            let shown = other.map_or_else(
                || "false".to_owned(),
                |language| format!("{{{},{}}}", term::plain(&Value::from("language")), term::plain(language)),
            );
            let reason = format!("Existing design doc has an invalid language: {shown}");
            return Err(Failure::new(400, "invalid_ddoc_lang", reason));
        }
    }
    Ok(Design { id: id.to_owned(), revision: Some(winner.revision), members })
}

fn save(place: &Place, user: &User, design: Design) -> Result<(), Failure> {
    let mut document = Object::new();
    document.insert("_id".to_owned(), design.id.as_str().into());
    if let Some(revision) = &design.revision {
        document.insert("_rev".to_owned(), revision.as_str().into());
    }
    if design.members.len() == 1 && design.members.contains_key("language") {
        document.insert("_deleted".to_owned(), true.into());
    } else {
        document.extend(design.members);
    }
    let incoming = Incoming::parse(Value::Object(document))?;
    write::one(place, user, incoming, false).map(drop).map_err(|failure| {
        let reason = match failure.error.as_str() {
            "conflict" => "Encountered a conflict while saving the design document.".to_owned(),
            error => format!("Unknown error while saving the design document: {error}"),
        };
        Failure::new(500, "error_saving_ddoc", reason)
    })
}

/// `POST /db/_index`
pub(in crate::serve) fn create(place: &Place, user: &User, body: &Object) -> Result<Value, Failure> {
    let asked = Asked::parse(body)?;
    let name = asked.name.clone().unwrap_or_else(|| asked.generated());
    let id = design_id(&asked.design.clone().unwrap_or_else(|| asked.generated()));
    if id == "_design/" {
        return Err(Failure::new(400, "illegal_docid", "Illegal document id `_design/`"));
    }
    let mut design = load(place, &id)?;
    let before = design.members.clone();
    let view = json!({ "map": asked.definition.map(), "reduce": "_count", "options": { "def": asked.raw } });
    let views = design.members.entry("views").or_insert_with(|| json!({}));
    if !views.is_object() {
        *views = json!({});
    }
    views[name.as_str()] = view;
    set_partitioned(&mut design, asked.is_partitioned)?;
    let result = if design.members == before { "exists" } else { "created" };
    if result == "created" {
        save(place, user, design)?;
    }
    Ok(json!({ "result": result, "id": id, "name": name }))
}

/// No database is partitioned here, so a design document can only say that it is not.
fn set_partitioned(design: &mut Design, is_partitioned: Option<bool>) -> Result<(), Failure> {
    let before = design.members.get("options").and_then(|options| options.get("partitioned")).and_then(Value::as_bool);
    if before == is_partitioned {
        return Ok(());
    }
    match (design.revision.is_some(), is_partitioned) {
        (true, _) => {
            let reason =
                format!("Requested partitioned option does not match existing value on design document {}", design.id);
            Err(Failure::new(400, "invalid_partitioned_option", reason))
        }
        (false, Some(true)) => {
            let reason = "Unknown error while saving the design document: invalid_design_doc";
            Err(Failure::new(500, "error_saving_ddoc", reason))
        }
        (false, Some(false)) => {
            design.members.insert("options".to_owned(), json!({ "partitioned": false }));
            Ok(())
        }
        (false, None) => Ok(()),
    }
}

/// `GET /db/_index`
pub(in crate::serve) fn list(place: &Place, limit: Option<&str>, skip: Option<&str>) -> Result<Value, Failure> {
    let invalid = || Failure::new(500, "invalid_list_index_params", "Index parameter ranges: limit > 1, skip > 0");
    let number = |text: Option<&str>| text.map(|text| text.parse::<i64>().map_err(|_| invalid())).transpose();
    let (limit, skip) = (number(limit)?, number(skip)?);
    if limit.is_some_and(|limit| limit < 1) || skip.is_some_and(|skip| skip < 0) {
        return Err(invalid());
    }
    let size = |number: Option<i64>, otherwise| {
        number.map_or(otherwise, |number| usize::try_from(number).unwrap_or(otherwise))
    };
    let all = plan::indexes(&place.database)?;
    let shown = all.iter().skip(size(skip, 0)).take(size(limit, usize::MAX));
    let shown: Vec<Value> = shown.map(plan::Index::shown).collect();
    Ok(json!({ "total_rows": all.len(), "indexes": shown }))
}

/// Removes the index `name` of a design document, and the document with its last one.
fn remove(place: &Place, user: &User, id: &str, name: &str) -> Result<(), Failure> {
    let mut design = load(place, id)?;
    let views = design.members.get_mut("views").and_then(Value::as_object_mut);
    let is_last = views.is_some_and(|views| {
        views.shift_remove(name);
        views.is_empty()
    });
    if is_last {
        design.members.shift_remove("views");
    }
    save(place, user, design)
}

/// `DELETE /db/_index/{ddoc}/json/{name}`
pub(in crate::serve) fn delete(place: &Place, user: &User, design: &str, name: &str) -> Result<(), Failure> {
    let id = design_id(design);
    let is_there = |index: &plan::Index| index.design.as_deref() == Some(&id) && index.name == name;
    if !plan::indexes(&place.database)?.iter().any(is_there) {
        return Err(Failure::not_found("missing"));
    }
    remove(place, user, &id, name)
}

/// `POST /db/_index/_bulk_delete`: design documents with a single index.
pub(in crate::serve) fn bulk_delete(place: &Place, user: &User, body: &Object) -> Result<Value, Failure> {
    let ids = match body.get("docids") {
        None => return Err(missing_key("docids")),
        Some(Value::Array(ids)) => ids,
        Some(other) => {
            let docids = term::plain(other);
            let reason = format!("Bulk Delete requires an array of non-null docids. Docids: {docids}");
            return Err(Failure::new(400, "invalid_bulk_docs", reason));
        }
    };
    for id in ids {
        use_index(id)?;
    }
    positive(body.get("w"), 2)?;
    if let Some(unknown) = body.keys().find(|name| !matches!(name.as_str(), "docids" | "w")) {
        return Err(invalid_key(unknown));
    }
    let indexes = plan::indexes(&place.database)?;
    let (mut success, mut fail) = (Vec::new(), Vec::new());
    for id in ids.iter().filter_map(Value::as_str).map(design_id) {
        let mine: Vec<_> = indexes.iter().filter(|index| index.design.as_deref() == Some(&id)).collect();
        let removed = match mine.as_slice() {
            [] => Err("not_found".to_owned()),
            several => several
                .iter()
                .try_for_each(|index| remove(place, user, &id, &index.name))
                .map_err(|failure| failure.error),
        };
        match removed {
            Ok(()) => success.insert(0, json!({ "id": id, "ok": true })),
            Err(error) => fail.insert(0, json!({ "id": id, "error": error })),
        }
    }
    Ok(json!({ "success": success, "fail": fail }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(body: &str) -> String {
        Asked::parse(serde_json::from_str::<Value>(body).unwrap().as_object().unwrap()).unwrap().generated()
    }

    /// Asked of CouchDB 3.5.0.
    #[test]
    fn names_are_generated_as_couchdb_does() {
        for (body, name) in [
            (r#"{"index":{"fields":["a"]}}"#, "7095fd2321a986309496ad2ac9c3498246175757"),
            (
                r#"{"index":{"fields":[{"a":"desc"}]},"ddoc":"_design/adesc"}"#,
                "d190947464f3a5b6419c51bf19954b1b4dc3c493",
            ),
            (
                r#"{"index":{"fields":["n.m"],"partial_filter_selector":{"a":{"$gt":2}}},"name":"part","type":"json"}"#,
                "fb3a75b4d2dfd632be3969474cc2541925d4ae50",
            ),
            (r#"{"index":{"fields":[]}}"#, "16d64bc5aa5ac9a0662f02b45a7d70d4a6923ccc"),
        ] {
            assert_eq!(generated(body), name, "{body}");
        }
    }
}
