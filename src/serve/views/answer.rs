//! The answer to a query: what is said first, and the rows.

use std::collections::VecDeque;

use serde_json::Value;

use super::index::Reader;
use super::parameters::{Level, Parameters};
use super::reduce::{Groups, Reduced};
use super::rows::{Entry, Range, Rows};
use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::functions::Functions;
use crate::serve::http::changes::sequence;
use crate::serve::http::documents::open::{self, Opened};
use crate::serve::http::documents::options::Options;
use crate::serve::http::documents::show;
use crate::serve::http::produce::Sink;
use crate::serve::store::Database;

/// See [`super::Views::ask`]. Its rows are as of the moment when it was made.
pub struct Answer<'a> {
    database: &'a Database,
    functions: &'a Functions,
    reader: Reader,
    view: usize,
    reduce: Option<&'a str>,
    level: Level,
    ranges: Vec<Range>,
    parameters: &'a Parameters,
    options: Options,
}

/// A row of an answer.
#[derive(Debug)]
pub enum Row {
    /// What a document emitted.
    Mapped(Mapped),
    /// What a group of rows comes to.
    Reduced(Reduced),
}

/// A row that is not reduced.
#[derive(Debug)]
pub struct Mapped {
    /// The row.
    pub entry: Entry,
    /// With `include_docs`: the document, or that there is none.
    document: Shown,
}

/// What is shown of documents with `include_docs`.
#[derive(Debug)]
enum Shown {
    /// They were not asked for.
    NotAsked,
    /// There is none.
    Nothing,
    /// The one that emitted the row.
    Own(Box<Opened>),
    /// The one that its value names.
    Linked(Box<Opened>),
}

impl<'a> Answer<'a> {
    pub(super) fn new(
        database: &'a Database,
        functions: &'a Functions,
        reader: Reader,
        view: usize,
        reduce: Option<&'a str>,
        parameters: &'a Parameters,
    ) -> Result<Self, Failure> {
        let ranges = parameters.ranges(reader.collation(view), reduce.is_some())?;
        let options = Options {
            attachments: parameters.attachments,
            att_encoding_info: parameters.att_encoding_info,
            conflicts: parameters.conflicts == Some(true),
            ..Options::default()
        };
        let level = parameters.level()?;
        Ok(Self { database, functions, reader, view, reduce, level, ranges, parameters, options })
    }

    /// `total_rows` and `offset` (of a view that is not reduced), and `update_seq` if it was asked for.
    pub fn head(&self) -> Result<Object, Failure> {
        let mut head = Object::new();
        if self.reduce.is_none() {
            let total = self.reader.total(self.view)?;
            let offset = self.offset()?.saturating_add(self.parameters.skip).min(total);
            head.insert("total_rows".to_owned(), total.into());
            head.insert("offset".to_owned(), offset.into());
        }
        if self.parameters.update_seq {
            let instance = self.database.info()?.instance;
            head.insert("update_seq".to_owned(), sequence::text(instance, self.reader.sequence).into());
        }
        Ok(head)
    }

    /// How many rows come before the first one; without one, before the last range.
    fn offset(&self) -> Result<u64, Failure> {
        // Counting what comes before takes its time; it is done once.
        let has_rows = |range: &&Range| self.reader.rows(self.view, vec![(*range).clone()]).next().is_some();
        let first = match self.ranges.as_slice() {
            [one] => Some(one),
            several => several.iter().find(has_rows).or(several.last()),
        };
        first.map_or(Ok(0), |range| self.reader.before(self.view, range))
    }

