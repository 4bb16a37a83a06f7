//! Which paths are left out, and by which rule. Pure: the texts of the ignore files are given, nothing is read.
//!
//! Rules come in layers. The last one that has an opinion decides: built-in rules first, then the ignore files, then what
//! was typed. Inside a layer of gitignore patterns the last match decides and `!` keeps. A folder's verdict holds for
//! everything below it, so nothing can be kept inside a folder that is left out. Above all layers stand this tool's
//! [own files](is_own), which nothing can bring back.

use std::path::PathBuf;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use regex::Regex;

use crate::path::RelPath;

mod builtin;
mod expressions;

pub use builtin::{is_own, is_unfinished, temporary_name, temporary_part};

/// Where rules come from, and in which language they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// A `.couchappignore`: gitignore patterns, or the JSON array of regular expressions of the old couchapp.
    CouchappIgnore {
        /// The file's name for messages.
        file: &'a str,
        /// Its text.
        text: &'a str,
    },
    /// An `.ericaignore`: a JSON array of regular expressions that may match anywhere in a path, in any case.
    EricaIgnore {
        /// The file's name for messages.
        file: &'a str,
        /// Its text.
        text: &'a str,
    },
    /// A file of gitignore patterns (`--exclude-from`).
    Patterns {
        /// The file's name for messages.
        file: &'a str,
        /// Its text.
        text: &'a str,
    },
    /// One gitignore pattern of what is left out (`--exclude`).
    Exclude(&'a str),
    /// One gitignore pattern of what is kept (`--include`).
    Include(&'a str),
}

/// A rule that cannot be read, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct RuleError {
    /// The file, or the flag.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// What becomes of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is part of the folder.
    Kept,
    /// It is left out.
    Ignored(Reason),
}

/// The rule that left something out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule as it was written.
    pub rule: String,
    /// `built-in`, a flag, or `file:line`.
    pub source: String,
    /// What kind of rule it is.
    pub kind: RuleKind,
}

/// What kind of rule left something out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// This tool's own files; nothing brings them back.
    Own,
    /// A built-in rule for keys and passwords, which deserves a warning.
    Secret,
    /// A built-in rule for what editors, version control and file managers leave behind.
    Clutter,
    /// A rule of the user.
    User,
}

/// The old couchapp had two readings of the same file; this path is where they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The expression as it was written.
    pub rule: String,
    /// `file:line`.
    pub source: String,
    /// Whether couchapp 1.0.2 would have left the path out; what is done here is the opposite.
    pub ignored_by_1_0: bool,
}

/// All rules that hold for one folder.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Weakest first.
    layers: Vec<Layer>,
    /// Every file of ours is left out; otherwise only unfinished ones and those that may hold a password.
    is_app: bool,
}

#[derive(Clone, Debug)]
enum Layer {
    Patterns(Gitignore),
    Expressions { rules: Vec<Expression>, reading: Reading },
}

/// How a regular expression is held against a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// couchapp 1.1: it must match a whole run of components.
    WholeRun,
    /// erica: it may match anywhere.
    Anywhere,
}

#[derive(Clone, Debug)]
struct Expression {
    text: String,
    source: String,
    /// The reading that decides.
    regex: Regex,
    /// couchapp 1.0.2's reading: a match at the start of the bare name.
    name_regex: Regex,
}

impl Default for Rules {
    /// The built-in rules alone.
    fn default() -> Self {
        Self { layers: vec![Layer::Patterns(builtin::patterns())], is_app: true }
    }
}

impl Rules {
    /// No rules at all, for folders that are no app.
    pub fn none() -> Self {
        Self { layers: Vec::new(), is_app: false }
    }

