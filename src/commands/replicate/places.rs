//! The databases of a replication, each reached with its own credentials.

use anyhow::Result;

use crate::commands::Context;
use crate::commands::database;
use crate::commands::login::{Reached, is_unauthorised, with_server};
use crate::couch::{CouchError, Database, Missing};
use crate::settings::Endpoint;
use crate::settings::replicate::Place;

/// A database that answered.
pub(super) struct Known {
    pub reached: Reached,
    pub database: Database,
    pub shown: String,
    /// It is still to be made.
    pub is_missing: bool,
    endpoint: Endpoint,
}

impl Known {
    /// Whether whoever asks there asks the same server as the same user.
    fn shares_login(&self, endpoint: &Endpoint) -> bool {
        let of = |endpoint: &Endpoint| (endpoint.address.server(), endpoint.userinfo.clone(), endpoint.user.clone());
        of(&self.endpoint) == of(endpoint)
    }
}

/// Reaches a place. `may_be_made`: something is written to it, and a missing database is to be created. Places of one
/// server share what was found out about it, and its connections.
pub(super) async fn reach(context: &Context, place: &Place, may_be_made: bool, others: &[Known]) -> Result<Known> {
    if let Some(other) = others.iter().rev().find(|other| other.shares_login(&place.endpoint)) {
        match known(&other.reached, place, may_be_made).await {
            // Another user may be allowed to: somebody is asked.
            Err(error) if is_unauthorised(&error) => {}
            known => return known,
        }
    }
    with_server(context, &place.endpoint, async |reached| known(reached, place, may_be_made).await).await
}

async fn known(reached: &Reached, place: &Place, may_be_made: bool) -> Result<Known> {
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
    Ok(Known { reached, database, shown: place.shown.clone(), is_missing, endpoint: place.endpoint.clone() })
}
