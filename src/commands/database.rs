//! A database that a command writes to: it is there, or it is made because somebody asked for it.

use anyhow::Result;

use super::Context;
use super::explain::{Circumstances, explain};
use super::login::Reached;
use crate::couch::{CouchError, Creation, Database, Info, Missing};

/// The facts about the database; `None` when it is still to be made, which `create` or a person has asked for.
pub(super) async fn existing(
    context: &Context,
    reached: &Reached,
    database: &Database,
    create: bool,
) -> Result<Option<Info>> {
    match database.info().await {
        Ok(info) => Ok(Some(info)),
        Err(CouchError::NotFound { what: Missing::Database(_), .. }) if create || is_wanted(context, database) => {
            Ok(None)
        }
        Err(error @ CouchError::NotFound { what: Missing::Database(_), .. }) => {
            let failure = missing(reached, error).await;
            Err(failure.hint("`--create-db` creates the database").into())
        }
        Err(error) => Err(reached.failure(error)),
    }
}

/// The facts about a database that has to be there.
pub(super) async fn required(reached: &Reached, database: &Database) -> Result<Info> {
    match database.info().await {
        Ok(info) => Ok(info),
        Err(error @ CouchError::NotFound { what: Missing::Database(_), .. }) => {
            Err(missing(reached, error).await.into())
        }
        Err(error) => Err(reached.failure(error)),
    }
}

/// Makes the database, once everything else is settled.
pub(super) async fn create(context: &Context, reached: &Reached, database: &Database) -> Result<Info> {
    if database.create().await.map_err(|error| reached.failure(error))? == Creation::Created {
        context.printer.note(&format!("Created the database {}", database.address()));
    }
    database.info().await.map_err(|error| reached.failure(error))
}

async fn missing(reached: &Reached, error: CouchError) -> crate::exit::Failure {
    let names = reached.server.databases().await.unwrap_or_default();
    let databases = names.iter().map(ToString::to_string).collect();
    explain(error, &Circumstances { databases, ..reached.known.clone() })
}

/// A mistyped name must never become a database, so only a person's own yes counts here.
fn is_wanted(context: &Context, database: &Database) -> bool {
    let question = format!("The database `{}` does not exist. Create it?", database.name());
    context.printer.confirm(&question).unwrap_or(false)
}
