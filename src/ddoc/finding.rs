//! What folding and unfolding have to say about single files.

use std::fmt;

use crate::path::RelPath;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The document is whole, but probably not what was meant.
    Warning,
    /// Something would be lost or broken; nothing may be written.
    Error,
}

/// One thing found in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it stops the command.
    pub severity: Severity,
    /// The file (or folder) it is about.
    pub path: RelPath,
    /// Line and column, both from 1, the column in bytes.
    pub position: Option<(usize, usize)>,
    /// What is wrong; lower case, no final stop, without the path.
    pub message: String,
    /// The line at `position`, to be shown with a caret; without its line end.
    pub source_line: Option<String>,
}

impl Finding {
    /// An error about `path` as a whole.
    pub fn error(path: &RelPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, path, message)
    }

    /// A warning about `path` as a whole.
    pub fn warning(path: &RelPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, path, message)
    }

    /// A finding about `path` as a whole.
    pub fn new(severity: Severity, path: &RelPath, message: impl Into<String>) -> Self {
        Self { severity, path: path.clone(), position: None, message: message.into(), source_line: None }
    }

    /// Adds the place: line and column (in bytes) from 1 in `text`, from which the line is quoted.
    pub fn at(mut self, text: &[u8], line: usize, column: usize) -> Self {
        let quoted = text.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
        let quoted = String::from_utf8_lossy(quoted.strip_suffix(b"\r").unwrap_or(quoted)).into_owned();
        self.position = Some((line, column));
        self.source_line = Some(quoted);
        self
    }

    /// Adds the place of byte `offset` of `text`.
    pub fn at_offset(self, text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        self.at(text, line, column)
    }
}

/// `path:line:column: message`, as far as known.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Collects findings; knows whether silent losses of the original are errors.
#[derive(Debug)]
pub(super) struct Findings {
    lenient: bool,
    list: Vec<Finding>,
}

impl Findings {
    pub(super) fn new(lenient: bool) -> Self {
        Self { lenient, list: Vec::new() }
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// Takes an error that the original would have passed over: a warning when lenient.
    pub(super) fn loss(&mut self, finding: Finding) {
        let severity = if self.lenient { Severity::Warning } else { Severity::Error };
        self.list.push(Finding { severity, ..finding });
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.list.extend(findings);
    }

    pub(super) fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All findings, ordered by file and place.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        self.list.sort_by(|left, right| (&left.path, left.position).cmp(&(&right.path, right.position)));
        self.list
    }
}
