//! Finds the functions and CommonJS modules of a design document.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;

use super::engine::Engine;
use super::judge::{self, Finding};
use super::{Problem, Severity};
use crate::json::Object;

/// The members that hold a function in each of their members.
const FUNCTION_SETS: [&str; 4] = ["shows", "lists", "updates", "filters"];
/// Reduce functions that CouchDB brings along (`couch_query_servers.erl`, 3.5); `_top_N` and `_bottom_N` come with a
/// number.
const BUILTIN_REDUCES: [&str; 6] = ["_sum", "_count", "_stats", "_approx_count_distinct", "_first", "_last"];

/// How a function may `require`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Sees `views/lib` only.
    Map,
    /// Has no `require`.
    Reduce,
    /// Sees the whole design document; broken, it blocks every write to the database.
    ValidateDocUpdate,
    /// Sees the whole design document.
    Call,
}

/// A module that is to be checked.
struct Module {
    path: Vec<String>,
    /// Whether some function names it, so that a mistake in it is an error.
    required: bool,
}

/// One check of one design document.
pub(super) struct Checker<'a> {
    body: &'a Object,
    sources: &'a dyn Fn(&[String]) -> Option<String>,
    engine: Engine,
    problems: Vec<Problem>,
    modules: VecDeque<Module>,
    queued: HashSet<Vec<String>>,
}

fn path(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl<'a> Checker<'a> {
    pub(super) fn new(body: &'a Object, sources: &'a dyn Fn(&[String]) -> Option<String>) -> Self {
        let engine = Engine::default();
        Self { body, sources, engine, problems: Vec::new(), modules: VecDeque::new(), queued: HashSet::new() }
    }

    pub(super) fn run(mut self) -> Vec<Problem> {
        if !self.is_javascript() {
            return self.problems;
        }
        for (key, value) in self.body {
            match (key.as_str(), value) {
                ("views", Value::Object(views)) => self.views(views),
                ("validate_doc_update", Value::String(source)) => {
                    self.function(&path(&[key]), source, Role::ValidateDocUpdate);
                }
                ("rewrites", Value::String(source)) => self.function(&path(&[key]), source, Role::Call),
                (set, Value::Object(functions)) if FUNCTION_SETS.contains(&set) => {
                    for (name, function) in functions {
                        if let Value::String(source) = function {
                            self.function(&path(&[key, name]), source, Role::Call);
                        }
                    }
                }
                _ => {}
            }
        }
        self.modules();
        self.problems
    }

    /// CouchDB compares `language` byte by byte: with white space around it there is no query server for the views.
    fn is_javascript(&mut self) -> bool {
        let language = match self.body.get("language") {
            None => return true,
            Some(Value::String(language)) => language,
            Some(_) => return false,
        };
        let is_javascript = language.trim() == "javascript";
        if is_javascript && language.trim() != language {
            let message = "white space around `javascript`: CouchDB knows no such language, and no view will work";
            self.report(path(&["language"]), language, Finding::warning(0, message));
        }
        is_javascript
    }

    fn views(&mut self, views: &Object) {
        for (name, view) in views {
            let Value::Object(view) = view else { continue };
            if name == "lib" {
                continue;
            }
            if let Some(Value::String(source)) = view.get("map") {
                self.function(&path(&["views", name, "map"]), source, Role::Map);
            }
            match view.get("reduce") {
                Some(Value::String(source)) if source.starts_with('_') => {
                    let finding = builtin(source);
                    self.report_all(&path(&["views", name, "reduce"]), source, finding);
                }
                Some(Value::String(source)) => {
                    self.function(&path(&["views", name, "reduce"]), source, Role::Reduce);
                }
                _ => {}
            }
        }
    }

    fn function(&mut self, member: &[String], source: &str, role: Role) {
        let newer = if role == Role::ValidateDocUpdate { Severity::Error } else { Severity::Warning };
        let findings = judge::function(&mut self.engine, source, newer);
        let broken = findings.iter().any(|finding| finding.severity == Severity::Error);
        self.report_all(member, source, findings);
        if !broken {
            self.requires(member, source, role, None);
        }
    }

    /// Follows every `require("…")` of a function, or of the module in `folder`.
    fn requires(&mut self, member: &[String], source: &str, role: Role, folder: Option<&[String]>) {
        for (offset, name) in judge::required(source) {
            let found = match role {
                Role::Reduce => Err("CouchDB gives reduce functions no `require`".to_owned()),
                Role::Map if folder.is_none() && !name.starts_with("views/lib/") => {
                    Err(format!("map functions can require only what is in `views/lib/`, not `{name}`"))
                }
                _ => resolve(self.body, folder, &name),
            };
            match found {
                Ok(path) => self.enqueue(path, true),
                Err(message) => self.report(member.to_vec(), source, Finding::warning(offset, message)),
            }
        }
    }

    fn enqueue(&mut self, path: Vec<String>, required: bool) {
        if self.queued.insert(path.clone()) {
            self.modules.push_back(Module { path, required });
        }
    }

    /// Checks what is required, then what else looks like a module.
    fn modules(&mut self) {
        self.drain();
        for root in [path(&["lib"]), path(&["views", "lib"])] {
            self.enqueue_scripts(root);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(Module { path, required }) = self.modules.pop_front() {
            let Some(Value::String(source)) = member(self.body, &path) else { continue };
            let mut findings = judge::module(&mut self.engine, source);
            let broken = findings.iter().any(|finding| finding.severity == Severity::Error);
            if !required {
                for finding in &mut findings {
                    finding.severity = Severity::Warning;
                }
            }
            self.report_all(&path, source, findings);
            if required && !broken {
                let folder = path.get(..path.len().saturating_sub(1)).unwrap_or_default();
                self.requires(&path, source, Role::Call, Some(folder));
            }
        }
    }

    /// Nothing requires these by a plain name: templates and includes stand among them, so only script files count.
    fn enqueue_scripts(&mut self, root: Vec<String>) {
        let mut open = vec![root];
        while let Some(at) = open.pop() {
            match member(self.body, &at) {
                Some(Value::Object(members)) => {
                    for name in members.keys().rev() {
                        let mut inner = at.clone();
                        inner.push(name.clone());
                        open.push(inner);
                    }
                }
                Some(Value::String(_)) if (self.sources)(&at).is_some_and(|file| is_script(&file)) => {
                    self.enqueue(at, false);
                }
                _ => {}
            }
        }
    }

    fn report_all(&mut self, member: &[String], source: &str, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.report(member.to_vec(), source, finding);
        }
    }

    fn report(&mut self, member: Vec<String>, source: &str, finding: Finding) {
        let file = (self.sources)(&member);
        let problem = Problem::at(finding.offset, source, finding.severity, finding.message);
        self.problems.push(Problem { member, file, ..problem });
    }
}

fn is_script(file: &str) -> bool {
    std::path::Path::new(file).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("js"))
}

