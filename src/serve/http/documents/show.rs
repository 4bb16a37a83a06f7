//! A revision as JSON, in CouchDB's order of members: id, revision, what it holds, what is told of it, attachments.

use serde_json::{Value, json};

use super::open::Opened;
use super::options::Options;
use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::http::number;
use crate::serve::http::produce::Sink;
use crate::serve::http::text;
use crate::serve::store::{Database, Stored};

/// A revision with all its attachments as stubs.
pub(in crate::serve) fn stubbed(opened: &Opened, options: &Options) -> Object {
    let mut object = without_attachments(opened, options);
    if !opened.body.attachments.is_empty() {
        let show_encoding = options.att_encoding_info;
        let stubs =
            opened.body.attachments.iter().map(|stored| (stored.name.clone(), entry(stored, "stub", show_encoding)));
        object.insert("_attachments".to_owned(), Value::Object(stubs.collect()));
    }
    object
}

/// A revision whose attachments follow as parts, but for those that the reader has.
pub(in crate::serve) fn followed(opened: &Opened, options: &Options) -> Object {
    let mut object = without_attachments(opened, options);
    if !opened.body.attachments.is_empty() {
        let since = since(opened, options);
        let entries = opened.body.attachments.iter().map(|stored| {
            let kind = if stored.revpos > since || options.atts_since.is_none() { "follows" } else { "stub" };
            (stored.name.clone(), entry(stored, kind, true))
        });
        object.insert("_attachments".to_owned(), Value::Object(entries.collect()));
    }
    object
}

/// The attachments whose bytes are sent.
pub(in crate::serve) fn sent<'a>(opened: &'a Opened, options: &Options) -> Vec<&'a Stored> {
    let since = since(opened, options);
    opened.body.attachments.iter().filter(|stored| stored.revpos > since || options.atts_since.is_none()).collect()
}

/// Writes a revision, the bytes of its attachments inside when the options say so.
pub(in crate::serve) fn write(
    sink: &mut Sink,
    database: &Database,
    opened: &Opened,
    options: &Options,
) -> Result<(), Failure> {
    if !options.attachments || opened.body.attachments.is_empty() {
        return sink.text(&text::json(&Value::Object(stubbed(opened, options))));
    }
    let text = text::json(&Value::Object(without_attachments(opened, options)));
    sink.text(text.strip_suffix('}').unwrap_or(&text))?;
    sink.text(if text.len() > 2 { ",\"_attachments\":{" } else { "\"_attachments\":{" })?;
    let since = since(opened, options);
    for (index, stored) in opened.body.attachments.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        sink.text(&format!("{comma}{}:", text::json(&stored.name.as_str().into())))?;
        if options.atts_since.is_some() && stored.revpos <= since {
            sink.text(&entry(stored, "stub", options.att_encoding_info).to_string())?;
        } else {
            sink.text(&format!(
                "{{\"content_type\":{},\"revpos\":{},\"digest\":\"{}\",\"data\":\"",
                text::json(&stored.content_type.as_str().into()),
                stored.revpos,
                stored.blob.digest
            ))?;
            sink.base64(database, &stored.blob)?;
            sink.text("\"")?;
            if options.att_encoding_info && stored.blob.is_gzip {
                sink.text(&format!(",\"encoding\":\"gzip\",\"encoded_length\":{}", stored.blob.stored_length))?;
            }
            sink.text("}")?;
        }
    }
    sink.text("}}")
}

/// What CouchDB's `couch_att:to_json` tells of an attachment without its bytes.
fn entry(stored: &Stored, kind: &str, shows_encoding: bool) -> Value {
    let mut entry = json!({
        "content_type": stored.content_type,
        "revpos": stored.revpos,
        "digest": stored.blob.digest.to_string(),
        "length": stored.blob.length,
    });
    entry[kind] = true.into();
    if shows_encoding && stored.blob.is_gzip {
        entry["encoding"] = "gzip".into();
        entry["encoded_length"] = stored.blob.stored_length.into();
    }
    entry
}

fn without_attachments(opened: &Opened, options: &Options) -> Object {
    let mut object = Object::new();
    object.insert("_id".to_owned(), opened.id.as_str().into());
    if let Some(revision) = opened.revision() {
        object.insert("_rev".to_owned(), revision.as_str().into());
    }
    let mut members = opened.body.members.clone();
    number::show(&mut members);
    object.append(&mut members);
    if opened.is_deleted {
        object.insert("_deleted".to_owned(), true.into());
    }
    if options.revs {
        object.insert("_revisions".to_owned(), revisions(&opened.history));
    }
    object.extend(opened.meta.clone());
    object
}

/// `_revisions`
pub(in crate::serve) fn revisions(history: &[Revision]) -> Value {
    let ids: Vec<&str> = history.iter().map(Revision::hash).collect();
    json!({ "start": history.first().map_or(0, Revision::generation), "ids": ids })
}

/// The generation of the newest ancestor that the reader has; attachments up to it are known to the reader.
fn since(opened: &Opened, options: &Options) -> u64 {
    let known = options.atts_since.as_deref().unwrap_or_default();
    opened.history.iter().find(|revision| known.contains(revision)).map_or(0, Revision::generation)
}
