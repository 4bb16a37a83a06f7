//! What changed, with all leaves.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::body::Body;
use super::super::{CouchError, Database, Sequence, rows};
use crate::name::{DocId, Revision};

/// Which changes are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// All.
    #[default]
    Everything,
    /// Those of these documents.
    Ids(Vec<DocId>),
    /// Those of documents that match a selector: its JSON text, which is sent as it is.
    Selector(String),
    /// Those that a filter function lets pass.
    Filter {
        /// `DESIGN/NAME`
        name: String,
        /// What the function finds in `req.query`.
        query: Vec<(String, String)>,
    },
}

/// What to ask of the changes feed.
#[derive(Clone, Debug)]
pub struct Feed<'a> {
    /// Where to go on; `None`: from the beginning.
    pub since: Option<&'a Sequence>,
    /// The most changes in one answer.
    pub limit: usize,
    /// Which changes.
    pub selection: &'a Selection,
    /// The winning revision of each document, not all leaves.
    pub winners_only: bool,
    /// Wait until something changes.
    pub wait: bool,
}

/// One changed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its id.
    pub id: DocId,
    /// Its leaves as of then, tombstones included.
    pub revisions: Vec<Revision>,
}

/// A page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPage {
    /// Each document once.
    pub rows: Vec<Changed>,
    /// Documents with a revision that is none to us, and why; CouchDB takes any text for one.
    pub odd: Vec<(String, String)>,
    /// How many the server gave; more than there are rows, if it does not know the selection.
    pub given: usize,
    /// Where to go on.
    pub last: Sequence,
    /// How many changes are left after this page, before any filter; PouchDB does not say.
    pub pending: Option<u64>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    changes: Vec<Leaf>,
}

#[derive(Deserialize)]
struct Leaf {
    rev: String,
}

impl Row {
    fn read(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| format!("malformed row: {error}"))
    }

    /// Adds what can be named to a page, and tells what cannot.
    fn sort(self, changes: &mut Vec<Changed>, odd: &mut Vec<(String, String)>) {
        let id = match DocId::new(self.id.as_str()) {
            Ok(id) => id,
            Err(error) => return odd.push((self.id, error.to_string())),
        };
        let mut revisions = Vec::with_capacity(self.changes.len());
        for leaf in self.changes {
            match Revision::new(leaf.rev) {
                Ok(revision) => revisions.push(revision),
                Err(error) => odd.push((self.id.clone(), error.to_string())),
            }
        }
        changes.push(Changed { id, revisions });
    }
}

impl Database {
    /// Reads a page of changes. With [`Feed::wait`], an answer comes when there is one; a server that is silent for a
    /// third of the time after which it is given up sends a sign of life.
    ///
    /// A sequence that the server does not take is refused with 400 ([`CouchError::is_bad_request`]).
    pub async fn feed(&self, feed: &Feed<'_>) -> Result<FeedPage, CouchError> {
        let style = if feed.winners_only { "main_only" } else { "all_docs" };
        let mut target = self.endpoint("_changes").query("style", style).query("limit", &feed.limit.max(1).to_string());
        if let Some(since) = feed.since {
            target = target.query("since", &since.parameter());
        }
        if feed.wait {
            let heartbeat = self.heartbeat().as_millis().max(1);
            target = target.query("feed", "longpoll").query("heartbeat", &heartbeat.to_string());
        }
        let (target, body) = match feed.selection {
            Selection::Everything => (target, None),
            Selection::Ids(ids) => {
                let ids: Vec<&str> = ids.iter().map(DocId::as_str).collect();
                (target.query("filter", "_doc_ids"), Some(json!({ "doc_ids": ids }).to_string()))
            }
            Selection::Selector(text) => {
                (target.query("filter", "_selector"), Some(format!(r#"{{"selector":{text}}}"#)))
            }
            Selection::Filter { name, query } => {
                let target = target.query("filter", name);
                (query.iter().fold(target, |target, (key, value)| target.query(key, value)), None)
            }
        };
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.request(method, target, "read the changes of");
        request.body = body.map(|text| Body::json(text.into_bytes()));
        request.is_wait = feed.wait;
        let read = |reply| async {
            let (mut changes, mut odd) = (Vec::new(), Vec::new());
            let mut given = 0;
            let take = |text: &[u8]| {
                given += 1;
                Row::read(text).map(|row| row.sort(&mut changes, &mut odd))
            };
            let others = rows::read(reply, "results", take).await?;
            let last = others.get("last_seq").cloned().and_then(Sequence::of);
            let last = last.ok_or_else(|| self.protocol(&request, "there is no last_seq in it"))?;
            // A server that does not know the filter answers with everything.
            if let Selection::Ids(ids) = feed.selection {
                changes.retain(|change| ids.contains(&change.id));
            }
            Ok(FeedPage { rows: changes, odd, given, last, pending: others.get("pending").and_then(Value::as_u64) })
        };
        self.server().client.repeat(&request, read).await
    }

    fn heartbeat(&self) -> Duration {
        self.server().client.network().idle_timeout / 3
    }
}
