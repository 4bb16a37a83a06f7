//! Cuts JavaScript into tokens, so that constructs can be found without being fooled by comments and strings.
//!
//! Pure and total: any text gives tokens, at worst with a [`Fault`]. It is no parser: QuickJS judges the syntax, the
//! tokens say which construct it was. Brackets know their partner and every token knows the bracket around it, so
//! nothing here or in the users of the tokens has to recurse over the text.

mod context;
mod scan;

use context::Context;
use scan::Scanner;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier, a keyword, or a private name with its `#`.
    Word,
    /// A numeric literal with everything that adheres to it.
    Number,
    /// A string literal.
    Text,
    /// A piece of a template literal: from a backquote or `}` up to a backquote or `${`.
    Template,
    /// A regular expression literal with its flags.
    Regex,
    /// An operator, a bracket, a separator.
    Punctuator,
    /// A character that no token begins with.
    Illegal,
}

/// What a pair of brackets holds, as far as the words before it tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// `(…)` after `if`, `while`, `for` or `with`: a statement follows.
    Head,
    /// Any other `(…)`.
    Parenthesis,
    /// `[…]`.
    Bracket,
    /// `{…}` as a statement, or the body of a declared function: a statement follows.
    Block,
    /// `{…}` as an object literal or a pattern, or the body of a function expression: an operator may follow.
    Value,
    /// The body of a class declaration.
    Class,
    /// The body of a class expression.
    ClassValue,
    /// `${…}` in a template literal.
    Substitution,
}

/// One token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Offset of the first byte.
    pub(super) start: usize,
    /// Offset behind the last byte.
    pub(super) end: usize,
    /// Whether a line ends between the token before and this one.
    pub(super) newline_before: bool,
    /// Whether a value may stand here, so that `/` begins a regular expression and `<` an XML literal.
    pub(super) operand_expected: bool,
    /// For a bracket (or a template's piece with `${`): index of the token that closes it.
    pub(super) closer: Option<usize>,
    /// For a closing bracket: index of the token that opened it.
    pub(super) opener: Option<usize>,
    /// Index of the innermost bracket around this token.
    pub(super) parent: Option<usize>,
    /// For an opening bracket: what it holds.
    pub(super) group: Option<Group>,
}

/// Why the text could not be cut properly; the tokens are a best effort from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    UnterminatedString,
    UnterminatedTemplate,
    UnterminatedComment,
    UnterminatedRegex,
    IllegalCharacter,
    Unclosed,
    Unopened,
    TooDeep,
}

/// The first thing that went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) offset: usize,
}

/// Brackets nested deeper than this are not parsed: CouchDB 3.5's own parser dies at about 2,200.
pub(super) const MAXIMUM_DEPTH: usize = 2_000;

/// A text cut into tokens.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    list: Vec<Token>,
    /// The first thing that went wrong, if anything did.
    pub(super) fault: Option<Fault>,
}

impl<'a> Tokens<'a> {
    /// Cuts `text`.
    pub(super) fn of(text: &'a str) -> Self {
        let mut tokens = Self { text, list: Vec::new(), fault: None };
        let mut scanner = Scanner::new(text);
        let mut context = Context::default();
        loop {
            let operand_expected = context.operand_expected();
            let closes_template = context.closes_template();
            let Some(token) = scanner.next(operand_expected, closes_template) else { break };
            tokens.note(scanner.take_fault());
            let misplaced = context.take(&mut tokens.list, token, text);
            tokens.note(misplaced);
            if context.depth() > MAXIMUM_DEPTH {
                break;
            }
        }
        tokens.note(scanner.take_fault());
        let unclosed = context.innermost().and_then(|index| tokens.list.get(index));
        let unclosed = unclosed.map(|token| Fault { kind: FaultKind::Unclosed, offset: token.start });
        tokens.note(unclosed);
        tokens
    }

    /// The token at `index`.
    pub(super) fn get(&self, index: usize) -> Option<&Token> {
        self.list.get(index)
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The text of the token at `index`; empty behind the end.
    pub(super) fn text(&self, index: usize) -> &'a str {
        self.list.get(index).and_then(|token| self.text.get(token.start..token.end)).unwrap_or_default()
    }

    /// Whether the token at `index` is the punctuator or the word `text` (and not, say, a string).
    pub(super) fn is(&self, index: usize, text: &str) -> bool {
        self.list.get(index).is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Punctuator))
            && self.text(index) == text
    }

    /// [`Self::is`] for the token before `index`.
    pub(super) fn before_is(&self, index: usize, text: &str) -> bool {
        index.checked_sub(1).is_some_and(|before| self.is(before, text))
    }

    /// The kind of the token at `index`.
    pub(super) fn kind(&self, index: usize) -> Option<Kind> {
        self.list.get(index).map(|token| token.kind)
    }

    /// What the bracket at `index` holds.
    pub(super) fn group(&self, index: usize) -> Option<Group> {
        self.list.get(index).and_then(|token| token.group)
    }

    /// Whether `index` is the word `word`, used as a keyword: not as the name of a property.
    pub(super) fn is_keyword(&self, index: usize, word: &str) -> bool {
        self.kind(index) == Some(Kind::Word) && self.text(index) == word && !self.is_property(index)
    }

    /// Whether the word at `index` follows a `.` or is the key of an object literal.
    fn is_property(&self, index: usize) -> bool {
        let key = self.is(index + 1, ":")
            && (self.before_is(index, "{") || self.before_is(index, ","))
            && self.list.get(index).and_then(|token| token.parent).is_some_and(|parent| self.is(parent, "{"));
        key || self.before_is(index, ".") || self.before_is(index, "?.")
    }

    /// The index behind the bracketed group, or the single token, at `index`.
    pub(super) fn skip(&self, index: usize) -> usize {
        let mut at = index;
        while let Some(token) = self.list.get(at) {
            match token.closer {
                Some(closer) => at = closer,
                None if token.group.is_some() => return self.len(),
                None => return at + 1,
            }
            let reopens = self.list.get(at).is_some_and(|token| token.group.is_some());
            if !reopens {
                return at + 1;
            }
        }
        self.len()
    }

    fn note(&mut self, fault: Option<Fault>) {
        if self.fault.is_none() {
            self.fault = fault;
        }
    }
}

#[cfg(test)]
mod tests;
