//! `auth check`: who the server takes us for, and whether we may write.

use anyhow::Result;
use serde_json::{Map, Value};

use super::Context;
use super::csp;
use super::login::{Reached, with_server};
use crate::couch::Session;
use crate::exit::{Exit, Failure};
use crate::settings::{Destination, Endpoint};

/// Checks every server of the destination; ends with [`Exit::Auth`] when one does not let us write.
pub(super) async fn run(context: &Context, target: Option<&Destination>) -> Result<Exit> {
    let destination = match target {
        Some(target) => target.clone(),
        None => context.default_destination(context.project_origin().as_ref())?,
    };
    for endpoint in &destination.endpoints {
        with_server(context, endpoint, async |reached| check(context, endpoint, reached).await).await?;
    }
    Ok(Exit::Ok)
}

async fn check(context: &Context, endpoint: &Endpoint, reached: &Reached) -> Result<()> {
    let session = reached.server.session().await.map_err(|error| reached.failure(error))?;
    let database = reached.database(endpoint)?;
    let security = database.security().await.map_err(|error| reached.failure(error))?;
    let may_write = session.is_admin() || security.is_admin(&session);
    let user = session.user.clone().unwrap_or_else(|| "nobody (not signed in)".to_owned());
    let roles = if session.roles.is_empty() { "none".to_owned() } else { session.roles.join(", ") };
    context.printer.answer(&format!("{}", endpoint.address));
    context.printer.answer(&format!("  user    {user}"));
    context.printer.answer(&format!("  roles   {roles}"));
    if let Some(source) = &reached.known.credentials {
        context.printer.answer(&format!("  from    {source}"));
    }
    context.printer.answer(&format!("  design documents: {}", if may_write { "may write" } else { "may not write" }));
    warn_of_sandbox(context, &session, reached).await;
    if !may_write {
        let failure =
            Failure::new(Exit::Auth, format!("{user} may not write design documents of `{}`", endpoint.address))
                .hint("only server admins and admins of the database may; `_security` of the database names those");
        return Err(failure.into());
    }
    let roles = session.roles.iter().map(|role| Value::from(role.as_str())).collect();
    let fields = Map::from_iter([
        ("url".to_owned(), Value::from(endpoint.address.to_string())),
        ("user".to_owned(), session.user.map_or(Value::Null, Value::from)),
        ("roles".to_owned(), Value::Array(roles)),
        ("may_write".to_owned(), Value::from(may_write)),
    ]);
    context.printer.summary("Ready to push", fields);
    Ok(())
}

/// An admin can read the configuration; for others the next push finds out.
async fn warn_of_sandbox(context: &Context, session: &Session, reached: &Reached) {
    if !session.is_admin() || !reached.welcome.has_sandbox() {
        return;
    }
    for key in csp::KEYS {
        if let Ok(value) = reached.server.config("csp", key).await
            && value.as_deref() != Some("false")
        {
            context.printer.warning("sandbox", csp::WARNING);
            context.printer.note(csp::REMEDY);
            return;
        }
    }
}
