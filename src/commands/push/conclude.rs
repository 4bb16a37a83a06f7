//! What a push says at its end.

use anyhow::Result;
use serde_json::{Map, Value};

use super::write::Pushed;
use crate::commands::Context;
use crate::commands::csp;
use crate::commands::prepare::{Place, Prepared};
use crate::couch::Document;
use crate::plan::Counts;
use crate::report::human_size;
use crate::snapshot::app_url;

/// Nothing had to be written.
pub(super) fn up_to_date(context: &Context, place: &Place<'_>, main: &Prepared<'_>, counts: &Counts) -> Option<String> {
    let document = main.remote.as_ref()?;
    let url = app_url(&place.address(&document.id), document);
    let text = format!("Up to date: rev {}", document.revision.short());
    context.printer.idle(&text, fields(document.revision.as_str(), url.as_deref(), counts));
    if let Some(url) = &url {
        context.printer.answer(url);
    }
    url
}

/// Something was written; gives the URL at which the app opens, if it has a page.
pub(super) async fn pushed(
    context: &Context,
    place: &Place<'_>,
    main: &Prepared<'_>,
    done: Vec<Pushed>,
    counts: &Counts,
) -> Result<Option<String>> {
    if done.iter().any(|pushed| pushed.weak) {
        context.printer.warning("weak_write", "the cluster accepted the write on fewer nodes than it wants (202)");
    }
    let app = done.iter().find(|pushed| pushed.document.id == main.local.folded.id);
    let document = app.map(|pushed| &pushed.document).or(main.remote.as_ref());
    let Some(document) = document else { return Ok(None) };
    if app.is_some() {
        warn_of_sandbox(context, place, document, main.base.is_none()).await;
    }
    let url = app_url(&place.address(&document.id), document);
    let revisions = match app {
        Some(Pushed { before: Some(before), after, .. }) => format!("rev {} → {}", before.short(), after.short()),
        Some(Pushed { after, .. }) => format!("rev {}", after.short()),
        None => format!("rev {} (unchanged)", document.revision.short()),
    };
    let others = done.len() - usize::from(app.is_some());
    let beside = if others > 0 { format!(", {others} documents beside it") } else { String::new() };
    let text = format!(
        "Pushed: {revisions}{beside}, {} sent, {} unchanged, {:.1} s",
        human_size(counts.bytes),
        human_size(counts.unchanged_bytes),
        context.printer.elapsed().as_secs_f64()
    );
    context.printer.summary(&text, fields(document.revision.as_str(), url.as_deref(), counts));
    if let Some(url) = &url {
        context.printer.answer(url);
    }
    Ok(url)
}

/// Only a server that sandboxes apps says so, with the attachment itself.
async fn warn_of_sandbox(context: &Context, place: &Place<'_>, document: &Document, is_first: bool) {
    let page = document.attachments.iter().find(|(_, stub)| stub.content_type.starts_with("text/html"));
    let Some((name, _)) = page else { return };
    let policy = place.database.content_security_policy(&document.id, name).await;
    if policy.ok().flatten().is_some_and(|policy| policy.split(';').any(|part| part.trim().starts_with("sandbox"))) {
        context.printer.warning("sandbox", csp::WARNING);
        if is_first {
            context.printer.note(csp::REMEDY);
        }
    }
}

fn fields(revision: &str, url: Option<&str>, counts: &Counts) -> Map<String, Value> {
    Map::from_iter([
        ("rev".to_owned(), Value::from(revision)),
        ("url".to_owned(), url.map_or(Value::Null, Value::from)),
        ("sent_bytes".to_owned(), Value::from(counts.bytes)),
        ("unchanged_bytes".to_owned(), Value::from(counts.unchanged_bytes)),
        ("add".to_owned(), Value::from(counts.new)),
        ("change".to_owned(), Value::from(counts.changed)),
        ("remove".to_owned(), Value::from(counts.removed)),
    ])
}
