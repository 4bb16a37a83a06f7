//! What servers tell of their replications, without any credentials.

use serde_json::Value;

use super::super::Sequence;
use super::spec::{JobSpec, identity, plain};
use super::without_nothing;
use crate::json::{self, Object};
use crate::name::DocId;
use crate::secret::redact;

/// Where a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not started yet, or waiting for its turn.
    #[default]
    Waiting,
    /// Under way.
    Running,
    /// It failed and will be tried again.
    Crashing,
    /// Done.
    Completed,
    /// It failed for good.
    Failed,
}

impl Phase {
    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }

    /// The word that CouchDB has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "pending",
            Self::Running => "running",
            Self::Crashing => "crashing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// What is told of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its document in `_replicator`, if it has one.
    pub document: Option<String>,
    /// Under which name the server carries it out, while it does.
    pub replication: Option<String>,
    /// What is read, without credentials.
    pub source: Option<String>,
    /// What is written, without credentials.
    pub target: Option<String>,
    /// Whether it goes on with every further change.
    pub continuous: bool,
    /// Whether all documents are meant, as far as is known.
    pub is_whole: bool,
    /// Where it is.
    pub phase: Phase,
    /// Why it does not go on.
    pub error: Option<String>,
    /// How often in a row it has failed.
    pub errors: u64,
    /// Documents that were written; `None` before anything is told.
    pub written: Option<u64>,
    /// Documents that the target did not take.
    pub refused: u64,
    /// Changes that are left, where the server says.
    pub pending: Option<u64>,
    /// How far it has read.
    pub through: Option<Sequence>,
    /// When it began.
    pub started: Option<String>,
    /// When its state changed.
    pub updated: Option<String>,
}

impl Told {
    /// A row of `_scheduler/docs`.
    pub(super) fn of_scheduler(row: &Value) -> Self {
        let phase = match text(row, "state").as_deref() {
            Some("running") => Phase::Running,
            Some("crashing" | "error") => Phase::Crashing,
            Some("completed") => Phase::Completed,
            Some("failed") => Phase::Failed,
            _ => Phase::Waiting,
        };
        let told = Self { phase, errors: number(row, "error_count").unwrap_or(0), ..Self::named(row) };
        told.counted(row.get("info"))
    }

    /// A row of `_scheduler/jobs`, of a job without a document.
    pub(super) fn of_transient(row: &Value) -> Self {
        let events = row.get("history").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let last = events.first();
        let phase = match last.and_then(|event| text(event, "type")).as_deref() {
            Some("started") => Phase::Running,
            Some("crashed") => Phase::Crashing,
            _ => Phase::Waiting,
        };
        let error = last.and_then(|event| text(event, "reason")).map(|reason| redact(&reason));
        let told = Self { phase, ..Self::named(row) }.counted(row.get("info"));
        Self { error: told.error.clone().or(error), ..told }
    }

    fn named(row: &Value) -> Self {
        let replication = text(row, "id");
        Self {
            document: text(row, "doc_id"),
            continuous: replication.as_deref().is_some_and(|id| id.contains("+continuous")),
            replication,
            source: text(row, "source").map(|url| plain(&url)),
            target: text(row, "target").map(|url| plain(&url)),
            started: text(row, "start_time"),
            updated: text(row, "last_updated"),
            ..Self::default()
        }
    }

    /// With the numbers of a member that has them. It may be null, or a text.
    fn counted(self, info: Option<&Value>) -> Self {
        let Some(info) = info.filter(|info| !info.is_null()) else { return self };
        let error = text(info, "error").or_else(|| info.as_str().map(str::to_owned));
        Self {
            error: error.map(|error| redact(&error)),
            written: number(info, "docs_written"),
            refused: number(info, "doc_write_failures").unwrap_or(0),
            pending: number(info, "changes_pending"),
            through: info.get("through_seq").cloned().and_then(Sequence::of),
            ..self
        }
    }

    /// The scheduler does not say everything of every job.
    pub(super) fn completed_by(self, document: &Self) -> Self {
        Self {
            source: self.source.or_else(|| document.source.clone()),
            target: self.target.or_else(|| document.target.clone()),
            continuous: document.continuous,
            is_whole: document.is_whole,
            error: self.error.or_else(|| document.error.clone()),
            ..self
        }
    }
}

/// What in a document of `_replicator` says nothing about which changes are carried: its name, the ends, who asks, and how
/// the work is done. <https://docs.couchdb.org/en/stable/json-structure.html#replication-settings>
const ASIDE: [&str; 21] = [
    "_id",
    "_rev",
    "_revisions",
    "source",
    "target",
    "create_target",
    "create_target_params",
    "owner",
    "user_ctx",
    "checkpoint_interval",
    "connection_timeout",
    "http_connections",
    "proxy",
    "retries_per_request",
    "socket_options",
    "source_proxy",
    "target_proxy",
    "use_bulk_get",
    "use_checkpoints",
    "worker_batch_size",
    "worker_processes",
];

