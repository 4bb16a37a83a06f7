//! Bookmarks: where a page of `_find` ended, as CouchDB writes it.
//!
//! The term `[{startkey_docid, Id}, {startkey, Key}]` in base64, compressed when that is shorter.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde_json::Value;

use crate::couch::term::Term;
use crate::json::Object;
use crate::serve::failure::Failure;

/// The last row of a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bookmark {
    pub(super) id: String,
    pub(super) key: Value,
}

const COMPRESSED: u8 = 80;
const VERSION: u8 = 131;
/// A key is never larger than this.
const LARGEST: u64 = 8 << 20;

impl Bookmark {
    pub(super) fn encode(&self) -> String {
        let mut written = Term::new();
        let done = written.list(2, |term| {
            term.tuple(2);
            term.atom("startkey_docid");
            term.binary(self.id.as_bytes());
            term.tuple(2);
            term.atom("startkey");
            term.value(&self.key)
        });
        let plain = if done.is_ok() { written.into_bytes() } else { vec![VERSION] };
        BASE64_URL_SAFE_NO_PAD.encode(compress(&plain).unwrap_or(plain))
    }

    /// Reads a bookmark.
    ///
    /// # Errors
    /// 400 `invalid_bookmark`
    pub(super) fn decode(text: &str) -> Result<Self, Failure> {
        let invalid = || {
            let shown = Value::from(text);
            Failure::new(400, "invalid_bookmark", format!("Invalid bookmark value: {shown}"))
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| invalid())?;
        let expanded = match bytes.as_slice() {
            [VERSION, COMPRESSED, _, _, _, _, rest @ ..] => {
                let mut expanded = Vec::new();
                ZlibDecoder::new(rest).take(LARGEST).read_to_end(&mut expanded).map_err(|_| invalid())?;
                expanded
            }
            [VERSION, rest @ ..] => rest.to_vec(),
            _ => return Err(invalid()),
        };
        let mut reader = Reader { bytes: &expanded, depth: 0 };
        let read = reader.read().filter(|_| reader.bytes.is_empty());
        let Some(Read::List(pairs)) = read else { return Err(invalid()) };
        let (mut id, mut key) = (None, None);
        for pair in pairs {
            match pair {
                Read::Tuple(mut pair) if pair.len() == 2 => match (pair.remove(0), pair.remove(0)) {
                    (Read::Atom(name), Read::Text(text)) if name == "startkey_docid" => id = Some(text),
                    (Read::Atom(name), value) if name == "startkey" => key = value.json(),
                    _ => {}
                },
                _ => return Err(invalid()),
            }
        }
        let (Some(id), Some(key)) = (id, key) else { return Err(invalid()) };
        Ok(Self { id, key })
    }
}

/// A smaller form, if there is one.
fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    let (version, rest) = plain.split_first()?;
    let mut compressed = vec![*version, COMPRESSED];
    compressed.extend(u32::try_from(rest.len()).ok()?.to_be_bytes());
    let mut encoder = ZlibEncoder::new(compressed, Compression::new(6));
    encoder.write_all(rest).ok()?;
    encoder.finish().ok().filter(|compressed| compressed.len() < plain.len())
}

/// What a term is made of, as far as bookmarks have it.
#[derive(Debug)]
enum Read {
    Atom(String),
    Text(String),
    Json(Value),
    List(Vec<Read>),
    Tuple(Vec<Read>),
}

impl Read {
    fn json(self) -> Option<Value> {
        Some(match self {
            Self::Atom(name) => match name.as_str() {
                "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => return None,
            },
            Self::Text(text) => Value::String(text),
            Self::Json(value) => value,
            Self::List(items) => Value::Array(items.into_iter().map(Self::json).collect::<Option<_>>()?),
            Self::Tuple(mut items) if items.len() == 1 => {
                let Self::List(pairs) = items.remove(0) else { return None };
                let mut members = Object::new();
                for pair in pairs {
                    let Self::Tuple(mut pair) = pair else { return None };
                    if pair.len() != 2 {
                        return None;
                    }
                    let (name, value) = (pair.remove(0), pair.remove(0));
                    let Self::Text(name) = name else { return None };
                    members.insert(name, value.json()?);
                }
                Value::Object(members)
            }
            Self::Tuple(_) => return None,
        })
    }
}

