//! What a revision is to CouchDB: a number and bytes, in the order that decides who wins.

use std::cmp::Ordering;

use crate::hexadecimal;
use crate::name::{Revision, is_hash};

/// The generation and the hash of a revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) generation: u64,
    pub(super) hash: Hash,
}

/// 32 hexadecimal digits are 16 bytes, anything else is text (`couch_doc:parse_rev/1`). 16 bytes of text are no different.
#[derive(Clone, Debug)]
pub(super) enum Hash {
    Sum([u8; 16]),
    Text(Box<str>),
}

impl Key {
    /// `None` for generation 0, which no document has.
    pub(super) fn of(revision: &Revision) -> Option<Self> {
        let generation = revision.generation();
        (generation > 0).then(|| Self { generation, hash: Hash::of(revision.hash()) })
    }

    /// The revision as CouchDB writes it: in small letters.
    pub(super) fn revision(&self) -> Revision {
        let hash = match &self.hash {
            Hash::Sum(sum) => hexadecimal::encode(sum),
            Hash::Text(text) => text.to_string(),
        };
        // A key is made of a revision, or read by the same rules, so that the text is one.
        Revision::new(format!("{}-{hash}", self.generation)).unwrap_or_else(|_| unreachable!("a key is a revision"))
    }
}

impl Hash {
    fn of(text: &str) -> Self {
        let sum = hexadecimal::decode(text).or_else(|| text.as_bytes().try_into().ok());
        sum.map_or_else(|| Self::Text(text.into()), Self::Sum)
    }

    /// The opposite of [`bytes`](Self::bytes); `None` for what is no hash.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(sum) = bytes.try_into() {
            return Some(Self::Sum(sum));
        }
        std::str::from_utf8(bytes).ok().filter(|_| is_hash(bytes)).map(|text| Self::Text(text.into()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Sum(sum) => sum,
            Self::Text(text) => text.as_bytes(),
        }
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Hash {}

impl PartialOrd for Hash {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Hash {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}
