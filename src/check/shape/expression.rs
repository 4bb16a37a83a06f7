//! Expressions: what kind of value they give.

use super::super::token::{Kind, Tokens};
use super::Value;

const OPERATOR_WORDS: [&str; 13] =
    ["return", "typeof", "instanceof", "in", "new", "delete", "void", "throw", "case", "do", "else", "var", "const"];
const ARITHMETIC: [&str; 22] = [
    "===",
    "!==",
    "==",
    "!=",
    "<=",
    ">=",
    "<",
    ">",
    "<<",
    ">>",
    ">>>",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "&",
    "|",
    "^",
    "in",
    "instanceof",
];
const UPDATES: [&str; 12] = ["+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", ">>>=", "&=", "|=", "^="];

/// Whether the word at `at` cannot end a value.
pub(super) fn is_operator_word(tokens: &Tokens<'_>, at: usize) -> bool {
    OPERATOR_WORDS.iter().any(|word| tokens.is_keyword(at, word))
}

fn other(at: usize, what: &str) -> Value {
    Value::Other { at, what: what.to_owned() }
}

/// What the valid expression in `from..to` gives.
pub(super) fn value(tokens: &Tokens<'_>, from: usize, to: usize) -> Value {
    let (mut from, mut to) = (operand_of_comma(tokens, from, to), to);
    // Parentheses around the whole are taken off one by one, without recursion.
    loop {
        if tokens.is(from, "(") && tokens.skip(from) == to {
            to -= 1;
            from = operand_of_comma(tokens, from + 1, to);
            continue;
        }
        let Some(operator) = loosest(tokens, from, to) else { return unary(tokens, from, to) };
        match tokens.text(operator) {
            "=>" => return Value::Function,
            "=" => match undefined_root(tokens, from) {
                Some(undefined) => return undefined,
                None => from = operator + 1,
            },
            "?" => return conditional(tokens, operator, to),
            word if UPDATES.contains(&word) => return other(from, "this assignment gives no function"),
            _ => return Value::Unknown, // `||=` and its like
        }
    }
}

/// The first token of the last operand of `a, b, c`.
fn operand_of_comma(tokens: &Tokens<'_>, from: usize, to: usize) -> usize {
    let mut start = from;
    let mut at = from;
    while at < to {
        if tokens.is(at, ",") {
            start = at + 1;
        }
        at = tokens.skip(at);
    }
    start
}

/// The first assignment, arrow or `?` outside of brackets.
fn loosest(tokens: &Tokens<'_>, from: usize, to: usize) -> Option<usize> {
    let mut at = from;
    while at < to {
        let text = tokens.text(at);
        let is_punctuator = tokens.kind(at) == Some(Kind::Punctuator);
        if is_punctuator && (matches!(text, "=" | "=>" | "?" | "||=" | "&&=" | "??=") || UPDATES.contains(&text)) {
            return Some(at);
        }
        at = tokens.skip(at);
    }
    None
}

fn conditional(tokens: &Tokens<'_>, question: usize, to: usize) -> Value {
    let mut open = 0_usize;
    let mut at = question + 1;
    while at < to {
        if tokens.is(at, "?") {
            open += 1;
        } else if tokens.is(at, ":") {
            if open == 0 {
                break;
            }
            open -= 1;
        }
        at = tokens.skip(at);
    }
    // Chains (`a ? b : c ? d : e`) may be long: only simple branches are followed.
    let simple = |from: usize, to: usize| match loosest(tokens, from, to) {
        None => unary(tokens, from, to),
        Some(operator) if tokens.is(operator, "=>") => Value::Function,
        Some(_) => Value::Unknown,
    };
    match (simple(question + 1, at), simple(at + 1, to)) {
        (Value::Function, Value::Function) => Value::Function,
        (Value::Other { .. }, Value::Other { .. }) => other(question, "no branch gives a function"),
        _ => Value::Unknown,
    }
}

/// An expression without commas, assignments, arrows and `?` outside of brackets.
fn unary(tokens: &Tokens<'_>, from: usize, to: usize) -> Value {
    if let Some(value) = binary(tokens, from, to) {
        return value;
    }
    let first = tokens.text(from);
    match tokens.kind(from) {
        Some(Kind::Punctuator) if matches!(first, "!" | "-" | "+" | "~" | "++" | "--") => {
            other(from, &format!("`{first}` gives no function"))
        }
        Some(Kind::Word) if matches!(first, "typeof" | "void" | "delete") => {
            other(from, &format!("`{first}` gives no function"))
        }
        _ if to > from && (tokens.is(to - 1, "++") || tokens.is(to - 1, "--")) => {
            other(from, "a number is no function")
        }
        _ => primary(tokens, from, to),
    }
}

