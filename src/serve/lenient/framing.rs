//! Where the body of a request ends. Pure.

/// How far a body was followed.
pub(super) struct Progress {
    /// So many bytes belong to it.
    pub(super) taken: usize,
    /// Whether it is what it claims to be.
    pub(super) is_understood: bool,
}

/// What is left of a body.
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
}

/// Where in a chunked body.
pub(super) enum Chunk {
    /// In the line that tells a chunk's length.
    Size(Vec<u8>),
    /// So many bytes before the next such line; the line break behind the chunk counts.
    Data(u64),
    /// In a line behind the last chunk, of which so many bytes were seen.
    Trailer(usize),
    /// Behind the last.
    Over,
}

/// The longest line that tells the length of a chunk.
const LONGEST_LINE: usize = 4096;

/// Where a head ends, behind its empty line. As to the library, a line may end without a carriage return. In the
/// first `searched` bytes there is no end.
pub(super) fn end_of_head(bytes: &[u8], searched: usize) -> Option<usize> {
    // The last line break there may be half of it.
    let unsearched = bytes.iter().enumerate().skip(searched.saturating_sub(2));
    let mut lines = unsearched.filter(|(_, byte)| **byte == b'\n').map(|(end, _)| end + 1);
    lines.find_map(|line| match &bytes[line..] {
        [b'\n', ..] => Some(line + 1),
        [b'\r', b'\n', ..] => Some(line + 2),
        _ => None,
    })
}

/// What follows a head; `None` when that cannot be told.
pub(super) fn after(head: &[u8]) -> Option<Framing> {
    let mut framing = Framing::Length(0);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let value = line[colon + 1..].trim_ascii();
        match line[..colon].to_ascii_lowercase().as_slice() {
            b"content-length" if matches!(framing, Framing::Length(_)) => {
                framing = Framing::Length(std::str::from_utf8(value).ok()?.parse().ok()?);
            }
            b"transfer-encoding" if value.eq_ignore_ascii_case(b"chunked") => {
                framing = Framing::Chunked(Chunk::Size(Vec::new()));
            }
            b"transfer-encoding" => return None,
            _ => {}
        }
    }
    Some(framing)
}

impl Framing {
    /// Whether the body has ended.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Over))
    }

    /// Follows the body through bytes that came.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Progress {
        let understood = |taken| Progress { taken, is_understood: true };
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                understood(taken)
            }
            Self::Chunked(chunk) => {
                let mut taken = 0;
                while taken < bytes.len() && !matches!(chunk, Chunk::Over) {
                    match chunk.advance(&bytes[taken..]) {
                        Some(more) => taken += more,
                        None => return Progress { taken: bytes.len(), is_understood: false },
                    }
                }
                understood(taken)
            }
        }
    }
}

impl Chunk {
    /// Takes at least one of the bytes; `None` when they are no chunks.
    fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Size(line) => {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let taken = end.map_or(bytes.len(), |end| end + 1);
                line.extend_from_slice(&bytes[..taken]);
                if line.len() > LONGEST_LINE {
                    return None;
                }
                if end.is_some() {
                    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
                    let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                    *self = if size == 0 { Self::Trailer(0) } else { Self::Data(size.checked_add(2)?) };
                }
                Some(taken)
            }
            Self::Data(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::Size(Vec::new());
                }
                Some(taken)
            }
            Self::Trailer(seen) => match bytes.iter().position(|byte| *byte == b'\n') {
                // An empty line, with its carriage return.
                Some(end) if *seen + end <= 1 => {
                    *self = Self::Over;
                    Some(end + 1)
                }
                Some(end) => {
                    *seen = 0;
                    Some(end + 1)
                }
                None => {
                    *seen += bytes.len();
                    Some(bytes.len())
                }
            },
            Self::Over => Some(0),
        }
    }
}
