//! Text and binary fields: how the bytes of a file become a string and back.
//!
//! Exactly one final line feed is dropped on the way to the document and added on the way back (an empty string is an
//! empty file), so that the strings of a document survive whatever they hold. Bytes that are not UTF-8 become
//! `base64-encoded;…`, and such a string becomes bytes again only if that is exactly reversible.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What couchapp puts before the base64 of a file that is not UTF-8.
const BASE64_MARK: &str = "base64-encoded;";

/// The string of a field whose file holds `bytes`.
pub fn from_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_suffix('\n').unwrap_or(text).to_owned(),
        Err(_) => format!("{BASE64_MARK}{}", STANDARD.encode(bytes)),
    }
}

/// The file of a field that holds `text`. With `decode`, base64 becomes bytes again.
pub fn to_bytes(text: &str, decode: bool) -> Vec<u8> {
    match decoded(text) {
        Some(bytes) if decode => bytes,
        _ if text.is_empty() => Vec::new(),
        _ => format!("{text}\n").into_bytes(),
    }
}

/// The bytes behind `base64-encoded;…`, if they would become exactly this string again.
pub fn decoded(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text.strip_prefix(BASE64_MARK)?).ok()?;
    (from_bytes(&bytes) == text).then_some(bytes)
}

/// `text` without outer white space, as Python's `strip` sees it (couchapp 1.0.2 stripped every field).
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_final_line_feed_is_the_files_not_the_fields() {
        for (bytes, text) in
            [("", ""), ("\n", ""), ("a", "a"), ("a\n", "a"), ("a\n\n", "a\n"), ("a\r\n", "a\r"), (" a ", " a ")]
        {
            assert_eq!(from_bytes(bytes.as_bytes()), text, "{bytes:?}");
        }
        for text in ["", "\n", "a", "a\n", "\r\n", "\u{feff}x", "a\0b"] {
            assert_eq!(from_bytes(&to_bytes(text, true)), text, "{text:?}");
        }
    }

    #[test]
    fn base64_is_decoded_only_when_that_is_reversible() {
        assert_eq!(decoded("base64-encoded;/w=="), Some(vec![0xff]));
        let kept = [
            "base64-encoded;",       // empty, which is UTF-8
            "base64-encoded;YQ==",   // "a"
            "base64-encoded;/w",     // no padding
            "base64-encoded;/x==",   // bits beyond the end
            "base64-encoded;/w==\n", // not base64
            "base64-encoded; /w==",
            "Base64-encoded;/w==",
        ];
        for text in kept {
            assert_eq!(decoded(text), None, "{text:?}");
            assert_eq!(from_bytes(&to_bytes(text, true)), text, "{text:?}");
        }
    }
}
