//! One line of a ledger's file: a path and what is known of it.
//!
//! Six columns, separated by tabs: path, file, revision, document, its true names, base. Sums are base64; one that was
//! written before in the same line is `=`, which it nearly always is, and one that is not known is `-`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Entry, Held, Seen, Synced};

/// What stands for a value that the line has already.
const SAME: &str = "=";

/// What stands for a value that is not there.
const NONE: &str = "-";

/// A text that [`write`] does not make.
struct Odd;

/// Appends the line for `path`, with its end.
pub(super) fn write(line: &mut String, path: &str, entry: &Entry) {
    escape(line, path);
    line.push('\t');
    if let Some(seen) = &entry.local {
        write_seen(line, seen);
    }
    line.push('\t');
    let remote = entry.remote.as_ref();
    escape(line, remote.map_or("", |held| &held.revision));
    line.push('\t');
    if let Some(held) = remote {
        write_held(line, held, entry.local.as_ref());
    }
    for name in [remote.and_then(|held| held.id.as_deref()), remote.and_then(|held| held.attachment.as_deref())] {
        line.push('\t');
        if let Some(name) = name {
            line.push_str(SAME);
            escape(line, name);
        }
    }
    line.push('\t');
    if let Some(base) = &entry.base {
        let known = entry.local.as_ref().map(|seen| &seen.sha256);
        let known = known.filter(|sum| **sum == base.sha256).or(remote.and_then(|held| held.sha256.as_ref()));
        sum(line, Some(&base.sha256), known);
        line.push(' ');
        sum(line, base.digest.as_ref(), remote.and_then(|held| held.digest.as_ref()));
        // Which of two sums the first one repeats.
        line.push_str(if entry.local.as_ref().is_some_and(|seen| seen.sha256 == base.sha256) { " f" } else { " d" });
    }
    line.push('\n');
}

/// The path and entry of a line (without its end); `None` when it is not one that [`write`] made.
pub(super) fn read(line: &str) -> Option<(Box<str>, Entry)> {
    let mut columns = line.split('\t');
    let path = unescape(columns.next()?)?;
    let local = match columns.next()? {
        "" => None,
        text => Some(read_seen(text)?),
    };
    let revision = unescape(columns.next()?)?;
    let document = columns.next()?;
    let names = (name(columns.next()?).ok()?, name(columns.next()?).ok()?);
    let remote = match document {
        "" => None,
        text => Some(read_held(text, revision, names, local.as_ref())?),
    };
    let base = match columns.next()? {
        "" => None,
        text => Some(read_base(text, local.as_ref(), remote.as_ref())?),
    };
    columns.next().is_none().then_some((path, Entry { local, remote, base }))
}

fn write_seen(line: &mut String, seen: &Seen) {
    line.push_str(&format!("{} {} {} ", seen.length, seen.modified, seen.inode));
    STANDARD_NO_PAD.encode_string(seen.md5, line);
    line.push(' ');
    STANDARD_NO_PAD.encode_string(seen.sha256, line);
}

fn read_seen(text: &str) -> Option<Seen> {
    let mut words = text.split(' ');
    let seen = Seen {
        length: words.next()?.parse().ok()?,
        modified: words.next()?.parse().ok()?,
        inode: words.next()?.parse().ok()?,
        md5: decode(words.next()?)?,
        sha256: decode(words.next()?)?,
    };
    words.next().is_none().then_some(seen)
}

fn write_held(line: &mut String, held: &Held, local: Option<&Seen>) {
    line.push_str(&format!("{} ", held.length));
    for (is_so, letter) in [(held.encoded, 'e'), (held.foreign, 'f'), (held.extras, 'x')] {
        if is_so {
            line.push(letter);
        }
    }
    line.push(' ');
    sum(line, held.digest.as_ref(), local.map(|seen| &seen.md5));
    line.push(' ');
    sum(line, held.sha256.as_ref(), local.map(|seen| &seen.sha256));
    line.push(' ');
    match held.modified {
        None => line.push_str(NONE),
        modified if modified == local.map(|seen| seen.modified) => line.push_str(SAME),
        Some(modified) => line.push_str(&modified.to_string()),
    }
}

type Names = (Option<Box<str>>, Option<Box<str>>);

fn read_held(text: &str, revision: Box<str>, (id, attachment): Names, local: Option<&Seen>) -> Option<Held> {
    let mut words = text.split(' ');
    let length = words.next()?.parse().ok()?;
    let flags = words.next()?;
    if !["", "e", "f", "x", "ef", "ex", "fx", "efx"].contains(&flags) {
        return None;
    }
    let [encoded, foreign, extras] = ['e', 'f', 'x'].map(|letter| flags.contains(letter));
    let digest = optional(words.next()?, local.map(|seen| &seen.md5)).ok()?;
    let sha256 = optional(words.next()?, local.map(|seen| &seen.sha256)).ok()?;
    let modified = match words.next()? {
        NONE => None,
        SAME => Some(local?.modified),
        text => Some(text.parse().ok()?),
    };
    let held = Held { id, attachment, revision, length, digest, encoded, sha256, modified, foreign, extras };
    words.next().is_none().then_some(held)
}

fn read_base(text: &str, local: Option<&Seen>, remote: Option<&Held>) -> Option<Synced> {
    let mut words = text.split(' ');
    let (sha256, digest, which) = (words.next()?, words.next()?, words.next()?);
    let known = match which {
        "f" => local.map(|seen| &seen.sha256),
        "d" => remote.and_then(|held| held.sha256.as_ref()),
        _ => return None,
    };
    let digest = optional(digest, remote.and_then(|held| held.digest.as_ref())).ok()?;
    words.next().is_none().then_some(Synced { sha256: optional(sha256, known).ok()??, digest })
}

/// Appends a sum, or `=` when it is `known`.
fn sum<const LENGTH: usize>(line: &mut String, sum: Option<&[u8; LENGTH]>, known: Option<&[u8; LENGTH]>) {
    match sum {
        None => line.push_str(NONE),
        Some(_) if sum == known => line.push_str(SAME),
        Some(sum) => STANDARD_NO_PAD.encode_string(sum, line),
    }
}

fn optional<const LENGTH: usize>(text: &str, known: Option<&[u8; LENGTH]>) -> Result<Option<[u8; LENGTH]>, Odd> {
    match text {
        NONE => Ok(None),
        SAME => known.map(|known| Some(*known)).ok_or(Odd),
        text => decode(text).map(Some).ok_or(Odd),
    }
}

fn decode<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    // The exact length: the decoder itself would take a shorter text.
    let expected = base64::encoded_len(LENGTH, false)?;
    let count = STANDARD_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (text.len() == expected && count == LENGTH).then_some(bytes)
}

/// A name that may not be there.
fn name(text: &str) -> Result<Option<Box<str>>, Odd> {
    match text.strip_prefix(SAME) {
        Some(name) => unescape(name).map(Some).ok_or(Odd),
        None if text.is_empty() => Ok(None),
        None => Err(Odd),
    }
}

/// Appends `text` without tabs and line ends.
pub(super) fn escape(line: &mut String, text: &str) {
    if !text.contains(['\\', '\t', '\n']) {
        return line.push_str(text);
    }
    for character in text.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            other => line.push(other),
        }
    }
}

/// The opposite of [`escape`].
pub(super) fn unescape(text: &str) -> Option<Box<str>> {
    if !text.contains('\\') {
        return Some(text.into());
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain.into_boxed_str())
}
