//! Erlang's external term format, as far as CouchDB makes revisions of it.
//!
//! `term_to_binary(Term, [{minor_version, 1}])`: <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>. Documents are
//! what jiffy makes of JSON: an object is `{[{Key, Value}]}`, texts are binaries.

use serde_json::{Number, Value};

use crate::json::Object;

/// Something that the format is known for but whose value in CouchDB is not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Doubtful;

/// A term being written.
#[derive(Debug)]
pub(crate) struct Term(Vec<u8>);

const SMALL_INTEGER: u8 = 97;
const INTEGER: u8 = 98;
const FLOAT: u8 = 70;
const ATOM: u8 = 100;
const SMALL_TUPLE: u8 = 104;
const NIL: u8 = 106;
const STRING: u8 = 107;
const LIST: u8 = 108;
const BINARY: u8 = 109;
const SMALL_BIG: u8 = 110;

/// CouchDB 3.5 answers 500 to integers of about 400 digits, and what it makes of shorter ones was measured to here.
const MOST_DIGITS: usize = 100;

impl Term {
    /// An empty term with its version.
    pub(crate) fn new() -> Self {
        const VERSION: u8 = 131;
        Self(vec![VERSION])
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn atom(&mut self, name: &str) {
        self.0.push(ATOM);
        self.count16(name.len());
        self.0.extend_from_slice(name.as_bytes());
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.atom(if value { "true" } else { "false" });
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.0.push(BINARY);
        self.count32(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// The beginning of a tuple; its elements follow.
    pub(crate) fn tuple(&mut self, elements: u8) {
        self.0.extend([SMALL_TUPLE, elements]);
    }

    /// A list whose elements `write` appends. Bytes alone would be another thing: [`Term::value`] knows.
    pub(crate) fn list(
        &mut self,
        elements: usize,
        write: impl FnOnce(&mut Self) -> Result<(), Doubtful>,
    ) -> Result<(), Doubtful> {
        if elements > 0 {
            self.0.push(LIST);
            self.count32(elements);
            write(self)?;
        }
        self.0.push(NIL);
        Ok(())
    }

    /// An object as jiffy reads it.
    pub(crate) fn object(&mut self, members: &Object) -> Result<(), Doubtful> {
        self.tuple(1);
        self.list(members.len(), |term| {
            members.iter().try_for_each(|(key, value)| {
                term.tuple(2);
                term.binary(key.as_bytes());
                term.value(value)
            })
        })
    }

    /// A value as jiffy reads it.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), Doubtful> {
        match value {
            Value::Null => self.atom("null"),
            Value::Bool(value) => self.boolean(*value),
            Value::String(text) => self.binary(text.as_bytes()),
            Value::Number(number) => return self.number(number),
            Value::Array(items) => match bytes(items) {
                Some(bytes) => {
                    self.0.push(STRING);
                    self.count16(bytes.len());
                    self.0.extend_from_slice(&bytes);
                }
                None => return self.list(items.len(), |term| items.iter().try_for_each(|item| term.value(item))),
            },
            Value::Object(members) => return self.object(members),
        }
        Ok(())
    }

    fn number(&mut self, number: &Number) -> Result<(), Doubtful> {
        let text = number.to_string();
        if text.contains(['.', 'e', 'E']) {
            self.0.push(FLOAT);
            self.0.extend(float(&text)?.to_bits().to_be_bytes());
            return Ok(());
        }
        match text.parse::<i64>() {
            Ok(number) => self.integer(number),
            Err(_) => self.large_integer(&text)?,
        }
        Ok(())
    }

    pub(crate) fn integer(&mut self, number: i64) {
        if let Ok(byte) = u8::try_from(number) {
            self.0.extend([SMALL_INTEGER, byte]);
        } else if let Ok(number) = i32::try_from(number) {
            self.0.push(INTEGER);
            self.0.extend(number.to_be_bytes());
        } else {
            self.big(number < 0, &number.unsigned_abs().to_le_bytes());
        }
    }

    fn large_integer(&mut self, text: &str) -> Result<(), Doubtful> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.len() > MOST_DIGITS {
            return Err(Doubtful);
        }
        let mut magnitude: Vec<u8> = Vec::new();
        for digit in digits.bytes() {
            let mut carry = u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10).ok_or(Doubtful)?);
            for byte in &mut magnitude {
                let [low, high] = (u16::from(*byte) * 10 + carry).to_le_bytes();
                (*byte, carry) = (low, u16::from(high));
            }
            magnitude.extend((carry > 0).then(|| carry.to_le_bytes()[0]));
        }
        self.big(text.starts_with('-'), &magnitude);
        Ok(())
    }

    /// An integer from the bytes of its magnitude, the least first.
    fn big(&mut self, negative: bool, magnitude: &[u8]) {
        let length = magnitude.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.0.push(SMALL_BIG);
        self.0.push(length.to_le_bytes()[0]);
        self.0.push(u8::from(negative));
        self.0.extend_from_slice(&magnitude[..length]);
    }

    fn count16(&mut self, count: usize) {
        let [.., high, low] = count.to_be_bytes();
        self.0.extend([high, low]);
    }

    fn count32(&mut self, count: usize) {
        let [.., a, b, c, d] = count.to_be_bytes();
        self.0.extend([a, b, c, d]);
    }
}

/// What CouchDB reads in the text of a float.
fn float(text: &str) -> Result<f64, Doubtful> {
    let float: f64 = text.parse().map_err(|_| Doubtful)?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    // What is too small for a normal double becomes zero there.
    let is_zero = !mantissa.contains(|c| matches!(c, '1'..='9'));
    // Of 5,500 texts, 38 had another last bit there: all without a point and with 27 digits or more.
    let is_rounded = mantissa.len() > if mantissa.contains('.') { MOST_DIGITS } else { 20 };
    if is_rounded || !(float.is_normal() || is_zero) { Err(Doubtful) } else { Ok(float) }
}

/// The bytes of a list that has nothing else in it: Erlang writes such a list as a string.
fn bytes(items: &[Value]) -> Option<Vec<u8>> {
    if items.is_empty() || items.len() > usize::from(u16::MAX) {
        return None;
    }
    items.iter().map(|item| item.as_u64().and_then(|number| u8::try_from(number).ok())).collect()
}
