//! Requests about documents and their attachments.

use bytes::Bytes;
use serde_json::{Value, json};

use super::attachment::{Attachment, Shown};
use super::incoming::{Incoming, check_attachment_name, check_id};
use super::multipart;
use super::request::{self, Request};
use super::store::{Database, Document, Node, Rev, View};
use crate::wire::Answer;

type Answered = Result<Answer, Answer>;

fn missing(reason: &str) -> Answer {
    Answer::error(404, "not_found", reason)
}

fn stored(status: u16, id: &str, rev: &Rev) -> Answer {
    Answer::json(status, &json!({ "ok": true, "id": id, "rev": rev.to_string() }))
}

fn written(status: u16, id: &str, rev: &Rev) -> Answer {
    stored(status, id, rev).with("ETag", format!("\"{rev}\""))
}

/// The revision that `?rev` names, or the winner.
fn found<'a>(database: &'a Database, request: &Request, id: &str) -> Result<(&'a Document, &'a Rev, &'a Node), Answer> {
    let document = database.documents.get(id).ok_or_else(|| missing("missing"))?;
    let (rev, node) = match request.query.get("rev") {
        Some(rev) => document.revision(&Rev::parse(rev)?).ok_or_else(|| missing("missing"))?,
        None => document.live().ok_or_else(|| missing("deleted"))?,
    };
    Ok((document, rev, node))
}

/// `GET` and `HEAD` of a document.
pub(crate) fn get(database: &Database, request: &Request, id: &str) -> Answered {
    if request.query.contains_key("open_revs") {
        return open_revisions(database, request, id);
    }
    let (document, rev, node) = found(database, request, id)?;
    let etag = format!("\"{rev}\"");
    if request.header("if-none-match") == Some(&etag) {
        return Ok(Answer::new(304, "application/json", "").with("ETag", etag));
    }
    let with_attachments = request.asks("attachments");
    let as_parts = with_attachments && request.accepts_related() && !node.attachments.is_empty();
    let shown = match (with_attachments, as_parts) {
        (false, _) => Shown::Stub,
        (true, false) => Shown::Data,
        (true, true) => Shown::Follows,
    };
    let view = View {
        shown,
        with_encoding: request.asks("att_encoding_info") || as_parts,
        with_revisions: request.asks("revs"),
        with_status: request.asks("revs_info"),
        with_conflicts: request.asks("conflicts"),
    };
    let value = document.to_json(id, rev, node, view);
    let answer =
        if as_parts { multipart::answer(&value, &node.attachments, &rev.hash) } else { Answer::json(200, &value) };
    // CouchDB gives none when the answer depends on more than the revision.
    let is_plain = value.get("_conflicts").is_none() && value.get("_revs_info").is_none();
    Ok(if is_plain { answer.with("ETag", etag) } else { answer })
}

fn open_revisions(database: &Database, request: &Request, id: &str) -> Answered {
    let document = database.documents.get(id).ok_or_else(|| missing("missing"))?;
    let list: Vec<Value> = match request.query_json("open_revs") {
        Some(Value::Array(revs)) => {
            let one = |rev: &Value| {
                let text = rev.as_str().unwrap_or_default();
                let node = Rev::parse(text).ok().and_then(|rev| document.revision(&rev));
                node.map_or_else(
                    || json!({ "missing": text }),
                    |(rev, node)| json!({ "ok": document.to_json(id, rev, node, View::PLAIN) }),
                )
            };
            revs.iter().map(one).collect()
        }
        _ => document
            .open_revisions()
            .map(|(rev, node)| json!({ "ok": document.to_json(id, rev, node, View::PLAIN) }))
            .collect(),
    };
    Ok(Answer::json(200, &json!(list)))
}

/// `PUT` of a document, as JSON or as `multipart/related`.
pub(crate) fn put(database: &mut Database, request: &Request, id: &str, limit: u64) -> Answered {
    check_id(id)?;
    let (value, parts) = if request.content_type().starts_with("multipart/related") {
        let related = multipart::read(request.content_type(), &request.body);
        let related = related.ok_or_else(|| Answer::error(400, "bad_request", "Missing boundary"))?;
        (request::json(&related.json)?, related.parts)
    } else {
        (request.json()?, Vec::new())
    };
    let incoming = Incoming::new(value)?;
    incoming.check_size(id)?;
    let named = request.named_revision()?;
    if let (Some(named), Some(inside)) = (&named, &incoming.rev)
        && named != inside
    {
        let reason = "Document rev from request body and query string have different values";
        return Err(Answer::error(400, "bad_request", reason));
    }
    if request.query.get("new_edits").is_some_and(|value| value == "false") {
        let rev = store_foreign(database, id, incoming, limit)?;
        return Ok(written(201, id, &rev));
    }
    let given = named.or_else(|| incoming.rev.clone());
    let rev = store(database, id, incoming, given.as_ref(), parts, limit)?;
    Ok(written(201, id, &rev))
}

