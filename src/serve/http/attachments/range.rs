//! Which bytes of an attachment are asked for (`chttpd_db:parse_ranges`). Pure.

use std::num::IntErrorKind;

use axum::http::{HeaderMap, header};

use crate::serve::failure::Failure;

/// More ranges than that are answered with everything.
const MOST: usize = 10;

/// What a `Range` header asks for; ends are included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ranges {
    /// Everything: there is no header, or none that is understood, or it is not worth it.
    Whole,
    /// From here to there.
    One(u64, u64),
    /// Several.
    Many(Vec<(u64, u64)>),
}

/// Reads the header for an attachment of `length` bytes.
pub(super) fn of(headers: &HeaderMap, length: u64) -> Result<Ranges, Failure> {
    match headers.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(text) => parse(text, length),
        None => Ok(Ranges::Whole),
    }
}

fn parse(text: &str, length: u64) -> Result<Ranges, Failure> {
    let Some(items) = text.trim().strip_prefix("bytes=") else { return Ok(Ranges::Whole) };
    let mut ranges = Vec::new();
    for item in items.split(',').filter(|item| !item.is_empty()) {
        let Some((from, to)) = item.trim().split_once('-') else { return Ok(Ranges::Whole) };
        let number = |text: &str| match text.parse::<u64>() {
            Ok(number) => Some(number),
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(u64::MAX),
            Err(_) => None,
        };
        let (from, to) = match (from, number(from), to, number(to)) {
            // From the very beginning to the end is everything.
            (_, Some(0), "", _) => return Ok(Ranges::Whole),
            (_, Some(from), "", _) => (from, length.saturating_sub(1)),
            // CouchDB never counts back to the very first byte.
            ("", _, _, Some(back)) => {
                let last = length.saturating_sub(1);
                (length - back.min(last), last)
            }
            (_, Some(from), _, Some(to)) if to < from => return Err(unsatisfiable()),
            (_, Some(from), _, Some(to)) => (from, to.min(length.saturating_sub(1))),
            _ => return Ok(Ranges::Whole),
        };
        if from > to || from >= length {
            return Err(unsatisfiable());
        }
        ranges.push((from, to));
    }
    Ok(match ranges.as_slice() {
        [(from, to)] => Ranges::One(*from, *to),
        many if many.len() < MOST => Ranges::Many(ranges),
        _ => Ranges::Whole,
    })
}

fn unsatisfiable() -> Failure {
    Failure::new(416, "requested_range_not_satisfiable", "Requested range not satisfiable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_couchdb() {
        let table = [
            ("bytes=2-4", Ranges::One(2, 4)),
            ("bytes=2-", Ranges::One(2, 9)),
            ("bytes=-3", Ranges::One(7, 9)),
            ("bytes=0-", Ranges::Whole),
            ("bytes=5-100", Ranges::One(5, 9)),
            ("bytes=1-2,4-5", Ranges::Many(vec![(1, 2), (4, 5)])),
            ("bytes=1-2, 4-5", Ranges::Many(vec![(1, 2), (4, 5)])),
            ("foo", Ranges::Whole),
            ("bytes=x-y", Ranges::Whole),
            ("bytes=", Ranges::Many(vec![])),
            ("bytes=-30", Ranges::One(1, 9)),
            ("bytes=-10", Ranges::One(1, 9)),
            ("bytes=-9", Ranges::One(1, 9)),
            ("lines=1-2", Ranges::Whole),
            ("bytes=5-99999999999999999999", Ranges::One(5, 9)),
            ("bytes=-99999999999999999999", Ranges::One(1, 9)),
            (&format!("bytes={}", ["1-2"; 12].join(",")), Ranges::Whole),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text, 10).unwrap(), expected, "{text}");
        }
        for text in ["bytes=20-", "bytes=4-2", "bytes=10-11", "bytes=99999999999999-"] {
            assert_eq!(parse(text, 10).unwrap_err().status, 416, "{text}");
        }
        assert_eq!(parse("bytes=1-", 0).unwrap_err().status, 416);
    }
}
