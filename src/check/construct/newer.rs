//! Syntax that QuickJS reads and CouchDB on SpiderMonkey does not read yet.
//!
//! CouchDB 3.5 with SpiderMonkey 78 reads a function with esprima, which stops at ES2017, before the engine sees it
//! (measured: `fixtures/functions.json`); a CommonJS module goes to the engine directly.

use super::super::token::{Group, Kind, Tokens};
use super::Construct;

/// Who reads a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Reader {
    /// esprima, then SpiderMonkey: the functions of a design document.
    Esprima,
    /// SpiderMonkey 78 alone: CommonJS modules.
    Engine,
}

/// What is newer about a token.
struct Newer {
    name: &'static str,
    year: u16,
    /// Whether SpiderMonkey 78 itself does read it.
    engine_reads: bool,
}

const fn newer(name: &'static str, year: u16, engine_reads: bool) -> Newer {
    Newer { name, year, engine_reads }
}

/// The first occurrence of each such construct in a valid text.
pub(in super::super) fn find(tokens: &Tokens<'_>, reader: Reader) -> Vec<Construct> {
    let mut seen: Vec<&'static str> = Vec::new();
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let Some(newer) = construct(tokens, at) else { continue };
        let read = reader == Reader::Engine && newer.engine_reads;
        if read || seen.contains(&newer.name) {
            continue;
        }
        seen.push(newer.name);
        let offset = tokens.get(at).map_or(0, |token| token.start);
        found.push(Construct { offset, message: message(&newer, reader) });
    }
    found
}

fn message(newer: &Newer, reader: Reader) -> String {
    let Newer { name, year, .. } = newer;
    if *year <= 2017 {
        return format!("CouchDB 3 does not read {name}, though it is in ES{year}");
    }
    match reader {
        Reader::Esprima => format!("CouchDB 3 on SpiderMonkey does not read {name} (ES{year}): it stops at ES2017"),
        Reader::Engine => format!("CouchDB 3.5 on SpiderMonkey 78 does not read {name} (ES{year})"),
    }
}

fn construct(tokens: &Tokens<'_>, at: usize) -> Option<Newer> {
    match tokens.kind(at)? {
        Kind::Punctuator => punctuator(tokens, at),
        Kind::Word => word(tokens, at),
        Kind::Number => number(tokens.text(at)),
        Kind::Text => tokens
            .text(at)
            .contains(['\u{2028}', '\u{2029}'])
            .then(|| newer("U+2028 or U+2029 in a string", 2019, true)),
        _ => None,
    }
}

fn punctuator(tokens: &Tokens<'_>, at: usize) -> Option<Newer> {
    match tokens.text(at) {
        "?." => Some(newer("`?.`", 2020, true)),
        "??" => Some(newer("`??`", 2020, true)),
        "??=" | "||=" | "&&=" => Some(newer("`??=`, `||=` and `&&=`", 2021, false)),
        "..." => {
            let parent = tokens.get(at)?.parent?;
            tokens.is(parent, "{").then(|| newer("`...` in an object", 2018, true))
        }
        "*" if tokens.before_is(at, "async") => {
            let parent = tokens.get(at)?.parent.and_then(|parent| tokens.group(parent));
            let method = matches!(parent, Some(Group::Value | Group::Class | Group::ClassValue))
                && tokens.get(at - 1).is_some_and(|token| token.operand_expected || token.newline_before)
                && ["{", ",", ";", "}", "static"].iter().any(|before| tokens.before_is(at - 1, before));
            method.then(|| newer("`async` generators", 2018, true))
        }
        "{" if matches!(tokens.group(at), Some(Group::Class | Group::ClassValue)) => class_body(tokens, at),
        _ => None,
    }
}

fn number(text: &str) -> Option<Newer> {
    if text.contains('_') {
        return Some(newer("`_` in numbers", 2021, true));
    }
    text.ends_with('n').then(|| newer("`1n` (BigInt)", 2020, true))
}

fn word(tokens: &Tokens<'_>, at: usize) -> Option<Newer> {
    let text = tokens.text(at);
    if text.starts_with('#') {
        return Some(newer("`#private` members", 2022, false));
    }
    let newer = match text {
        "catch" if tokens.is(at + 1, "{") && tokens.before_is(at, "}") => newer("`catch` without `(e)`", 2019, true),
        "import" if tokens.is(at + 1, "(") => newer("`import(…)`", 2020, true),
        "function" if tokens.is(at + 1, "*") && tokens.before_is(at, "async") => {
            newer("`async` generators", 2018, true)
        }
        "for" if tokens.is(at + 1, "await") => newer("`for await`", 2018, true),
        "new" if tokens.is(at + 1, ".") && tokens.is(at + 2, "target") => newer("`new.target`", 2015, true),
        "using" if declares(tokens, at) => newer("`using` declarations", 2026, false),
        _ => return None,
    };
    tokens.is_keyword(at, text).then_some(newer)
}

fn declares(tokens: &Tokens<'_>, at: usize) -> bool {
    let named = tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Word && !token.newline_before);
    named && (tokens.is(at + 2, "=") || tokens.is(at + 2, "of")) && !tokens.is(at + 1, "in")
}

/// Fields and static blocks among the members of the class whose body opens at `open`.
fn class_body(tokens: &Tokens<'_>, open: usize) -> Option<Newer> {
    let end = tokens.get(open)?.closer?;
    let mut at = open + 1;
    while at < end {
        if tokens.is(at, ";") || tokens.is(at, "*") {
            at += 1;
            continue;
        }
        if tokens.is(at, "static") && tokens.is(at + 1, "{") {
            return Some(newer("`static { … }` in classes", 2022, false));
        }
        let next = tokens.skip(at);
        if tokens.is(next, "(") {
            at = tokens.skip(tokens.skip(next)); // parameters, body
            continue;
        }
        let modifier = matches!(tokens.text(at), "static" | "get" | "set" | "async");
        let more = next < end && !tokens.is(next, "=") && !tokens.is(next, ";");
        if !(modifier && more) {
            return Some(newer("fields in classes", 2022, true));
        }
        at = next;
    }
    None
}

/// Regular expressions whose flags CouchDB's own reader does not know: it silently writes `null` in their place.
pub(in super::super) fn unknown_flags(tokens: &Tokens<'_>) -> Vec<(usize, usize)> {
    let regexes = (0..tokens.len()).filter(|at| tokens.kind(*at) == Some(Kind::Regex));
    let ranges = regexes.filter_map(|at| {
        let token = tokens.get(at)?;
        let text = tokens.text(at);
        let flags = text.get(text.rfind('/')? + 1..)?;
        let known = |flag: char| "gimsuy".contains(flag) && flags.matches(flag).count() == 1;
        (!flags.chars().all(known)).then_some((token.end - flags.len(), token.end))
    });
    ranges.collect()
}