/// Adds a revision after the check for conflicts.
pub(crate) fn store(
    database: &mut Database,
    id: &str,
    incoming: Incoming,
    given: Option<&Rev>,
    parts: Vec<Vec<u8>>,
    limit: u64,
) -> Result<Rev, Answer> {
    let empty = Document::default();
    let document = database.documents.get(id).unwrap_or(&empty);
    let parent = document.parent_for(given)?;
    let base = parent.as_ref().and_then(|rev| document.revision(rev));
    let node = incoming.into_node(id, base, parts, limit)?;
    if let Some(reason) = database.forbidden.get(id) {
        return Err(Answer::error(403, "forbidden", reason));
    }
    database.count(id);
    Ok(database.documents.entry(id.to_owned()).or_default().add(parent, node))
}

/// Adds a revision that was made elsewhere, without a check.
pub(crate) fn store_foreign(database: &mut Database, id: &str, incoming: Incoming, limit: u64) -> Result<Rev, Answer> {
    let rev = incoming.rev.clone().or_else(|| incoming.revisions.first().cloned());
    let rev = rev.ok_or_else(|| Answer::error(400, "bad_request", "Document must have a revision"))?;
    let mut path = incoming.revisions.clone();
    if path.is_empty() {
        path.push(rev.clone());
    }
    let node = incoming.into_node(id, None, Vec::new(), limit)?;
    database.count(id);
    database.documents.entry(id.to_owned()).or_default().add_foreign(&path, node);
    Ok(rev)
}

/// `DELETE` of a document.
pub(crate) fn delete(database: &mut Database, request: &Request, id: &str) -> Answered {
    let given = request.named_revision()?;
    let document = database.documents.get(id).ok_or_else(|| missing("missing"))?;
    if document.live().is_none() {
        return Err(missing("deleted"));
    }
    let parent = document.parent_for(given.as_ref())?;
    let tombstone = Incoming::new(json!({ "_deleted": true }))?.into_node("", None, Vec::new(), 0)?;
    database.count(id);
    let rev = database.documents.entry(id.to_owned()).or_default().add(parent, tombstone);
    Ok(written(200, id, &rev))
}

/// `COPY` of a document to the id in `Destination`.
pub(crate) fn copy(database: &mut Database, request: &Request, id: &str) -> Answered {
    let target = request.header("destination").ok_or_else(|| missing("missing"))?.to_owned();
    let (target, rev) = target.split_once("?rev=").map_or((&*target, None), |(target, rev)| (target, Some(rev)));
    let given = rev.map(Rev::parse).transpose()?;
    let (_, _, node) = found(database, request, id)?;
    let node = node.clone();
    let parent = database.documents.entry(target.to_owned()).or_default().parent_for(given.as_ref())?;
    database.count(target);
    let rev = database.documents.entry(target.to_owned()).or_default().add(parent, node);
    Ok(written(201, target, &rev))
}

/// `GET` and `HEAD` of an attachment.
pub(crate) fn get_attachment(database: &Database, request: &Request, id: &str, name: &str, sandbox: bool) -> Answered {
    let (_, _, node) = found(database, request, id)?;
    let (_, file) = node
        .attachments
        .iter()
        .find(|(other, _)| other == name)
        .ok_or_else(|| missing("Document is missing attachment"))?;
    let etag = format!("\"{}\"", file.etag());
    let finish = |answer: Answer| {
        let answer = answer.with("ETag", etag.clone());
        let answer = answer.with("Accept-Ranges", if file.is_gzip { "none" } else { "bytes" });
        if sandbox { answer.with("Content-Security-Policy", "sandbox") } else { answer }
    };
    if request.header("if-none-match") == Some(&etag) {
        return Ok(finish(Answer::new(304, &file.content_type, "")));
    }
    if file.is_gzip {
        if request.header("accept-encoding").is_some_and(|codings| codings.contains("gzip")) {
            let answer = Answer::new(200, &file.content_type, file.stored.to_vec());
            return Ok(finish(answer.with("Content-Encoding", "gzip")));
        }
        // Bytes that were sent as gzip and are none: CouchDB says 200 and sends nothing.
        return Ok(finish(Answer::new(200, &file.content_type, file.content().unwrap_or_default())));
    }
    match request.header("range").and_then(|range| range.strip_prefix("bytes=")) {
        Some(range) => partial(file, range).map(finish),
        None => Ok(finish(Answer::new(200, &file.content_type, file.stored.to_vec()))),
    }
}

