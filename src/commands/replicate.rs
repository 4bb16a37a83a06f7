//! `replicate`: what is in one database comes to be in others.

use anyhow::Result;

use super::Context;
use super::ending::Ending;
use crate::couch::Selection;
use crate::exit::Exit;
use crate::plan::topology;
use crate::replicator::Options;
use crate::settings::replicate::{JobsSettings, ReplicateSettings, Shape, Which};
use crate::settings::values::Via;

mod client;
mod conclude;
mod ended;
mod jobs;
mod observe;
mod places;
mod selected;
mod server;

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &ReplicateSettings) -> Result<Exit> {
    let ending = Ending::new()?;
    match command.via {
        Via::Client => Box::pin(client::run(context, command, ending)).await,
        Via::Server => {
            let ending = ending.and_of_hangup(context.settings.interactive)?;
            Box::pin(server::run(context, command, ending)).await
        }
    }
}

/// Carries out what is wanted of the jobs of servers.
pub(super) async fn jobs(context: &Context, command: &JobsSettings) -> Result<Exit> {
    jobs::run(context, command).await
}

fn options(command: &ReplicateSettings) -> Options {
    let selection = match &command.which {
        Which::Everything => Selection::Everything,
        Which::Ids(ids) => Selection::Ids(ids.clone()),
        Which::Selector(text) => Selection::Selector(text.clone()),
        Which::Filter { name, query } => Selection::Filter { name: name.clone(), query: query.clone() },
    };
    Options {
        continuous: command.continuous,
        selection,
        no_design: command.no_design,
        winning_revisions_only: command.winning_revisions_only,
        ..Options::default()
    }
}

fn shape(command: &ReplicateSettings) -> topology::Shape {
    match command.shape {
        Shape::Chain => topology::Shape::Chain,
        Shape::Star => topology::Shape::Star,
        Shape::Ring => topology::Shape::Ring,
        Shape::Tree(width) => topology::Shape::Tree(width),
    }
}
