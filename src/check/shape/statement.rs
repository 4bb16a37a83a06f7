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
pub(super) fn end(tokens: &Tokens<'_>, at: usize) -> usize {
    let mut at = at;
    // Heads of statements (`if (…)`, `else`, `label:`) are passed one by one, without recursion.
    loop {
        if let Some((declaration, _)) = function_declaration(tokens, at) {
            let body = tokens.skip(declaration.parameters);
            return if tokens.is(body, "{") { tokens.skip(body) } else { body };
        }
        let word = if tokens.kind(at) == Some(Kind::Word) { tokens.text(at) } else { "" };
        at = match word {
            _ if tokens.is(at, ";") => return at + 1,
            _ if tokens.is(at, "{") => return follow(tokens, tokens.skip(at)),
            _ if is_label(tokens, at) => at + 2,
            "if" | "while" | "for" | "with" => head_end(tokens, at),
            "else" | "do" => at + 1,
            "try" | "finally" if tokens.is(at + 1, "{") => return follow(tokens, tokens.skip(at + 1)),
            "catch" | "switch" => {
                let body = if tokens.is(at + 1, "(") { tokens.skip(at + 1) } else { at + 1 };
                return follow(tokens, if tokens.is(body, "{") { tokens.skip(body) } else { body });
            }
            "class" => return class_end(tokens, at),
            _ => return follow(tokens, expression_end(tokens, at)),
        };
    }
}

/// Clauses that belong to the statement that ends at `at` are part of it.
fn follow(tokens: &Tokens<'_>, at: usize) -> usize {
    if ["else", "catch", "finally"].iter().any(|word| tokens.is_keyword(at, word)) {
        return end(tokens, at);
    }
    at
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

/// A statement whose branches are not followed: it leaves a function behind only if there is one in it, or a name or a
/// call that could be one.
fn branches(tokens: &Tokens<'_>, at: usize, next: usize) -> Value {
    let body = if tokens.is(at + 1, "(") { tokens.skip(at + 1) } else { at + 1 };
    let something = (body..next).any(|index| match tokens.kind(index) {
        Some(Kind::Word) => !matches!(tokens.text(index), "break" | "continue" | "else" | "finally" | "while"),
        Some(Kind::Punctuator) => false,
        _ => false,
    });
    let declares_only = function_declaration(tokens, body).is_some() && end(tokens, body) == next;
    if something && !declares_only {
        return Value::Unknown;
    }
    Value::Other { at, what: format!("`{}` leaves nothing to call behind", tokens.text(at)) }
}
