//! PDF: title and author from the information dictionary.
//!
//! The end of the file tells where the cross-reference sections are, and these where each object is
//! ([ISO 32000](https://pdfa.org/resource/iso-32000-2/), 7.5). Only the way to one object is followed, so that a book
//! of 500 MB costs no more than a letter. An encrypted document keeps its title to itself.

use std::io::Read;

use flate2::read::ZlibDecoder;

use self::object::{Dictionary, Object, Parser, text};
use super::bounded::{Buffered, USUAL, Window, bytes_at};
use super::facts::{AnySource, Facts};

mod object;

/// Where `startxref` is looked for, from the end, and `%PDF` from the start.
const MARGIN: u64 = 2048;
/// Bytes of the file that are read in all: a large index is asked a few times.
const MOST: u64 = 4 * USUAL;
/// Bytes of an object that are read; the dictionary of a stream is in front of its content.
const OBJECT: usize = 64 << 10;
const LONGEST_OBJECT: u64 = OBJECT as u64;
/// Bytes of a compressed stream, as stored and as expanded.
const LONGEST_STREAM: u64 = 4 << 20;
/// Updates of a document, each with a section of its own, and runs of entries in a table.
const MOST_SECTIONS: usize = 32;
/// An entry of a cross-reference table, of fixed length so that it can be found.
const TABLE_ENTRY: u64 = 20;

/// `title` and `author`.
pub(super) fn describe(source: AnySource, length: u64, facts: &mut Facts) -> Option<()> {
    let mut file = File::open(Window::buffered(source, length, MOST).ok()?, length)?;
    let trailer = file.trailer()?;
    if trailer.get("Encrypt").is_some() {
        return None;
    }
    let information = file.resolved(trailer.get("Info")?.clone())?.dictionary()?;
    for (key, member) in [("title", "Title"), ("author", "Author")] {
        if let Some(Object::Text(bytes)) = information.get(member).cloned().and_then(|object| file.resolved(object)) {
            facts.text(key, &text(&bytes));
        }
    }
    Some(())
}

/// Where an object is.
enum Place {
    /// At a position of the file.
    At(u64),
    /// In the stream that is the object of this number.
    Within(u64),
}

/// What a section says of itself and of the one object that is looked for.
struct Section {
    trailer: Dictionary,
    place: Option<Place>,
}

/// A document.
struct File<'a> {
    bytes: Buffered<'a>,
    /// Where the first byte of the document is: positions count from there.
    start: u64,
    /// The position of the newest section.
    newest: u64,
}

impl<'a> File<'a> {
    fn open(mut bytes: Buffered<'a>, length: u64) -> Option<Self> {
        let head = bytes_at(&mut bytes, 0, MARGIN)?;
        let start = head.windows(4).position(|window| window == b"%PDF")? as u64;
        let tail = bytes_at(&mut bytes, length.saturating_sub(MARGIN), MARGIN)?;
        let word = b"startxref";
        let at = tail.windows(word.len()).rposition(|window| window == word)?;
        let newest = Parser::new(&tail[at + word.len()..]).number()?;
        Some(Self { bytes, start, newest })
    }

    fn at(&mut self, position: u64, most: u64) -> Option<Vec<u8>> {
        bytes_at(&mut self.bytes, self.start.checked_add(position)?, most)
    }

    /// The newest trailer.
    fn trailer(&mut self) -> Option<Dictionary> {
        Some(self.section(self.newest, 0)?.trailer)
    }

    /// `object`, or what it refers to.
    fn resolved(&mut self, object: Object) -> Option<Object> {
        match object {
            Object::Reference(number) => self.object(number),
            object => Some(object),
        }
    }

    /// The object `number`.
    fn object(&mut self, number: u64) -> Option<Object> {
        match self.place(number)? {
            Place::At(position) => {
                let bytes = self.at(position, LONGEST_OBJECT)?;
                let mut parser = Parser::new(&bytes);
                (heading(&mut parser)? == number).then(|| parser.object())?
            }
            Place::Within(stream) => {
                // A stream stands in the file itself, never in another one.
                let Place::At(position) = self.place(stream)? else { return None };
                let (dictionary, content) = self.stream(position)?;
                let first = usize::try_from(dictionary.number("First")?).ok()?;
                let mut pairs = Parser::new(content.get(..first)?);
                loop {
                    let (found, offset) = (pairs.number()?, usize::try_from(pairs.number()?).ok()?);
                    if found == number {
                        let object = content.get(first.checked_add(offset)?..)?;
                        return Parser::new(&object[..object.len().min(OBJECT)]).object();
                    }
                }
            }
        }
    }