struct Reader<'bytes> {
    bytes: &'bytes [u8],
    depth: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn count(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?;
        Some(bytes.iter().fold(0, |count, byte| count << 8 | usize::from(*byte)))
    }

    fn text(&mut self, length: usize) -> Option<String> {
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn several(&mut self, count: usize) -> Option<Vec<Read>> {
        // Every element has a byte at least.
        (count <= self.bytes.len()).then(|| (0..count).map(|_| self.read()).collect())?
    }

    fn read(&mut self) -> Option<Read> {
        const DEEPEST: usize = 300;
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let read = match self.byte()? {
            97 => Read::Json(self.byte()?.into()),
            98 => Read::Json(i32::from_be_bytes(self.take(4)?.try_into().ok()?).into()),
            70 => {
                let float = f64::from_be_bytes(self.take(8)?.try_into().ok()?);
                Read::Json(crate::serve::views::number::Number::Float(float).value())
            }
            100 => {
                let length = self.count(2)?;
                Read::Atom(self.text(length)?)
            }
            115 | 119 => {
                let length = self.count(1)?;
                Read::Atom(self.text(length)?)
            }
            104 => {
                let count = self.count(1)?;
                Read::Tuple(self.several(count)?)
            }
            106 => Read::List(Vec::new()),
            107 => {
                let length = self.count(2)?;
                Read::List(self.take(length)?.iter().map(|byte| Read::Json((*byte).into())).collect())
            }
            108 => {
                let count = self.count(4)?;
                let items = self.several(count)?;
                (self.byte()? == 106).then_some(Read::List(items))?
            }
            109 => {
                let length = self.count(4)?;
                Read::Text(self.text(length)?)
            }
            110 => {
                let (length, sign) = (self.count(1)?, self.byte()?);
                let magnitude = self.take(length)?;
                let bytes: Vec<u8> = magnitude.iter().rev().skip_while(|byte| **byte == 0).copied().collect();
                let number =
                    (bytes.len() < 16).then(|| bytes.iter().fold(0, |sum: i128, byte| sum << 8 | i128::from(*byte)))?;
                let number = if sign == 0 { number } else { -number };
                Read::Json(crate::serve::views::number::Number::Integer(number).value())
            }
            _ => return None,
        };
        self.depth -= 1;
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bookmarks_are_those_of_couchdb() {
        for (id, key, text) in [
            ("d03", "[]", "g2wAAAACaAJkAA5zdGFydGtleV9kb2NpZG0AAAADZDAzaAJkAAhzdGFydGtleWpq"),
            ("d10", "[0]", "g2wAAAACaAJkAA5zdGFydGtleV9kb2NpZG0AAAADZDEwaAJkAAhzdGFydGtleWsAAQBq"),
            ("z", r#"["s"]"#, "g1AAAAA4eJzLYWBgYMpgSmHgKy5JLCrJTq2MT8lPzkzJBYozVoEkOGASOSAhsHhxVhYAooMOew"),
        ] {
            let bookmark = Bookmark { id: id.to_owned(), key: serde_json::from_str(key).unwrap() };
            assert_eq!(bookmark.encode(), text);
            assert_eq!(Bookmark::decode(text).unwrap(), bookmark);
        }
    }

    #[test]
    fn keys_come_back() {
        for key in [r#"[null,true,-5,300,1.5,12345678901234,-12345678901234,{"a":[{}]},[1,2,300]]"#, "\"x\"", "[[],{}]"]
        {
            let bookmark = Bookmark { id: "ä".to_owned(), key: serde_json::from_str(key).unwrap() };
            assert_eq!(Bookmark::decode(&bookmark.encode()).unwrap(), bookmark, "{key}");
        }
    }

    #[test]
    fn damaged_bookmarks_are_refused() {
        for bad in ["x", "nil", "g2", "g2wAAAACaAJkAA5zdGFydGtleV9kb2NpZG0", "g2z_____", "g1AAAAA4eJzL", "$$"] {
            assert_eq!(Bookmark::decode(bad).unwrap_err().error, "invalid_bookmark", "{bad}");
        }
        let deep = [vec![VERSION], [108, 0, 0, 0, 1].repeat(100_000)].concat();
        assert!(Bookmark::decode(&BASE64_URL_SAFE_NO_PAD.encode(deep)).is_err());
    }
}
