//! Statements: where they end and what they leave behind.

use super::super::token::{Kind, Tokens};
use super::{Nameless, Outline, Value, expression};

/// Statements nested deeper than this (without brackets, as in `if (a) if (b) …`) are not followed.
const MAXIMUM_NESTING: usize = 100;

/// The function declaration that begins at `at`, and the index of its name.
pub(super) fn function_declaration(tokens: &Tokens<'_>, at: usize) -> Option<(Nameless, Option<usize>)> {
    let asynchronous = tokens.is_keyword(at, "async")
        && tokens.is_keyword(at + 1, "function")
        && tokens.get(at + 1).is_some_and(|token| !token.newline_before);
    let keyword = if asynchronous { at + 1 } else { at };
    if !tokens.is_keyword(keyword, "function") {
        return None;
    }
    let behind = if tokens.is(keyword + 1, "*") { keyword + 2 } else { keyword + 1 };
    let name = (tokens.kind(behind) == Some(Kind::Word)).then_some(behind);
    let parameters = if name.is_some() { behind + 1 } else { behind };
    tokens.is(parameters, "(").then_some((Nameless { keyword, parameters }, name))
}

/// The index behind the statement that begins at `at`.
///
/// Heads (`if (…)`, `else`, `label:`) and clauses (`else`, `catch`) are passed one by one, without recursion: foreign
/// text may chain any number of them.
pub(super) fn end(tokens: &Tokens<'_>, at: usize) -> usize {
    let mut at = at;
    let mut open_loops = 0;
    loop {
        at = match pass_head(tokens, at) {
            Some(next) => {
                open_loops += usize::from(tokens.is_keyword(at, "do"));
                next
            }
            None => match clause(tokens, simple_end(tokens, at), &mut open_loops) {
                (next, true) => next,
                (next, false) => return next,
            },
        };
    }
}

/// The index behind what comes before another statement that belongs to this one.
fn pass_head(tokens: &Tokens<'_>, at: usize) -> Option<usize> {
    if is_label(tokens, at) {
        return Some(at + 2);
    }
    if ["if", "while", "for", "with"].iter().any(|word| tokens.is_keyword(at, word)) {
        return Some(head_end(tokens, at));
    }
    (tokens.is_keyword(at, "else") || tokens.is_keyword(at, "do")).then_some(at + 1)
}

/// The index behind the statement at `at`, which has no head.
fn simple_end(tokens: &Tokens<'_>, at: usize) -> usize {
    if let Some((declaration, _)) = function_declaration(tokens, at) {
        let body = tokens.skip(declaration.parameters);
        return if tokens.is(body, "{") { tokens.skip(body) } else { body };
    }
    let braces = |at: usize| if tokens.is(at, "{") { tokens.skip(at) } else { at };
    match tokens.text(at) {
        _ if tokens.is(at, ";") => at + 1,
        _ if tokens.is(at, "{") => tokens.skip(at),
        "catch" | "switch" if tokens.is(at + 1, "(") => braces(tokens.skip(at + 1)),
        "try" | "finally" | "catch" if tokens.is(at + 1, "{") => tokens.skip(at + 1),
        "class" if tokens.is_keyword(at, "class") => class_end(tokens, at),
        _ => expression_end(tokens, at),
    }
}

/// Whether a clause at `at` goes on with the statement that seems to end there, and where its own statement begins.
fn clause(tokens: &Tokens<'_>, mut at: usize, open_loops: &mut usize) -> (usize, bool) {
    loop {
        if ["else", "catch", "finally"].iter().any(|word| tokens.is_keyword(at, word)) {
            return (at, true);
        }
        if *open_loops == 0 || !tokens.is_keyword(at, "while") {
            return (at, false);
        }
        *open_loops -= 1;
        at = head_end(tokens, at);
        if tokens.is(at, ";") {
            at += 1;
        }
    }
}

fn is_label(tokens: &Tokens<'_>, at: usize) -> bool {
    tokens.kind(at) == Some(Kind::Word) && tokens.is(at + 1, ":") && !matches!(tokens.text(at), "default" | "case")
}

fn head_end(tokens: &Tokens<'_>, at: usize) -> usize {
    let each = tokens.is(at, "for") && (tokens.is(at + 1, "each") || tokens.is(at + 1, "await"));
    let open = if each { at + 2 } else { at + 1 };
    if tokens.is(open, "(") { tokens.skip(open) } else { open }
}

