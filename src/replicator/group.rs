//! Writing many revisions at once: in groups that shrink when they are too much for the target, and grow again.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::report::Refused;
use super::{Job, ReplicationError};
use crate::couch::{Answer, CouchError, Refusal, RevisionText};
use crate::name::{DocId, Revision};

/// The most bytes of one request.
pub(super) const LARGEST: usize = 8 << 20;
/// The most characters of a reason that are kept.
const LONGEST_REASON: usize = 500;
/// The least that a group shrinks to.
const SMALLEST: usize = 64 << 10;

/// How large a group may be at the moment.
pub(super) struct Size(AtomicUsize);

impl Size {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(LARGEST))
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn shrink(&self) {
        let less = |size: usize| Some((size / 2).max(SMALLEST));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn grow(&self) {
        let more = |size: usize| Some((size + size / 4).min(LARGEST));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

/// A revision on its way.
pub(super) struct Item {
    pub(super) text: RevisionText,
    /// Some of its attachments are stubs that the target should be able to fill.
    pub(super) has_stubs: bool,
}

/// What became of a group.
#[derive(Default)]
pub(super) struct Written {
    pub(super) count: u64,
    pub(super) refused: Vec<Refused>,
    /// Revisions whose attachments the target does not have after all.
    pub(super) unfilled: Vec<RevisionText>,
}

/// Writes the items. One that is refused alone is told, and keeps no other from being written.
pub(super) async fn write(job: &Job, size: &Size, items: Vec<Item>) -> Result<Written, ReplicationError> {
    let mut outcome = Written::default();
    let mut left = VecDeque::from(split(items, size.get()));
    while let Some(group) = left.pop_front() {
        let (texts, stubs): (Vec<RevisionText>, Vec<bool>) =
            group.into_iter().map(|item| (item.text, item.has_stubs)).unzip();
        match job.target.write_texts(&texts).await {
            Ok(refusals) => {
                size.grow();
                outcome.count += (texts.len() - refusals.len().min(texts.len())) as u64;
                outcome.refused.extend(told(job, refusals, &texts).await?);
            }
            Err(CouchError::MissingStub { .. }) if texts.len() == 1 && stubs[0] => outcome.unfilled.extend(texts),
            Err(error) if texts.len() == 1 => match refused(&texts[0], &error) {
                Some(refused) => outcome.refused.push(refused),
                None => return Err(ReplicationError::target(error)),
            },
            Err(error) if is_too_much(&error) => {
                if !matches!(error, CouchError::MissingStub { .. }) {
                    size.shrink();
                }
                let mut items: Vec<Item> =
                    texts.into_iter().zip(stubs).map(|(text, has_stubs)| Item { text, has_stubs }).collect();
                let second = items.split_off(items.len() / 2);
                left.push_front(second);
                left.push_front(items);
            }
            Err(error) => return Err(ReplicationError::target(error)),
        }
    }
    Ok(outcome)
}

/// Cuts into groups of at most `most` bytes, each with at least one item.
fn split(items: Vec<Item>, most: usize) -> Vec<Vec<Item>> {
    let mut groups: Vec<Vec<Item>> = Vec::new();
    let mut length = 0;
    for item in items {
        let own = item.text.length();
        match groups.last_mut() {
            Some(group) if length + own <= most => group.push(item),
            _ => {
                length = 0;
                groups.push(vec![item]);
            }
        }
        length += own;
    }
    groups
}

/// Whether a smaller group may be taken, or the only one in it that is wrong be found.
fn is_too_much(error: &CouchError) -> bool {
    error.refuses_batch()
        || matches!(error, CouchError::Timeout { .. })
        || matches!(error, CouchError::Server { source, .. } if source.status == 500)
}

/// The refusal of a revision that was sent alone; `None` when the target itself is in trouble.
pub(super) fn refused(text: &RevisionText, error: &CouchError) -> Option<Refused> {
    let answer = error.answer()?;
    let is_about_it = match error {
        CouchError::Forbidden { .. } => true,
        CouchError::NotFound { .. } | CouchError::Unauthorized { .. } => false,
        CouchError::Server { source, .. } => source.status == 500,
        _ => (400..500).contains(&answer.status),
    };
    is_about_it.then(|| as_told(text.id.to_string(), Some(text.revision.to_string()), answer))
}

/// Each refusal with its revision. PouchDB Server does not name it: the target is asked which of those that were sent
/// it lacks.
async fn told(job: &Job, refusals: Vec<Refusal>, texts: &[RevisionText]) -> Result<Vec<Refused>, ReplicationError> {
    let mut told = Vec::with_capacity(refusals.len());
    let mut unnamed: HashMap<String, Answer> = HashMap::new();
    for Refusal { id, revision, answer } in refusals {
        match revision {
            Some(revision) => told.push(as_told(id, Some(revision.to_string()), &answer)),
            None => drop(unnamed.insert(id, answer)),
        }
    }
    let mut sent: HashMap<&DocId, Vec<Revision>> = HashMap::new();
    for text in texts.iter().filter(|text| unnamed.contains_key(text.id.as_str())) {
        sent.entry(&text.id).or_default().push(text.revision.clone());
    }
    let (only, several): (Vec<_>, Vec<_>) = sent
        .into_iter()
        .map(|(id, revisions)| (id.clone(), revisions))
        .partition(|(_, revisions)| revisions.len() == 1);
    let lacking = job.target.lacking(&several).await.map_err(ReplicationError::target)?;
    let lacking = lacking.into_iter().map(|lacking| (lacking.id, lacking.revisions));
    for (id, revisions) in only.into_iter().chain(lacking) {
        let Some(answer) = unnamed.get(id.as_str()) else { continue };
        let named = |revision: Revision| as_told(id.to_string(), Some(revision.to_string()), answer);
        told.extend(revisions.into_iter().map(named));
    }
    Ok(told)
}

fn as_told(id: String, revision: Option<String>, answer: &Answer) -> Refused {
    Refused { id, revision, reason: reason(answer), is_forbidden: matches!(answer.status, 401 | 403) }
}

fn reason(answer: &Answer) -> String {
    let text = match (&answer.error, &answer.reason) {
        (Some(error), Some(reason)) if !reason.is_empty() => format!("{error}: {reason}"),
        (Some(word), _) | (None, Some(word)) => word.clone(),
        (None, None) => answer.to_string(),
    };
    // PouchDB gives the whole source of a validation that it cannot compile, for every document.
    match text.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_what_the_server_says_within_limits() {
        let long = "ä".repeat(5000);
        let cut = format!("forbidden: {}…", "ä".repeat(LONGEST_REASON - "forbidden: ".len()));
        for (error, said, expected) in [
            (Some("forbidden"), Some("no"), "forbidden: no"),
            (Some("forbidden"), Some(""), "forbidden"),
            (None, Some("no"), "no"),
            (Some("forbidden"), Some(long.as_str()), cut.as_str()),
        ] {
            let answer = Answer {
                request: String::new(),
                status: 403,
                error: error.map(str::to_owned),
                reason: said.map(str::to_owned),
            };
            assert_eq!(reason(&answer), expected);
        }
    }
}
