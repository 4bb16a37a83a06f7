//! One page of changes: what the target lacks of it is read and written.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::checkpoint::Log;
use super::group::{self, Item, LARGEST, Size, Written};
use super::habit::Habit;
use super::report::{Counts, Event, Refused, Tally};
use super::{Job, ReplicationError};
use crate::couch::{Changed, CouchError, Database, Feed, Fetched, Lacking, RevisionText, Selection, Sequence};
use crate::name::{DocId, Revision};

/// Attachments up to this size in all travel inside of JSON.
const INSIDE: u64 = 512 << 10;
/// A text that is longer than this is no small document.
const EACH: usize = 1 << 20;
/// As many documents are asked for at once.
const ASKED: usize = 1000;
/// How many requests for many documents each end has at once, whatever the pages under way: with four of them CouchDB
/// needs a seventh more of its processors for the same documents (`benches/replicate.py copy`).
const AT_ONCE: usize = 2;
/// How often the content of one document is sent again after its source broke off.
const TRIES: usize = 3;

/// What all pages of a job share.
pub(super) struct Shared {
    pub(super) job: Job,
    pub(super) tally: Tally,
    /// A checkpoint was written.
    pub(super) moved: AtomicBool,
    size: Size,
    habit: Habit,
    reads: Semaphore,
    writes: Semaphore,
}

/// A revision that the target lacks.
struct Wanted {
    id: DocId,
    revision: Revision,
    /// What the target has of the document.
    ancestors: Vec<Revision>,
}

impl Shared {
    pub(super) fn new(job: Job, tally: Tally) -> Self {
        Self {
            job,
            tally,
            moved: AtomicBool::new(false),
            size: Size::new(),
            habit: Habit::new(),
            reads: Semaphore::new(AT_ONCE),
            writes: Semaphore::new(AT_ONCE),
        }
    }

    /// Writes a checkpoint, and tells of it.
    pub(super) async fn record(
        &self,
        log: &mut Log,
        reached: &Sequence,
        counts: &Counts,
    ) -> Result<(), ReplicationError> {
        log.write(&self.job, reached, counts).await?;
        self.moved.store(true, Ordering::Relaxed);
        self.tally.record(log.record());
        self.tally.tell(&Event::Checkpoint { sequence: reached.text() });
        Ok(())
    }

    /// Carries a page. `compares`: what was missing is looked for once more, and told if it is missing still. Tells
    /// whether there was anything to ask the target about.
    pub(super) async fn carry(&self, rows: Vec<Changed>, compares: bool) -> Result<bool, ReplicationError> {
        let no_design = self.job.options.no_design;
        let echo = self.job.echo.as_ref().filter(|_| !compares);
        let mut asked: Vec<(DocId, Vec<Revision>)> = Vec::with_capacity(rows.len());
        for mut row in rows.into_iter().filter(|row| !(no_design && row.id.is_design())) {
            if let Some(echo) = echo {
                echo.take_out(&row.id, &mut row.revisions);
            }
            if !row.revisions.is_empty() {
                asked.push((row.id, row.revisions));
            }
        }
        if asked.is_empty() {
            return Ok(false);
        }
        let checked: usize = asked.iter().map(|(_, revisions)| revisions.len()).sum();
        let lacking = self.job.target.lacking(&asked).await.map_err(ReplicationError::target)?;
        let wanted = lacking.into_iter().flat_map(|lacking| {
            let ancestors = lacking.ancestors;
            let of = |revision| Wanted { id: lacking.id.clone(), revision, ancestors: ancestors.clone() };
            lacking.revisions.into_iter().map(of).collect::<Vec<_>>()
        });
        let wanted: Vec<Wanted> =
            wanted.filter(|wanted| !self.tally.is_refused(wanted.id.as_str(), wanted.revision.as_str())).collect();
        let again: Vec<(DocId, Vec<Revision>)> = match compares {
            true => wanted.iter().map(|one| (one.id.clone(), vec![one.revision.clone()])).collect(),
            false => Vec::new(),
        };
        if let Some(echo) = echo {
            wanted.iter().for_each(|one| echo.tell(&one.id, &one.revision));
        }
        self.tally.count(|counts| {
            counts.checked += checked as u64;
            counts.missing += wanted.len() as u64;
        });
        let mut left = wanted;
        while !left.is_empty() {
            left = self.carry_some(left).await?;
        }
        self.look_again(&again).await?;
        Ok(true)
    }

