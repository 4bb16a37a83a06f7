//! Keeps track of brackets, and of whether a value or an operator comes next.
//!
//! JavaScript cannot be cut without that: `/` divides behind a value and begins a regular expression elsewhere.

use super::{Fault, FaultKind, Group, Kind, MAXIMUM_DEPTH, Token};

/// A value follows these words.
const BEFORE_OPERAND: [&str; 14] = [
    "return",
    "typeof",
    "instanceof",
    "in",
    "new",
    "delete",
    "void",
    "throw",
    "case",
    "do",
    "else",
    "default",
    "extends",
    "yield",
];
/// A statement follows the parentheses behind these words.
const HEADS: [&str; 4] = ["if", "while", "for", "with"];

/// Where the cutting stands.
#[derive(Default)]
pub(super) struct Context {
    open: Vec<Frame>,
    operator_expected: bool,
    /// The last token was a `:` between two values, not one behind a label or a `case`.
    value_follows_colon: bool,
    /// A `function` was read whose parameters have not come yet: whether it is an expression.
    function: Option<bool>,
    /// Parameters were just closed: whether their function is an expression.
    parameters: Option<bool>,
    /// A `class` was read whose body has not come yet: at which depth, and whether it is an expression.
    class: Option<(usize, bool)>,
}

struct Frame {
    index: usize,
    group: Group,
    /// Whether statements stand directly inside.
    statements: bool,
    /// Conditional operators that wait for their `:`.
    conditionals: usize,
    /// For parameters: whether their function is an expression.
    function: Option<bool>,
}

/// The text of a token.
fn text_of<'a>(text: &'a str, token: &Token) -> &'a str {
    text.get(token.start..token.end).unwrap_or_default()
}

impl Context {
    /// Whether a value may come next.
    pub(super) fn operand_expected(&self) -> bool {
        !self.operator_expected
    }

    /// Whether a `}` would go on with a template literal.
    pub(super) fn closes_template(&self) -> bool {
        self.open.last().is_some_and(|frame| frame.group == Group::Substitution)
    }

    /// How many brackets are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The index of the innermost open bracket.
    pub(super) fn innermost(&self) -> Option<usize> {
        self.open.last().map(|frame| frame.index)
    }

    /// Appends `token` to `list`, with its brackets resolved.
    pub(super) fn take(&mut self, list: &mut Vec<Token>, mut token: Token, text: &str) -> Option<Fault> {
        let word = text_of(text, &token);
        let parameters = self.parameters.take();
        let mut fault = None;
        let mut closed = None;
        if closes(&token, word) {
            closed = self.close(list, word);
            match &closed {
                Some(frame) => token.opener = Some(frame.index),
                None => fault = Some(Fault { kind: FaultKind::Unopened, offset: token.start }),
            }
        }
        token.parent = self.innermost();
        if let Some((group, statements)) = self.opens(list, &token, text, parameters) {
            token.group = Some(group);
            let function = if group == Group::Parenthesis { self.function.take() } else { None };
            self.open.push(Frame { index: list.len(), group, statements, conditionals: 0, function });
            if self.open.len() > MAXIMUM_DEPTH {
                fault = Some(Fault { kind: FaultKind::TooDeep, offset: token.start });
            }
            self.operator_expected = false;
        } else if let Some(frame) = closed {
            self.parameters = frame.function;
            self.operator_expected = !matches!(frame.group, Group::Head | Group::Block | Group::Class);
        } else {
            self.operator_expected = self.operator_follows(list, &token, text);
        }
        list.push(token);
        fault
    }

    fn close(&mut self, list: &mut [Token], word: &str) -> Option<Frame> {
        let fits = match self.open.last()?.group {
            Group::Head | Group::Parenthesis => word == ")",
            Group::Bracket => word == "]",
            Group::Substitution | Group::Block | Group::Value | Group::Class | Group::ClassValue => {
                word.starts_with('}')
            }
        };
        let frame = if fits { self.open.pop()? } else { return None };
        let index = list.len();
        if let Some(opener) = list.get_mut(frame.index) {
            opener.closer = Some(index);
        }
        Some(frame)
    }

