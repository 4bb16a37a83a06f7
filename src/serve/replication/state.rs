//! Where a replication stands, and what `_scheduler`, `_active_tasks` and documents tell of it. Pure.
//!
//! <https://docs.couchdb.org/en/3.5.x/replication/replicator.html#replication-states>

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::replicator::{Counts, Event};

/// As many events as CouchDB keeps (`[replicator] max_history`).
const HISTORY: usize = 20;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Phase {
    /// It has not begun yet.
    Pending,
    /// It goes on.
    Running,
    /// It failed, and is tried again.
    Crashing,
    /// Everything was carried.
    Completed,
}

impl Phase {
    /// CouchDB's word.
    pub(in crate::serve) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Crashing => "crashing",
            Self::Completed => "completed",
        }
    }
}

/// Everything that is known of a replication under way.
#[derive(Clone, Debug)]
pub(in crate::serve) struct State {
    /// Where it stands.
    pub(in crate::serve) phase: Phase,
    /// Failures in a row.
    pub(in crate::serve) errors: u64,
    /// The last of them.
    pub(in crate::serve) error: Option<String>,
    /// When it was asked for.
    pub(in crate::serve) added: Timestamp,
    /// When it began to go on, if it does.
    pub(in crate::serve) started: Option<Timestamp>,
    /// When its phase changed.
    pub(in crate::serve) changed: Timestamp,
    /// When anything was heard of it.
    pub(in crate::serve) heard: Timestamp,
    counts: Option<Counts>,
    /// Sequences of the source, as JSON text.
    checkpointed: Option<String>,
    through: Option<String>,
    history: VecDeque<Value>,
}

impl State {
    /// Asked for now.
    pub(super) fn new(now: Timestamp) -> Self {
        let mut state = Self {
            phase: Phase::Pending,
            errors: 0,
            error: None,
            added: now,
            started: None,
            changed: now,
            heard: now,
            counts: None,
            checkpointed: None,
            through: None,
            history: VecDeque::new(),
        };
        state.note(now, "added", None);
        state
    }

    /// It is begun, for the first time or again.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.started = Some(now);
        self.turn(now, Phase::Running);
        self.note(now, "started", None);
    }

    /// It failed.
    pub(super) fn fail(&mut self, now: Timestamp, error: &str) {
        self.errors += 1;
        self.error = Some(error.to_owned());
        self.turn(now, Phase::Crashing);
        self.note(now, "crashed", Some(error));
    }

    /// It is done, with these counts.
    pub(super) fn complete(&mut self, now: Timestamp, counts: Counts) {
        self.counts = Some(counts);
        self.error = None;
        self.turn(now, Phase::Completed);
    }

    /// Something was heard of it.
    pub(super) fn hear(&mut self, now: Timestamp, event: &Event) {
        self.heard = now;
        match event {
            Event::Begun { since } => {
                self.through.clone_from(since);
                self.checkpointed.clone_from(since);
                // By itself it begins again after an error.
                if self.phase == Phase::Crashing {
                    self.begin(now);
                }
            }
            Event::Moved(counts) | Event::CaughtUp(counts) => {
                self.counts = Some(*counts);
                // What gets somewhere is no longer failing.
                (self.errors, self.error) = (0, None);
            }
            Event::Reached { sequence } => self.through = Some(sequence.clone()),
            Event::Checkpoint { sequence } => self.checkpointed = Some(sequence.clone()),
            Event::Waiting { cause, .. } => self.fail(now, cause),
            Event::Refused(_) | Event::Comparing => {}
        }
    }

    fn turn(&mut self, now: Timestamp, phase: Phase) {
        if phase != Phase::Running {
            self.started = None;
        }
        (self.phase, self.changed, self.heard) = (phase, now, now);
    }

    fn note(&mut self, now: Timestamp, kind: &str, reason: Option<&str>) {
        let mut entry = json!({ "timestamp": time(now), "type": kind });
        if let Some(reason) = reason {
            entry["reason"] = reason.into();
        }
        self.history.push_front(entry);
        self.history.truncate(HISTORY);
    }

    /// `info`: the last error, or how far it has come.
    pub(in crate::serve) fn info(&self) -> Value {
        match (&self.error, self.phase) {
            (Some(error), Phase::Crashing) => json!({ "error": error }),
            _ if self.counts.is_none() => Value::Null,
            _ => {
                let mut info = self.stats();
                info["source_seq"] = sequence(self.through.as_deref());
                info["through_seq"] = sequence(self.through.as_deref());
                info
            }
        }
    }

    /// What was done.
    pub(in crate::serve) fn stats(&self) -> Value {
        let counts = self.counts.unwrap_or_default();
        json!({
            "revisions_checked": counts.checked,
            "missing_revisions_found": counts.missing,
            "docs_read": counts.read,
            "docs_written": counts.written,
            "changes_pending": counts.pending,
            "doc_write_failures": counts.refused,
            "checkpointed_source_seq": sequence(self.checkpointed.as_deref()),
        })
    }

    /// What happened, the newest first.
    pub(in crate::serve) fn history(&self) -> Value {
        self.history.iter().cloned().collect()
    }
}

