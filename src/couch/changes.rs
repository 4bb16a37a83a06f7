//! What has changed in a database since a point in its history.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, CouchError, Database, Info, rows};
use crate::json;
use crate::name::{DocId, Revision};

/// A point in the history of a database. Opaque: CouchDB's is a text, PouchDB's a number. It means something only to the
/// database that gave it, and only as long as its [`Info::instance_start_time`] is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence(Value);

impl Sequence {
    /// The sequence whose JSON text was kept; `None` when this cannot be one.
    pub fn new(text: &str) -> Option<Self> {
        json::parse(text.as_bytes()).ok().and_then(Self::of)
    }

    /// Its JSON text, to be kept.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// Whether it counts fewer changes than `other`, where both begin with a number as CouchDB's do. Then the database
    /// is not the one that gave `other`, or it was set back: `instance_start_time` has whole seconds only.
    pub fn is_behind(&self, other: &Self) -> bool {
        self.count().zip(other.count()).is_some_and(|(own, other)| own < other)
    }

    /// How many writes a database has seen since `earlier`, where both begin with a number as CouchDB's do: the sum of
    /// what its shards have counted. `None` where that cannot be told.
    pub fn writes_since(&self, earlier: &Self) -> Option<u64> {
        self.count()?.checked_sub(earlier.count()?)
    }

    /// Whether nothing was ever written before it, where it begins with a number as CouchDB's do.
    pub fn is_beginning(&self) -> bool {
        self.count() == Some(0)
    }

    fn count(&self) -> Option<u64> {
        match &self.0 {
            Value::String(text) => text.split('-').next()?.parse().ok(),
            Value::Array(parts) => parts.first()?.as_u64(),
            other => other.as_u64(),
        }
    }

    pub(super) fn of(value: Value) -> Option<Self> {
        let possible = match &value {
            Value::String(text) => !text.is_empty(),
            // BigCouch's are arrays.
            Value::Number(_) | Value::Array(_) => true,
            Value::Null | Value::Bool(_) | Value::Object(_) => false,
        };
        possible.then_some(Self(value))
    }

    /// As it stands in a URL: CouchDB takes its texts without quotes only.
    pub(super) fn parameter(&self) -> String {
        self.0.as_str().map_or_else(|| self.text(), str::to_owned)
    }
}

/// One changed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: DocId,
    /// Its winning revision as of then.
    pub revision: Revision,
    /// Whether that is a tombstone.
    pub deleted: bool,
    /// Whether other leaf revisions stand beside it: conflicts, or tombstones that ended some.
    pub branched: bool,
}

/// A page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Each document once, in no useful order.
    pub rows: Vec<Change>,
    /// Where to go on.
    pub last: Sequence,
    /// How many changes are left after this page. PouchDB does not say: there, fewer rows than the limit are the last.
    pub pending: Option<u64>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    changes: Vec<Leaf>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
struct Leaf {
    rev: String,
}

impl Row {
    fn read(text: &[u8]) -> Result<Change, String> {
        let row: Self = serde_json::from_slice(text).map_err(|error| format!("malformed row: {error}"))?;
        let id = DocId::new(row.id).map_err(|error| error.to_string())?;
        let branched = row.changes.len() > 1;
        let leaf = row.changes.into_iter().next().ok_or("there is a change without a revision")?;
        let revision = Revision::new(leaf.rev).map_err(|error| error.to_string())?;
        Ok(Change { id, revision, deleted: row.deleted, branched })
    }
}

impl Info {
    /// Whether every document is kept on one node only, so that all answers come from the same copies.
    pub fn has_one_copy(&self) -> bool {
        self.raw.get("cluster").and_then(|cluster| cluster.get("n")).and_then(Value::as_u64) == Some(1)
    }

    /// The point in history at which the facts were told: what is read afterwards is at least as new.
    pub fn sequence(&self) -> Option<Sequence> {
        self.raw.get("update_seq").cloned().and_then(Sequence::of)
    }
}

impl Database {
    /// At most `limit` changes after `since` (`None`: from the beginning).
    ///
    /// A sequence that the server does not take is refused with 400 ([`CouchError::is_bad_request`]): list everything.
    /// One of another database, or of this one before it was made anew, may be taken all the same and mean nothing.
    pub async fn changes(&self, since: Option<&Sequence>, limit: u64) -> Result<Changes, CouchError> {
        self.page(since, limit, false).await
    }

