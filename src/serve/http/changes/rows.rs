//! Changes as text: a batch of them at a time. Blocks.

use serde_json::Value;

use super::arguments::{Arguments, Feed};
use super::filter::Filter;
use super::sequence;
use crate::serve::failure::Failure;
use crate::serve::http::documents::{open, show};
use crate::serve::http::produce::Sink;
use crate::serve::http::request::Place;
use crate::serve::mango::options::project;
use crate::serve::store::{Change, StoreError};

/// So many changes are read at once.
const BATCH: u64 = 200;

/// Everything that stays the same while a feed goes on.
pub(super) struct Telling {
    /// Where.
    pub(super) place: Place,
    /// What was asked for.
    pub(super) arguments: Arguments,
    /// Which changes.
    pub(super) filter: Filter,
    /// The database's, for sequences.
    pub(super) instance: u64,
}

/// How far a feed has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The last change that was looked at; of a descending feed that has told nothing yet, 0.
    pub(super) position: u64,
    /// So many more rows at most.
    pub(super) left: u64,
    /// So many rows were told.
    pub(super) told: u64,
    /// Nothing is left to be read at the moment.
    pub(super) is_through: bool,
    /// Where it was when it last began to read.
    pub(super) round: Round,
}

/// A feed that goes on reads again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// The position before it.
    pub(super) start: u64,
    /// The rows told before it.
    pub(super) told: u64,
}

impl Progress {
    /// Whether as many rows were told as were wanted.
    pub(super) fn is_full(&self) -> bool {
        self.left == 0
    }
}

impl Telling {
    /// Tells the next changes.
    pub(super) fn batch(&self, sink: &mut Sink, mut progress: Progress) -> Result<Progress, Failure> {
        // A filter may need many changes for a row, everything else needs no more than it tells.
        let wanted = if matches!(self.filter, Filter::All) { BATCH.min(progress.left) } else { BATCH };
        let changes = self.place.database.changes(progress.position, wanted, self.arguments.is_descending)?;
        progress.is_through = (changes.len() as u64) < wanted;
        let passed = self.filter.pass(&self.place, &self.arguments, &changes)?;
        for (change, leaves) in changes.iter().zip(passed) {
            if progress.is_full() {
                progress.is_through = false;
                break;
            }
            progress.position = change.sequence;
            if !leaves.is_empty() {
                self.row(sink, change, &leaves, progress)?;
                progress.left -= 1;
                progress.told += 1;
            }
        }
        Ok(progress)
    }

    fn row(&self, sink: &mut Sink, change: &Change, leaves: &[String], progress: Progress) -> Result<(), Failure> {
        let arguments = &self.arguments;
        let has_sequence = arguments.sequence_interval.is_none_or(|interval| progress.left.is_multiple_of(interval));
        let sequence = sequence::text(self.instance, change.sequence);
        let sequence = if has_sequence { Value::from(sequence) } else { Value::Null };
        match arguments.feed {
            Feed::Normal | Feed::Longpoll if progress.told > 0 => sink.text(",\r\n")?,
            Feed::EventSource => sink.text("data: ")?,
            Feed::Normal | Feed::Longpoll | Feed::Continuous => {}
        }
        let revisions: Vec<String> = leaves.iter().map(|leaf| format!("{{\"rev\":\"{leaf}\"}}")).collect();
        let id = Value::from(change.document.id.as_str());
        let is_deleted = change.document.tree.is_deleted();
        let deleted = if is_deleted { ",\"deleted\":true" } else { "" };
        sink.text(&format!("{{\"seq\":{sequence},\"id\":{id},\"changes\":[{}]{deleted}", revisions.join(",")))?;
        if arguments.includes_documents {
            sink.text(",\"doc\":")?;
            self.document(sink, change)?;
        }
        sink.text("}")?;
        match arguments.feed {
            Feed::Normal | Feed::Longpoll => Ok(()),
            Feed::Continuous => sink.text("\n"),
            Feed::EventSource => sink.text(&format!("\nid: {sequence}\n\n")),
        }
    }

    /// The winner.
    fn document(&self, sink: &mut Sink, change: &Change) -> Result<(), Failure> {
        let (database, options) = (&self.place.database, &self.arguments.options);
        let winner = change.document.tree.winner();
        let opened =
            winner.map(|leaf| open::revision(database, &change.document, &leaf.revision)).transpose()?.flatten();
        let Some(mut opened) = opened else { return sink.text("null") };
        opened.meta = open::meta(&change.document, options);
        if let Filter::Selector(_, Some(fields)) = &self.filter {
            let whole = Value::Object(show::stubbed(&opened, options));
            return sink.text(&project(&whole, fields)?.to_string());
        }
        show::write(sink, database, &opened, options)
    }

    /// How it ends, with what is not told yet.
    pub(super) fn end(&self, sink: &mut Sink, progress: Progress) -> Result<(), Failure> {
        let feed = self.arguments.feed;
        if feed == Feed::EventSource {
            return Ok(());
        }
        let progress = self.settled(progress)?;
        let passed_over = self.passed_over(progress)?;
        let last = Value::from(sequence::text(self.instance, passed_over.unwrap_or(progress.position)));
        // Without a row yet, CouchDB counts from where it looked last.
        let counted = passed_over.filter(|_| progress.told == 0).map(|position| Progress { position, ..progress });
        let pending = self.pending(counted.unwrap_or(progress))?;
        sink.text(&match feed {
            Feed::Continuous => format!("{{\"last_seq\":{last},\"pending\":{pending}}}\n\n"),
            _ => format!("\n],\n\"last_seq\":{last},\"pending\":{pending}}}\n\n"),
        })
    }

    /// The change after the last row, when it would not pass: CouchDB has looked at it already.
    fn passed_over(&self, progress: Progress) -> Result<Option<u64>, Failure> {
        if !progress.is_full() || !self.filter.is_by_content() {
            return Ok(None);
        }
        let next = match self.place.database.changes(progress.position, 1, self.arguments.is_descending) {
            Err(StoreError::Missing) => return Ok(None),
            next => next?,
        };
        let passes = self.filter.pass(&self.place, &self.arguments, &next)?;
        Ok(next.first().filter(|_| passes.iter().all(Vec::is_empty)).map(|change| change.sequence))
    }

    /// How many changes come after the last one that was looked at. Where documents were looked up CouchDB counts all that
    /// came since it began to read and were not told.
    fn pending(&self, progress: Progress) -> Result<u64, Failure> {
        if self.filter.is_lookup() {
            let told = progress.told - progress.round.told;
            return Ok(self.count(progress.round.start)?.saturating_sub(told));
        }
        if progress.is_through { Ok(0) } else { self.count(progress.position) }
    }

    fn count(&self, after: u64) -> Result<u64, Failure> {
        match self.place.database.count_changes(after, self.arguments.is_descending) {
            // Of a database that is gone nothing is left.
            Err(StoreError::Missing) => Ok(0),
            counted => Ok(counted?),
        }
    }

    /// A descending feed that has told nothing stands at the end.
    fn settled(&self, progress: Progress) -> Result<Progress, Failure> {
        if !self.arguments.is_descending || progress.position > 0 {
            return Ok(progress);
        }
        match self.place.database.info() {
            Err(StoreError::Missing) => Ok(progress),
            info => Ok(Progress { position: info?.sequence, ..progress }),
        }
    }
}
