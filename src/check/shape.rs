//! Says what value a script leaves behind, as far as its text tells.
//!
//! CouchDB runs the text of a function as a script and calls what it leaves behind, which has to be a function
//! (`share/server` in CouchDB 3.5). Two rules follow. The last function declaration, if it has no name, counts as an
//! expression, so `function (doc) {}` leaves a function behind; one with a name is a declaration and leaves nothing.

mod expression;
mod statement;

use super::token::Tokens;

pub(super) use statement::script_value;

/// What a script, a statement or an expression leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing: what was left behind before it counts.
    Empty,
    /// A function.
    Function,
    /// Something else; `what` says what stands at the token `at`.
    Other { at: usize, what: String },
    /// Only running it would tell.
    Unknown,
}

/// A function declaration without a name, at the top level: indices of `function` and of its `(`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nameless {
    pub(super) keyword: usize,
    pub(super) parameters: usize,
}

/// A script's declarations at the top level.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// The function declarations without a name, in order.
    pub(super) nameless: Vec<Nameless>,
    /// Index of `function` of the last declaration with a name.
    pub(super) named: Option<usize>,
}

impl Outline {
    /// The declaration that CouchDB makes an expression: the last one, if it has no name.
    pub(super) fn expression(&self) -> Option<Nameless> {
        let last = self.nameless.last().copied()?;
        self.named.is_none_or(|named| named < last.keyword).then_some(last)
    }
}

/// Finds the declarations of a script, which need not be valid.
pub(super) fn outline(tokens: &Tokens<'_>) -> Outline {
    let mut outline = Outline::default();
    let mut at = 0;
    while at < tokens.len() {
        if let Some((declaration, name)) = statement::function_declaration(tokens, at) {
            match name {
                Some(_) => outline.named = Some(declaration.keyword),
                None => outline.nameless.push(declaration),
            }
        }
        at = statement::end(tokens, at).max(at + 1);
    }
    outline
}

/// Whether the script begins with the directive `"use strict"`.
pub(super) fn is_strict(tokens: &Tokens<'_>) -> bool {
    let mut at = 0;
    while tokens.kind(at) == Some(super::token::Kind::Text) {
        let text = tokens.text(at);
        let end = statement::end(tokens, at);
        let whole = end == at + 1 || (end == at + 2 && tokens.is(at + 1, ";"));
        if !whole {
            return false;
        }
        if matches!(text, "\"use strict\"" | "'use strict'") {
            return true;
        }
        at = end;
    }
    false
}

#[cfg(test)]
mod tests;