/// A document of `_replicator`.
#[derive(Clone, Debug, PartialEq)]
pub struct JobDocument {
    /// Its id.
    pub id: DocId,
    /// What it tells by itself; servers with a scheduler write only the end of a job into it.
    pub told: Told,
    identity: Value,
}

impl JobDocument {
    pub(super) fn read(document: &Value) -> Option<Self> {
        let id = DocId::new(text(document, "_id")?).ok().filter(|id| !id.is_design())?;
        let end = |key: &str| {
            let end = document.get(key)?;
            end.as_str().or_else(|| end.get("url")?.as_str()).map(plain)
        };
        let (source, target) = (end("source"), end("target"));
        let continuous = document.get("continuous") == Some(&Value::Bool(true));
        let phase = match text(document, "_replication_state").as_deref() {
            Some("triggered") => Phase::Running,
            Some("completed") => Phase::Completed,
            Some("failed" | "error") => Phase::Failed,
            _ => Phase::Waiting,
        };
        // What is not known may mean that less is carried (`since_seq`).
        let says_what = |key: &str| !ASIDE.contains(&key) && !key.starts_with("_replication_");
        let options = document.as_object()?.iter().filter(|(key, _)| says_what(key));
        let options: Object = without_nothing(options.map(|(key, value)| (key.clone(), value.clone())).collect());
        let is_whole = options.keys().all(|key| key == "continuous");
        let identity = identity(source.as_deref().unwrap_or_default(), target.as_deref().unwrap_or_default(), options);
        let told =
            Told { document: Some(id.to_string()), source, target, continuous, is_whole, phase, ..Told::default() };
        let told = told.counted(document.get("_replication_stats"));
        let error = text(document, "_replication_state_reason").map(|reason| redact(&reason));
        let told = Told { error, updated: text(document, "_replication_state_time"), ..told };
        Some(Self { id, told, identity })
    }

    /// Whether it asks for the same.
    pub fn is_equal(&self, spec: &JobSpec<'_>) -> bool {
        json::same(&self.identity, &spec.identity())
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_are_understood() {
        let info = json!({ "docs_written": 3, "doc_write_failures": 1, "changes_pending": null, "through_seq": "3-x" });
        let row = json!({ "doc_id": "j", "id": "9a+continuous", "source": "http://eve:c4n4ry@h/a/", "target": "b",
            "state": "running", "info": info, "error_count": 0 });
        let told = Told::of_scheduler(&row);
        assert_eq!((told.phase, told.written, told.refused, told.pending), (Phase::Running, Some(3), 1, None));
        assert_eq!((told.source.as_deref(), told.target.as_deref()), (Some("http://h/a"), Some("b")));
        assert!(told.continuous && told.through == Sequence::new("\"3-x\""));
        for (state, info, phase, error) in [
            ("initializing", json!(null), Phase::Waiting, None),
            ("crashing", json!({ "error": "no http://eve:c4n4ry@h/" }), Phase::Crashing, Some("no http://eve:****@h/")),
            ("error", json!({ "error": "no filter" }), Phase::Crashing, Some("no filter")),
            ("failed", json!("an old text"), Phase::Failed, Some("an old text")),
            ("completed", json!({ "docs_written": 1 }), Phase::Completed, None),
            ("something new", json!([]), Phase::Waiting, None),
        ] {
            let told = Told::of_scheduler(&json!({ "state": state, "info": info, "id": null }));
            assert_eq!((told.phase, told.error.as_deref()), (phase, error), "{state}");
        }
        let event = json!({ "type": "crashed", "reason": "gone" });
        let told = Told::of_transient(&json!({ "id": "9a", "database": null, "doc_id": null, "history": [event] }));
        assert_eq!((told.phase, told.error.as_deref(), told.document), (Phase::Crashing, Some("gone"), None));
        let ends = |state: &str| json!({ "_id": "j", "_replication_state": state, "_replication_state_reason": "why" });
        let pouchdb = JobDocument::read(&ends("error")).unwrap().told;
        assert_eq!((pouchdb.phase, pouchdb.error.as_deref()), (Phase::Failed, Some("why")));
        assert_eq!(JobDocument::read(&ends("triggered")).unwrap().told.phase, Phase::Running);
        assert_eq!(JobDocument::read(&json!({ "_id": "_design/_replicator" })), None);
    }
}
