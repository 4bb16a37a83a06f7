//! Where a job is kept, and the document that asks for it: written, found to be there already, removed.

use std::collections::HashMap;

use anyhow::Result;

use super::super::places::{FEW, Known, name};
use super::Work;
use crate::commands::Context;
use crate::commands::explain::explain;
use crate::commands::sending::chain;
use crate::couch::{Earlier, JobDocument, Server};
use crate::exit::{Exit, Failure};
use crate::name::DocId;
use crate::plan::topology::Route;
use crate::random;
use crate::replicator::Refused;
use crate::settings::replicate::ReplicateSettings;

/// What the ids of our documents begin with.
const OURS: &str = "couchapp_";

/// The server that keeps a job.
#[derive(Clone)]
pub(super) struct Keeper {
    /// The place whose server it is.
    pub place: usize,
    /// The server's address.
    pub shown: String,
    /// The documents that were there before.
    before: std::sync::Arc<Vec<JobDocument>>,
}

/// A job at a server.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// Of which route.
    pub number: usize,
    /// Its document.
    pub id: DocId,
    /// It was there before.
    pub is_adopted: bool,
    /// What earlier sessions had done, once that was asked.
    pub earlier: Option<Earlier>,
    /// What the target did not take, as far as it was found out.
    pub refused: Vec<Refused>,
}

/// Finds a server for the job of each route: that of the source, unless it does not let us, or the target is on this
/// computer, which other servers do not see. Nothing is written.
pub(super) async fn choose(
    context: &Context,
    places: &[Known],
    routes: &[Route],
    command: &ReplicateSettings,
) -> Result<Vec<Keeper>> {
    let mut lets: HashMap<String, Option<Keeper>> = HashMap::new();
    let mut refusals: HashMap<String, Failure> = HashMap::new();
    let mut keepers = Vec::with_capacity(routes.len());
    for route in routes {
        let is_here = |place: usize| places[place].database.address().is_loopback();
        let ends =
            if is_here(route.to) && !is_here(route.from) { [route.to, route.from] } else { [route.from, route.to] };
        let mut found = None;
        for place in ends {
            let server = &places[place].reached.server;
            let shown = server.address().to_string();
            if !lets.contains_key(&shown) {
                let keeper = match server.may_have_jobs().await.map_err(|error| places[place].reached.failure(error))? {
                    Ok(()) => {
                        let before =
                            server.job_documents().await.map_err(|error| places[place].reached.failure(error))?;
                        Some(Keeper { place, shown: shown.clone(), before: before.into() })
                    }
                    Err(error) => {
                        refusals.insert(shown.clone(), explain(error, &places[place].reached.known));
                        None
                    }
                };
                lets.insert(shown.clone(), keeper);
            }
            if let Some(Some(keeper)) = lets.get(&shown) {
                found = Some(keeper.clone());
                break;
            }
        }
        let Some(keeper) = found else {
            let refusal = refusals.remove(&places[ends[0]].reached.server.address().to_string());
            return Err(nobody(&name(places, *route), refusal).into());
        };
        check(context, places, *route, &keeper, command)?;
        keepers.push(keeper);
    }
    say(context, places, routes, &keepers, command);
    Ok(keepers)
}

fn nobody(route: &str, refusal: Option<Failure>) -> Failure {
    let exit = refusal.as_ref().map_or(Exit::Auth, Failure::exit);
    let failure = Failure::new(exit, format!("no server of {route} lets this user have replication jobs"));
    let failure = match refusal {
        Some(refusal) => failure.because(refusal),
        None => failure,
    };
    failure
        .hint("`--via client` needs no such right")
        .hint("only server admins may, unless `_security` of `_replicator` names others")
}

fn check(
    context: &Context,
    places: &[Known],
    route: Route,
    keeper: &Keeper,
    command: &ReplicateSettings,
) -> Result<()> {
    if command.winning_revisions_only && !places[keeper.place].reached.welcome.knows_winning_revisions() {
        let message = format!("{} cannot leave conflicts behind (`--winning-revs-only`)", keeper.shown);
        return Err(Failure::new(Exit::Failed, message).hint("`--via client` can").into());
    }
    for place in [route.from, route.to] {
        let is_here = places[place].database.address().is_loopback();
        if is_here && !places[keeper.place].database.address().is_loopback() {
            let message = format!("{} is this computer: {} may not see it", places[place].shown, keeper.shown);
            context.printer.warning("loopback", &message);
        }
    }
    Ok(())
}