    /// The rows.
    pub fn rows(&self) -> AnswerRows<'_> {
        let rows = self.reader.rows(self.view, self.ranges.clone());
        let source = match self.reduce {
            None => Source::Rows(rows),
            Some(reduce) => {
                let groups = Groups::new(rows, reduce, self.level, self.reader.collation(self.view), self.functions);
                Source::Groups { groups: Box::new(groups), ready: VecDeque::new() }
            }
        };
        let (skip, limit) = (self.parameters.skip, self.parameters.limit.unwrap_or(u64::MAX));
        AnswerRows { answer: self, source, skip, limit, has_failed: false }
    }

    fn mapped(&self, entry: Entry) -> Result<Mapped, Failure> {
        let document = if self.parameters.include_docs { self.document(&entry)? } else { Shown::NotAsked };
        Ok(Mapped { entry, document })
    }

    /// The document of a row: the one that its value names by `_id` (and `_rev`), or the one that emitted it.
    fn document(&self, entry: &Entry) -> Result<Shown, Failure> {
        let named = if entry.value.starts_with('{') && (entry.value.contains("_id") || entry.value.contains("_rev")) {
            serde_json::from_str::<Value>(&entry.value).ok()
        } else {
            None
        };
        let member = |name: &str| named.as_ref().and_then(|named| named.get(name));
        let revision = member("_rev").and_then(Value::as_str).and_then(|revision| Revision::new(revision).ok());
        let (id, is_linked) = match member("_id") {
            None => (entry.id.as_str(), false),
            Some(Value::String(id)) => (id.as_str(), true),
            Some(_) => return Ok(Shown::Nothing),
        };
        let opened = match revision {
            None => {
                let options = if is_linked { Options::default() } else { self.options.clone() };
                open::winner(self.database, id, &options)
            }
            Some(revision) => self.revision(id, &revision),
        };
        match opened {
            Ok(opened) if is_linked => Ok(Shown::Linked(Box::new(opened))),
            Ok(opened) if opened.is_deleted => Ok(Shown::Nothing),
            Ok(opened) => Ok(Shown::Own(Box::new(opened))),
            Err(failure) if failure.status == 404 => Ok(Shown::Nothing),
            Err(failure) => Err(failure),
        }
    }

    fn revision(&self, id: &str, revision: &Revision) -> Result<Opened, Failure> {
        let missing = || Failure::not_found("missing");
        let document = self.database.document(id)?.ok_or_else(missing)?;
        open::revision(self.database, &document, revision)?.ok_or_else(missing)
    }

    /// A row as JSON; documents have their attachments as stubs.
    pub fn text(&self, row: &Row) -> String {
        let mut text = begin(row);
        let document = match row {
            Row::Mapped(Mapped { document: Shown::Nothing, .. }) => Some(Value::Null),
            Row::Mapped(Mapped { document: Shown::Own(opened), .. }) => {
                Some(Value::Object(show::stubbed(opened, &self.options)))
            }
            Row::Mapped(Mapped { document: Shown::Linked(opened), .. }) => {
                Some(Value::Object(show::stubbed(opened, &Options::default())))
            }
            Row::Mapped(Mapped { document: Shown::NotAsked, .. }) | Row::Reduced(_) => None,
        };
        if let Some(document) = document {
            text.push_str(&format!(",\"doc\":{document}"));
        }
        text.push('}');
        text
    }

    /// Writes a row, documents with the bytes of their attachments if they were asked for.
    pub(in crate::serve) fn write(&self, row: &Row, sink: &mut Sink) -> Result<(), Failure> {
        match row {
            Row::Mapped(Mapped { document: Shown::Own(opened), .. }) if self.options.attachments => {
                sink.text(&begin(row))?;
                sink.text(",\"doc\":")?;
                show::write(sink, self.database, opened, &self.options)?;
                sink.text("}")
            }
            _ => sink.text(&self.text(row)),
        }
    }
}

/// A row without its document and its end.
fn begin(row: &Row) -> String {
    match row {
        Row::Mapped(Mapped { entry, .. }) => {
            format!("{{\"id\":{},\"key\":{},\"value\":{}", Value::from(entry.id.as_str()), entry.json, entry.value)
        }
        Row::Reduced(Reduced::Row { key, value }) => format!("{{\"key\":{key},\"value\":{value}"),
        Row::Reduced(Reduced::Overflow(reason)) => {
            let reason = Value::from(reason.as_str());
            format!("{{\"key\":null,\"error\":\"reduce_overflow_error\",\"reason\":{reason}")
        }
    }
}

enum Source<'a> {
    Rows(Rows<'a>),
    Groups { groups: Box<Groups<'a>>, ready: VecDeque<Reduced> },
}

/// See [`Answer::rows`].
pub struct AnswerRows<'a> {
    answer: &'a Answer<'a>,
    source: Source<'a>,
    skip: u64,
    limit: u64,
    has_failed: bool,
}

impl Iterator for AnswerRows<'_> {
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed || self.limit == 0 {
            return None;
        }
        let row = self.following().transpose()?;
        self.has_failed = row.is_err();
        self.limit -= 1;
        Some(row)
    }
}

impl AnswerRows<'_> {
    fn following(&mut self) -> Result<Option<Row>, Failure> {
        loop {
            let is_skipped = self.skip > 0;
            let row = match &mut self.source {
                Source::Rows(rows) => match rows.next().transpose()? {
                    None => return Ok(None),
                    Some(_) if is_skipped => None,
                    Some(entry) => Some(Row::Mapped(self.answer.mapped(entry)?)),
                },
                Source::Groups { groups, ready } => {
                    while ready.is_empty() && !groups.is_done() {
                        ready.extend(groups.next_groups()?);
                    }
                    match ready.pop_front() {
                        None => return Ok(None),
                        Some(reduced) => Some(Row::Reduced(reduced)).filter(|_| !is_skipped),
                    }
                }
            };
            if is_skipped {
                self.skip -= 1;
            } else if row.is_some() {
                return Ok(row);
            }
        }
    }
}
