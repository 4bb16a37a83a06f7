//! Whether something has changed: in a folder by the events of the file system, in a database by its feed of changes.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::Result;

use crate::commands::Context;
use crate::commands::login::with_server;
use crate::commands::media::place;
use crate::couch::Sequence;
use crate::local::Watch;
use crate::settings::{Destination, Endpoint};

/// How often it is looked whether a folder is still the same.
const GLANCE: Duration = Duration::from_secs(1);

/// What is watched.
#[derive(Clone, Copy)]
pub(in crate::commands) enum Source<'a> {
    /// A folder and everything in it.
    Folder(&'a Path),
    /// A database, and what its URL means otherwise ([`place`]).
    Database(&'a Destination, Option<&'a Endpoint>),
}

/// A source that is watched.
pub(super) enum News<'a> {
    Folder {
        folder: &'a Path,
        watch: Watch,
    },
    Database {
        place: &'a Destination,
        as_document: Option<&'a Endpoint>,
        /// Where it is, once the server has been asked.
        endpoint: Option<Box<Endpoint>>,
        /// The point in its history that the last round began at; `None` while it cannot be told.
        since: Option<Sequence>,
    },
}

impl<'a> News<'a> {
    /// Begins to watch, before anything is looked at, so that nothing is missed.
    pub(super) fn of(source: &Source<'a>) -> Result<Self> {
        Ok(match *source {
            Source::Folder(folder) => Self::Folder { folder, watch: Watch::start(&[folder.to_owned()])? },
            Source::Database(place, as_document) => Self::Database { place, as_document, endpoint: None, since: None },
        })
    }

    /// What changes from now on is news. A folder has been heard out already.
    pub(super) async fn mark(&mut self, context: &Context) -> Result<()> {
        let Self::Database { place: given, as_document, endpoint, since } = self else { return Ok(()) };
        *since = None;
        let known = match endpoint {
            Some(known) => known,
            None => endpoint.insert(Box::new(place(context, given, *as_document).await?)),
        };
        *since = with_server(context, known, async |reached| {
            let info = reached.database(known)?.info().await.map_err(|error| reached.failure(error))?;
            Ok(info.sequence())
        })
        .await?;
        Ok(())
    }

    /// Waits until something has changed and then nothing more for as long as `quiet`. Fails when that cannot be told;
    /// then there are no news until the source is [marked](Self::mark) again.
    pub(super) async fn changed(&mut self, context: &Context, quiet: Duration) -> Result<()> {
        match self {
            Self::Folder { folder, watch } => {
                wait_for_files(folder, watch, quiet).await;
                Ok(())
            }
            Self::Database { endpoint, since, .. } => {
                let (Some(known), Some(from)) = (&endpoint, &since) else { return std::future::pending().await };
                let waited = with_server(context, known, async |reached| {
                    let database = reached.database(known)?;
                    database.wait_for_change(from).await.map_err(|error| reached.failure(error))
                });
                if let Err(error) = waited.await {
                    *since = None;
                    return Err(error);
                }
                // The round finds all that comes until then.
                tokio::time::sleep(quiet).await;
                Ok(())
            }
        }
    }

    /// Whether something has changed since the last round began, or does so soon.
    pub(super) async fn has_come(&self, soon: Duration) -> bool {
        match self {
            Self::Folder { watch, .. } => watch.has_news(soon).await,
            Self::Database { .. } => false,
        }
    }

    /// Whether no news can come.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Database { since: None, .. })
    }
}

async fn wait_for_files(folder: &Path, watch: &mut Watch, quiet: Duration) {
    loop {
        let is_current = {
            let mut changed = pin!(watch.changed(quiet));
            loop {
                tokio::select! {
                    _ = &mut changed => break true,
                    () = tokio::time::sleep(GLANCE) => {
                        if !watch.is_current() {
                            break false;
                        }
                    }
                }
            }
        };
        if is_current {
            return;
        }
        // Another folder has taken its name, or none has yet.
        if let Ok(new) = Watch::start(&[folder.to_owned()]) {
            *watch = new;
            return;
        }
        tokio::time::sleep(GLANCE).await;
    }
}