fn class_end(tokens: &Tokens<'_>, at: usize) -> usize {
    let mut at = at + 1;
    while at < tokens.len() && !tokens.is(at, "{") {
        at = tokens.skip(at);
    }
    tokens.skip(at)
}

/// The index behind the expression statement, or declaration, that begins at `at`, with its `;`.
fn expression_end(tokens: &Tokens<'_>, at: usize) -> usize {
    let mut next = tokens.skip(at);
    while next < tokens.len() {
        if tokens.is(next, ";") {
            return next + 1;
        }
        let ends_here = tokens.get(next).is_some_and(|token| token.newline_before)
            && ends_value(tokens, next - 1)
            && !goes_on(tokens, next);
        if ends_here || tokens.is(next, "}") {
            return next;
        }
        next = tokens.skip(next);
    }
    next
}

/// Whether a value may end with the token at `at`.
fn ends_value(tokens: &Tokens<'_>, at: usize) -> bool {
    match tokens.kind(at) {
        Some(Kind::Punctuator) => matches!(tokens.text(at), ")" | "]" | "}" | "++" | "--"),
        Some(Kind::Word) => !expression::is_operator_word(tokens, at),
        Some(_) => true,
        None => false,
    }
}

/// Whether the token at `at`, on a new line, continues the value before it.
fn goes_on(tokens: &Tokens<'_>, at: usize) -> bool {
    match tokens.kind(at) {
        Some(Kind::Punctuator) => !matches!(tokens.text(at), "{" | "}" | "!" | "~" | "++" | "--" | "@"),
        Some(Kind::Word) => tokens.is(at, "in") || tokens.is(at, "instanceof"),
        Some(Kind::Template) => true,
        _ => false,
    }
}

/// What the whole script leaves behind; it has to be valid.
pub(in super::super) fn script_value(tokens: &Tokens<'_>, outline: &Outline) -> Value {
    let expression = outline.expression().map(|nameless| nameless.keyword);
    list_value(tokens, 0, tokens.len(), expression, 0)
}

/// What the statements in `at..end` leave behind; `function` is the declaration that counts as an expression.
fn list_value(tokens: &Tokens<'_>, mut at: usize, end_of_list: usize, function: Option<usize>, depth: usize) -> Value {
    let mut value = Value::Empty;
    while at < end_of_list {
        let next = end(tokens, at).max(at + 1).min(end_of_list);
        if tokens.is_keyword(at, "throw") {
            return Value::Other { at, what: "`throw` comes first".to_owned() };
        }
        match self::value(tokens, at, next, function, depth) {
            Value::Empty => {}
            other => value = other,
        }
        at = next;
    }
    value
}

fn value(tokens: &Tokens<'_>, at: usize, next: usize, function: Option<usize>, depth: usize) -> Value {
    if depth > MAXIMUM_NESTING {
        return Value::Unknown;
    }
    if let Some((declaration, _)) = function_declaration(tokens, at) {
        let counts = function == Some(declaration.keyword);
        return if counts { Value::Function } else { Value::Empty };
    }
    if is_label(tokens, at) {
        return value(tokens, at + 2, next, function, depth + 1);
    }
    let word = if tokens.kind(at) == Some(Kind::Word) { tokens.text(at) } else { "" };
    match word {
        "var" | "const" | "class" | "debugger" | "import" | "export" => Value::Empty,
        "let" if tokens.kind(at + 1) != Some(Kind::Punctuator) || tokens.is(at + 1, "[") || tokens.is(at + 1, "{") => {
            Value::Empty
        }
        "if" | "for" | "while" | "do" | "with" | "switch" | "try" => branches(tokens, at, next),
        _ if tokens.is(at, ";") => Value::Empty,
        _ if tokens.is(at, "{") => list_value(tokens, at + 1, next.saturating_sub(1), None, depth + 1),
        _ => {
            let end = if tokens.is(next - 1, ";") { next - 1 } else { next };
            expression::value(tokens, at, end)
        }
    }
}

/// A statement whose branches are not followed: without any value in them it leaves behind what was there before.
fn branches(tokens: &Tokens<'_>, at: usize, next: usize) -> Value {
    let body = if tokens.is(at + 1, "(") { tokens.skip(at + 1) } else { at + 1 };
    let holds_value = (body..next).any(|index| {
        let word = tokens.kind(index) == Some(Kind::Word);
        word && !matches!(tokens.text(index), "break" | "continue" | "else" | "finally" | "while")
    });
    let declares_only = function_declaration(tokens, body).is_some() && end(tokens, body) == next;
    if holds_value && !declares_only { Value::Unknown } else { Value::Empty }
}