fn partial(file: &Attachment, range: &str) -> Answered {
    let length = file.stored.len();
    let refused = || Answer::error(416, "requested_range_not_satisfiable", "Requested range not satisfiable");
    let (from, to) = range.split_once('-').ok_or_else(refused)?;
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, (to + 1).min(length)),
        (Ok(from), Err(_)) => (from, length),
        (Err(_), Ok(last)) => (length.saturating_sub(last), length),
        (Err(_), Err(_)) => return Err(refused()),
    };
    if from >= to {
        return Err(refused());
    }
    let content_range = format!("bytes {from}-{}/{length}", to - 1);
    let answer = Answer::new(206, &file.content_type, file.stored[from..to].to_vec());
    Ok(answer.with("Content-Range", content_range))
}

/// What stands in the way of a `PUT` of an attachment; CouchDB says it before it reads the content.
pub(crate) fn refuse_attachment(database: &Database, request: &Request, id: &str, name: &str) -> Result<(), Answer> {
    check_attachment_name(name)?;
    check_id(id)?;
    let given = request.named_revision()?;
    let Some(document) = database.documents.get(id) else {
        return given.map_or(Ok(()), |_| Err(Answer::error(409, "not_found", "missing_rev")));
    };
    document.parent_for(given.as_ref()).map(drop)
}

/// `PUT` of an attachment.
pub(crate) fn put_attachment(database: &mut Database, request: &Request, id: &str, name: &str) -> Answered {
    refuse_attachment(database, request, id, name)?;
    let coding = request.header("content-encoding");
    if coding.is_some_and(|coding| coding != "gzip" && coding != "identity") {
        return Err(Answer::error(415, "bad_ctype", "Only gzip and identity content-encodings are supported"));
    }
    change_attachments(database, request, id, |revpos, node| {
        let file = if coding == Some("gzip") {
            Attachment {
                content_type: request.content_type().to_owned(),
                stored: Bytes::from(request.body.clone()),
                length: request.body.len() as u64,
                is_gzip: true,
                revpos,
            }
        } else {
            Attachment::plain(request.content_type(), &request.body, revpos)
        };
        node.attachments.retain(|(other, _)| other != name);
        node.attachments.insert(0, (name.to_owned(), file));
    })
    .map(|rev| stored(201, id, &rev))
}

/// `DELETE` of an attachment.
pub(crate) fn delete_attachment(database: &mut Database, request: &Request, id: &str, name: &str) -> Answered {
    let given = request.named_revision()?;
    let document = database.documents.get(id).ok_or_else(|| missing("missing"))?;
    document.parent_for(given.as_ref())?;
    if !document.live().is_some_and(|(_, node)| node.attachments.iter().any(|(other, _)| other == name)) {
        return Err(missing("Document is missing attachment"));
    }
    change_attachments(database, request, id, |_, node| node.attachments.retain(|(other, _)| other != name))
        .map(|rev| stored(200, id, &rev))
}

fn change_attachments(
    database: &mut Database,
    request: &Request,
    id: &str,
    change: impl FnOnce(u64, &mut Node),
) -> Result<Rev, Answer> {
    let given = request.named_revision()?;
    let document = database.documents.entry(id.to_owned()).or_default();
    let parent = document.parent_for(given.as_ref())?;
    let mut node = match parent.as_ref().and_then(|rev| document.revision(rev)) {
        Some((_, node)) if !node.is_deleted => node.clone(),
        _ => Incoming::new(json!({}))?.into_node("", None, Vec::new(), 0)?,
    };
    change(parent.as_ref().map_or(0, |rev| rev.generation) + 1, &mut node);
    let rev = document.add(parent, node);
    database.count(id);
    Ok(rev)
}