fn sequence(text: Option<&str>) -> Value {
    text.map_or_else(|| "0".into(), |text| crate::json::parse(text.as_bytes()).unwrap_or(Value::Null))
}

/// A time as CouchDB's scheduler tells it.
pub(in crate::serve) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_427_307 + second).unwrap()
    }

    fn counts(written: u64) -> Counts {
        Counts { checked: 3, missing: 2, read: 2, written, refused: 1, pending: Some(0) }
    }

    fn waiting() -> Event {
        Event::Waiting { wait: Duration::from_secs(1), end: None, cause: "connection refused".to_owned() }
    }

    #[test]
    fn states_follow_what_happens() {
        let mut state = State::new(at(0));
        let rows: [(&str, Option<Event>, &str, u64, Value); 8] = [
            ("begun", None, "running", 0, json!(null)),
            ("heard", Some(Event::Begun { since: Some("\"2-x\"".to_owned()) }), "running", 0, json!(null)),
            ("heard", Some(waiting()), "crashing", 1, json!({ "error": "connection refused" })),
            ("heard", Some(Event::Begun { since: None }), "running", 1, json!(null)),
            ("heard", Some(waiting()), "crashing", 2, json!({ "error": "connection refused" })),
            ("failed", None, "crashing", 3, json!({ "error": "db_not_found: could not open x" })),
            ("begun", None, "running", 3, json!(null)),
            ("heard", Some(Event::Reached { sequence: "\"3-y\"".to_owned() }), "running", 3, json!(null)),
        ];
        for (number, (what, event, word, errors, info)) in rows.into_iter().enumerate() {
            match (what, event) {
                ("begun", _) => state.begin(at(1)),
                ("failed", _) => state.fail(at(1), "db_not_found: could not open x"),
                (_, event) => state.hear(at(1), &event.unwrap()),
            }
            assert_eq!((state.phase.word(), state.errors, state.info()), (word, errors, info), "{number}");
        }
        state.hear(at(2), &Event::Moved(counts(2)));
        assert_eq!((state.phase, state.errors), (Phase::Running, 0), "it got somewhere");
        state.hear(at(2), &Event::Checkpoint { sequence: "\"3-y\"".to_owned() });
        let mut expected = json!({
            "revisions_checked": 3, "missing_revisions_found": 2, "docs_read": 2, "docs_written": 2,
            "changes_pending": 0, "doc_write_failures": 1, "checkpointed_source_seq": "3-y",
        });
        assert_eq!(state.stats(), expected);
        expected["source_seq"] = "3-y".into();
        expected["through_seq"] = "3-y".into();
        assert_eq!(state.info(), expected);
        state.complete(at(3), counts(4));
        assert_eq!((state.phase.word(), state.started, state.changed), ("completed", None, at(3)));
        assert_eq!(state.stats()["docs_written"], 4);
    }

    #[test]
    fn the_history_is_bounded_and_begins_with_the_newest() {
        let mut state = State::new(at(0));
        assert_eq!(state.history(), json!([{ "timestamp": "2026-11-23T09:48:27Z", "type": "added" }]));
        for second in 0..50 {
            state.begin(at(second));
            state.fail(at(second), "x");
        }
        let history = state.history();
        assert_eq!(history.as_array().unwrap().len(), HISTORY);
        assert_eq!(history[0], json!({ "timestamp": "2026-11-23T09:49:16Z", "type": "crashed", "reason": "x" }));
        assert_eq!(state.errors, 50);
    }
}
