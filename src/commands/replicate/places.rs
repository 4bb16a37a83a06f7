//! The databases of a replication, each reached with its own credentials.

use anyhow::Result;

use crate::commands::Context;
use crate::commands::database;
use crate::commands::login::{Reached, is_unauthorised, with_server};
use crate::couch::{CouchError, Database, Missing};
use crate::exit::{Exit, Failure};
use crate::plan::topology::Route;
use crate::report::{Start, thousands};
use crate::settings::Endpoint;
use crate::settings::replicate::{Place, ReplicateSettings};

/// More routes than this are not named one by one.
pub(super) const FEW: usize = 20;

/// A database that answered.
pub(super) struct Known {
    pub reached: Reached,
    pub database: Database,
    pub shown: String,
    /// It is still to be made.
    pub is_missing: bool,
    /// How many documents it has.
    documents: u64,
    endpoint: Endpoint,
}

impl Known {
    /// Whether whoever asks there asks the same server as the same user.
    fn shares_login(&self, endpoint: &Endpoint) -> bool {
        let of = |endpoint: &Endpoint| (endpoint.address.server(), endpoint.userinfo.clone(), endpoint.user.clone());
        of(&self.endpoint) == of(endpoint)
    }
}

/// Says what begins, and reaches all places. Nothing is made: what is wrong with the command comes to light first.
pub(super) async fn gather(context: &Context, command: &ReplicateSettings, routes: &[Route]) -> Result<Vec<Known>> {
    announce(context, command, routes);
    let mut places = Vec::with_capacity(command.places.len());
    for (number, place) in command.places.iter().enumerate() {
        let is_written = routes.iter().any(|route| route.to == number);
        places.push(reach(context, place, is_written && command.create_target, &places).await.map_err(|error| {
            match error.downcast::<Failure>() {
                Ok(failure) if failure.exit() == Exit::Missing && is_written => {
                    failure.hint("`--create-target` creates databases that are written to").into()
                }
                Ok(failure) => failure.into(),
                Err(error) => error,
            }
        })?);
    }
    Ok(places)
}

/// Makes the databases that are missing and wanted. `false` for a dry run, which says what it would make.
pub(super) async fn make(context: &Context, places: &[Known]) -> Result<bool> {
    if context.settings.dry_run {
        for place in places.iter().filter(|place| place.is_missing || places.len() <= FEW) {
            let documents = match place.documents {
                1 => "1 document".to_owned(),
                count => format!("{} documents", thousands(count)),
            };
            context.printer.note(&match place.is_missing {
                true => format!("Would create the database {}", place.database.address()),
                false => format!("{} has {documents}", place.shown),
            });
        }
        context.printer.note("Nothing was changed");
        return Ok(false);
    }
    for place in places.iter().filter(|place| place.is_missing) {
        database::create(context, &place.reached, &place.database).await?;
    }
    Ok(true)
}

fn announce(context: &Context, command: &ReplicateSettings, routes: &[Route]) {
    let shown = |place: usize| command.places[place].shown.as_str();
    let remark = context.settings.dry_run.then_some("dry run");
    let start = |from, to, remark| {
        context.printer.start(&Start { command: "replicate", doing: "Replicating", from, to, remark });
    };
    if routes.len() <= FEW {
        routes.iter().for_each(|route| start(shown(route.from), shown(route.to), remark));
        return;
    }
    let jobs = format!("{} jobs{}", routes.len(), remark.map_or(String::new(), |remark| format!(", {remark}")));
    let [first, .., last] = routes else { return };
    start(shown(first.from), shown(if command.both { command.places.len() - 1 } else { last.to }), Some(&jobs));
}

/// A route as people know it.
pub(super) fn name(places: &[Known], route: Route) -> String {
    format!("{} → {}", places[route.from].shown, places[route.to].shown)
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
    let documents = match database.info().await {
        Ok(info) => Some(info.doc_count),
        Err(CouchError::NotFound { what: Missing::Database(_), .. }) if may_be_made => None,
        Err(CouchError::NotFound { what: Missing::Database(_), .. }) => {
            let failure = database::required(reached, &database).await.err();
            let failure = failure.unwrap_or_else(|| anyhow::anyhow!("`{}` was just made", place.shown));
            return Err(failure);
        }
        Err(error) => return Err(reached.failure(error)),
    };
    let Reached { server, welcome, known } = reached;
    let reached = Reached { server: server.clone(), welcome: welcome.clone(), known: known.clone() };
    let (is_missing, documents) = (documents.is_none(), documents.unwrap_or_default());
    Ok(Known { reached, database, shown: place.shown.clone(), is_missing, documents, endpoint: place.endpoint.clone() })
}
