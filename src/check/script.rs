//! What CouchDB makes of a function's text before it runs it.

use super::shape;
use super::token::{FaultKind, Kind, Tokens};

/// The script that is run for the text of a function: the last function declaration, if it has no name, becomes an
/// expression. What makes no script is told in the words of CouchDB's parser: nested too deeply, or ending too early.
pub(crate) fn of_function(source: &str) -> Result<String, String> {
    let tokens = Tokens::of(source);
    let line = |offset: usize| source.get(..offset).unwrap_or(source).lines().count().max(1);
    match tokens.fault {
        Some(fault) if fault.kind == FaultKind::TooDeep => {
            return Err(format!("Line {}: nested too deeply", line(fault.offset)));
        }
        Some(fault) if fault.kind == FaultKind::Unclosed => {
            return Err(format!("Line {}: Unexpected end of input", line(source.len())));
        }
        _ => {}
    }
    let mut script = source.to_owned();
    let Some(nameless) = shape::outline(&tokens).expression() else { return Ok(script) };
    let is_asynchronous = tokens.before_is(nameless.keyword, "async");
    let first = if is_asynchronous { nameless.keyword - 1 } else { nameless.keyword };
    let body = tokens.skip(nameless.parameters);
    let last = tokens.skip(body).saturating_sub(1);
    let (Some(start), Some(end)) = (tokens.get(first), tokens.get(last)) else { return Ok(script) };
    if tokens.kind(last) != Some(Kind::Punctuator) || !tokens.is(last, "}") {
        return Ok(script);
    }
    script.insert_str(end.end, ");");
    script.insert_str(start.start, ";(");
    Ok(script)
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
            ("", ""),
        ];
        for (source, script) in cases {
            assert_eq!(of_function(source).as_deref(), Ok(script), "{source}");
        }
        for source in ["function (", "function () {\n"] {
            assert_eq!(of_function(source), Err("Line 1: Unexpected end of input".to_owned()));
        }
        assert!(of_function(&"[".repeat(500_000)).is_err());
    }
}
