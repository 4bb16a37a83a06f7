//! A tree as bytes, the way the store keeps it.
//!
//! A version, then for each node, in the order of the tree: generation, hash, how many nodes before it its parent stands (0:
//! none), and its place. Numbers have seven bits a byte, the lowest first.

use super::key::{Hash, Key};
use super::{Node, Place, Tree};

const VERSION: u8 = 1;

const IS_DELETED: u64 = 1;
const HAS_PLACE: u64 = 2;

/// Bytes are no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no revision tree")]
pub struct Unreadable;

impl Tree {
    pub(in crate::serve) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for (index, node) in self.nodes.iter().enumerate() {
            push_number(&mut bytes, node.key.generation);
            let hash = node.key.hash.bytes();
            push_number(&mut bytes, hash.len() as u64);
            bytes.extend_from_slice(hash);
            let parent = node.parent.as_ref().and_then(|parent| self.find(parent).ok());
            push_number(&mut bytes, parent.map_or(0, |parent| (index - parent) as u64));
            let is_deleted = if node.is_deleted { IS_DELETED } else { 0 };
            let has_place = if node.place.is_some() { HAS_PLACE } else { 0 };
            push_number(&mut bytes, is_deleted | has_place);
            if let Some(place) = node.place {
                push_number(&mut bytes, place.number);
                push_number(&mut bytes, place.size);
            }
        }
        bytes
    }

    pub(in crate::serve) fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let Some((&VERSION, mut rest)) = bytes.split_first() else { return Err(Unreadable) };
        let mut tree = Self::default();
        while !rest.is_empty() {
            let node = read_node(&mut rest, &tree.nodes)?;
            let is_ordered = tree.nodes.last().is_none_or(|last| last.key < node.key);
            if !is_ordered
                || node
                    .parent
                    .as_ref()
                    .is_some_and(|parent| node.key.generation.checked_sub(1) != Some(parent.generation))
            {
                return Err(Unreadable);
            }
            tree.nodes.push(node);
        }
        Ok(tree)
    }
}

fn read_node(rest: &mut &[u8], before: &[Node]) -> Result<Node, Unreadable> {
    let generation = number(rest)?;
    let length = usize::try_from(number(rest)?).map_err(|_| Unreadable)?;
    let (hash, after) = rest.split_at_checked(length).ok_or(Unreadable)?;
    *rest = after;
    let hash = Hash::from_bytes(hash).ok_or(Unreadable)?;
    let parent = match usize::try_from(number(rest)?).map_err(|_| Unreadable)? {
        0 => None,
        back => {
            let index = before.len().checked_sub(back).ok_or(Unreadable)?;
            Some(before.get(index).ok_or(Unreadable)?.key.clone())
        }
    };
    let flags = number(rest)?;
    let has_place = flags & HAS_PLACE != 0;
    let place = if has_place { Some(Place { number: number(rest)?, size: number(rest)? }) } else { None };
    if generation == 0 {
        return Err(Unreadable);
    }
    Ok(Node { key: Key { generation, hash }, parent, is_deleted: flags & IS_DELETED != 0, place })
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn number(rest: &mut &[u8]) -> Result<u64, Unreadable> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(Unreadable)?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Unreadable)
}
