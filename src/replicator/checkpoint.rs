//! How far a job has come, in CouchDB's own form: a document with the same name on both ends, each with the history of
//! the sessions. What counts is the last session that both know.
//! <https://docs.couchdb.org/en/stable/replication/protocol.html#compare-replication-logs>

use serde_json::{Map, Value, json};

use super::identity::VERSION;
use super::report::Counts;
use super::{Job, ReplicationError};
use crate::couch::{CouchError, Database, Sequence};
use crate::json::Object;
use crate::name::DocId;
use crate::random;

/// As many sessions as CouchDB keeps.
const SESSIONS: usize = 50;
/// Said of a source that cannot be written to: then the target's word alone counts.
const READ_ONLY: &str = "source_is_read_only";

/// The checkpoints of one session.
pub(super) struct Log {
    id: DocId,
    session: String,
    started: String,
    /// Where this session began.
    pub(super) since: Option<Sequence>,
    /// How far it has come.
    pub(super) recorded: Option<Sequence>,
    history: Vec<Value>,
    /// What the target's document says.
    record: Option<Object>,
    source: Place,
    target: Place,
}

/// One end.
#[derive(Default)]
struct Place {
    revision: Option<String>,
    is_read_only: bool,
}

impl Log {
    /// Reads both ends. `now` is the newest sequence of the source: what was recorded cannot be newer.
    pub(super) async fn open(job: &Job, identity: &str, now: Option<&Sequence>) -> Result<Self, ReplicationError> {
        let id = DocId::new(format!("_local/{identity}")).map_err(|error| {
            let origin = job.target.server().address().to_string();
            ReplicationError::target(CouchError::Protocol { origin, why: error.to_string(), request: String::new() })
        })?;
        let (source, target) = tokio::join!(job.source.local_document(&id), job.target.local_document(&id));
        let target = target.map_err(ReplicationError::target)?;
        let (source, is_read_only) = match source {
            Ok(source) => (source, false),
            // Who may read documents may not always read these.
            Err(CouchError::Forbidden { .. } | CouchError::Unauthorized { .. }) => (None, true),
            Err(error) => return Err(ReplicationError::source(error)),
        };
        let common = common(source.as_ref(), target.as_ref());
        let is_possible = |since: &Sequence| now.is_none_or(|now| !now.is_behind(since));
        let since = common.filter(is_possible);
        let history = match target.as_ref().and_then(|members| members.get("history")) {
            Some(Value::Array(history)) if since.is_some() => history.clone(),
            _ => Vec::new(),
        };
        Ok(Self {
            id,
            session: random::hexadecimal() + &random::hexadecimal(),
            started: date(),
            recorded: since.clone(),
            record: target.as_ref().filter(|_| since.is_some()).map(plain),
            since,
            history,
            source: Place { revision: source.as_ref().and_then(revision_of), is_read_only },
            target: Place { revision: target.as_ref().and_then(revision_of), is_read_only: false },
        })
    }

    /// What the checkpoint says, without what belongs to one end.
    pub(super) fn record(&self) -> Option<Object> {
        self.record.clone()
    }

    /// Whether both ends would tell if they were made anew: where one has no checkpoint yet, it cannot.
    pub(super) fn is_kept(&self) -> bool {
        self.target.revision.is_some() && (self.source.revision.is_some() || self.source.is_read_only)
    }

    /// Begins from here instead.
    pub(super) fn begin_at(&mut self, since: Option<Sequence>) {
        self.recorded.clone_from(&since);
        self.since = since;
    }

