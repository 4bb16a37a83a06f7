//! Which database, or which document, a URL means.

use anyhow::Result;

use crate::commands::Context;
use crate::commands::login::with_server;
use crate::couch::CouchError;
use crate::exit::{Exit, Failure};
use crate::settings::{Destination, Endpoint};

/// In `http://host/a/b`, `a` can be a database or a path to the server, which only the server tells: the reading as a
/// document holds where a CouchDB answers at the root.
pub(in crate::commands) async fn place(
    context: &Context,
    place: &Destination,
    as_document: Option<&Endpoint>,
) -> Result<Endpoint> {
    let Some(first) = place.endpoints.first() else {
        return Err(Failure::new(Exit::Usage, "no database was named").into());
    };
    let Some(document) = as_document else { return Ok(first.clone()) };
    match with_server(context, document, async |_| Ok(())).await {
        Ok(()) => Ok(document.clone()),
        Err(error) if is_elsewhere(&error) => Ok(first.clone()),
        Err(error) => Err(error),
    }
}

fn is_elsewhere(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<CouchError>());
    causes.any(|error| matches!(error, CouchError::NotCouchDb { .. } | CouchError::Redirected { .. }))
}
