//! Syntax that CouchDB read when it ran on SpiderMonkey 1.8, and that CouchDB 3 no longer reads.
//!
//! Only looked for in a text that does not parse: some of it means something else in a text that does.

use super::super::token::{Group, Kind, Tokens};
use super::Construct;

/// The first such construct.
pub(in super::super) fn first(tokens: &Tokens<'_>) -> Option<Construct> {
    (0..tokens.len()).find_map(|at| {
        let (construct, instead) = construct(tokens, at)?;
        let offset = tokens.get(at).map_or(0, |token| token.start);
        Some(Construct { offset, message: format!("CouchDB 3 no longer reads {construct}: {instead}") })
    })
}

fn construct(tokens: &Tokens<'_>, at: usize) -> Option<(&'static str, &'static str)> {
    match tokens.kind(at)? {
        Kind::Word => word(tokens, at),
        Kind::Punctuator | Kind::Illegal => punctuator(tokens, at),
        _ => None,
    }
}

fn word(tokens: &Tokens<'_>, at: usize) -> Option<(&'static str, &'static str)> {
    let found = match tokens.text(at) {
        "for" if tokens.is(at + 1, "each") && tokens.is(at + 2, "(") => {
            ("`for each`", "write `for (var value of values)`, or loop over `Object.keys(object)`")
        }
        "for" => comprehension(tokens, at)?,
        "default" if tokens.is(at + 1, "xml") && tokens.is(at + 2, "namespace") => {
            ("E4X (`default xml namespace`)", "build the text from strings")
        }
        "function" if expression_closure(tokens, at) => {
            ("expression closures (`function (x) x * x`)", "write braces and `return`")
        }
        "get" | "set" if accessor_closure(tokens, at) => {
            ("expression closures (`get x() value`)", "write braces and `return`")
        }
        "getter" | "setter" if at > 0 && tokens.kind(at - 1) == Some(Kind::Word) && !tokens.is_keyword(at, ".") => {
            ("`getter` and `setter`", "write `get name() { … }` in the object")
        }
        "let" if let_with_head(tokens, at) => ("`let (…)` blocks", "declare with `let` or `var` inside braces"),
        "yield" if legacy_yield(tokens, at) => ("`yield` outside of `function*`", "write `function*`"),
        "catch" if conditional_catch(tokens, at) => {
            ("conditional `catch (e if …)`", "write `if` inside the `catch` block")
        }
        text if is_sharp(text) => ("sharp variables (`#1=`)", "build the object in several statements"),
        _ => return None,
    };
    (!tokens.before_is(at, ".")).then_some(found)
}

fn comprehension(tokens: &Tokens<'_>, at: usize) -> Option<(&'static str, &'static str)> {
    let parent = tokens.get(at)?.parent?;
    match tokens.group(parent)? {
        Group::Bracket => Some(("array comprehensions (`[x for (x in y)]`)", "use `map` and `filter`")),
        Group::Parenthesis => Some(("generator expressions (`(x for (x in y))`)", "use `map` and `filter`")),
        _ => None,
    }
}

/// `function name(…)` without a brace behind it.
fn expression_closure(tokens: &Tokens<'_>, at: usize) -> bool {
    let star = usize::from(tokens.is(at + 1, "*"));
    let name = usize::from(tokens.kind(at + 1 + star) == Some(Kind::Word));
    let parameters = at + 1 + star + name;
    lacks_brace(tokens, parameters)
}

fn accessor_closure(tokens: &Tokens<'_>, at: usize) -> bool {
    let in_object = tokens.before_is(at, "{") || tokens.before_is(at, ",");
    in_object && tokens.kind(at + 1) == Some(Kind::Word) && lacks_brace(tokens, at + 2)
}

/// Whether the parentheses at `at` are followed by an expression.
fn lacks_brace(tokens: &Tokens<'_>, at: usize) -> bool {
    let closed = tokens.is(at, "(") && tokens.get(at).is_some_and(|token| token.closer.is_some());
    let next = tokens.skip(at);
    closed && begins_value(tokens, next)
}

/// Whether the token at `at` can only begin a value.
fn begins_value(tokens: &Tokens<'_>, at: usize) -> bool {
    match tokens.kind(at) {
        Some(Kind::Word) => !tokens.is(at, "in") && !tokens.is(at, "instanceof"),
        Some(Kind::Number | Kind::Text | Kind::Regex) => true,
        Some(Kind::Punctuator) => matches!(tokens.text(at), "(" | "[" | "!" | "-" | "+" | "~"),
        _ => false,
    }
}

fn let_with_head(tokens: &Tokens<'_>, at: usize) -> bool {
    let closed = tokens.is(at + 1, "(") && tokens.get(at + 1).is_some_and(|token| token.closer.is_some());
    let behind = tokens.skip(at + 1);
    let same_line = tokens.get(behind).is_some_and(|token| !token.newline_before);
    closed && (tokens.is(behind, "{") || (same_line && tokens.kind(behind) != Some(Kind::Punctuator)))
}

/// `yield` with a value, in a text without any `function*`.
fn legacy_yield(tokens: &Tokens<'_>, at: usize) -> bool {
    let is_star = |index: usize| {
        let method = tokens.get(index).is_some_and(|token| token.operand_expected);
        tokens.is(index, "*") && (method || tokens.before_is(index, "function"))
    };
    let value = tokens.get(at + 1).is_some_and(|token| !token.newline_before) && begins_value(tokens, at + 1);
    value && !(0..tokens.len()).any(is_star)
}

fn conditional_catch(tokens: &Tokens<'_>, at: usize) -> bool {
    tokens.is(at + 1, "(") && (at + 2..tokens.skip(at + 1)).any(|index| tokens.is_keyword(index, "if"))
}

fn is_sharp(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn punctuator(tokens: &Tokens<'_>, at: usize) -> Option<(&'static str, &'static str)> {
    let token = tokens.get(at)?;
    let adjacent = tokens.get(at + 1).is_some_and(|next| next.start == token.end);
    let instead = "build the text from strings, or use templates";
    match tokens.text(at) {
        "<" if token.operand_expected && adjacent && begins_element(tokens, at + 1) => {
            Some(("E4X (XML literals such as `<p>{x}</p>`)", instead))
        }
        "." if adjacent && tokens.is(at + 1, ".") => Some(("E4X (`xml..name`)", "walk the object yourself")),
        "." if tokens.is(at + 1, "*") || tokens.is(at + 1, "(") => {
            Some(("E4X (`xml.*` and `xml.(test)`)", "walk the object yourself"))
        }
        "@" if tokens.before_is(at, ".") || tokens.before_is(at, "[") => {
            Some(("E4X (`xml.@name`)", "walk the object yourself"))
        }
        "::" => Some(("E4X (`namespace::name`)", "walk the object yourself")),
        _ => None,
    }
}

fn begins_element(tokens: &Tokens<'_>, at: usize) -> bool {
    tokens.kind(at) == Some(Kind::Word) || tokens.is(at, ">") || tokens.is(at, "{")
}
