//! One page of changes: what the target lacks of it is read and written.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::checkpoint::Log;
use super::group::{self, Item, LARGEST, Size, Written};
use super::habit::Habit;
use super::report::{Counts, Event, Tally};
use super::{Job, ReplicationError};
use crate::couch::{Changed, CouchError, Fetched, RevisionText, Sequence};
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
/// How many revisions all jobs of the process hold at once, so that what thousands of them begin with fits into memory:
/// twenty full pages, or two hundred small ones.
static ROOM: Semaphore = Semaphore::const_new(20 * ASKED);
/// No page counts less: one document may be as large as many.
const LEAST_ROOM: usize = ASKED / 10;
/// How often one document is tried that its source lists and does not give, or whose content breaks off.
pub(super) const TRIES: u32 = 3;

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
    ancestors: Arc<[Revision]>,
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

    /// Writes a checkpoint, and tells of it. `false`: one of the databases was made anew.
    pub(super) async fn record(
        &self,
        log: &mut Log,
        reached: &Sequence,
        counts: &Counts,
    ) -> Result<bool, ReplicationError> {
        if !log.write(&self.job, reached, counts).await? {
            return Ok(false);
        }
        self.moved.store(true, Ordering::Relaxed);
        self.tally.record(log.record());
        self.tally.tell(&Event::Checkpoint { sequence: reached.text() });
        Ok(true)
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
            let ancestors: Arc<[Revision]> = lacking.ancestors.into();
            let of = |revision| Wanted { id: lacking.id.clone(), revision, ancestors: Arc::clone(&ancestors) };
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

    /// Carries the first of what is wanted; gives the rest.
    async fn carry_some(&self, mut wanted: Vec<Wanted>) -> Result<Vec<Wanted>, ReplicationError> {
        let room = u32::try_from(wanted.len().clamp(LEAST_ROOM, ASKED)).unwrap_or(u32::MAX);
        let _permit = ROOM.acquire_many(room).await;
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
        let Fetched { texts, is_cut, reasons } = self.read_small(&names(&wanted)).await?;
        self.habit.learn(texts.len(), texts.iter().map(RevisionText::length).sum());
        let missing = without(names(&wanted), &texts);
        self.write(whole(texts)).await?;
        if !is_cut {
            self.ask_again(missing, reasons).await?;
            return Ok(rest);
        }
        let missing: HashSet<(DocId, Revision)> = missing.into_iter().collect();
        let left = wanted.into_iter().filter(|one| missing.contains(&(one.id.clone(), one.revision.clone())));
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
        let missing = wanted.into_iter().filter(|one| !found.contains(&(one.id.clone(), one.revision.clone())));
        if fetched.is_cut {
            rest.extend(missing);
        } else {
            self.ask_again(names(&missing.collect::<Vec<_>>()), fetched.reasons).await?;
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
            group = without(group, &fetched.texts);
            self.write(whole(fetched.texts)).await?;
            if !fetched.is_cut {
                return self.ask_again(group, fetched.reasons).await;
            }
        }
        Ok(())
    }

    pub(super) async fn read(
        &self,
        names: &[(DocId, Revision)],
        attachments: bool,
    ) -> Result<Fetched, ReplicationError> {
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

    pub(super) async fn write(&self, items: Vec<Item>) -> Result<(), ReplicationError> {
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
                let name = vec![(text.id, text.revision)];
                let fetched = self.read(&name, true).await?;
                let missing = without(name, &fetched.texts);
                let Written { count, refused, .. } = self.send(whole(fetched.texts)).await?;
                self.tally.count(|counts| counts.written += count);
                refused.into_iter().for_each(|refused| self.tally.refuse(refused));
                Box::pin(self.ask_again(missing, fetched.reasons)).await?;
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
                    // Its attachments went with a newer one.
                    if self.listed(vec![(text.id.clone(), text.revision.clone())]).await?.is_empty() {
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
}

/// What is not among these texts.
pub(super) fn without(mut names: Vec<(DocId, Revision)>, texts: &[RevisionText]) -> Vec<(DocId, Revision)> {
    let found: HashSet<(&DocId, &Revision)> = texts.iter().map(|text| (&text.id, &text.revision)).collect();
    names.retain(|(id, revision)| !found.contains(&(id, revision)));
    names
}

/// Texts with everything in them.
pub(super) fn whole(texts: Vec<RevisionText>) -> Vec<Item> {
    texts.into_iter().map(|text| Item { text, has_stubs: false }).collect()
}

fn names(wanted: &[Wanted]) -> Vec<(DocId, Revision)> {
    wanted.iter().map(|one| (one.id.clone(), one.revision.clone())).collect()
}
