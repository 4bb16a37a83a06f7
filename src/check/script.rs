//! What CouchDB makes of a function's text before it runs it.

use super::shape;
use super::token::{FaultKind, Kind, Tokens};

/// The script that is run for the text of a function: the last function declaration, if it has no name, becomes an
/// expression. `None` when the text is nested more deeply than CouchDB's parser can follow.
pub(crate) fn of_function(source: &str) -> Option<String> {
    let tokens = Tokens::of(source);
    if tokens.fault.is_some_and(|fault| fault.kind == FaultKind::TooDeep) {
        return None;
    }
    let mut script = source.to_owned();
    let Some(nameless) = shape::outline(&tokens).expression() else { return Some(script) };
    let is_asynchronous = tokens.before_is(nameless.keyword, "async");
    let first = if is_asynchronous { nameless.keyword - 1 } else { nameless.keyword };
    let body = tokens.skip(nameless.parameters);
    let last = tokens.skip(body).saturating_sub(1);
    let (Some(start), Some(end)) = (tokens.get(first), tokens.get(last)) else { return Some(script) };
    if tokens.kind(last) != Some(Kind::Punctuator) || !tokens.is(last, "}") {
        return Some(script);
    }
    script.insert_str(end.end, ");");
    script.insert_str(start.start, ";(");
    Some(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_nameless_function_becomes_an_expression() {
        let cases = [
            ("function (doc) {}", ";(function (doc) {});"),
            ("// first\nfunction(doc) { return 1 } // last", "// first\n;(function(doc) { return 1 }); // last"),
            ("function h() {}\nfunction(doc) { h() };", "function h() {}\n;(function(doc) { h() });;"),
            ("var x = 1\nfunction(doc) {}", "var x = 1\n;(function(doc) {});"),
            ("async function(doc) {}", ";(async function(doc) {});"),
            ("(function (doc) {})", "(function (doc) {})"),
            ("function named() {}", "function named() {}"),
            ("function () {} function named() {}", "function () {} function named() {}"),
            ("doc => 1", "doc => 1"),
            ("function (", "function ("),
            ("function () {", "function () {"),
            ("", ""),
        ];
        for (source, script) in cases {
            assert_eq!(of_function(source).as_deref(), Some(script), "{source}");
        }
        assert_eq!(of_function(&"[".repeat(500_000)), None);
    }
}
