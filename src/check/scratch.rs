//! The scratch design document by which a server itself compiles a `validate_doc_update`.
//!
//! CouchDB stores a `validate_doc_update` unread and, when it does not compile, answers 500 to every write to the
//! database. It does compile map functions when a design document is saved, by the same rule: so the source is first
//! sent as the map of a scratch document, which is refused with `compilation_error` or, if stored, deleted again.
//! Measured with CouchDB 3.5, also for sources of several functions.

use serde_json::{Value, json};

use super::{Problem, Severity};

/// The name of the only view of the scratch document; CouchDB names it in its answer.
const VIEW: &str = "vdu";

/// What the server's refusal of the scratch document says of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does not compile.
    Broken(Problem),
    /// Nothing: it calls `require` while it is read, and a map function sees fewer modules than a
    /// `validate_doc_update` does.
    Unknown,
}

/// The id of the scratch document for a caller's `random` text (letters and digits): `_design/couchapp-check-<random>`.
pub fn id(random: &str) -> String {
    format!("_design/couchapp-check-{random}")
}

/// The scratch document for the source of a `validate_doc_update`, without `_id`; with `autoupdate` off, so that no
/// index is ever built for it.
pub fn document(source: &str) -> Value {
    json!({ "language": "javascript", "autoupdate": false, "views": { VIEW: { "map": source } } })
}

/// Reads the server's refusal of the scratch document: its `error` and `reason`. `None` if it was refused for a reason
/// that has nothing to do with the source.
///
/// The message is the server's text without its repetition of the source and without control characters; the line is
/// the one it names, else 1 (CouchDB names no columns).
pub fn verdict(error: &str, reason: &str, source: &str, file: Option<String>) -> Option<Verdict> {
    if error == "not_found" && reason == "missing function" {
        return Some(Verdict::Broken(problem("there is no function here".to_owned(), 1, source, file)));
    }
    if error != "compilation_error" {
        return None;
    }
    let reason = reason.strip_prefix(&format!("Compilation of the map function in the '{VIEW}' view failed: "));
    let reason = reason.unwrap_or_default();
    let reason = reason.strip_suffix(&format!("({source})")).unwrap_or(reason).trim();
    if reason.contains("invalid_require_path") {
        return Some(Verdict::Unknown);
    }
    let message = thrown(reason).unwrap_or(reason);
    let (line, message) = match located(message) {
        Some((line, message)) => (line, message),
        None => (1, message),
    };
    let clean: String = message.chars().filter(|character| !character.is_control()).take(300).collect();
    let clean = if clean.is_empty() { "it does not compile".to_owned() } else { clean };
    let text = format!("the server refuses it: {}", clean.trim_end_matches('.'));
    Some(Verdict::Broken(problem(text, line, source, file)))
}

/// The message of `(new SyntaxError("message", "file", line))`; a line given there is one of rewritten text.
fn thrown(reason: &str) -> Option<&str> {
    let inner = reason.strip_prefix("(new ")?;
    let start = inner.find("(\"")? + 2;
    let end = inner.rfind("\", \"")?;
    inner.get(start..end)
}

/// `Line 4: Unexpected token` as line and message.
fn located(message: &str) -> Option<(usize, &str)> {
    let (line, rest) = message.strip_prefix("Line ")?.split_once(": ")?;
    Some((line.parse().ok()?, rest))
}

fn problem(message: String, line: usize, source: &str, file: Option<String>) -> Problem {
    let offset = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let member = vec!["validate_doc_update".to_owned()];
    Problem { member, file, ..Problem::at(offset, source, Severity::Error, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(error: &str, reason: &str, source: &str) -> Problem {
        match verdict(error, reason, source, Some("validate_doc_update.js".to_owned())) {
            Some(Verdict::Broken(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_document_holds_the_source_as_a_map() {
        assert_eq!(id("4f2a"), "_design/couchapp-check-4f2a");
        let document = document("function (newDoc) {}\n");
        assert_eq!(document["views"]["vdu"]["map"], "function (newDoc) {}\n");
        assert_eq!(document["autoupdate"], false);
        assert!(document.get("validate_doc_update").is_none());
    }

    #[test]
    fn a_refusal_becomes_a_problem_at_the_line_the_server_names() {
        let source = "function h(a){ return a; }\nfunction(newDoc) {\n  for each (var x in y) throw(1);\n}\n";
        let reason = format!(
            "Compilation of the map function in the 'vdu' view failed: \
             (new Error(\"Line 3: Unexpected identifier\", \"./share/server/main.js\", 3)) ({source})"
        );
        let problem = broken("compilation_error", &reason, source);
        assert_eq!((problem.line, problem.column), (3, 1));
        assert_eq!(problem.message, "the server refuses it: Unexpected identifier");
        assert_eq!(problem.source_line.as_deref(), Some("  for each (var x in y) throw(1);"));
        assert_eq!(problem.severity, Severity::Error);
        assert_eq!(problem.to_string(), format!("validate_doc_update.js:3:1: {}", problem.message));
    }

    #[test]
    fn a_line_of_rewritten_text_is_not_trusted() {
        let source = "let a;let a;function(d){}";
        let reason = format!(
            "Compilation of the map function in the 'vdu' view failed: \
             (new SyntaxError(\"redeclaration of let a\", \"<unknown>\", 2)) ({source})"
        );
        let problem = broken("compilation_error", &reason, source);
        assert_eq!((problem.line, problem.message.as_str()), (1, "the server refuses it: redeclaration of let a"));
    }

    #[test]
    fn other_answers_are_told_apart() {
        let failed = "Compilation of the map function in the 'vdu' view failed: ";
        let source = "function v(d){}";
        let reason = format!("{failed}Expression does not eval to a function. ({source})");
        let message = "the server refuses it: Expression does not eval to a function";
        assert_eq!(broken("compilation_error", &reason, source).message, message);
        assert_eq!(broken("not_found", "missing function", "").message, "there is no function here");
        let reason = format!("{failed}[\"error\", \"invalid_require_path\", \"…\"] ({source})");
        assert_eq!(verdict("compilation_error", &reason, source, None), Some(Verdict::Unknown));
        for (error, reason) in [("unauthorized", "You are not a server admin."), ("not_found", "no_db_file")] {
            assert_eq!(verdict(error, reason, source, None), None);
        }
    }

    #[test]
    fn hostile_answers_are_cut_and_cleaned() {
        let long = format!("Compilation of the map function in the 'vdu' view failed: \u{1b}[31m{}", "x".repeat(9_000));
        let problem = broken("compilation_error", &long, "a");
        assert!(problem.message.len() < 400 && !problem.message.contains('\u{1b}'));
        for reason in
            ["", "(new ", "(new Error(\"Line 99999999999999999999: x\", \"\", 1))", "Line 18446744073709551615: x"]
        {
            broken("compilation_error", reason, "a\nb");
        }
    }
}
