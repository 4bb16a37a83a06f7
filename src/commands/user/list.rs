//! `user list`: who there is.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::refused;
use crate::commands::Context;
use crate::commands::login::Reached;
use crate::report::table;

/// Lists the users with their roles, and the admins of the server.
pub(super) async fn run(context: &Context, reached: &Reached) -> Result<()> {
    let accounts = reached.server.accounts().await.map_err(|error| refused(reached, error))?;
    let mut administrators = reached.server.administrators().await.unwrap_or_default();
    administrators.sort();
    let address = reached.server.address().to_string();
    let users = accounts.iter().map(|account| json!({ "name": account.name.as_str(), "roles": account.roles }));
    let fields = Map::from_iter([
        ("server".to_owned(), Value::from(address.as_str())),
        ("users".to_owned(), users.collect()),
        ("admins".to_owned(), json!(administrators)),
    ]);
    context.printer.document("users", fields);
    let admins = administrators.into_iter().map(|name| vec![name, "(admin of the server)".to_owned()]);
    let users = accounts.into_iter().map(|account| vec![account.name.to_string(), account.roles.join(", ")]);
    let rows: Vec<Vec<String>> = admins.chain(users).collect();
    if rows.is_empty() {
        context.printer.note(&format!("{address} has no users"));
    }
    for line in table(&rows, &[]) {
        context.printer.answer(&line);
    }
    Ok(())
}