    /// The built-in rules and those of `sources`, weakest first.
    ///
    /// The first rule that cannot be read is an error: an ignore file that is half understood publishes what it should
    /// have kept back.
    pub fn parse(sources: &[Source<'_>]) -> Result<Self, RuleError> {
        Self::default().and(sources)
    }

    /// The rules of `sources` alone, without the built-in ones: for folders whose files are all content.
    pub fn only(sources: &[Source<'_>]) -> Result<Self, RuleError> {
        Self::none().and(sources)
    }

    fn and(mut self, sources: &[Source<'_>]) -> Result<Self, RuleError> {
        for source in sources {
            self.layers.push(match *source {
                Source::CouchappIgnore { file, text } if expressions::is_array(text) => Layer::Expressions {
                    rules: expressions::parse(file, text, Reading::WholeRun)?,
                    reading: Reading::WholeRun,
                },
                Source::EricaIgnore { file, text } => Layer::Expressions {
                    rules: expressions::parse(file, text, Reading::Anywhere)?,
                    reading: Reading::Anywhere,
                },
                Source::CouchappIgnore { file, text } | Source::Patterns { file, text } => {
                    Layer::Patterns(pattern_file(file, text)?)
                }
                Source::Exclude(pattern) => Layer::Patterns(typed("--exclude", pattern, "")?),
                Source::Include(pattern) => Layer::Patterns(typed("--include", pattern, "!")?),
            });
        }
        Ok(self)
    }

    /// What becomes of `path`, the folders above it included.
    pub fn verdict(&self, path: &RelPath, is_dir: bool) -> Verdict {
        for folder in path.ancestors() {
            if let Verdict::Ignored(reason) = self.verdict_of_entry(folder, true) {
                return Verdict::Ignored(reason);
            }
        }
        self.verdict_of_entry(path.as_str(), is_dir)
    }

    /// [`verdict`](Self::verdict) for a walk from the top, which never enters a folder that is left out.
    pub(crate) fn verdict_of_entry(&self, path: &str, is_dir: bool) -> Verdict {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_left_out = if self.is_app { is_own(name) } else { builtin::is_private(name) };
        if is_left_out {
            let source = builtin::SOURCE.to_owned();
            return Verdict::Ignored(Reason { rule: name.to_owned(), source, kind: RuleKind::Own });
        }
        self.layers.iter().rev().find_map(|layer| layer.opinion(path, is_dir)).unwrap_or(Verdict::Kept)
    }

    /// Where couchapp 1.0.2 would have decided otherwise about `path` itself, by the same `.couchappignore`.
    pub fn doubt(&self, path: &RelPath) -> Option<Doubt> {
        self.layers.iter().find_map(|layer| match layer {
            Layer::Expressions { rules, reading: Reading::WholeRun } => doubt(rules, path),
            _ => None,
        })
    }
}

impl Layer {
    fn opinion(&self, path: &str, is_dir: bool) -> Option<Verdict> {
        match self {
            Self::Patterns(patterns) => match patterns.matched(path, is_dir) {
                Match::None => None,
                Match::Whitelist(_) => Some(Verdict::Kept),
                Match::Ignore(glob) => {
                    let from = glob.from().and_then(|from| from.to_str()).unwrap_or_default();
                    let (source, kind) = builtin::kind_of(from);
                    Some(Verdict::Ignored(Reason { rule: glob.original().to_owned(), source, kind }))
                }
            },
            Self::Expressions { rules, reading } => {
                let rule = rules.iter().find(|rule| rule.hits(path, *reading))?;
                let (rule, source) = (rule.text.clone(), rule.source.clone());
                Some(Verdict::Ignored(Reason { rule, source, kind: RuleKind::User }))
            }
        }
    }
}

impl Expression {
    fn hits(&self, path: &str, reading: Reading) -> bool {
        match reading {
            Reading::Anywhere => self.regex.is_match(path),
            Reading::WholeRun => self.hits_a_run(path),
        }
    }

    /// couchapp 1.1 tries every run of components (`a`, `a/b`, `b` of `a/b`), and those that begin at the root with a
    /// `/` in front as well.
    fn hits_a_run(&self, path: &str) -> bool {
        let starts = || std::iter::once(0).chain(path.match_indices('/').map(|(slash, _)| slash + 1));
        let ends = || path.match_indices('/').map(|(slash, _)| slash).chain(std::iter::once(path.len()));
        let hits = |run: &str| self.regex.is_match(run);
        starts().any(|start| ends().filter(|end| *end >= start).any(|end| hits(&path[start..end])))
            || ends().any(|end| hits(&format!("/{}", &path[..end])))
    }
}

fn doubt(rules: &[Expression], path: &RelPath) -> Option<Doubt> {
    let now = rules.iter().find(|rule| rule.hits_a_run(path.as_str()));
    let then = rules.iter().find(|rule| rule.name_regex.is_match(path.name()));
    let (rule, ignored_by_1_0) = match (now, then) {
        (Some(rule), None) => (rule, false),
        (None, Some(rule)) => (rule, true),
        _ => return None,
    };
    Some(Doubt { rule: rule.text.clone(), source: rule.source.clone(), ignored_by_1_0 })
}

fn pattern_file(file: &str, text: &str) -> Result<Gitignore, RuleError> {
    let mut builder = GitignoreBuilder::new("");
    // git takes an unclosed `[` for a pattern that never matches: a rule without effect, which nobody wants.
    builder.allow_unclosed_class(false);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let error = |error: &ignore::Error| rule_error(file, index + 1, error);
        builder.add_line(Some(PathBuf::from(format!("{file}:{}", index + 1))), line).map_err(|e| error(&e))?;
    }
    builder.build().map_err(|error| rule_error(file, 1, &error))
}

fn typed(flag: &str, pattern: &str, prefix: &str) -> Result<Gitignore, RuleError> {
    if pattern.trim().is_empty() {
        return Err(RuleError { file: flag.to_owned(), line: 1, message: "the pattern is empty".to_owned() });
    }
    // What is typed is never a comment.
    let escape = if prefix.is_empty() && pattern.starts_with('#') { "\\" } else { "" };
    let mut builder = GitignoreBuilder::new("");
    builder.allow_unclosed_class(false);
    builder
        .add_line(Some(PathBuf::from(flag)), &format!("{escape}{prefix}{pattern}"))
        .and_then(|builder| builder.build())
        .map_err(|error| rule_error(flag, 1, &error))
}

fn rule_error(file: &str, line: usize, error: &ignore::Error) -> RuleError {
    let message = match error {
        ignore::Error::Glob { glob: Some(glob), err } => format!("`{glob}` is no pattern: {err}"),
        other => other.to_string(),
    };
    RuleError { file: file.to_owned(), line, message }
}

#[cfg(test)]
mod tests;
