//! What a run could not do, for its last words and its exit code.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::commands::Context;
use crate::exit::{Exit, Failure};

/// So many are listed one by one; `-v` lists all.
const ENOUGH: usize = 20;

/// Collects what was not done.
#[derive(Debug)]
pub(in crate::commands) struct Troubles {
    /// What `--force` does about a conflict.
    force: &'static str,
    lines: Vec<String>,
    conflicts: usize,
    files: usize,
    folders: usize,
}

impl Troubles {
    /// None so far; `force` tells what `--force` would do about a conflict.
    pub(in crate::commands) fn new(force: &'static str) -> Self {
        Self { force, lines: Vec::new(), conflicts: 0, files: 0, folders: 0 }
    }

    /// A file that could not be transferred, and why.
    pub(in crate::commands) fn file(&mut self, path: &str, why: &dyn std::fmt::Display) {
        self.files += 1;
        self.lines.push(format!("{path}: {why}"));
    }

    /// An entry that cannot be stored, in words that name it.
    pub(in crate::commands) fn entry(&mut self, words: String) {
        self.files += 1;
        self.lines.push(words);
    }

    /// What could not be done, one line for each.
    pub(in crate::commands) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// How many files could not be transferred.
    pub(in crate::commands) fn files(&self) -> usize {
        self.files
    }

    /// A folder that holds nothing, which no document can tell.
    pub(in crate::commands) fn empty_folder(&mut self, path: &str) {
        self.folders += 1;
        self.lines.push(format!("{path}/: an empty folder cannot be stored"));
    }

    /// A file that both sides changed.
    pub(in crate::commands) fn conflict(&mut self, path: &str, why: &str) {
        self.conflicts += 1;
        self.lines.push(format!("{path}: {why}"));
    }

    /// The end of a run that did `done` things, told as `text` and `figures`: fine, or a failure that lists what was not
    /// done.
    pub(in crate::commands) fn conclude(
        self,
        context: &Context,
        (text, figures): (&str, Map<String, Value>),
        done: usize,
    ) -> Result<Exit> {
        let Self { force, mut lines, conflicts, files, folders } = self;
        // The last line is the one that says how it ended.
        if lines.is_empty() {
            match done {
                0 => context.printer.idle(text, figures),
                _ => context.printer.summary(text, figures),
            }
            return Ok(Exit::Ok);
        }
        match done {
            0 => context.printer.note(text),
            _ => context.printer.did(text),
        }
        let kinds = [
            (files, "file", "files"),
            (folders, "empty folder", "empty folders"),
            (conflicts, "conflict", "conflicts"),
        ];
        let words: Vec<String> = kinds
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        if !context.printer.is_verbose() && lines.len() > ENOUGH + 1 {
            let more = lines.len() - ENOUGH;
            lines.truncate(ENOUGH);
            lines.push(format!("… and {more} more (`-v` lists them)"));
        }
        let only_conflicts = files == 0 && folders == 0;
        let exit = if only_conflicts && done == 0 { Exit::Conflict } else { Exit::Partial };
        let failure = Failure::new(exit, format!("not everything was done: {}", words.join(", "))).details(lines);
        let hint = format!("both sides of a conflict are kept; {force}");
        Err(if conflicts > 0 { failure.hint(hint) } else { failure }.into())
    }
}
