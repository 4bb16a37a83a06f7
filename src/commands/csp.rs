//! `csp allow` and `csp restore`: the sandbox that a stock CouchDB 3.5 puts around every app.
//!
//! Since 3.5 attachments, shows, lists and rewrites are sent with `Content-Security-Policy: sandbox`, which keeps scripts,
//! forms and cookies from an app; only the server's
//! [configuration](https://docs.couchdb.org/en/stable/config/http.html#csp-content-security-policy) can lift it.

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use super::login::{Reached, with_server};
use crate::exit::{Exit, Failure};
use crate::settings::command::CspSettings;

/// The two settings of the section `csp` that sandbox an app.
pub(super) const KEYS: [&str; 2] = ["attachments_enable", "showlist_enable"];

/// What to tell somebody whose app is sandboxed.
pub(super) const WARNING: &str =
    "this server puts a sandbox around the app: no script of its pages runs (see `couchapp csp --help`)";

/// How to lift it, and what that means.
pub(super) const REMEDY: &str = "an admin can lift it with `couchapp csp allow`, which sets `[csp] attachments_enable = \
     false` and `showlist_enable = false`; apps then run with the rights of whoever opens them, so give them a host name \
     of their own";

/// Carries the command out on every server.
pub(super) async fn run(context: &Context, command: &CspSettings) -> Result<Exit> {
    let endpoints = match command.servers.as_slice() {
        [] => context.default_destination(None)?.servers(),
        named => named.to_vec(),
    };
    for endpoint in &endpoints {
        with_server(context, endpoint, async |reached| set(context, reached, command.allow).await).await?;
    }
    Ok(Exit::Ok)
}

async fn set(context: &Context, reached: &Reached, allow: bool) -> Result<()> {
    let origin = reached.server.address().to_string();
    let mut changes = Vec::new();
    for key in KEYS {
        let now = reached.server.config("csp", key).await.map_err(|error| reached.failure(error))?;
        let is_allowed = now.as_deref() == Some("false");
        if is_allowed != allow {
            changes.push(key);
        }
    }
    let change = if allow { "lift the sandbox of" } else { "restore the sandbox on" };
    if changes.is_empty() {
        let state = if allow { "not sandboxed" } else { "sandboxed, as is the default" };
        context.printer.summary(&format!("Nothing to do: apps on {origin} are {state}"), fields(&origin, allow, &[]));
        return Ok(());
    }
    if context.settings.dry_run {
        context.printer.summary(&format!("Would {change} {origin} (dry run)"), fields(&origin, allow, &changes));
        return Ok(());
    }
    if allow {
        context.printer.note("apps will run their scripts with the rights of whoever opens them, on this host name");
        context.confirmed(&format!("Lift the sandbox of every app on {origin}?"), "lifting the sandbox")?;
    }
    for key in &changes {
        let done = match allow {
            true => reached.server.set_config("csp", key, "false").await.map(drop),
            false => reached.server.delete_config("csp", key).await,
        };
        done.map_err(|error| reached.failure(error))?;
    }
    for key in &changes {
        let now = reached.server.config("csp", key).await.map_err(|error| reached.failure(error))?;
        if (now.as_deref() == Some("false")) != allow {
            return Err(Failure::new(Exit::Failed, format!("{origin} did not take the setting `[csp] {key}`")).into());
        }
    }
    let done = if allow { "Apps may run their scripts on" } else { "Apps are sandboxed again on" };
    context.printer.summary(&format!("{done} {origin}"), fields(&origin, allow, &changes));
    Ok(())
}

fn fields(origin: &str, allow: bool, changes: &[&str]) -> Map<String, Value> {
    let changed = changes.iter().map(|key| Value::from(format!("csp/{key}"))).collect();
    Map::from_iter([
        ("server".to_owned(), Value::from(origin)),
        ("allowed".to_owned(), Value::from(allow)),
        ("changed".to_owned(), Value::Array(changed)),
    ])
}