    /// Tells what the target lacks though it was carried, unless the source has something newer instead.
    async fn look_again(&self, carried: &[(DocId, Vec<Revision>)]) -> Result<(), ReplicationError> {
        let Job { source, target, options, .. } = &self.job;
        let mut lacking = target.lacking(carried).await.map_err(ReplicationError::target)?;
        lacking.retain_mut(|lacking| {
            let id = &lacking.id;
            lacking.revisions.retain(|revision| !self.tally.is_refused(id.as_str(), revision.as_str()));
            !lacking.revisions.is_empty()
        });
        if lacking.is_empty() {
            return Ok(());
        }
        let selection = Selection::Ids(lacking.iter().map(|lacking| lacking.id.clone()).collect());
        let winners_only = options.winning_revisions_only;
        let feed = Feed { since: None, limit: lacking.len(), selection: &selection, winners_only, wait: false };
        let listed = source.feed(&feed).await.map_err(ReplicationError::source)?.rows;
        let is_listed = |id: &DocId, revision: &Revision| {
            listed.iter().any(|row| row.id == *id && row.revisions.contains(revision))
        };
        for Lacking { id, revisions, .. } in &lacking {
            for revision in revisions.iter().filter(|revision| is_listed(id, revision)) {
                self.refuse(id, revision, "the target does not have it, though nothing was refused");
            }
        }
        Ok(())
    }

    /// Carries the first of what is wanted; gives the rest.
    async fn carry_some(&self, mut wanted: Vec<Wanted>) -> Result<Vec<Wanted>, ReplicationError> {
        let is_plain = |one: &&Wanted| one.ancestors.is_empty() && !one.id.is_design();
        let plain = wanted.iter().take(ASKED).take_while(is_plain).count();
        let expected = self.habit.at_once().map_or(0, |most| plain.min(most));
        if expected > 0 {
            let rest = wanted.split_off(expected);
            return self.carry_expected(wanted, rest).await;
        }
        let rest = wanted.split_off(wanted.len().min(ASKED));
        self.carry_seen(wanted, rest).await
    }

    /// Carries what should be small with attachments inside; gives the rest.
    async fn carry_expected(&self, wanted: Vec<Wanted>, rest: Vec<Wanted>) -> Result<Vec<Wanted>, ReplicationError> {
        let Fetched { texts, is_cut } = self.read_small(&names(&wanted)).await?;
        self.habit.learn(texts.len(), texts.iter().map(RevisionText::length).sum());
        let found: HashSet<(DocId, Revision)> =
            texts.iter().map(|text| (text.id.clone(), text.revision.clone())).collect();
        self.write(texts.into_iter().map(|text| Item { text, has_stubs: false }).collect()).await?;
        if !is_cut {
            return Ok(rest);
        }
        let left = wanted.into_iter().filter(|one| !found.contains(&(one.id.clone(), one.revision.clone())));
        self.carry_seen(left.collect(), rest).await
    }

    /// Looks at documents without their attachments, and carries each in the way that suits it; gives the rest.
    async fn carry_seen(&self, wanted: Vec<Wanted>, mut rest: Vec<Wanted>) -> Result<Vec<Wanted>, ReplicationError> {
        let fetched = self.read(&names(&wanted), false).await?;
        let whole =
            fetched.texts.iter().map(|text| text.length() + usize::try_from(text.attached()).unwrap_or(usize::MAX));
        self.habit.learn(fetched.texts.len(), whole.fold(0, usize::saturating_add));
        let mut found = HashSet::new();
        let (mut ready, mut inside) = (Vec::new(), Vec::new());
        for text in fetched.texts {
            let Some(one) = wanted.iter().find(|one| one.id == text.id && one.revision == text.revision) else {
                continue;
            };
            found.insert((text.id.clone(), text.revision.clone()));
            let known = text.known_to(&one.ancestors);
            if known.iter().all(|known| *known) {
                let has_stubs = !known.is_empty();
                ready.push(Item { text, has_stubs });
            } else if self.goes_inside(&text) {
                inside.push((text.id, text.revision, text.attachments.iter().map(|held| held.length).sum()));
            } else {
                self.tally.count(|counts| counts.read += 1);
                self.pipe(text, known).await?;
            }
        }
        self.write(ready).await?;
        self.carry_inside(inside).await?;
        // What the source does not give any longer has a newer revision, further on in the feed.
        if fetched.is_cut {
            rest.extend(wanted.into_iter().filter(|one| !found.contains(&(one.id.clone(), one.revision.clone()))));
        }
        Ok(rest)
    }

    /// Whether the attachments of a document are fetched and sent inside of its JSON.
    fn goes_inside(&self, text: &RevisionText) -> bool {
        let Job { source, target, .. } = &self.job;
        // Inside of JSON, the target compresses by itself: the digests of an app would be others on each server.
        let is_exact = text.id.is_design() && text.attachments.iter().any(|held| held.gzip.is_some());
        let is_small = text.attached() <= INSIDE && !is_exact;
        is_small || !source.can_address(text) || !target.can_address(text)
    }

