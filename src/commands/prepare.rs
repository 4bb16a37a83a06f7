//! One document of the folder beside the one on the server: read, compared, planned. `push`, `status` and `diff` start
//! here.

use anyhow::Result;
use globset::GlobSet;

use super::Context;
use super::login::{Reached, with_server};
use crate::address::Address;
use crate::couch::{CouchError, Database, Document, Info, Missing, Read};
use crate::filter::Verdict;
use crate::local::{Base, Loaded, State};
use crate::name::DocId;
use crate::path::RelPath;
use crate::plan::{self, Clash, Input, Key, Plan, Policy, Step};
use crate::settings::Endpoint;
use crate::snapshot::{App, Compared, LocalDocument, Sides, compare};

/// A document of the folder, ready to be shown or written.
pub(super) struct Prepared<'a> {
    pub local: &'a LocalDocument,
    pub remote: Option<Document>,
    pub compared: Compared,
    pub plan: Plan,
    pub clash: Option<Clash>,
    pub base: Option<Base>,
    /// The document as it was cloned, perhaps from elsewhere.
    pub origin: Option<Base>,
}

/// A folder and the database it is compared with.
pub(super) struct Place<'a> {
    pub reached: &'a Reached,
    pub database: &'a Database,
    /// What the database says of itself: one that was deleted and made again is another.
    pub instance_start_time: String,
    pub state: State,
    pub app: &'a App,
    /// The app as it was cloned, perhaps from elsewhere: it knows what file names do not tell.
    origin: Option<Base>,
}

/// Runs `work` with the app beside the database of `endpoint`, which has to exist.
pub(super) async fn with_place<T>(
    context: &Context,
    endpoint: &Endpoint,
    app: &App,
    work: impl AsyncFn(&Place<'_>) -> Result<T>,
) -> Result<T> {
    with_server(context, endpoint, async |reached| {
        let database = reached.database(endpoint)?;
        let info = database.info().await.map_err(|error| reached.failure(error))?;
        work(&Place::new(reached, &database, Some(info), app)).await
    })
    .await
}

/// Which differences count, and how.
#[derive(Clone, Default)]
pub(super) struct Choice {
    pub policy: Policy,
    pub only: Option<GlobSet>,
}

impl<'a> Place<'a> {
    /// The app beside a database of which `info` was told; one that is still to be made has none.
    pub(super) fn new(reached: &'a Reached, database: &'a Database, info: Option<Info>, app: &'a App) -> Self {
        let instance_start_time = info.and_then(|info| info.instance_start_time).unwrap_or_default();
        let state = State::of(app.folder.root());
        let origin = state.origin_base();
        Self { reached, database, instance_start_time, state, app, origin }
    }

    /// Compares and plans the app's own document and then those of `_docs`.
    pub(super) async fn prepare_all(&self, context: &Context, choice: &Choice) -> Result<Vec<Prepared<'a>>> {
        let mut prepared = Vec::new();
        prepared.push(self.prepare(context, &self.app.document, self.origin.clone(), choice).await?);
        for local in &self.app.documents {
            prepared.push(self.prepare(context, local, None, choice).await?);
        }
        Ok(prepared)
    }

    /// The address of a document of this database.
    pub(super) fn address(&self, id: &DocId) -> Address {
        self.database.address().with(Some(self.database.name().clone()), Some(id.clone()))
    }

    /// Reads the document as it is on the server; `None` when there is none.
    pub(super) async fn read(&self, id: &DocId) -> Result<Option<Document>> {
        match self.database.document(id, &Read::default()).await {
            Ok(document) => Ok(Some(document)),
            // A database that is still to be made has no documents.
            Err(CouchError::NotFound { what: Missing::Document { .. } | Missing::Database(_), .. }) => Ok(None),
            Err(error) => Err(self.reached.failure(error)),
        }
    }

    /// `--only` selects what matches. A rule that leaves files out holds for the server as well: what it hides is not
    /// taken for removed, unless everything that is only on the server has to go.
    fn is_selected(&self, choice: &Choice, compared: &Compared, key: &Key) -> bool {
        let path = compared.path(key);
        let chosen = choice.only.as_ref().is_none_or(|globs| globs.is_match(&path));
        let ignored =
            || RelPath::new(path.as_str()).is_ok_and(|path| self.app.rules.verdict(&path, false) != Verdict::Kept);
        // While something could not be listed, what is missing here may only be unseen.
        let complete = self.app.problems.is_empty();
        chosen && (compared.ours.has(key) || (complete && (choice.policy.delete || !ignored())))
    }

    fn base(&self, id: &DocId) -> Loaded<Base> {
        self.state.base(&self.address(id), &self.instance_start_time)
    }

    /// Compares `local` with the server and plans what to write.
    async fn prepare(
        &self,
        context: &Context,
        local: &'a LocalDocument,
        origin: Option<Base>,
        choice: &Choice,
    ) -> Result<Prepared<'a>> {
        let remote = self.read(&local.folded.id).await?;
        let loaded = self.base(&local.folded.id);
        if let Some(warning) = loaded.warning() {
            context.printer.warning("state", warning);
        }
        let base = loaded.found();
        let sides = Sides {
            folder: &self.app.folder,
            local,
            remote: remote.as_ref(),
            base: base.as_ref(),
            origin: origin.as_ref(),
            content_types: &context.settings.content_types,
        };
        let compared = compare(&sides)?;
        let input = Input {
            ours: &compared.ours,
            theirs: &compared.theirs,
            base: compared.base.as_ref(),
            known: &|key| compared.known(key),
            selected: &|key| self.is_selected(choice, &compared, key),
            path: &|key| compared.path(key),
        };
        let (clash, mut plan) = match plan::plan(&input, choice.policy) {
            Step::Go(plan) => (None, plan),
            Step::Clash(clash, plan) => (Some(clash), plan),
        };
        plan.metadata = compared.metadata_differs && choice.only.is_none();
        if remote.is_none() && plan.changes.is_empty() {
            plan.metadata = true;
        }
        Ok(Prepared { local, remote, compared, plan, clash, base, origin })
    }
}

impl Prepared<'_> {
    /// Whether the server has a document that no push or clone of this folder knows.
    pub(super) fn is_unknown(&self) -> bool {
        self.remote.is_some() && self.base.is_none()
    }
}