    /// Waits until something changes after `since`; returns at once when something has. While nothing does, the server
    /// gives signs of life, so that a connection that broke is noticed. An answer may come without any change.
    pub async fn wait_for_change(&self, since: &Sequence) -> Result<(), CouchError> {
        self.page(Some(since), 1, true).await.map(drop)
    }

    async fn page(&self, since: Option<&Sequence>, limit: u64, wait: bool) -> Result<Changes, CouchError> {
        // CouchDB and PouchDB take 0 for 1, each in its way.
        let limit = limit.max(1);
        // All leaves, the winner first: a conflict that replication brings may leave the winner as it was.
        let target = self.endpoint("_changes").query("style", "all_docs");
        let mut target = target.query("limit", &limit.to_string());
        if let Some(since) = since {
            target = target.query("since", &since.parameter());
        }
        if wait {
            let heartbeat = (self.server().client.network().idle_timeout / 3).as_millis().max(1);
            target = target.query("feed", "longpoll").query("heartbeat", &heartbeat.to_string());
        }
        let mut request = self.request(Method::GET, target, "read the changes of");
        request.is_wait = wait;
        if let Some(since) = since.filter(|since| self.server().is_pouchdb() && !since.0.is_number()) {
            // PouchDB says that nothing has changed since `abc`.
            let reason = Some(format!("{} is no sequence of PouchDB", since.text()));
            let source = Answer { request: request.line(), status: 400, error: Some("bad_request".to_owned()), reason };
            let action = format!("read the changes of database `{}`", self.name());
            return Err(CouchError::Refused { action, source: Box::new(source) });
        }
        let read = |reply| async {
            let mut changes = Vec::new();
            let take = |text: &[u8]| Row::read(text).map(|change| changes.push(change));
            let others = rows::read(reply, "results", take).await?;
            let last = others.get("last_seq").cloned().and_then(Sequence::of);
            let last = last.ok_or_else(|| self.protocol(&request, "there is no last_seq in it"))?;
            Ok(Changes { rows: changes, last, pending: others.get("pending").and_then(Value::as_u64) })
        };
        self.server().client.repeat(&request, read).await
    }
}

impl CouchError {
    /// Whether the server refused the request as such (400).
    pub fn is_bad_request(&self) -> bool {
        self.answer().is_some_and(|answer| answer.status == 400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_kept_as_they_are() {
        for (text, parameter) in [
            (r#""5-g1AAA""#, "5-g1AAA"),
            ("12", "12"),
            ("12345678901234567890123", "12345678901234567890123"),
            (r#"[5,"g1"]"#, r#"[5,"g1"]"#),
        ] {
            let sequence = Sequence::new(text).unwrap();
            assert_eq!((sequence.text().as_str(), sequence.parameter().as_str()), (text, parameter));
            assert_eq!(Sequence::new(&sequence.text()), Some(sequence));
        }
        for bad in ["", "5-g1AAA", "null", "true", "{}", "\"\"", "[1"] {
            assert_eq!(Sequence::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_sequence_that_counts_less_is_of_another_history() {
        for (own, other, behind) in [
            (r#""1-g1A""#, r#""7-g1B""#, true),
            (r#""7-g1A""#, r#""7-g1B""#, false),
            (r#""10-g1A""#, r#""9-g1B""#, false),
            ("3", "4", true),
            (r#"[3,"g1"]"#, r#"[4,"g1"]"#, true),
            (r#""abc""#, r#""7-g1B""#, false),
        ] {
            let of = |text| Sequence::new(text).unwrap();
            assert_eq!(of(own).is_behind(&of(other)), behind, "{own} {other}");
        }
    }

    #[test]
    fn what_is_no_change_is_an_error() {
        let branched = |text: &str| Row::read(text.as_bytes()).unwrap().branched;
        assert!(branched(r#"{"id":"a","changes":[{"rev":"1-b"},{"rev":"1-a"}]}"#));
        assert!(!branched(r#"{"id":"a","changes":[{"rev":"1-b"}]}"#));
        assert!(Row::read(br#"{"seq":null,"id":"a","changes":[{"rev":"1-a"},{"rev":"1-b"}]}"#).is_ok());
        for bad in [
            r#"{"id":"a","changes":[]}"#,
            r#"{"id":"","changes":[{"rev":"1-a"}]}"#,
            r#"{"id":"a","changes":[{"rev":"x"}]}"#,
            r#"{"id":"a"}"#,
            "3",
        ] {
            assert!(Row::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
