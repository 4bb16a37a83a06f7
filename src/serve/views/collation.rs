//! CouchDB's order of JSON values, as bytes: comparing two keys byte by byte is comparing the values.
//!
//! `null`, `false`, `true`, numbers, texts by the root collation of Unicode, arrays, objects:
//! <https://docs.couchdb.org/en/3.5.x/ddocs/views/collation.html>. Views may ask for `raw` instead: the order of Erlang's
//! terms, which is numbers, `false`, `null`, `true`, objects, arrays, texts by their bytes.

use std::cmp::Ordering;
use std::sync::OnceLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed, CollatorPreferences};
use serde_json::{Number, Value};

use crate::json::Object;

/// How values are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collation {
    /// The order of CouchDB.
    #[default]
    Unicode,
    /// The order of Erlang's terms.
    Raw,
}

const END: u8 = 0x00;
const MEMBER: u8 = 0x01;

impl Collation {
    /// The bytes that stand for a value.
    pub fn key(self, value: &Value) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        self.write(value, &mut bytes);
        bytes
    }

    fn write(self, value: &Value, bytes: &mut Vec<u8>) {
        bytes.push(self.kind(value));
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => write_number(number, bytes),
            Value::String(text) => self.write_text(text, bytes),
            Value::Array(items) => {
                items.iter().for_each(|item| self.write(item, bytes));
                bytes.push(END);
            }
            Value::Object(members) => self.write_members(members, bytes),
        }
    }

    fn write_members(self, members: &Object, bytes: &mut Vec<u8>) {
        for (name, value) in members {
            bytes.push(MEMBER);
            self.write_text(name, bytes);
            self.write(value, bytes);
        }
        bytes.push(END);
    }

    /// What kind a value is of; no kind is [`END`].
    fn kind(self, value: &Value) -> u8 {
        match (self, value) {
            (Self::Unicode, Value::Null) | (Self::Raw, Value::Number(_)) => 1,
            (_, Value::Bool(false)) => 2,
            (Self::Unicode, Value::Bool(true)) | (Self::Raw, Value::Null) => 3,
            (Self::Unicode, Value::Number(_)) | (Self::Raw, Value::Bool(true)) => 4,
            (Self::Unicode, Value::String(_)) | (Self::Raw, Value::Object(_)) => 5,
            (_, Value::Array(_)) => 6,
            (Self::Unicode, Value::Object(_)) | (Self::Raw, Value::String(_)) => 7,
        }
    }

    fn write_text(self, text: &str, bytes: &mut Vec<u8>) {
        match self {
            Self::Unicode => {
                if let Some(collator) = collator() {
                    let Ok(()) = collator.write_sort_key_to(text, bytes);
                }
                bytes.push(END);
            }
            Self::Raw => {
                for byte in text.bytes() {
                    bytes.push(byte);
                    // A zero inside of a text is greater than its end.
                    bytes.extend((byte == 0).then_some(0xff));
                }
                bytes.extend([END, END]);
            }
        }
    }
}

