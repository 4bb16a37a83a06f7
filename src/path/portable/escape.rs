//! One component, escaped: `%XX` for every byte that offends, and a hash where something had to be cut or told apart.
//!
//! An escaped component can be read back by decoding `%XX`, with `%` for the empty one; one that holds `%~` cannot, and
//! its true name is known only to whoever kept it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{FORBIDDEN_HERE, MAX_COMPONENT, Unportable, judge_component};

/// What stands before a hash. No escaped byte begins like this, because `~` is no hexadecimal digit.
const MARK: &str = "%~";

/// How many hexadecimal digits of the hash are kept: 64 bits.
const HASH_DIGITS: usize = 16;

/// The longest extension that is kept behind a hash, in bytes, its dot not counted.
const MAX_EXTENSION: usize = 12;

/// `component` with every offending byte as `%XX` and every `%` as `%25`; cut when it gets too long. Always portable.
pub(super) fn component(component: &str) -> String {
    if component.is_empty() {
        return "%".to_owned();
    }
    let last = component.char_indices().last().map_or(0, |(start, _)| start);
    let whole_offends = matches!(judge_component(component), Err(Unportable::Dot));
    let first_offends = super::is_acted_on(component) || super::is_device(component);
    let mut escaped = String::with_capacity(component.len());
    for (start, character) in component.char_indices() {
        let offends = whole_offends
            || (start == 0 && first_offends)
            || (start == last && matches!(character, '.' | ' '))
            || matches!(character, '%' | '/' | '\\' | ':')
            || character.is_control()
            || FORBIDDEN_HERE.contains(character);
        if offends {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        } else {
            escaped.push(character);
        }
    }
    if escaped.len() > MAX_COMPONENT { told_apart(&escaped, component, 0) } else { escaped }
}

/// `escaped` with a hash of `original` (and of `attempt`, when an earlier one was taken) before its extension, cut to
/// the length that a component may have.
pub(super) fn told_apart(escaped: &str, original: &str, attempt: u32) -> String {
    let (stem, extension) = split_extension(escaped);
    let room = MAX_COMPONENT - MARK.len() - HASH_DIGITS - extension.len();
    let stem = cut(stem, room);
    format!("{stem}{MARK}{}{extension}", hash(original, attempt))
}

/// A single component that stands for a whole name whose path is too long for any system.
pub(super) fn flattened(name: &str, attempt: u32) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    // The last component alone may be megabytes long, and only its ends are used.
    let (_, extension) = split_extension(last);
    let extension = if judge_component(&format!("x{extension}")).is_ok() { extension } else { "" };
    let start = component(cut(name.split('/').next().unwrap_or(name), 64));
    let start = start.split(MARK).next().unwrap_or_default();
    told_apart(&format!("{start}{extension}"), name, attempt)
}

fn hash(original: &str, attempt: u32) -> String {
    let mut hasher = Sha256::new();
    hasher.update(original.as_bytes());
    if attempt > 0 {
        hasher.update([0]);
        hasher.update(attempt.to_be_bytes());
    }
    let first = hasher.finalize().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{first:0HASH_DIGITS$x}")
}

/// The name without its extension, and the extension with its dot when it is short and plain enough to be kept.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 => {
            let extension = &name[dot + 1..];
            let plain = !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if plain && extension.len() <= MAX_EXTENSION { name.split_at(dot) } else { (name, "") }
        }
        _ => (name, ""),
    }
}

/// The longest prefix of `text` within `room` bytes that splits neither a character nor a `%XX`.
fn cut(text: &str, room: usize) -> &str {
    if text.len() <= room {
        return text;
    }
    let mut end = room;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = &text[..end];
    match kept.rfind('%') {
        Some(percent) if kept.len() - percent < 3 => &kept[..percent],
        _ => kept,
    }
}