    /// Where the object `number` is, by the newest section that knows it.
    fn place(&mut self, number: u64) -> Option<Place> {
        let mut next = Some(self.newest);
        for _ in 0..MOST_SECTIONS {
            let section = self.section(next?, number)?;
            // A table may have a stream beside it, for readers that know streams.
            let hidden = section.trailer.number("XRefStm").filter(|_| section.place.is_none());
            let place = section.place.or_else(|| self.section(hidden?, number)?.place);
            if place.is_some() {
                return place;
            }
            next = section.trailer.number("Prev");
        }
        None
    }

    fn section(&mut self, position: u64, wanted: u64) -> Option<Section> {
        let bytes = self.at(position, MARGIN)?;
        let mut parser = Parser::new(&bytes);
        match parser.word("xref") {
            Some(()) => self.table(position + parser.position as u64, wanted),
            None => self.cross_reference_stream(position, wanted),
        }
    }

    /// A cross-reference table (7.5.4): runs of entries, then the trailer.
    fn table(&mut self, mut position: u64, wanted: u64) -> Option<Section> {
        let mut place = None;
        for _ in 0..MOST_SECTIONS {
            let bytes = self.at(position, LONGEST_OBJECT)?;
            let mut parser = Parser::new(&bytes);
            if parser.word("trailer").is_some() {
                return Some(Section { trailer: parser.object()?.dictionary()?, place });
            }
            let (first, count) = (parser.number()?, parser.number()?);
            parser.blanks();
            let entries = position + parser.position as u64;
            if let Some(index) = wanted.checked_sub(first).filter(|index| *index < count) {
                let entry = self.at(entries.checked_add(index.checked_mul(TABLE_ENTRY)?)?, TABLE_ENTRY)?;
                let mut parser = Parser::new(&entry);
                let (at, _generation) = (parser.number()?, parser.number()?);
                place = parser.word("n").map(|()| Place::At(at));
            }
            position = entries.checked_add(count.checked_mul(TABLE_ENTRY)?)?;
        }
        None
    }