    /// Carries documents with their attachments inside; each with the size of these.
    async fn carry_inside(&self, documents: Vec<(DocId, Revision, u64)>) -> Result<(), ReplicationError> {
        let (mut group, mut length) = (Vec::new(), 0);
        for (id, revision, size) in documents {
            if length + size > LARGEST as u64 * 3 / 4 && !group.is_empty() {
                self.carry_whole(std::mem::take(&mut group)).await?;
                length = 0;
            }
            length += size;
            group.push((id, revision));
        }
        self.carry_whole(group).await
    }

    async fn carry_whole(&self, mut group: Vec<(DocId, Revision)>) -> Result<(), ReplicationError> {
        while !group.is_empty() {
            let fetched = self.read(&group, true).await?;
            let found: HashSet<(DocId, Revision)> =
                fetched.texts.iter().map(|text| (text.id.clone(), text.revision.clone())).collect();
            self.write(fetched.texts.into_iter().map(|text| Item { text, has_stubs: false }).collect()).await?;
            if !fetched.is_cut {
                // What is gone meanwhile has a newer revision, further on in the feed.
                return Ok(());
            }
            group.retain(|one| !found.contains(one));
        }
        Ok(())
    }

    async fn read(&self, names: &[(DocId, Revision)], attachments: bool) -> Result<Fetched, ReplicationError> {
        let _permit = self.reads.acquire().await;
        self.job.source.revision_texts(names, attachments, LARGEST * 2).await.map_err(ReplicationError::source)
    }

    async fn read_small(&self, names: &[(DocId, Revision)]) -> Result<Fetched, ReplicationError> {
        let _permit = self.reads.acquire().await;
        self.job.source.small_texts(names, LARGEST * 2, EACH).await.map_err(ReplicationError::source)
    }

    async fn send(&self, items: Vec<Item>) -> Result<Written, ReplicationError> {
        let _permit = self.writes.acquire().await;
        group::write(&self.job, &self.size, items).await
    }

    async fn write(&self, items: Vec<Item>) -> Result<(), ReplicationError> {
        if items.is_empty() {
            return Ok(());
        }
        self.tally.count(|counts| counts.read += items.len() as u64);
        let Written { count, refused, unfilled } = self.send(items).await?;
        let counts = self.tally.count(|counts| counts.written += count);
        refused.into_iter().for_each(|refused| self.tally.refuse(refused));
        self.tally.tell(&Event::Moved(counts));
        for text in unfilled {
            if self.goes_inside(&text) {
                let fetched = self.read(&[(text.id, text.revision)], true).await?;
                let whole = fetched.texts.into_iter().map(|text| Item { text, has_stubs: false }).collect();
                let Written { count, refused, .. } = self.send(whole).await?;
                self.tally.count(|counts| counts.written += count);
                refused.into_iter().for_each(|refused| self.tally.refuse(refused));
            } else {
                let known = vec![false; text.attachments.len()];
                self.pipe(text, known).await?;
            }
        }
        Ok(())
    }

    /// Writes one document while the content of its attachments is read.
    async fn pipe(&self, text: RevisionText, mut known: Vec<bool>) -> Result<(), ReplicationError> {
        let Job { source, target, .. } = &self.job;
        let mut tries = 0;
        loop {
            tries += 1;
            match target.write_with_attachments(&text, &known, source).await {
                Ok(()) => {
                    let counts = self.tally.count(|counts| counts.written += 1);
                    self.tally.tell(&Event::Moved(counts));
                    return Ok(());
                }
                Err(CouchError::MissingStub { .. }) if known.contains(&true) => known.fill(false),
                Err(CouchError::Source { .. } | CouchError::Corrupted { .. }) if tries < TRIES => {}
                Err(error @ CouchError::Source { .. }) => {
                    if is_superseded(source, &text).await.map_err(ReplicationError::source)? {
                        return Ok(());
                    }
                    return Err(ReplicationError::source(error));
                }
                Err(error) => match group::refused(&text, &error) {
                    Some(refused) => {
                        self.tally.refuse(refused);
                        return Ok(());
                    }
                    None => return Err(ReplicationError::target(error)),
                },
            }
        }
    }

    fn refuse(&self, id: &DocId, revision: &Revision, reason: &str) {
        self.tally.refuse(Refused {
            id: id.to_string(),
            revision: Some(revision.to_string()),
            reason: reason.to_owned(),
            is_forbidden: false,
        });
    }
}

fn names(wanted: &[Wanted]) -> Vec<(DocId, Revision)> {
    wanted.iter().map(|one| (one.id.clone(), one.revision.clone())).collect()
}

/// Whether the source no longer keeps a revision: its attachments went with a newer one.
async fn is_superseded(source: &Database, text: &RevisionText) -> Result<bool, CouchError> {
    let fetched = source.revision_texts(&[(text.id.clone(), text.revision.clone())], false, usize::MAX).await?;
    Ok(fetched.texts.is_empty())
}
