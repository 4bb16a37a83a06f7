//! Points in the history of a database, as clients see them: `7-…`, the number of the change and a mark of the database, so
//! that the sequence of another database (or of one that was removed and made again) is not taken for one of this.

use crate::hexadecimal;
use crate::serve::failure::Failure;
use crate::serve::users::password::seal;

/// The text of a sequence.
pub(in crate::serve) fn text(instance: u64, sequence: u64) -> String {
    format!("{sequence}-{}", mark(instance))
}

fn mark(instance: u64) -> String {
    hexadecimal::encode(&seal(&instance.to_be_bytes(), b"sequence")[..16])
}

/// The number of a sequence that a client was given. That of another database is the beginning, as in CouchDB.
///
/// # Errors
/// 400 for what never was a sequence; a plain number but 0 is none to CouchDB either.
pub(in crate::serve) fn parse(text: &str, instance: u64) -> Result<u64, Failure> {
    let malformed = || Failure::bad_request("Malformed sequence supplied in 'since' parameter.");
    let plain = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let (number, mark) = plain.split_once('-').map_or((plain, None), |(number, mark)| (number, Some(mark)));
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let number = number.parse().unwrap_or(u64::MAX);
    match mark {
        None if text == "0" => Ok(0),
        Some(mark) if mark == self::mark(instance) => Ok(number),
        Some(mark) if hexadecimal::decode::<16>(mark).is_some() => Ok(0),
        None | Some(_) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::couch::Sequence;

    #[test]
    fn sequences_come_back() {
        for number in [0, 1, 7, u64::MAX] {
            let text = text(5, number);
            assert_eq!(parse(&text, 5).unwrap(), number);
            assert_eq!(parse(&format!("\"{text}\""), 5).unwrap(), number);
            assert_eq!(parse(&text, 6).unwrap(), 0, "of another database");
        }
    }

    #[test]
    fn clients_can_compare_them() {
        let of = |number| Sequence::new(&format!("\"{}\"", text(5, number))).unwrap();
        assert!(of(9).is_behind(&of(10)));
        assert_eq!(of(10).writes_since(&of(7)), Some(3));
    }

    #[test]
    fn garbage_is_refused() {
        assert_eq!(parse("0", 5).unwrap(), 0);
        for bad in
            ["1", "999", "\"0\"", "", "abc", "-1", "3-", "3-abc", "3-g1AAAA", "1.5", "now ", "\"", "[3]", "null", "3 "]
        {
            assert_eq!(parse(bad, 5).unwrap_err().status.as_u16(), 400, "{bad:?}");
        }
    }
}