fn binary(tokens: &Tokens<'_>, from: usize, to: usize) -> Option<Value> {
    let mut arithmetic = None;
    let mut at = from;
    while at < to {
        let text = tokens.text(at);
        let is_operator = tokens.get(at).is_some_and(|token| !token.operand_expected)
            && matches!(tokens.kind(at), Some(Kind::Punctuator | Kind::Word))
            && !tokens.before_is(at, ".")
            && !tokens.before_is(at, "function"); // the star of `function*`
        if is_operator && matches!(text, "||" | "&&" | "??") {
            return Some(Value::Unknown);
        }
        if is_operator && ARITHMETIC.contains(&text) && arithmetic.is_none() {
            arithmetic = Some(other(at, &format!("`{text}` gives no function")));
        }
        at = tokens.skip(at);
    }
    arithmetic
}

fn primary(tokens: &Tokens<'_>, from: usize, to: usize) -> Value {
    let single = tokens.skip(from) == to;
    let first = tokens.text(from);
    match tokens.kind(from) {
        Some(Kind::Number) if single => other(from, "a number is no function"),
        Some(Kind::Text | Kind::Template) if single => other(from, "a string is no function"),
        Some(Kind::Regex) if single => other(from, "a regular expression is no function"),
        Some(Kind::Punctuator) if first == "[" && single => other(from, "an array is no function"),
        Some(Kind::Punctuator) if first == "{" && single => other(from, "an object is no function"),
        Some(Kind::Punctuator) if first == "(" && single => value_inside(tokens, from, to),
        Some(Kind::Word) => word(tokens, from, to, single),
        _ => Value::Unknown,
    }
}

/// A parenthesis that is a whole branch of a conditional.
fn value_inside(tokens: &Tokens<'_>, from: usize, to: usize) -> Value {
    let inside = operand_of_comma(tokens, from + 1, to - 1);
    match super::statement::function_declaration(tokens, inside) {
        Some((declaration, _)) if tokens.skip(tokens.skip(declaration.parameters)) == to - 1 => Value::Function,
        _ => Value::Unknown,
    }
}

fn word(tokens: &Tokens<'_>, from: usize, to: usize, single: bool) -> Value {
    let first = tokens.text(from);
    if let Some((declaration, _)) = super::statement::function_declaration(tokens, from) {
        let whole = tokens.skip(tokens.skip(declaration.parameters)) == to;
        return if whole { Value::Function } else { Value::Unknown };
    }
    match first {
        "class" => {
            let mut at = from + 1;
            while at < to && !tokens.is(at, "{") {
                at = tokens.skip(at);
            }
            if tokens.skip(at) == to { Value::Function } else { Value::Unknown }
        }
        "new" if tokens.is(from + 1, "Function") => other(from, "CouchDB forbids `new Function`"),
        "Function" if tokens.is(from + 1, "(") => other(from, "CouchDB forbids `Function(…)`"),
        "null" | "true" | "false" | "this" | "undefined" | "NaN" | "Infinity" if single => {
            other(from, &format!("`{first}` is no function"))
        }
        _ if single && mentions(tokens, first) == 1 && !GLOBALS.contains(&first) => {
            other(from, &format!("`{first}` is not defined"))
        }
        _ => Value::Unknown,
    }
}

/// Functions that CouchDB or the language gives to every script.
const GLOBALS: [&str; 36] = [
    "emit",
    "sum",
    "log",
    "toJSON",
    "provides",
    "registerType",
    "start",
    "send",
    "getRow",
    "isArray",
    "require",
    "index",
    "Array",
    "Boolean",
    "Date",
    "Error",
    "EvalError",
    "Function",
    "Map",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "ReferenceError",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "WeakMap",
    "WeakSet",
    "parseInt",
    "parseFloat",
];

fn mentions(tokens: &Tokens<'_>, name: &str) -> usize {
    (0..tokens.len()).filter(|index| tokens.kind(*index) == Some(Kind::Word) && tokens.text(*index) == name).count()
}

/// `module.exports = …` and `exports.x = …` outside of a CommonJS module.
fn undefined_root(tokens: &Tokens<'_>, from: usize) -> Option<Value> {
    let name = tokens.text(from);
    let is_member = tokens.is(from + 1, ".") || tokens.is(from + 1, "[");
    let is_declared = (0..tokens.len()).any(|index| {
        tokens.text(index) == name
            && ["var", "let", "const", "function"].iter().any(|word| tokens.before_is(index, word))
    });
    (is_member && matches!(name, "module" | "exports") && !is_declared)
        .then(|| other(from, &format!("`{name}` is not defined here, only in modules that are read by `require`")))
}
