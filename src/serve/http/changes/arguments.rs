//! What a request says about the changes that it wants (`chttpd_db:parse_changes_query`).

use std::time::Duration;

use axum::http::HeaderMap;

use crate::serve::failure::Failure;
use crate::serve::http::documents::options::Options;
use crate::serve::http::request::Query;

/// Without any sign of life for longer than that, feeds end: CouchDB's `[chttpd] changes_timeout`.
const LONGEST: Duration = Duration::from_mins(1);

/// So many rows when nobody says how many: CouchDB's default, which counts for `seq_interval`.
pub(super) const MOST: u64 = 1_000_000_000_000_000;

/// How the rows are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Feed {
    /// What there is.
    #[default]
    Normal,
    /// What there is; if there is nothing, the first that comes.
    Longpoll,
    /// What there is and what comes, a line each.
    Continuous,
    /// The same as events for a browser.
    EventSource,
}

/// Everything that the query says.
#[derive(Clone, Debug)]
pub(super) struct Arguments {
    /// How the rows are sent.
    pub(super) feed: Feed,
    /// After which sequence, as it was sent.
    pub(super) since: String,
    /// So many rows at most.
    pub(super) limit: u64,
    /// The newest first, whatever `since` says.
    pub(super) is_descending: bool,
    /// All leaves, not only the winner.
    pub(super) has_all_leaves: bool,
    /// After so long without a row a sign of life is sent; otherwise the feed ends.
    pub(super) has_heartbeat: bool,
    /// How long that is.
    pub(super) patience: Duration,
    /// The winner's document in each row.
    pub(super) includes_documents: bool,
    /// How it is shown.
    pub(super) options: Options,
    /// The name of the filter; empty for none.
    pub(super) filter: String,
    /// A sequence in every row with that remainder only.
    pub(super) sequence_interval: Option<u64>,
}

impl Arguments {
    /// Reads the query, and the header with which browsers resume.
    pub(super) fn parse(query: &Query, headers: &HeaderMap) -> Result<Self, Failure> {
        let mut arguments = Self {
            feed: Feed::Normal,
            since: "0".to_owned(),
            limit: MOST,
            is_descending: false,
            has_all_leaves: false,
            has_heartbeat: false,
            patience: LONGEST,
            includes_documents: false,
            options: Options { deleted: true, ..Options::default() },
            filter: String::new(),
            sequence_interval: None,
        };
        let (mut heartbeat, mut timeout) = (None, None);
        for (key, value) in &query.0 {
            match (key.to_lowercase().as_str(), value.as_str()) {
                ("feed", value) => arguments.feed = feed(value)?,
                ("descending", "true") => arguments.is_descending = true,
                ("since" | "last-event-id", value) => value.clone_into(&mut arguments.since),
                ("limit", value) => arguments.limit = limit(value)?,
                ("style", value) => arguments.has_all_leaves = style(value)?,
                ("heartbeat", "true") => heartbeat = Some(LONGEST),
                ("heartbeat", value) => heartbeat = Some(positive(value)?),
                ("timeout", value) => timeout = Some(milliseconds(value)?),
                ("include_docs", "true") => arguments.includes_documents = true,
                ("conflicts", "true") => arguments.options.conflicts = true,
                ("attachments", "true") => arguments.options.attachments = true,
                ("att_encoding_info", "true") => arguments.options.att_encoding_info = true,
                ("filter", value) => value.clone_into(&mut arguments.filter),
                ("seq_interval", value) => arguments.sequence_interval = Some(interval(value)?),
                _ => {}
            }
        }
        if arguments.feed == Feed::EventSource
            && let Some(last) = headers.get("last-event-id").and_then(|value| value.to_str().ok())
        {
            // The browser has been here before: that counts more than where the page began.
            last.clone_into(&mut arguments.since);
        }
        arguments.has_heartbeat = heartbeat.is_some();
        arguments.patience = heartbeat.or(timeout).unwrap_or(LONGEST).min(LONGEST);
        Ok(arguments)
    }
}

