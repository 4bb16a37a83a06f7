//! Films in the ISO base media format (MP4, QuickTime): their size and length. The sound inside is for [`sound`].
//!
//! A file is a sequence of boxes: four bytes of length, four of type, then the content
//! ([ISO/IEC 14496-12](https://www.iso.org/standard/83102.html), 4.2). Only headers are read, the rest is passed over.
//!
//! [`sound`]: super::sound

use super::bounded::{Buffered, USUAL, Window, bytes_at};
use super::facts::{AnySource, Facts, milliseconds};

/// A film has a handful of boxes at each level; one with fragments has many, after what is looked for.
const MOST_BOXES: usize = 2000;

/// `width`, `height` and `duration`.
pub(super) fn describe(source: AnySource, length: u64, facts: &mut Facts) -> Option<()> {
    let mut file = Window::buffered(source, length, USUAL).ok()?;
    let movie = boxes(&mut file, Span { start: 0, end: length }).into_iter().find(|(kind, _)| kind == b"moov")?.1;
    for (kind, content) in boxes(&mut file, movie) {
        match &kind {
            b"mvhd" => {
                if let Some(milliseconds) = movie_length(&mut file, content) {
                    facts.duration(milliseconds);
                }
            }
            b"trak" => {
                let header = boxes(&mut file, content).into_iter().find(|(kind, _)| kind == b"tkhd");
                if let Some((width, height)) = header.and_then(|(_, content)| track_size(&mut file, content)) {
                    facts.dimensions(width, height);
                }
            }
            _ => {}
        }
    }
    Some(())
}

/// Where the content of a box lies.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

/// The boxes within `span` as far as they make sense.
fn boxes(file: &mut Buffered, span: Span) -> Vec<([u8; 4], Span)> {
    let mut found = Vec::new();
    let mut at = span.start;
    while at < span.end && found.len() < MOST_BOXES {
        let Some((kind, content)) = header(file, at, span.end) else { break };
        at = content.end;
        found.push((kind, content));
    }
    found
}

fn header(file: &mut Buffered, at: u64, end: u64) -> Option<([u8; 4], Span)> {
    let bytes = bytes_at(file, at, 16)?;
    let kind = bytes.get(4..8)?.try_into().ok()?;
    let (length, header) = match number(&bytes, 0, 4)? {
        // It reaches to the end of the file.
        0 => (end - at, 8),
        1 => (number(&bytes, 8, 8)?, 16),
        length => (length, 8),
    };
    let content = Span { start: at.checked_add(header)?, end: at.checked_add(length)?.min(end) };
    (length >= header && content.start <= content.end).then_some((kind, content))
}

/// The length in `mvhd` (8.2.2): version and flags, two times, time scale, duration.
fn movie_length(file: &mut Buffered, content: Span) -> Option<u64> {
    let bytes = bytes_at(file, content.start, (content.end - content.start).min(64))?;
    let (scale, ticks, unknown) = match bytes.first()? {
        1 => (number(&bytes, 20, 4)?, number(&bytes, 24, 8)?, u64::MAX),
        _ => (number(&bytes, 12, 4)?, number(&bytes, 16, 4)?, u64::from(u32::MAX)),
    };
    if ticks == unknown { None } else { milliseconds(ticks, scale) }
}

/// Width and height in `tkhd` (8.3.2): its last eight bytes, with 16 bits after the point each.
fn track_size(file: &mut Buffered, content: Span) -> Option<(u64, u64)> {
    let bytes = bytes_at(file, content.start, (content.end - content.start).min(128))?;
    let at = if *bytes.first()? == 1 { 88 } else { 76 };
    Some((number(&bytes, at, 4)? >> 16, number(&bytes, at + 4, 4)? >> 16)).filter(|size| size.0 > 0 && size.1 > 0)
}

/// The big-endian number of `length` bytes at `at`.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(bytes.get(at..at + length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
