//! Expanding one function.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::super::Finding;
use super::include::Files;
use super::python;
use crate::json::Object;
use crate::name::DocId;
use crate::path::RelPath;

/// The original's expressions: at most one space, no anchor, up to the end of the line (a carriage return included).
static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?://|#) ?!code (.*)").ok());
static JSON: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?://|#) ?!json (.*)").ok());

/// Whether `text` holds anything that would be expanded.
pub(in super::super) fn has_macro(text: &str) -> bool {
    [&CODE, &JSON].into_iter().any(|pattern| pattern.as_ref().is_some_and(|pattern| pattern.is_match(text)))
}

/// What is wrong with one macro.
pub(in super::super) struct MacroError {
    /// The file that holds the macro.
    pub(in super::super) path: RelPath,
    offset: Option<usize>,
    /// What is wrong.
    pub(in super::super) message: String,
}

impl MacroError {
    pub(super) fn into_finding(self, files: &Files<'_>) -> Finding {
        let finding = Finding::error(&self.path, self.message);
        match (self.offset, files.get(&self.path)) {
            (Some(offset), Some(text)) => finding.at_offset(text, offset),
            _ => finding,
        }
    }
}

/// Expands functions over the files of an app.
pub(in super::super) struct Expander<'a> {
    files: &'a Files<'a>,
    stack: Vec<RelPath>,
    /// What went wrong; the macros concerned are left in the text.
    pub(in super::super) errors: Vec<MacroError>,
    /// Every file that was included.
    pub(in super::super) used: BTreeSet<RelPath>,
    /// Files that would be included but are not loaded.
    pub(in super::super) unread: BTreeSet<RelPath>,
}

impl<'a> Expander<'a> {
    pub(in super::super) fn new(files: &'a Files<'a>) -> Self {
        Self { files, stack: Vec::new(), errors: Vec::new(), used: BTreeSet::new(), unread: BTreeSet::new() }
    }

    /// `source`, which is in the file `path`, with all its macros expanded.
    pub(in super::super) fn function(&mut self, source: &str, path: &RelPath, body: &Object, id: &DocId) -> String {
        let included = self.code(source, path);
        self.json(&included, source, path, body, id)
    }

    /// `text` with the files of its `!code` macros in their place.
    pub(in super::super) fn code(&mut self, text: &str, path: &RelPath) -> String {
        self.stack.push(path.clone());
        let mut expanded = String::with_capacity(text.len());
        let mut end = 0;
        for found in CODE.iter().flat_map(|pattern| pattern.captures_iter(text)) {
            let (Some(whole), Some(pattern)) = (found.get(0), found.get(1)) else { continue };
            expanded.push_str(&text[end..whole.start()]);
            end = whole.end();
            match self.include(pattern.as_str()) {
                Ok(included) => expanded.push_str(&included),
                Err(message) => {
                    expanded.push_str(whole.as_str());
                    self.error(path, Some(whole.start()), format!("`!code`: {message}"));
                }
            }
        }
        expanded.push_str(&text[end..]);
        self.stack.pop();
        expanded
    }

    fn include(&mut self, pattern: &str) -> Result<String, String> {
        let mut included = String::new();
        for path in self.files.resolve(pattern)? {
            if let Some(start) = self.stack.iter().position(|open| *open == path) {
                let circle: Vec<&str> = self.stack[start..].iter().map(RelPath::as_str).collect();
                return Err(format!("`{path}` includes itself ({} → {path})", circle.join(" → ")));
            }
            let Some(bytes) = self.files.get(&path) else {
                self.unread.insert(path);
                continue;
            };
            let text = std::str::from_utf8(bytes)
                .map_err(|error| format!("`{path}` is not valid UTF-8 at byte {}", error.valid_up_to() + 1))?;
            self.used.insert(path.clone());
            included.push_str(&self.code(text, &path));
        }
        Ok(included)
    }

    /// `text` with every `!json` macro replaced by the declarations of all variables that its macros ask for.
    fn json(&mut self, text: &str, source: &str, path: &RelPath, body: &Object, id: &DocId) -> String {
        let Some(pattern) = JSON.as_ref() else { return text.to_owned() };
        let mut variables = Object::new();
        for found in pattern.captures_iter(text) {
            let (Some(whole), Some(member)) = (found.get(0), found.get(1)) else { continue };
            let keys: Vec<&str> = member.as_str().trim().split('.').collect();
            if let Err(message) = ask(&mut variables, &keys, body, id) {
                // The text that `!code` included has no place of its own.
                let offset = source.find(whole.as_str());
                self.error(path, offset, format!("`!json`: {message}"));
            }
        }
        if variables.is_empty() {
            return text.to_owned();
        }
        let lines: Vec<String> =
            variables.iter().map(|(name, value)| format!("var {name} = {};", python::dumps(value))).collect();
        pattern.replace_all(text, regex::NoExpand(&lines.join("\n"))).into_owned()
    }

    fn error(&mut self, path: &RelPath, offset: Option<usize>, message: String) {
        self.errors.push(MacroError { path: path.clone(), offset, message });
    }
}

/// Copies the member at `keys` of the document into `variables`, with the objects on the way but nothing else of them.
fn ask(variables: &mut Object, keys: &[&str], body: &Object, id: &DocId) -> Result<(), String> {
    let name = keys.join(".");
    let (last, way) = keys.split_last().ok_or_else(|| "names no member".to_owned())?;
    let mut source = body;
    let mut target = variables;
    for key in way {
        source = match source.get(*key) {
            Some(Value::Object(inner)) => inner,
            Some(_) => return Err(format!("`{key}` in `{name}` is no object")),
            None => return Err(format!("the document has no member `{name}`")),
        };
        let inner = target.entry((*key).to_owned()).or_insert_with(|| Value::Object(Object::new()));
        target = match inner {
            Value::Object(inner) => inner,
            _ => return Err(format!("`{key}` in `{name}` is no object")),
        };
    }
    let value = match source.get(*last) {
        Some(value) => value.clone(),
        None if keys == ["_id"] => Value::from(id.as_str()),
        None => return Err(format!("the document has no member `{name}`")),
    };
    target.insert((*last).to_owned(), value);
    Ok(())
}