fn feed(value: &str) -> Result<Feed, Failure> {
    match value {
        "normal" => Ok(Feed::Normal),
        "longpoll" => Ok(Feed::Longpoll),
        "continuous" | "live" => Ok(Feed::Continuous),
        "eventsource" => Ok(Feed::EventSource),
        _ => Err(Failure::bad_request("Supported `feed` types: normal, continuous, live, longpoll, eventsource")),
    }
}

/// CouchDB counts down from the limit to zero: from a negative one it never gets there.
fn limit(value: &str) -> Result<u64, Failure> {
    let limit: i128 = value.parse().map_err(|_| Failure::bad_request("`limit` should be an integer"))?;
    Ok(u64::try_from(limit).unwrap_or(MOST))
}

fn style(value: &str) -> Result<bool, Failure> {
    match value {
        "main_only" => Ok(false),
        "all_docs" => Ok(true),
        _ => Err(Failure::bad_request("Supported `style` types: main_only, all_docs")),
    }
}

fn positive(value: &str) -> Result<Duration, Failure> {
    let invalid = "Invalid heartbeat value. Expecting a positive integer value (in milliseconds).";
    let number: i128 = value.parse().map_err(|_| Failure::bad_request(invalid))?;
    if number < 1 {
        let reason = "The heartbeat value should be a positive integer (in milliseconds).";
        return Err(Failure::bad_request(reason));
    }
    Ok(Duration::from_millis(u64::try_from(number).unwrap_or(u64::MAX)))
}

fn milliseconds(value: &str) -> Result<Duration, Failure> {
    let number: i128 = value.parse().map_err(|_| Failure::bad_request("`timeout` should be an integer"))?;
    Ok(Duration::from_millis(u64::try_from(number.max(0)).unwrap_or(u64::MAX)))
}

fn interval(value: &str) -> Result<u64, Failure> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Failure::bad_request("invalid_seq_interval"))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn parse(query: &str) -> Result<Arguments, Failure> {
        Arguments::parse(&Query::parse(query), &HeaderMap::new())
    }

    #[test]
    fn how_long_a_feed_waits() {
        for (query, patience, has_heartbeat) in [
            ("", 60_000, false),
            ("timeout=500", 500, false),
            ("timeout=0", 0, false),
            ("timeout=90000", 60_000, false),
            ("heartbeat=true", 60_000, true),
            ("heartbeat=500", 500, true),
            ("heartbeat=90000", 60_000, true),
            ("heartbeat=500&timeout=10", 500, true),
        ] {
            let arguments = parse(query).unwrap();
            let found = (arguments.patience.as_millis(), arguments.has_heartbeat);
            assert_eq!(found, (patience, has_heartbeat), "{query}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in [
            "feed=foo",
            "limit=x",
            "style=foo",
            "heartbeat=x",
            "heartbeat=0",
            "heartbeat=-1",
            "timeout=x",
            "seq_interval=0",
            "seq_interval=x",
        ] {
            assert_eq!(parse(bad).unwrap_err().status.as_u16(), 400, "{bad}");
        }
        assert_eq!(parse("limit=-1").unwrap().limit, MOST);
        assert_eq!(parse("limit=0").unwrap().limit, 0);
    }

    #[test]
    fn browsers_resume_where_they_were() {
        let last = (HeaderName::from_static("last-event-id"), HeaderValue::from_static("7-x"));
        let headers = HeaderMap::from_iter([last]);
        let since = |query: &str| Arguments::parse(&Query::parse(query), &headers).unwrap().since;
        assert_eq!(since("feed=eventsource&since=3"), "7-x");
        assert_eq!(since("feed=longpoll&since=3"), "3");
        assert_eq!(parse("last-event-id=5").unwrap().since, "5");
    }
}