fn say(context: &Context, places: &[Known], routes: &[Route], keepers: &[Keeper], command: &ReplicateSettings) {
    let mut said: Vec<&str> = Vec::new();
    for (route, keeper) in routes.iter().zip(keepers) {
        if said.contains(&keeper.shown.as_str()) {
            continue;
        }
        said.push(&keeper.shown);
        let at_source = places[route.from].reached.server.address().to_string() == keeper.shown;
        let why = if at_source { "" } else { " (the server of the target)" };
        let own = routes.iter().zip(keepers).filter(|(_, other)| other.shown == keeper.shown).map(|(route, _)| *route);
        context.printer.note(&format!("{} carries {}{why}", keeper.shown, what(places, own.collect(), routes.len())));
        let signed = [route.from, route.to].iter().any(|place| places[*place].reached.server.has_credentials());
        if command.continuous && signed {
            let message = format!(
                "as long as the job is there, `_replicator` of {} holds the credentials of both ends, and its admins \
                 can read them",
                keeper.shown
            );
            context.printer.warning("stored_credentials", &message);
        }
    }
}

/// The part of all routes that one server carries.
fn what(places: &[Known], own: Vec<Route>, all: usize) -> String {
    if own.len() == all {
        "it".to_owned()
    } else if own.len() > FEW {
        super::count(own.len(), "job", "jobs")
    } else {
        own.into_iter().map(|route| name(places, route)).collect::<Vec<_>>().join(", ")
    }
}

impl Work {
    pub(super) fn server(&self, number: usize) -> &Server {
        &self.places[self.keepers[number].place].reached.server
    }

    /// Asks for the job of a route, or finds it asked for already.
    pub(super) async fn place(&self, context: &Context, number: usize) -> Result<Placed, Failure> {
        let (keeper, server, spec) = (&self.keepers[number], self.server(number), self.spec(number));
        let known = &self.places[keeper.place].reached;
        for document in keeper.before.iter().filter(|document| document.is_equal(&spec)) {
            let told = server.job(&document.id).await.map_err(|error| explain(error, &known.known))?;
            match told {
                Some(told) if !told.phase.is_over() => return Ok(self.adopted(context, number, &document.id)),
                // Left by a run that was killed.
                Some(_) if is_ours(&document.id) => {
                    server.remove_job(&document.id).await.map_err(|error| explain(error, &known.known))?;
                }
                _ => {}
            }
        }
        let text = format!("{OURS}{}{}", random::hexadecimal(), random::hexadecimal());
        let id = DocId::new(text).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        if let Err(error) = server.put_job(&id, &spec, &known.welcome).await {
            if !error.is_refusal() {
                // Only its answer may be lost, and nobody else knows the id.
                self.remove_document(context, number, &id).await;
            }
            return Err(explain(error, &known.known));
        }
        context.printer.detail(&format!("{}: job {id}", name(&self.places, self.routes[number])));
        Ok(Placed { number, id, is_adopted: false, earlier: None, refused: Vec::new() })
    }

    /// The job that is there already.
    pub(super) fn adopted(&self, context: &Context, number: usize, id: &DocId) -> Placed {
        let route = name(&self.places, self.routes[number]);
        context.printer.note(&format!("{route}: this job is there already ({id})"));
        Placed { number, id: id.clone(), is_adopted: true, earlier: None, refused: Vec::new() }
    }

    /// Removes the document of a job; tells when it cannot be.
    pub(super) async fn remove(&self, context: &Context, placed: &Placed) -> bool {
        self.remove_document(context, placed.number, &placed.id).await
    }

    async fn remove_document(&self, context: &Context, number: usize, id: &DocId) -> bool {
        match self.server(number).remove_job(id).await {
            Ok(was_there) => was_there,
            Err(error) => {
                let server = &self.keepers[number].shown;
                let message =
                    format!("the job `{id}` may still be at {server}, with the credentials in it: {}", chain(&error));
                context.printer.warning("job_left", &message);
                false
            }
        }
    }

    /// The same for a job that is followed no longer. What others wrote is theirs, and what another run of ours waits
    /// for is not removed before it is over.
    pub(super) async fn tidy(&self, context: &Context, placed: &Placed) {
        if placed.is_adopted {
            let is_over = async || {
                let told = self.server(placed.number).job(&placed.id).await;
                told.is_ok_and(|told| told.is_some_and(|told| told.phase.is_over()))
            };
            if !is_ours(&placed.id) || !is_over().await {
                return;
            }
        }
        self.remove(context, placed).await;
    }
}

fn is_ours(id: &DocId) -> bool {
    id.as_str().starts_with(OURS)
}
