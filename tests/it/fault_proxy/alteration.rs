//! Bodies in which one byte is another one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::Piece;

/// One other byte: a letter that base64 has, so that it shows in nothing but the content.
#[derive(Clone, Debug)]
pub(crate) struct Alteration {
    /// What to look for in the content, one after the other: the first that is there counts.
    pub(crate) marks: Vec<Vec<u8>>,
    /// How many bytes after the end of the mark the byte stands.
    pub(crate) after: usize,
}

impl Alteration {
    /// In a file that begins with `start`, whether it travels as it is or as base64. Only the length of `start` is cut to
    /// whole groups of three bytes.
    pub(crate) fn in_file(start: &[u8]) -> Self {
        let whole = &start[..start.len() / 3 * 3];
        let encoded = STANDARD.encode(whole).into_bytes();
        Self { marks: vec![whole.to_vec(), encoded], after: 100 }
    }

    /// Alters the content of a body; says whether it did.
    pub(super) fn apply(&self, pieces: &mut [Piece]) -> bool {
        let content = content(pieces);
        let found = |mark: &Vec<u8>| find(&content, mark).map(|at| at + mark.len() + self.after);
        let Some(mut place) = self.marks.iter().find_map(found).filter(|place| *place < content.len()) else {
            return false;
        };
        for piece in pieces.iter_mut().filter(|piece| piece.is_content) {
            if place < piece.raw.len() {
                piece.raw[place] = if piece.raw[place] == b'A' { b'B' } else { b'A' };
                return true;
            }
            place -= piece.raw.len();
        }
        false
    }
}

/// Whether the content of a body holds these bytes.
pub(super) fn holds(pieces: &[Piece], bytes: &[u8]) -> bool {
    find(&content(pieces), bytes).is_some()
}

fn content(pieces: &[Piece]) -> Vec<u8> {
    let mut content = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.is_content) {
        content.extend_from_slice(&piece.raw);
    }
    content
}

fn find(content: &[u8], mark: &[u8]) -> Option<usize> {
    content.windows(mark.len()).position(|window| window == mark)
}
