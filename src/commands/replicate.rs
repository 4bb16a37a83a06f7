//! `replicate`: what is in one database comes to be in others.

use anyhow::Result;

use super::Context;
use super::ending::Ending;
use crate::exit::Exit;
use crate::plan::topology;
use crate::settings::replicate::{ReplicateSettings, Shape};
use crate::settings::values::Via;

mod client;
mod conclude;
mod places;

/// Carries the command out.
pub(super) async fn run(context: &Context, command: &ReplicateSettings) -> Result<Exit> {
    let ending = Ending::new()?;
    match command.via {
        Via::Client => Box::pin(client::run(context, command, ending)).await,
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