    /// A cross-reference stream (7.5.8): entries of three numbers, whose widths `W` tells.
    fn cross_reference_stream(&mut self, position: u64, wanted: u64) -> Option<Section> {
        let (trailer, content) = self.stream(position)?;
        let numbers = |key: &str| match trailer.get(key) {
            Some(Object::Array(items)) => items.iter().map(Object::number).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let widths = numbers("W")?;
        let widths: [usize; 3] = [width(&widths, 0)?, width(&widths, 1)?, width(&widths, 2)?];
        let length: usize = widths.iter().sum();
        let runs = numbers("Index").unwrap_or(vec![0, trailer.number("Size")?]);
        let mut before = 0_u64;
        for run in runs.chunks_exact(2) {
            if let Some(index) = wanted.checked_sub(run[0]).filter(|index| *index < run[1]) {
                let at = usize::try_from(before.checked_add(index)?).ok()?.checked_mul(length)?;
                let entry = content.get(at..at.checked_add(length)?)?;
                return Some(Section { place: entry_place(entry, widths), trailer });
            }
            before = before.checked_add(run[1])?;
        }
        Some(Section { trailer, place: None })
    }

    /// The dictionary and the expanded content of the stream at `position`.
    fn stream(&mut self, position: u64) -> Option<(Dictionary, Vec<u8>)> {
        let bytes = self.at(position, LONGEST_OBJECT)?;
        let mut parser = Parser::new(&bytes);
        heading(&mut parser)?;
        let dictionary = parser.object()?.dictionary()?;
        parser.word("stream")?;
        // One line end, of one or two bytes, belongs to the word.
        let rest = bytes.get(parser.position..)?;
        let line_end = if rest.starts_with(b"\r\n") { 2 } else { 1 };
        let content = position + (parser.position + line_end) as u64;
        let length = match dictionary.get("Length")? {
            // Asking the sections for the length of a section would lead in a circle; the content ends by itself.
            Object::Reference(_) => LONGEST_STREAM,
            length => length.number()?.min(LONGEST_STREAM),
        };
        let stored = self.at(content, length)?;
        let expanded = expand(&dictionary, stored)?;
        Some((dictionary, expanded))
    }
}

/// Passes over `12 0 obj` and gives the number.
fn heading(parser: &mut Parser) -> Option<u64> {
    let number = parser.number()?;
    parser.number()?;
    parser.word("obj")?;
    Some(number)
}

/// A width in bytes; wider than eight is no number here.
fn width(widths: &[u64], index: usize) -> Option<usize> {
    usize::try_from(*widths.get(index)?).ok().filter(|width| *width <= 8)
}

fn entry_place(entry: &[u8], widths: [usize; 3]) -> Option<Place> {
    let (kind, rest) = entry.split_at_checked(widths[0])?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let second = number(rest.get(..widths[1])?);
    // Without a width the kind is 1.
    match if kind.is_empty() { 1 } else { number(kind) } {
        1 => Some(Place::At(second)),
        2 => Some(Place::Within(second)),
        _ => None,
    }
}

/// A stream without its filter, if that is none or deflate, up to [`LONGEST_STREAM`].
fn expand(dictionary: &Dictionary, stored: Vec<u8>) -> Option<Vec<u8>> {
    let alone = |object: &Object| match object {
        Object::Array(items) if items.len() == 1 => items.first().cloned(),
        object => Some(object.clone()),
    };
    match dictionary.get("Filter").map(alone) {
        None => return Some(stored),
        Some(Some(Object::Name(name))) if name == b"FlateDecode" => {}
        Some(_) => return None,
    }
    let mut bytes = Vec::new();
    // What was expanded before an error is there, and so is often what is looked for.
    let _ = ZlibDecoder::new(stored.as_slice()).take(LONGEST_STREAM).read_to_end(&mut bytes);
    let parameters = match dictionary.get("DecodeParms").and_then(alone) {
        Some(Object::Dictionary(parameters)) => parameters,
        _ => Dictionary::default(),
    };
    match parameters.number("Predictor").unwrap_or(1) {
        1 => Some(bytes),
        10..=15 => unpredict(&bytes, parameters.number("Columns").unwrap_or(1)),
        _ => None,
    }
}

/// Rows of `columns` bytes without the filters of [PNG](https://www.w3.org/TR/png-3/#9Filters), one byte a pixel.
fn unpredict(bytes: &[u8], columns: u64) -> Option<Vec<u8>> {
    let columns = usize::try_from(columns).ok().filter(|columns| (1..=1024).contains(columns))?;
    let mut previous = vec![0_u8; columns];
    let mut plain = Vec::with_capacity(bytes.len());
    for row in bytes.chunks_exact(columns + 1) {
        let (filter, row) = row.split_first()?;
        let mut current = vec![0_u8; columns];
        for at in 0..columns {
            let left = if at > 0 { current[at - 1] } else { 0 };
            let (above, corner) = (previous[at], if at > 0 { previous[at - 1] } else { 0 });
            let expected = match filter {
                0 => 0,
                1 => left,
                2 => above,
                3 => left.midpoint(above),
                4 => nearest(left, above, corner),
                _ => return None,
            };
            current[at] = row[at].wrapping_add(expected);
        }
        plain.extend_from_slice(&current);
        previous = current;
    }
    Some(plain)
}

/// PNG's Paeth predictor.
fn nearest(left: u8, above: u8, corner: u8) -> u8 {
    let estimate = i16::from(left) + i16::from(above) - i16::from(corner);
    let distance = |byte: u8| (estimate - i16::from(byte)).abs();
    if distance(left) <= distance(above) && distance(left) <= distance(corner) {
        left
    } else if distance(above) <= distance(corner) {
        above
    } else {
        corner
    }
}