fn member<'a>(body: &'a Object, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(body.get(first)?, |value, name| value.as_object()?.get(name))
}

/// What is odd about the builtin reduce `source`.
fn builtin(source: &str) -> Option<Finding> {
    let name = source.trim_end();
    let numbered = ["_top_", "_bottom_"].iter().find_map(|prefix| name.strip_prefix(prefix));
    let known = match numbered {
        Some(number) => number.parse::<u8>().is_ok_and(|number| (1..=100).contains(&number)),
        None => BUILTIN_REDUCES.contains(&name),
    };
    let list = BUILTIN_REDUCES.join(", ");
    (!known).then(|| Finding::warning(0, format!("no builtin reduce of CouchDB: they are {list}, _top_N, _bottom_N")))
}

/// The member that `require(name)` reads, from a function (`folder` is `None`) or from a module in `folder`.
///
/// CouchDB's rule, with its oddity: `..` needs two levels above it, so it never reaches the document itself.
fn resolve(body: &Object, folder: Option<&[String]>, name: &str) -> Result<Vec<String>, String> {
    let missing = || format!("`require` finds no `{}` in the design document", shown(name));
    let relative = name.split('/').next().is_some_and(|first| matches!(first, "." | ".."));
    let mut at = match (relative, folder) {
        (false, _) => Vec::new(),
        (true, Some(folder)) => folder.to_vec(),
        (true, None) => return Err("functions cannot `require` relative to themselves, only modules can".to_owned()),
    };
    for step in name.split('/') {
        match step {
            ".." if at.len() >= 2 => drop(at.pop()),
            "." if !at.is_empty() => {}
            "." | ".." => return Err(missing()),
            step => {
                at.push(step.to_owned());
                if member(body, &at).is_none() {
                    return Err(missing());
                }
            }
        }
    }
    match member(body, &at) {
        Some(Value::String(_)) => Ok(at),
        _ => Err(format!("`{}` is no text, so `require` cannot read it", shown(name))),
    }
}

/// A name from foreign text, short and without control characters.
fn shown(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests;
