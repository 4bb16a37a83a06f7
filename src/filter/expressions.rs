//! Ignore files of the old tools: a JSON array of regular expressions, with comments.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{Expression, Reading, RuleError};
use crate::json;

/// Whether `text` is the JSON form: an array, after white space and comments.
///
/// A list of gitignore patterns may begin with a bracket as well (`[Bb]in/`), so what follows has to look like JSON.
pub(super) fn is_array(text: &str) -> bool {
    let bare = without_comments(text);
    let Some(rest) = bare.trim_start().strip_prefix('[') else { return false };
    let inner = rest.trim_start();
    inner.is_empty()
        || inner.starts_with(['"', '\'', ']', ','])
        || rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
}

/// The expressions of `text`, each with its line.
pub(super) fn parse(file: &str, text: &str, reading: Reading) -> Result<Vec<Expression>, RuleError> {
    let error = |line, message: String| RuleError { file: file.to_owned(), line, message };
    let bare = without_comments(text);
    if bare.trim().is_empty() {
        return Ok(Vec::new());
    }
    let value = json::parse(bare.as_bytes()).map_err(|syntax| error(syntax.line, syntax.message))?;
    let Value::Array(items) = value else {
        return Err(error(1, "must be a JSON array of regular expressions".to_owned()));
    };
    let mut lines = lines_of_strings(&bare).into_iter();
    let mut expressions = Vec::with_capacity(items.len());
    for item in items {
        let Value::String(text) = item else {
            return Err(error(1, format!("`{item}` is no regular expression: it must be a string")));
        };
        let line = lines.next().unwrap_or(1);
        let compiled = compile(&text, reading).map_err(|message| error(line, message))?;
        let (regex, name_regex) = compiled;
        expressions.push(Expression { text, source: format!("{file}:{line}"), regex, name_regex });
    }
    Ok(expressions)
}

/// The expression as its reading demands, and as couchapp 1.0.2 read it.
///
/// couchapp 1.1 called `re.match(pattern + "$", run)`: anchored at the start, and the `$` belongs to the last alternative
/// of `a|b` only.
fn compile(text: &str, reading: Reading) -> Result<(Regex, Regex), String> {
    // Python's name for the end of the text.
    let text = text.replace("\\Z", "\\z");
    let build = |pattern: &str| {
        RegexBuilder::new(pattern).case_insensitive(reading == Reading::Anywhere).build().map_err(|error| {
            let full = error.to_string();
            let last = full.lines().last().unwrap_or(&full);
            format!("`{text}` is no regular expression: {}", last.trim_start_matches("error: "))
        })
    };
    // By itself first: the message must be about the expression as it was written.
    build(&text)?;
    let name_regex = build(&format!("^(?:{text})"))?;
    let regex = match reading {
        Reading::Anywhere => build(&text)?,
        Reading::WholeRun => build(&format!("^(?:{text}$)"))?,
    };
    Ok((regex, name_regex))
}

/// `text` with `//` and `/* */` comments outside of strings turned into spaces, so that all positions stay.
fn without_comments(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(character) = rest.chars().next() {
        let end = match character {
            '\\' if in_string => rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end),
            '"' => {
                in_string = !in_string;
                1
            }
            '/' if !in_string => {
                let comment = comment_length(rest);
                if comment > 0 {
                    bare.extend(rest[..comment].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
                    rest = &rest[comment..];
                    continue;
                }
                1
            }
            other => other.len_utf8(),
        };
        bare.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    bare
}

/// How long the comment at the start of `text` is; 0 when there is none.
fn comment_length(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    let block = text.strip_prefix("/*").and_then(|rest| rest.find("*/"));
    block.map_or(0, |end| end + 4)
}

/// The line of each string of a JSON text, from 1, in order.
fn lines_of_strings(bare: &str) -> Vec<usize> {
    let (mut line, mut in_string, mut escaped) = (1, false, false);
    let mut lines = Vec::new();
    for byte in bare.bytes() {
        match byte {
            b'\n' => line += 1,
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => {
                if !in_string {
                    lines.push(line);
                }
                in_string = !in_string;
            }
            _ => {}
        }
    }
    lines
}
