//! Request targets, taken apart as CouchDB does: cut at each `/`, empty segments left out, then decoded. Nothing is
//! collapsed: `..` is a name like any other.

use crate::serve::failure::Failure;

/// The segments of a path.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Failure> {
    path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
}

/// One segment. `+` is a space to CouchDB, in paths as well.
pub(in crate::serve::http) fn decode(segment: &str) -> Result<String, Failure> {
    let bytes = segment.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let digits = segment.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                decoded.push(value.ok_or_else(|| Failure::bad_request("invalid_url_encoding"))?);
                at += 2;
            }
            b'+' => decoded.push(b' '),
            other => decoded.push(*other),
        }
        at += 1;
    }
    String::from_utf8(decoded).map_err(|_| Failure::new(400, "illegal_docid", "Document id must be valid UTF-8"))
}

/// A segment as it stands in a `Location`.
pub(super) fn encode(name: &str) -> String {
    const PLAIN: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b':');
    percent_encoding::utf8_percent_encode(name, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_before_they_are_decoded() {
        let table: [(&str, &[&str]); 7] = [
            ("/", &[]),
            ("/db/a%2Fb", &["db", "a/b"]),
            ("//db///doc/", &["db", "doc"]),
            ("/db/../x", &["db", "..", "x"]),
            ("/db/%2E%2E/x", &["db", "..", "x"]),
            ("/db/a+b%2B", &["db", "a b+"]),
            ("/db/%C3%A4", &["db", "ä"]),
        ];
        for (path, expected) in table {
            assert_eq!(segments(path).unwrap(), expected, "{path}");
        }
        for bad in ["/%zz", "/a%", "/a%2", "/%+1", "/%FF", "/%C0%AF", "/%é"] {
            assert_eq!(segments(bad).unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn names_survive_a_location() {
        for name in ["a/b", "..", "ä+ %", "x~y"] {
            assert_eq!(segments(&format!("/{}", encode(name))).unwrap(), [name]);
        }
    }
}
