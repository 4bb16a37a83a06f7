//! The databases of a replication, each reached with its own credentials.

use anyhow::Result;

use crate::commands::Context;
use crate::commands::database;
use crate::commands::login::{Reached, with_server};
use crate::couch::{CouchError, Database, Missing};
use crate::settings::replicate::Place;

/// A database that answered.
pub(super) struct Known {
    pub reached: Reached,
    pub database: Database,
    pub shown: String,
    /// It is still to be made.
    pub is_missing: bool,
}

/// Reaches a place. `may_be_made`: something is written to it, and a missing database is to be created.
pub(super) async fn reach(context: &Context, place: &Place, may_be_made: bool) -> Result<Known> {
    with_server(context, &place.endpoint, async |reached| {
        let database = reached.database(&place.endpoint)?;
        let is_missing = match database.info().await {
            Ok(_) => false,
            Err(CouchError::NotFound { what: Missing::Database(_), .. }) if may_be_made => true,
            Err(CouchError::NotFound { what: Missing::Database(_), .. }) => {
                let failure = database::required(reached, &database).await.err();
                let failure = failure.unwrap_or_else(|| anyhow::anyhow!("`{}` was just made", place.shown));
                return Err(failure);
            }
            Err(error) => return Err(reached.failure(error)),
        };
        let Reached { server, welcome, known } = reached;
        let reached = Reached { server: server.clone(), welcome: welcome.clone(), known: known.clone() };
        Ok(Known { reached, database, shown: place.shown.clone(), is_missing })
    })
    .await
}
