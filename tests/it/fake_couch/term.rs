//! Revisions as CouchDB computes them: the md5 of an Erlang term in its external format. Written apart from
//! `couch::prediction`, so that neither can hide a mistake of the other.

use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

use super::store::{Attachments, Rev, hex};

/// The hash of a revision: of `[Deleted, OldStart, OldRev, Body, Atts]`.
pub(crate) fn revision_hash(
    is_deleted: bool,
    parent: Option<&Rev>,
    body: &Map<String, Value>,
    attachments: &Attachments,
) -> String {
    let old = match parent {
        None => integer("0"),
        Some(Rev { hash, .. }) if hash.len() == 32 => {
            let pairs = hash.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            binary(&pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap_or(0)).collect::<Vec<_>>())
        }
        Some(Rev { hash, .. }) => binary(hash.as_bytes()),
    };
    let files = attachments.iter().rev().map(|(name, file)| {
        let md5 = Md5::digest(&file.stored);
        tuple(&[binary(name.as_bytes()), binary(file.content_type.as_bytes()), binary(&md5)])
    });
    let start = parent.map_or(0, |rev| rev.generation);
    let parts = [
        atom(&is_deleted.to_string()),
        integer(&start.to_string()),
        old,
        object(body),
        list(&files.collect::<Vec<_>>()),
    ];
    hex(&Md5::digest([vec![131], list(&parts)].concat()))
}

fn size(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap().to_be_bytes()
}

fn atom(name: &str) -> Vec<u8> {
    [&[b'd', 0, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat()
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    [b"m", &size(bytes.len())[..], bytes].concat()
}

fn tuple(elements: &[Vec<u8>]) -> Vec<u8> {
    [vec![b'h', u8::try_from(elements.len()).unwrap()], elements.concat()].concat()
}

/// A list; one of small integers only (at most 65,535) is a string.
fn list(elements: &[Vec<u8>]) -> Vec<u8> {
    if elements.is_empty() {
        return b"j".to_vec();
    }
    if elements.len() < 65_536 && elements.iter().all(|element| element[0] == b'a') {
        let count = u16::try_from(elements.len()).unwrap().to_be_bytes();
        let bytes: Vec<u8> = elements.iter().map(|element| element[1]).collect();
        return [b"k", &count[..], &bytes].concat();
    }
    [b"l", &size(elements.len())[..], &elements.concat(), b"j"].concat()
}

fn object(members: &Map<String, Value>) -> Vec<u8> {
    let pairs: Vec<_> = members.iter().map(|(key, value)| tuple(&[binary(key.as_bytes()), term(value)])).collect();
    tuple(&[list(&pairs)])
}

fn term(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => atom("null"),
        Value::Bool(value) => atom(&value.to_string()),
        Value::String(text) => binary(text.as_bytes()),
        Value::Array(items) => list(&items.iter().map(term).collect::<Vec<_>>()),
        Value::Object(members) => object(members),
        Value::Number(number) => {
            let text = number.to_string();
            if text.contains(['.', 'e', 'E']) {
                [b"F", &text.parse::<f64>().unwrap().to_be_bytes()[..]].concat()
            } else {
                integer(&text)
            }
        }
    }
}

/// An integer of any size, from its decimal digits.
fn integer(text: &str) -> Vec<u8> {
    if let Ok(byte) = text.parse::<u8>() {
        return vec![b'a', byte];
    }
    if let Ok(number) = text.parse::<i32>() {
        return [b"b", &number.to_be_bytes()[..]].concat();
    }
    let (sign, digits) = text.strip_prefix('-').map_or((0, text), |digits| (1, digits));
    let mut digits: Vec<u32> = digits.chars().filter_map(|digit| digit.to_digit(10)).collect();
    let mut bytes = Vec::new();
    while digits.iter().any(|digit| *digit != 0) {
        // A long division by 256 leaves the next byte over.
        let mut left = 0;
        for digit in &mut digits {
            let dividend = left * 10 + *digit;
            (*digit, left) = (dividend / 256, dividend % 256);
        }
        bytes.push(u8::try_from(left).unwrap());
    }
    [vec![b'n', u8::try_from(bytes.len()).unwrap(), sign], bytes].concat()
}
