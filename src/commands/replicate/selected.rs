//! Whether what was selected is there, before anything is made or carried.

use std::collections::HashSet;

use anyhow::Result;

use super::conclude;
use super::places::Known;
use crate::commands::Context;
use crate::couch::Selection;
use crate::name::DocId;
use crate::plan::topology::Route;
use crate::replicator::{self, Job, Options};

/// Fails when a source has no such filter, and warns of documents that no source has.
pub(super) async fn check(context: &Context, places: &[Known], routes: &[Route], options: &Options) -> Result<()> {
    // What is still to be made has nothing in it yet.
    let is_there = |route: &&Route| !places[route.from].is_missing;
    match &options.selection {
        Selection::Everything | Selection::Selector(_) => {}
        Selection::Filter { .. } => {
            let mut checked = HashSet::new();
            for route in routes.iter().filter(is_there).filter(|route| checked.insert(route.from)) {
                let database = |number: usize| places[number].database.clone();
                let (source, target) = (database(route.from), database(route.to));
                let job = Job { source, target, options: options.clone(), echo: None };
                let found = replicator::check_filter(&job).await;
                found.map_err(|error| conclude::explained(error, places, *route, &options.selection))?;
            }
        }
        Selection::Ids(ids) => {
            let sources: HashSet<usize> = routes.iter().filter(is_there).map(|route| route.from).collect();
            let mut unknown: Vec<&DocId> = ids.iter().collect();
            for source in sources {
                let wanted: Vec<DocId> = unknown.iter().map(|id| (*id).clone()).collect();
                // A source that cannot say so now fails, or not, when it is read.
                let Ok(known) = places[source].database.known(&wanted).await else { return Ok(()) };
                unknown = unknown.into_iter().zip(known).filter(|(_, known)| !known).map(|(id, _)| id).collect();
            }
            warn(context, places, routes, &unknown);
        }
    }
    Ok(())
}

fn warn(context: &Context, places: &[Known], routes: &[Route], unknown: &[&DocId]) {
    let is_first_only = routes.iter().all(|route| route.from == routes[0].from);
    let nobody = if is_first_only { places[routes[0].from].shown.as_str() } else { "no source" };
    for id in unknown {
        let has = if is_first_only { "has no document" } else { "has a document" };
        let hint = if id.as_str().contains(',') { "; one id for each `--doc-ids`" } else { "" };
        context.printer.warning("unknown_document", &format!("{nobody} {has} `{id}`{hint}"));
    }
}
