//! Finds where the next token begins and ends.

use super::{Fault, FaultKind, Kind, Token};

/// Longest first: the first that fits is the token.
const PUNCTUATORS: [&str; 34] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=", ">=", "&&",
    "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "**", "<<", ">>", "::",
];

/// Walks over a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    newline: bool,
    fault: Option<Fault>,
}

/// Whether `character` ends a line of JavaScript.
fn ends_line(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

fn in_word(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '$' | '_' | '\\' | '\u{200c}' | '\u{200d}')
        || (!character.is_ascii() && !character.is_whitespace() && !ends_line(character) && character != '\u{feff}')
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, newline: true, fault: None }
    }

    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// The next token, with `kind`, `start`, `end` and `newline_before` filled in.
    pub(super) fn next(&mut self, operand_expected: bool, closes_template: bool) -> Option<Token> {
        self.skip_space();
        let start = self.at;
        let first = self.peek()?;
        let kind = match first {
            '"' | '\'' => self.string(first),
            '`' => self.template(),
            '}' if closes_template => self.template(),
            '/' if operand_expected => self.regex(),
            '.' if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number(),
            _ if first.is_ascii_digit() => self.number(),
            '#' => self.private_name(),
            _ if in_word(first) => self.word(),
            _ => self.punctuator(first),
        };
        let newline_before = std::mem::take(&mut self.newline);
        Some(Token {
            kind,
            start,
            end: self.at,
            newline_before,
            operand_expected,
            closer: None,
            opener: None,
            parent: None,
            group: None,
        })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn fail(&mut self, kind: FaultKind, offset: usize) {
        if self.fault.is_none() {
            self.fault = Some(Fault { kind, offset });
        }
    }

    /// Passes what `wanted` accepts.
    fn pass(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|character| !wanted(character)).unwrap_or(rest.len());
    }

    fn skip_space(&mut self) {
        while let Some(character) = self.peek() {
            let rest = self.rest();
            if ends_line(character) {
                self.newline = true;
                self.at += character.len_utf8();
            } else if character.is_whitespace() || character == '\u{feff}' {
                self.at += character.len_utf8();
            } else if rest.starts_with("/*") {
                self.block_comment();
            } else if rest.starts_with("//") || rest.starts_with("<!--") || (self.newline && rest.starts_with("-->")) {
                self.pass(|character| !ends_line(character));
            } else {
                break;
            }
        }
    }

    fn block_comment(&mut self) {
        let rest = self.rest();
        let length = rest.get(2..).and_then(|inner| inner.find("*/")).map(|length| length + 4);
        if length.is_none() {
            self.fail(FaultKind::UnterminatedComment, self.at);
        }
        let length = length.unwrap_or(rest.len());
        self.newline |= rest[..length].contains(ends_line);
        self.at += length;
    }

    fn string(&mut self, quote: char) -> Kind {
        let start = self.at;
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((offset, character)) = characters.next() {
            if character == quote {
                self.at = start + offset + 1;
                return Kind::Text;
            }
            if character == '\\' {
                let escaped = characters.next().map(|(_, escaped)| escaped);
                if escaped == Some('\r') {
                    characters.next_if(|(_, next)| *next == '\n');
                }
            } else if matches!(character, '\n' | '\r') {
                self.fail(FaultKind::UnterminatedString, start);
                self.at = start + offset;
                return Kind::Text;
            }
        }
        self.fail(FaultKind::UnterminatedString, start);
        self.at = self.text.len();
        Kind::Text
    }

    /// From a backquote or `}` up to a backquote or `${`.
    fn template(&mut self) -> Kind {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'`' => {
                    self.at = at + 1;
                    return Kind::Template;
                }
                b'$' if bytes.get(at + 1) == Some(&b'{') => {
                    self.at = at + 2;
                    return Kind::Template;
                }
                _ => {}
            }
            at += 1;
        }
        self.fail(FaultKind::UnterminatedTemplate, start);
        self.at = self.text.len();
        Kind::Template
    }

    fn regex(&mut self) -> Kind {
        let start = self.at;
        let (mut in_class, mut escaped) = (false, false);
        for (offset, character) in self.rest().char_indices().skip(1) {
            if ends_line(character) {
                break;
            }
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => {
                    self.at = start + offset + 1;
                    self.pass(in_word);
                    return Kind::Regex;
                }
                _ => {}
            }
        }
        // The rest of the line is not read again and again: foreign text may hold any number of slashes.
        self.fail(FaultKind::UnterminatedRegex, start);
        self.pass(|character| !ends_line(character));
        Kind::Illegal
    }

    fn number(&mut self) -> Kind {
        let rest = self.rest().as_bytes();
        let radix = rest.first() == Some(&b'0') && rest.get(1).is_some_and(|byte| b"xXoObB".contains(byte));
        if !radix {
            self.pass(|character| character.is_ascii_digit() || character == '_');
            if self.peek() == Some('.') {
                self.at += 1;
                self.pass(|character| character.is_ascii_digit() || character == '_');
            }
            let rest = self.rest().as_bytes();
            let sign = usize::from(rest.get(1).is_some_and(|byte| b"+-".contains(byte)));
            let exponent = rest.first().is_some_and(|byte| b"eE".contains(byte));
            if exponent && rest.get(1 + sign).is_some_and(u8::is_ascii_digit) {
                self.at += 1 + sign;
            }
        }
        self.pass(in_word);
        Kind::Number
    }

    fn private_name(&mut self) -> Kind {
        let start = self.at;
        self.at += 1;
        self.pass(in_word);
        if self.at - start == 1 {
            self.fail(FaultKind::IllegalCharacter, start);
            return Kind::Illegal;
        }
        Kind::Word
    }

    /// An identifier; `\u{…}` inside it is part of it.
    fn word(&mut self) -> Kind {
        loop {
            self.pass(in_word);
            let before = self.text.get(..self.at).unwrap_or_default();
            if !before.ends_with("\\u") || !self.rest().starts_with('{') {
                return Kind::Word;
            }
            self.pass(|character| character != '}' && !ends_line(character));
            if self.peek() == Some('}') {
                self.at += 1;
            }
        }
    }

    fn punctuator(&mut self, first: char) -> Kind {
        let rest = self.rest();
        let is_conditional = |known: &str| {
            known == "?." && rest.as_bytes().get(2).is_some_and(u8::is_ascii_digit) // `a?.5:b`
        };
        if let Some(known) = PUNCTUATORS.iter().find(|known| rest.starts_with(**known) && !is_conditional(known)) {
            self.at += known.len();
            return Kind::Punctuator;
        }
        self.at += first.len_utf8();
        if "{}()[].;,<>+-*/%&|^!~?:=@".contains(first) {
            return Kind::Punctuator;
        }
        self.fail(FaultKind::IllegalCharacter, self.at - first.len_utf8());
        Kind::Illegal
    }
}
