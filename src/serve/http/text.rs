//! JSON as CouchDB writes it: as anybody does, but for control characters, whose digits are capitals.

use std::io;

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

/// A value as text.
pub(in crate::serve) fn json(value: &Value) -> String {
    let mut text = Vec::with_capacity(128);
    // Neither a value nor memory can fail.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut text, Capitals));
    String::from_utf8(text).unwrap_or_default()
}

struct Capitals;

impl Formatter for Capitals {
    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04X}"),
            other => CompactFormatter.write_char_escape(writer, other),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_that_of_couchdb() {
        let value = serde_json::json!({ "a\u{1f}\n\"": [1.5, "\u{7f}é/</script>\u{b}\u{8}"], "n": null });
        let expected = "{\"a\\u001F\\n\\\"\":[1.5,\"\u{7f}é/</script>\\u000B\\b\"],\"n\":null}";
        assert_eq!(super::json(&value), expected);
    }
}
