//! Objects of a PDF file, as far as they are needed to find a title
//! ([ISO 32000](https://pdfa.org/resource/iso-32000-2/), 7.3).

use std::collections::HashMap;

/// Arrays and dictionaries within each other; the ones looked for are flat.
const DEEPEST: usize = 12;

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Object {
    /// A whole number; fractions lose theirs.
    Number(i64),
    /// A name without its `/`.
    Name(Vec<u8>),
    /// A string, literal or hexadecimal.
    Text(Vec<u8>),
    /// An array.
    Array(Vec<Object>),
    /// A dictionary.
    Dictionary(Dictionary),
    /// The number of an object that stands elsewhere.
    Reference(u64),
    /// `true`, `false`, `null`.
    Word,
}

/// Members by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dictionary(HashMap<Vec<u8>, Object>);

impl Dictionary {
    pub(super) fn get(&self, key: &str) -> Option<&Object> {
        self.0.get(key.as_bytes())
    }

    /// A number that cannot be negative.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.number()
    }
}

impl Object {
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn dictionary(self) -> Option<Dictionary> {
        match self {
            Self::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }
}

/// Reads objects from the front of some bytes.
pub(super) struct Parser<'a> {
    bytes: &'a [u8],
    /// How many bytes have been read.
    pub(super) position: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The object that comes next.
    pub(super) fn object(&mut self) -> Option<Object> {
        self.nested(DEEPEST)
    }

    /// The number that comes next, which is no reference.
    pub(super) fn number(&mut self) -> Option<u64> {
        self.blanks();
        let digits = self.run(|byte| byte.is_ascii_digit());
        str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Passes over `word`.
    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        self.blanks();
        self.rest().starts_with(word.as_bytes()).then(|| self.position += word.len())
    }

    /// Passes over blanks and comments.
    pub(super) fn blanks(&mut self) {
        loop {
            self.run(is_blank);
            if self.peek() != Some(b'%') {
                return;
            }
            self.run(|byte| byte != b'\n' && byte != b'\r');
        }
    }

    fn nested(&mut self, depth: usize) -> Option<Object> {
        self.blanks();
        match (self.peek()?, self.rest().get(1)) {
            (b'<', Some(b'<')) => self.dictionary(depth.checked_sub(1)?),
            (b'<', _) => self.hexadecimal(),
            (b'(', _) => self.literal(),
            (b'[', _) => self.array(depth.checked_sub(1)?),
            (b'/', _) => self.name().map(Object::Name),
            (b'0'..=b'9', _) => self.reference().or_else(|| self.real()),
            (b'+' | b'-' | b'.', _) => self.real(),
            _ => {
                let word = self.run(|byte| byte.is_ascii_alphabetic());
                matches!(word, b"true" | b"false" | b"null").then_some(Object::Word)
            }
        }
    }

    fn dictionary(&mut self, depth: usize) -> Option<Object> {
        self.word("<<")?;
        let mut members = HashMap::new();
        while self.word(">>").is_none() {
            let key = self.name()?;
            let value = self.nested(depth)?;
            members.insert(key, value);
        }
        Some(Object::Dictionary(Dictionary(members)))
    }

    fn array(&mut self, depth: usize) -> Option<Object> {
        self.word("[")?;
        let mut items = Vec::new();
        while self.word("]").is_none() {
            items.push(self.nested(depth)?);
        }
        Some(Object::Array(items))
    }

