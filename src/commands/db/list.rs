//! `db list`: the databases of a server, and who may read them.

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::commands::Context;
use crate::commands::explain::explain;
use crate::commands::login::{Reached, with_server};
use crate::commands::survey::{Surveyed, survey};
use crate::couch::{CouchError, Info};
use crate::exit::Exit;
use crate::name::DbName;
use crate::plan::security::Rights;
use crate::report::{human_size, table, thousands};
use crate::settings::Endpoint;

/// Lists them, of one server after the other.
pub(super) async fn run(context: &Context, servers: &[Endpoint], all: bool) -> Result<Exit> {
    for endpoint in context.servers(servers)? {
        with_server(context, &endpoint, async |reached| list(context, reached, all).await).await?;
    }
    Ok(Exit::Ok)
}

async fn list(context: &Context, reached: &Reached, all: bool) -> Result<()> {
    let names = reached.server.databases().await.map_err(|error| not_listed(reached, error))?;
    let names: Vec<DbName> = names.into_iter().filter(|name| all || !name.is_system()).collect();
    let mut found = survey(reached, names, context.settings.network.jobs).await;
    // What goes while it is looked at is not there.
    found.retain(|surveyed| !matches!(surveyed.info, Err(CouchError::NotFound { .. })));
    let address = reached.server.address().to_string();
    context.printer.document("databases", fields(&address, &found));
    if found.is_empty() {
        context.printer.note(&format!("{address} has no databases"));
        return Ok(());
    }
    let heads = ["database", "documents", "size", "updates", "who may read"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(found.iter().map(row)).collect();
    for line in table(&rows, &[1, 2, 3]) {
        context.printer.answer(&line);
    }
    Ok(())
}

/// CouchDB lets only admins list databases unless it is told otherwise.
fn not_listed(reached: &Reached, error: CouchError) -> anyhow::Error {
    let is_closed = matches!(&error, CouchError::Unauthorized { given: true, .. } | CouchError::Forbidden { .. });
    let failure = explain(error, &reached.known);
    if is_closed {
        return failure
            .hint("`[chttpd] admin_only_all_dbs = false` in its configuration lets everybody list databases")
            .into();
    }
    failure.into()
}

fn row(surveyed: &Surveyed) -> Vec<String> {
    let nothing = || "-".to_owned();
    let info = surveyed.info.as_ref().ok();
    let readers = match &surveyed.security {
        Ok(object) => Rights::of(object).members_in_words(),
        Err(_) => "not you".to_owned(),
    };
    vec![
        surveyed.name.to_string(),
        info.map_or_else(nothing, |info| thousands(info.doc_count)),
        info.and_then(size).map_or_else(nothing, human_size),
        info.and_then(updates).unwrap_or_else(nothing),
        readers,
    ]
}

/// `1 document`, `2,000 documents`.
pub(super) fn documents(info: &Info) -> String {
    format!("{} document{}", thousands(info.doc_count), if info.doc_count == 1 { "" } else { "s" })
}

/// Bytes on the disk, where the server tells.
pub(super) fn size(info: &Info) -> Option<u64> {
    let sizes = info.raw.get("sizes").and_then(|sizes| sizes.get("file"));
    sizes.or_else(|| info.raw.get("disk_size")).and_then(Value::as_u64)
}

/// The number that an update sequence begins with: how much was written so far, about.
fn updates(info: &Info) -> Option<String> {
    let sequence = info.raw.get("update_seq")?;
    let text = sequence.as_str().map_or_else(|| sequence.to_string(), str::to_owned);
    text.split('-').next().filter(|number| !number.is_empty()).map(|number| number.chars().take(20).collect())
}

fn fields(server: &str, found: &[Surveyed]) -> Map<String, Value> {
    let item = |surveyed: &Surveyed| {
        let info = surveyed.info.as_ref().ok();
        let rights = surveyed.security.as_ref().ok().map(Rights::of);
        json!({
            "name": surveyed.name.as_str(),
            "documents": info.map(|info| info.doc_count),
            "bytes": info.and_then(size),
            "update_seq": info.and_then(|info| info.raw.get("update_seq")),
            "public": rights.as_ref().map(Rights::is_public),
            "security": surveyed.security.as_ref().ok(),
        })
    };
    let databases = found.iter().map(item).collect();
    Map::from_iter([("server".to_owned(), Value::from(server)), ("databases".to_owned(), Value::Array(databases))])
}
