//! What a file tells about itself: which reader looks at it, and what of its answer is kept.

use std::io::{Read, Seek};

use serde_json::Value;

use super::bounded::{Source, shielded};
use super::{book, film, pdf, picture, sound};
use crate::content_type;
use crate::json::Object;

/// Characters of a text that are kept: enough for any title, too few for somebody's whole page.
const LONGEST_TEXT: usize = 250;

/// What a file tells about itself, for the `file` member of its document. Only what is known is there:
///
/// | member | of | meaning |
/// |---|---|---|
/// | `width`, `height` | images, videos | pixels as stored, before `orientation` |
/// | `taken` | images | local time without a zone, `2010-09-18T16:02:11` |
/// | `orientation` | images | EXIF, 1 to 8 |
/// | `duration` | music, videos | seconds, with up to three decimals |
/// | `title` | music, videos, PDF, ePub | text, at most 250 characters, as all texts here |
/// | `artist`, `album` | music, videos | text |
/// | `author` | PDF, ePub | text |
///
/// `content_type` tells what to look for, and `name` does where that says nothing. `length` is the number of bytes
/// that `reader` gives; it is read from its start. A damaged file tells less, or nothing; whatever it claims, at most
/// some 8 MB are read per kind of fact. Blocks while it reads.
pub fn describe<R: Read + Seek>(content_type: &str, name: &str, length: u64, reader: &mut R) -> Object {
    let kind = kind(content_type).or_else(|| kind(&content_type::of_name(name, &std::collections::BTreeMap::new())));
    let mut facts = Facts::default();
    match kind {
        Some(Kind::Picture) => {
            facts.add(|facts| picture::size(reader, length, facts));
            facts.add(|facts| picture::exif(reader, length, facts));
        }
        Some(Kind::Film) => {
            facts.add(|facts| film::describe(reader, length, facts));
            facts.add(|facts| sound::describe(reader, length, facts));
        }
        Some(Kind::Sound) => facts.add(|facts| sound::describe(reader, length, facts)),
        Some(Kind::Pdf) => facts.add(|facts| pdf::describe(reader, length, facts)),
        Some(Kind::Book) => facts.add(|facts| book::describe(reader, length, facts)),
        None => {}
    }
    facts.0
}

#[derive(Clone, Copy)]
enum Kind {
    Picture,
    Film,
    Sound,
    Pdf,
    Book,
}

fn kind(content_type: &str) -> Option<Kind> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/pdf" => Some(Kind::Pdf),
        "application/epub+zip" => Some(Kind::Book),
        "application/ogg" => Some(Kind::Sound),
        essence => match essence.split('/').next() {
            Some("image") => Some(Kind::Picture),
            Some("video") => Some(Kind::Film),
            Some("audio") => Some(Kind::Sound),
            _ => None,
        },
    }
}

/// What has been found so far. The first to tell a fact is believed.
#[derive(Debug, Default)]
pub(super) struct Facts(Object);

impl Facts {
    /// Adds what `look` finds, also what it found before it gave up.
    fn add(&mut self, look: impl FnOnce(&mut Self) -> Option<()>) {
        shielded(|| look(self));
    }

    /// Adds a text without blanks around it, cut where it is too long; nothing if it is empty.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
        let text: String = text.chars().take(LONGEST_TEXT).collect();
        if !text.is_empty() {
            self.value(key, text.into());
        }
    }

    /// Adds width and height, unless one of them is zero.
    pub(super) fn dimensions(&mut self, width: u64, height: u64) {
        if width > 0 && height > 0 && !self.0.contains_key("width") {
            self.value("width", width.into());
            self.value("height", height.into());
        }
    }

    /// Adds a duration in milliseconds, unless it is zero. A whole number of seconds has no decimals: to CouchDB `2`
    /// and `2.0` differ, and to JavaScript they do not.
    pub(super) fn duration(&mut self, milliseconds: u64) {
        let whole = milliseconds / 1000;
        match milliseconds % 1000 {
            0 if whole == 0 => {}
            0 => self.value("duration", whole.into()),
            // Up to a million years of milliseconds are exact as a double.
            #[expect(clippy::cast_precision_loss, reason = "no file plays that long")]
            _ => self.value("duration", (milliseconds as f64 / 1000.0).into()),
        }
    }

    /// Adds `value` unless there is one.
    pub(super) fn value(&mut self, key: &str, value: Value) {
        if !self.0.contains_key(key) {
            self.0.insert(key.to_owned(), value);
        }
    }
}

/// Milliseconds of so many `ticks` at `rate` a second.
pub(super) fn milliseconds(ticks: u64, rate: u64) -> Option<u64> {
    let milliseconds = (u128::from(ticks) * 1000).checked_div(u128::from(rate))?;
    u64::try_from(milliseconds).ok()
}

/// A reader of facts takes any source.
pub(super) type AnySource<'a> = &'a mut dyn Source;