    fn name(&mut self) -> Option<Vec<u8>> {
        self.word("/")?;
        let text = self.run(|byte| !is_blank(byte) && !b"()<>[]{}/%".contains(&byte));
        let mut name = Vec::new();
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            // `#` and two digits stand for any byte.
            let escaped = text.get(at + 1..at + 3).filter(|_| byte == b'#').and_then(hexadecimal_byte);
            name.push(escaped.unwrap_or(byte));
            at += if escaped.is_some() { 3 } else { 1 };
        }
        Some(name)
    }

    fn reference(&mut self) -> Option<Object> {
        let start = self.position;
        let found = self.number().and_then(|number| {
            self.number()?;
            self.word("R")?;
            Some(Object::Reference(number))
        });
        if found.is_none() {
            self.position = start;
        }
        found
    }

    fn real(&mut self) -> Option<Object> {
        let text = self.run(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
        let whole = str::from_utf8(text).ok()?.split('.').next()?;
        Some(Object::Number(whole.parse().unwrap_or_default()))
    }

    fn hexadecimal(&mut self) -> Option<Object> {
        self.word("<")?;
        let mut digits: Vec<u8> = self.run(|byte| byte != b'>').to_vec();
        self.word(">")?;
        digits.retain(|byte| !is_blank(*byte));
        if digits.len() % 2 == 1 {
            digits.push(b'0');
        }
        digits.chunks_exact(2).map(hexadecimal_byte).collect::<Option<_>>().map(Object::Text)
    }

    /// A string in parentheses, which may hold pairs of them and escapes (7.3.4.2).
    fn literal(&mut self) -> Option<Object> {
        self.word("(")?;
        let mut text = Vec::new();
        let mut depth = 1;
        loop {
            let byte = self.next()?;
            match byte {
                b'\\' => {
                    self.escape(&mut text)?;
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(Object::Text(text));
            }
            text.push(byte);
        }
    }

    /// Adds what stands after a backslash: a byte, or nothing at the end of a line.
    fn escape(&mut self, text: &mut Vec<u8>) -> Option<()> {
        let byte = match self.next()? {
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            b't' => Some(b'\t'),
            b'b' => Some(8),
            b'f' => Some(12),
            b'\n' => None,
            b'\r' => {
                if self.peek() == Some(b'\n') {
                    self.position += 1;
                }
                None
            }
            digit @ b'0'..=b'7' => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    match self.peek() {
                        Some(digit @ b'0'..=b'7') => value = value * 8 + u32::from(digit - b'0'),
                        _ => break,
                    }
                    self.position += 1;
                }
                // Of more than eight bits the high ones are ignored.
                u8::try_from(value & 0xff).ok()
            }
            other => Some(other),
        };
        text.extend(byte);
        Some(())
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        self.position += length;
        &rest[..length]
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\t' | b'\n' | 12 | b'\r' | b' ')
}

fn hexadecimal_byte(digits: &[u8]) -> Option<u8> {
    crate::hexadecimal::decode::<1>(str::from_utf8(digits).ok()?).map(|[byte]| byte)
}

/// A text string (7.9.2.2): UTF-16 or UTF-8 if it says so, else the characters of PDF's own encoding, which are those
/// of Latin-1 but for some signs.
pub(super) fn text(bytes: &[u8]) -> String {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        // Many writers leave out the mark.
        _ => match str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| own_character(*byte)).collect(),
        },
    }
}

/// PDFDocEncoding (annex D.3).
fn own_character(byte: u8) -> char {
    const SIGNS: [char; 32] = [
        '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł',
        'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}',
    ];
    match byte {
        0x80..=0x9f => SIGNS[usize::from(byte - 0x80)],
        0xa0 => '€',
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<Object> {
        Parser::new(text.as_bytes()).object()
    }

    #[test]
    fn strings_are_read_with_their_escapes() {
        let cases = [
            ("(a(b)c)", "a(b)c"),
            (r"(a\)\\\n\101\0053)", "a)\\\nA\u{5}3"),
            ("(a\\\r\nb)", "ab"),
            ("<48 656C6c6F2>", "Hello "),
            ("()", ""),
        ];
        for (written, expected) in cases {
            assert_eq!(one(written), Some(Object::Text(expected.into())), "{written}");
        }
        for bad in ["(a", "<4", "(a\\", "<zz>", "[1 2", "<</A", "<</A 1", "", "/", "R"] {
            assert!(!matches!(one(bad), Some(Object::Text(_) | Object::Array(_) | Object::Dictionary(_))), "{bad}");
        }
    }

    #[test]
    fn references_are_no_numbers() {
        let members = one("<< /A 12 0 R /B [1 2% note\n3 0 R] /C#20D -1.5 /E true/F/G >>").unwrap();
        let members = members.dictionary().unwrap();
        assert_eq!(members.get("A"), Some(&Object::Reference(12)));
        let items = vec![Object::Number(1), Object::Number(2), Object::Reference(3)];
        assert_eq!(members.get("B"), Some(&Object::Array(items)));
        assert_eq!(members.get("C D"), Some(&Object::Number(-1)));
        assert_eq!(members.number("C D"), None);
        assert_eq!(members.get("F"), Some(&Object::Name(b"G".to_vec())));
    }

    #[test]
    fn nesting_ends() {
        assert_eq!(one(&"[".repeat(100_000)), None);
        assert_eq!(one(&"<</A".repeat(100_000)), None);
        assert!(one(&format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST))).is_some());
    }

    #[test]
    fn texts_have_three_encodings() {
        let cases: [(&[u8], &str); 6] = [
            (b"plain", "plain"),
            (b"\xfe\xff\x00A\x20\xac", "A€"),
            (b"\xff\xfeA\x00", "A"),
            (b"\xef\xbb\xbf\xc3\xa4", "ä"),
            (b"\xe4 \x80\xa0", "ä •€"),
            (b"\xfe\xff\xd8\x00", "\u{fffd}"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(text(bytes), expected);
        }
    }
}