    /// What the bracket `token` opens, and whether statements stand in it.
    fn opens(&mut self, list: &[Token], token: &Token, text: &str, parameters: Option<bool>) -> Option<(Group, bool)> {
        let word = text_of(text, token);
        match (token.kind, word) {
            (Kind::Template, _) if word.ends_with("${") => Some((Group::Substitution, false)),
            (Kind::Punctuator, "[") => Some((Group::Bracket, false)),
            (Kind::Punctuator, "(") if is_head(list, text) => Some((Group::Head, false)),
            (Kind::Punctuator, "(") => Some((Group::Parenthesis, false)),
            (Kind::Punctuator, "{") => Some(self.brace(list, token, text, parameters)),
            _ => None,
        }
    }

    fn brace(&mut self, list: &[Token], token: &Token, text: &str, parameters: Option<bool>) -> (Group, bool) {
        if let Some((_, is_expression)) = self.class.filter(|(depth, _)| *depth == self.open.len()) {
            self.class = None;
            return (if is_expression { Group::ClassValue } else { Group::Class }, false);
        }
        match parameters {
            Some(true) => (Group::Value, true),
            Some(false) => (Group::Block, true),
            None if !token.operand_expected || self.begins_statement(list, text) => (Group::Block, true),
            None if list.last().is_some_and(|before| text_of(text, before) == "=>") => (Group::Block, true),
            None => (Group::Value, false),
        }
    }

    /// Whether a value that comes next would begin a statement.
    fn begins_statement(&self, list: &[Token], text: &str) -> bool {
        let Some(before) = list.last() else { return true };
        let opener = before.opener.and_then(|index| list.get(index)).and_then(|token| token.group);
        match text_of(text, before) {
            ";" | "else" | "do" => true,
            "{" => self.open.last().is_some_and(|frame| frame.statements),
            ":" => !self.value_follows_colon,
            _ => matches!(opener, Some(Group::Head | Group::Block | Group::Class)),
        }
    }

    /// Whether an operator, not a value, comes behind `token`, which is no bracket.
    fn operator_follows(&mut self, list: &[Token], token: &Token, text: &str) -> bool {
        let word = text_of(text, token);
        match token.kind {
            Kind::Word => self.operator_follows_word(list, token, text),
            Kind::Number | Kind::Text | Kind::Regex | Kind::Template => {
                self.function = None;
                true
            }
            Kind::Illegal => false,
            Kind::Punctuator => {
                if word != "*" {
                    self.function = None;
                }
                if list.last().is_some_and(|before| text_of(text, before) == "class") {
                    self.class = None; // the key of an object literal
                }
                self.operator_follows_punctuator(token, word)
            }
        }
    }

    fn operator_follows_punctuator(&mut self, token: &Token, word: &str) -> bool {
        match word {
            "++" | "--" => !token.operand_expected && !token.newline_before,
            "." | "?." => true,
            "?" => {
                if let Some(frame) = self.open.last_mut() {
                    frame.conditionals += 1;
                }
                false
            }
            ":" => {
                self.value_follows_colon = match self.open.last_mut() {
                    Some(frame) if frame.conditionals > 0 => {
                        frame.conditionals -= 1;
                        true
                    }
                    Some(frame) => !frame.statements,
                    None => false,
                };
                false
            }
            _ => false,
        }
    }

    fn operator_follows_word(&mut self, list: &[Token], token: &Token, text: &str) -> bool {
        let word = text_of(text, token);
        if list.last().is_some_and(|before| matches!(text_of(text, before), "." | "?.")) {
            return true;
        }
        let is_expression = token.operand_expected && !self.begins_statement(list, text);
        match word {
            "function" => self.function = Some(is_expression),
            "class" => self.class = Some((self.open.len(), is_expression)),
            _ => {}
        }
        !BEFORE_OPERAND.contains(&word)
    }
}

fn closes(token: &Token, word: &str) -> bool {
    match token.kind {
        Kind::Punctuator => matches!(word, ")" | "]" | "}"),
        Kind::Template => word.starts_with('}'),
        _ => false,
    }
}

/// Whether a `(` behind `list` belongs to `if`, `while`, `for`, `for each`, `for await` or `with`.
fn is_head(list: &[Token], text: &str) -> bool {
    let word = |back: usize| {
        let token = list.len().checked_sub(back).and_then(|index| list.get(index));
        token.filter(|token| token.kind == Kind::Word).map_or("", |token| text_of(text, token))
    };
    let behind_dot = |back: usize| {
        let token = list.len().checked_sub(back + 1).and_then(|index| list.get(index));
        token.is_some_and(|token| matches!(text_of(text, token), "." | "?."))
    };
    (HEADS.contains(&word(1)) && !behind_dot(1)) || (matches!(word(1), "each" | "await") && word(2) == "for")
}
