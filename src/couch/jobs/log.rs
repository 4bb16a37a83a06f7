//! What the checkpoints of a server's replication tell. A session that goes on where an earlier one ended counts what
//! that one has written as well, and tells nothing at all until something moves or half a minute has passed.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use super::super::{CouchError, Database, Sequence};
use crate::json::Object;
use crate::name::DocId;

/// What earlier sessions of a job had done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Documents that were written; the new session counts them again.
    pub written: u64,
    /// Documents that were not taken.
    pub refused: u64,
    /// How far it has come by now.
    pub through: Option<Sequence>,
}

impl Database {
    /// What earlier sessions of a replication to this database had done. `replication` is its name at its server,
    /// `started` when the present session began.
    pub async fn earlier_sessions(&self, replication: &str, started: Option<&str>) -> Result<Earlier, CouchError> {
        let name = replication.split('+').next().unwrap_or(replication);
        let Ok(id) = DocId::new(format!("_local/{name}")) else { return Ok(Earlier::default()) };
        let log = self.local_document(&id).await?;
        Ok(log.map_or_else(Earlier::default, |log| read(&log, started)))
    }
}

fn read(log: &Object, started: Option<&str>) -> Earlier {
    let started = started.and_then(|text| text.parse::<Timestamp>().ok());
    let is_earlier = |entry: &&Value| {
        let began = entry.get("start_time").and_then(Value::as_str).and_then(date);
        started.zip(began).is_none_or(|(started, began)| began < started)
    };
    let history = log.get("history").and_then(Value::as_array).into_iter().flatten();
    let last = history.into_iter().find(is_earlier);
    let number = |key: &str| last.and_then(|entry| entry.get(key)).and_then(Value::as_u64).unwrap_or(0);
    Earlier {
        written: number("docs_written"),
        refused: number("doc_write_failures"),
        through: log.get("source_last_seq").cloned().and_then(Sequence::of),
    }
}

/// `Mon, 23 Nov 2026 09:50:39 GMT`
fn date(text: &str) -> Option<Timestamp> {
    let date = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_sessions_before_this_one_count() {
        let entry = |second: u8, written: u64| json!({ "start_time": format!("Mon, 23 Nov 2026 09:50:{second} GMT"), "docs_written": written });
        let log = json!({ "source_last_seq": "9-x", "history": [entry(40, 9), entry(30, 7)] });
        let Value::Object(log) = log else { unreachable!() };
        for (started, written) in [
            (Some("2026-11-23T09:50:50Z"), 9),
            (Some("2026-11-23T09:50:40Z"), 7),
            (Some("2026-11-23T09:50:30Z"), 0),
            (None, 9),
        ] {
            assert_eq!(read(&log, started).written, written, "{started:?}");
        }
        assert_eq!(read(&log, None).through, Sequence::new("\"9-x\""));
        assert_eq!(read(&Object::new(), None), Earlier::default());
    }
}