    /// Records that everything up to `reached` is done. `false`: one of the databases has forgotten this job, for it was
    /// made anew, and so was the job.
    pub(super) async fn write(
        &mut self,
        job: &Job,
        reached: &Sequence,
        counts: &Counts,
    ) -> Result<bool, ReplicationError> {
        let reached_text = value(reached);
        let entry = json!({
            "session_id": self.session, "start_time": self.started, "end_time": date(),
            "start_last_seq": self.since.as_ref().map_or(json!(0), value), "end_last_seq": reached_text,
            "recorded_seq": reached_text, "missing_checked": counts.checked, "missing_found": counts.missing,
            "docs_read": counts.read, "docs_written": counts.written, "doc_write_failures": counts.refused,
        });
        let mut history = vec![entry];
        history.extend(self.history.iter().take(SESSIONS - 1).cloned());
        let mut members = Map::new();
        members.insert("session_id".to_owned(), Value::from(self.session.as_str()));
        members.insert("source_last_seq".to_owned(), reached_text);
        members.insert("replication_id_version".to_owned(), Value::from(VERSION));
        // The source first: what only the target knows does not count.
        if !self.source.is_read_only {
            members.insert("history".to_owned(), Value::Array(history.clone()));
            match put(&job.source, &self.id, members.clone(), &mut self.source).await {
                Err(CouchError::Forbidden { .. } | CouchError::Unauthorized { .. }) => self.source.is_read_only = true,
                Ok(false) => return Ok(false),
                written => drop(written.map_err(ReplicationError::source)?),
            }
        }
        if self.source.is_read_only {
            members.insert(READ_ONLY.to_owned(), Value::Bool(true));
        }
        members.insert("history".to_owned(), Value::Array(history));
        self.record = Some(plain(&members));
        let is_written =
            put(&job.target, &self.id, members, &mut self.target).await.map_err(ReplicationError::target)?;
        if is_written {
            self.recorded = Some(reached.clone());
        }
        Ok(is_written)
    }
}