/// Compares two values as CouchDB does.
pub fn compare(left: &Value, right: &Value) -> Ordering {
    let order = Collation::Unicode;
    match (left, right) {
        (Value::String(left), Value::String(right)) => compare_texts(left, right),
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::Array(left), Value::Array(right)) => {
            let pairs = left.iter().zip(right).map(|(left, right)| compare(left, right));
            pairs.into_iter().find(|ordering| ordering.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Value::Object(left), Value::Object(right)) => {
            let pairs = left.iter().zip(right).map(|((left_name, left), (right_name, right))| {
                compare_texts(left_name, right_name).then_with(|| compare(left, right))
            });
            pairs.into_iter().find(|ordering| ordering.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        _ => order.kind(left).cmp(&order.kind(right)),
    }
}

/// Compares two values as Erlang does.
pub fn compare_raw(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        _ => Collation::Raw.key(left).cmp(&Collation::Raw.key(right)),
    }
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    let bytes = |number: &Number| {
        let mut bytes = Vec::with_capacity(25);
        write_number(number, &mut bytes);
        bytes
    };
    bytes(left).cmp(&bytes(right))
}

/// The nearest double in an order of bytes, then what an integer has more or less than that.
fn write_number(number: &Number, bytes: &mut Vec<u8>) {
    let text = number.to_string();
    let float: f64 = text.parse().unwrap_or_default();
    // There is one zero only.
    let float = if float == 0.0 { 0.0 } else { float };
    let bits = float.to_bits();
    let ordered = if bits >> 63 == 0 { bits | 1 << 63 } else { !bits };
    bytes.extend(ordered.to_be_bytes());
    // Doubles up to here hold every integer.
    if float.abs() < 9_007_199_254_740_992.0 {
        bytes.push(0x80);
        return;
    }
    let rest = text.parse::<i128>().ok().and_then(|integer| integer.checked_sub(whole(float)?)).unwrap_or_default();
    match rest.cmp(&0) {
        Ordering::Less => {
            bytes.push(0x7f);
            bytes.extend((rest.cast_unsigned() ^ (1 << 127)).to_be_bytes());
        }
        Ordering::Equal => bytes.push(0x80),
        Ordering::Greater => {
            bytes.push(0x81);
            bytes.extend((rest.cast_unsigned() ^ (1 << 127)).to_be_bytes());
        }
    }
}

/// A large double as an integer.
fn whole(float: f64) -> Option<i128> {
    format!("{float:.0}").parse().ok()
}

/// The root collation; `None` only if its data were broken, which is compiled in.
fn collator() -> Option<&'static CollatorBorrowed<'static>> {
    static COLLATOR: OnceLock<Option<CollatorBorrowed<'static>>> = OnceLock::new();
    COLLATOR.get_or_init(|| Collator::try_new(CollatorPreferences::default(), CollatorOptions::default()).ok()).as_ref()
}

fn compare_texts(left: &str, right: &str) -> Ordering {
    collator().map_or_else(|| left.cmp(right), |collator| collator.compare(left, right))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What CouchDB 3.5.0 answered: `unicode` has groups of equal keys in the order of a view (with the `query` language,
    /// which keeps large numbers), `raw` the keys of a view with `"collation": "raw"`.
    fn recorded(name: &str) -> Vec<Value> {
        let all: Value = serde_json::from_str(include_str!("../../../fixtures/collation.json")).unwrap();
        all[name].as_array().unwrap().clone()
    }

    /// CouchDB was recorded with ICU 72, where quotation marks differ at once; since CLDR 44 they are variants of one another.
    fn is_of_another_version(left: &Value, right: &Value) -> bool {
        left.as_str().is_some_and(|text| text.starts_with('\'')) && right == "\u{2018}"
    }

    #[test]
    fn keys_are_in_the_order_of_couchdb() {
        let groups = recorded("unicode");
        assert!(groups.len() > 300);
        let mut wrong = Vec::new();
        for pair in groups.windows(2) {
            let (left, right) = (&pair[0][0], &pair[1][0]);
            if is_of_another_version(left, right) {
                continue;
            }
            if Collation::Unicode.key(left) >= Collation::Unicode.key(right) || compare(left, right) != Ordering::Less {
                wrong.push(format!("{left} < {right}"));
            }
        }
        for group in &groups {
            for equal in group.as_array().unwrap() {
                if Collation::Unicode.key(equal) != Collation::Unicode.key(&group[0]) {
                    wrong.push(format!("{equal} = {}", group[0]));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn raw_keys_are_in_the_order_of_erlang() {
        let keys = recorded("raw");
        for pair in keys.windows(2) {
            assert!(Collation::Raw.key(&pair[0]) <= Collation::Raw.key(&pair[1]), "{} {}", pair[0], pair[1]);
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-3i64..3).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-cA-C é\u{0}-]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec(("[ab]{0,2}", inner), 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_order_of_bytes_is_the_order_of_values(left in values(), right in values()) {
            let (left_key, right_key) = (Collation::Unicode.key(&left), Collation::Unicode.key(&right));
            prop_assert_eq!(left_key.cmp(&right_key), compare(&left, &right));
        }
    }
}
