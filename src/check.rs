//! Parses the functions of a design document without running them, before anything is sent.
//!
//! Pure: a body in, problems out. A function is judged as CouchDB 3.5 with SpiderMonkey judges it: its text becomes a
//! script whose last value has to be a function. What CouchDB would refuse, now or at the first call, is an error; what
//! only some CouchDB versions refuse is a warning, save in `validate_doc_update`, which blocks every write to the
//! database when it does not compile. `fixtures/functions.json` holds CouchDB's own verdicts.

pub mod scratch;

mod construct;
mod engine;
mod judge;
mod members;
#[cfg(feature = "serve")]
pub(crate) mod script;
mod shape;
mod token;

use std::fmt;

use crate::json::Object;

/// Lines longer than this, in characters, are not shown.
const MAXIMUM_LINE: usize = 240;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The push may go on: some CouchDB versions refuse the function, or it could not be judged.
    Warning,
    /// The server refuses the document, or accepts it and fails at every call.
    Error,
}

/// One finding in one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the push has to stop.
    pub severity: Severity,
    /// Path of the member that holds the function, such as `["views", "by_date", "map"]`.
    pub member: Vec<String>,
    /// The file that this member came from, relative to the app, if the caller knows it.
    pub file: Option<String>,
    /// Line in the function's own text (macros expanded), from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong: lower case, no final stop, no position.
    pub message: String,
    /// The line named by `line`, without its line end and with control characters replaced; `None` if it is longer
    /// than 240 characters (minified code).
    pub source_line: Option<String>,
}

impl fmt::Display for Problem {
    /// `file:line:column: message`, with the member's path where no file is known.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.file.clone().unwrap_or_else(|| self.member.join("."));
        write!(out, "{place}:{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Checks every function of the design document `body`; `sources` names the file that a member came from.
///
/// Nothing is executed. Only JavaScript is judged: with another `language` the functions are left to the server. The
/// result is in the order of the document's members, CommonJS modules last. Functions are parsed with bounds of memory,
/// stack and time; one that exceeds them is reported as such.
pub fn check(body: &Object, sources: &dyn Fn(&[String]) -> Option<String>) -> Vec<Problem> {
    members::Checker::new(body, sources).run()
}

impl Problem {
    /// The problem at the byte `offset` of `source`.
    fn at(offset: usize, source: &str, severity: Severity, message: String) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let ends = |text: &str| text.matches('\n').count() + lone_returns(text);
        let start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let rest = source.get(start..).unwrap_or_default();
        let text = rest.split(['\n', '\r']).next().unwrap_or_default();
        Self {
            severity,
            member: Vec::new(),
            file: None,
            line: ends(before) + 1,
            column: before.get(start..).unwrap_or_default().chars().count() + 1,
            message,
            source_line: (text.chars().count() <= MAXIMUM_LINE).then(|| printable(text)),
        }
    }
}

/// How many lines end with a CR alone.
fn lone_returns(text: &str) -> usize {
    text.matches('\r').count() - text.matches("\r\n").count()
}

/// The text without what could steer a terminal.
fn printable(text: &str) -> String {
    let steers = |character: char| {
        (character.is_control() && character != '\t')
            || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let visible = |character: char| if steers(character) { '\u{fffd}' } else { character };
    text.chars().map(visible).collect()
}

#[cfg(test)]
mod tests;