/// A checkpoint without what belongs to one end.
fn plain(members: &Object) -> Object {
    let own = ["_id", "_rev", READ_ONLY];
    members
        .iter()
        .filter(|(key, _)| !own.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Another run of the same job may have written in between: the newest word counts. `false`: there was such a document,
/// and there is none any longer. It is asked for before, as CouchDB lets one that is gone be written as if it were there.
async fn put(database: &Database, id: &DocId, mut members: Object, place: &mut Place) -> Result<bool, CouchError> {
    for is_last in [false, true] {
        if place.revision.is_some() {
            let Some(current) = database.local_document(id).await? else { return Ok(false) };
            place.revision = revision_of(&current);
        }
        match &place.revision {
            Some(revision) => members.insert("_rev".to_owned(), Value::from(revision.as_str())),
            None => members.shift_remove("_rev"),
        };
        match database.put_local_document(id, &members).await {
            Ok(revision) => {
                place.revision = Some(revision);
                return Ok(true);
            }
            Err(CouchError::Conflict { .. }) if !is_last => {
                let current = database.local_document(id).await?;
                place.revision = current.as_ref().and_then(revision_of);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn revision_of(members: &Object) -> Option<String> {
    Some(members.get("_rev")?.as_str()?.to_owned())
}

/// Where both ends say that a job has come to; `None` is the beginning.
///
/// A session in which documents were refused counts only up to where it began, so that each further one tries them
/// again and says what it still lacks.
fn common(source: Option<&Object>, target: Option<&Object>) -> Option<Sequence> {
    let target = sessions(target?);
    let version = |members: &Object| members.get("replication_id_version").and_then(Value::as_u64);
    let Some(source) = source else {
        let alone = target.into_iter().next().filter(|session| session.is_read_only);
        return alone.and_then(|session| session.reached);
    };
    if version(source).is_some_and(|version| version != VERSION) {
        return None;
    }
    let both = sessions(source).into_iter().find(|session| target.iter().any(|other| other.id == session.id))?;
    // What the target recorded may be older: it is written second.
    let other = target.into_iter().find(|other| other.id == both.id)?;
    match (both.reached, other.reached) {
        (Some(own), Some(other)) => Some(if other.is_behind(&own) { other } else { own }),
        _ => None,
    }
}

struct Session {
    id: String,
    reached: Option<Sequence>,
    is_read_only: bool,
}

/// The sessions of a log, newest first.
fn sessions(log: &Object) -> Vec<Session> {
    let is_read_only = log.get(READ_ONLY) == Some(&Value::Bool(true));
    let history = log.get("history").and_then(Value::as_array).into_iter().flatten();
    let session = |entry: &Value| {
        let refused = entry.get("doc_write_failures").and_then(Value::as_u64).unwrap_or_default();
        let key = if refused > 0 { "start_last_seq" } else { "recorded_seq" };
        let text = entry.get(key)?.to_string();
        let reached = Sequence::new(&text).filter(|_| text != "0");
        Some(Session { id: entry.get("session_id")?.as_str()?.to_owned(), reached, is_read_only })
    };
    history.filter_map(session).collect()
}

fn value(sequence: &Sequence) -> Value {
    crate::json::parse(sequence.text().as_bytes()).unwrap_or(Value::Null)
}

fn date() -> String {
    jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sessions as `(id, recorded, refused)`, newest first; each began at `1-s`.
    fn log(sessions: &[(&str, &str, u64)]) -> Object {
        let entry = |(id, recorded, refused): &(&str, &str, u64)| json!({ "session_id": id, "recorded_seq": recorded, "start_last_seq": "1-s", "doc_write_failures": refused });
        let history: Vec<Value> = sessions.iter().map(entry).collect();
        let Value::Object(log) = json!({ "history": history, "replication_id_version": VERSION }) else {
            unreachable!()
        };
        log
    }

    #[test]
    fn the_last_common_session_counts() {
        let rows: [(&[_], &[_], Option<&str>); 8] = [
            (&[("b", "9-x", 0), ("a", "5-x", 0)], &[("b", "9-x", 0), ("a", "5-x", 0)], Some("9-x")),
            // The source was written, the target was not.
            (&[("b", "9-x", 0), ("a", "5-x", 0)], &[("a", "5-x", 0)], Some("5-x")),
            (&[("b", "9-x", 0)], &[("b", "7-x", 0)], Some("7-x")),
            // One end was put back to an old copy.
            (&[("a", "5-x", 0)], &[("c", "9-x", 0), ("b", "7-x", 0), ("a", "5-x", 0)], Some("5-x")),
            (&[("z", "9-x", 0)], &[("b", "9-x", 0)], None),
            (&[("b", "9-x", 2)], &[("b", "9-x", 2)], Some("1-s")),
            (&[], &[("b", "9-x", 0)], None),
            (&[("b", "9-x", 0)], &[], None),
        ];
        for (source, target, expected) in rows {
            let found = common(Some(&log(source)), Some(&log(target)));
            let expected = expected.map(|text| Sequence::new(&format!("{text:?}")).unwrap());
            assert_eq!(found, expected, "{source:?} {target:?}");
        }
    }

    #[test]
    fn the_target_alone_counts_only_where_the_source_cannot_be_written() {
        let mut target = log(&[("b", "9-x", 0)]);
        assert_eq!(common(None, Some(&target)), None);
        target.insert(READ_ONLY.to_owned(), Value::Bool(true));
        assert_eq!(common(None, Some(&target)), Sequence::new("\"9-x\""));
        assert_eq!(common(Some(&log(&[("b", "9-x", 0)])), None), None);
    }

    #[test]
    fn a_log_of_another_kind_is_none() {
        let mut source = log(&[("b", "9-x", 0)]);
        source.insert("replication_id_version".to_owned(), Value::from(VERSION + 1));
        assert_eq!(common(Some(&source), Some(&log(&[("b", "9-x", 0)]))), None);
        let Value::Object(bare) = json!({ "history": 7 }) else { unreachable!() };
        assert_eq!(common(Some(&bare), Some(&bare)), None);
        assert!(date().ends_with(" GMT"));
    }
}
