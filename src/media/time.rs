//! Times as documents hold them.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// A moment as RFC 3339 in UTC, with as many of nine fractional digits as it needs: `2010-09-19T11:47:23.5Z`.
pub(super) fn to_text(nanoseconds: i64) -> String {
    // Every `i64` of nanoseconds lies within the years 1677 to 2262, far inside what a timestamp holds.
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default().to_string()
}

/// The opposite of [`to_text`], in any offset; nanoseconds since 1970. `None` beyond the years 1677 to 2262.
pub(super) fn from_text(text: &str) -> Option<i64> {
    let moment: Timestamp = text.parse().ok()?;
    i64::try_from(moment.as_nanosecond()).ok()
}

/// A camera's `2010:09:18 16:02:11` as local time without a zone: `2010-09-18T16:02:11`. `None` for what is no time:
/// cameras whose clock was never set write zeros or blanks.
pub(super) fn taken(text: &str) -> Option<String> {
    let bytes = text.trim_matches(['\0', ' ']);
    let (date, time) = bytes.split_once([' ', 'T'])?;
    let mut moment = Vec::with_capacity(6);
    for part in date.split([':', '-']).chain(time.split(':')) {
        let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        moment.push(if is_number { part.parse::<i16>().ok()? } else { return None });
    }
    let [year, month, day, hour, minute, second] = moment[..] else { return None };
    let small = |number: i16| i8::try_from(number).ok();
    // The year 0 is in the calendar, but no camera was there.
    if year == 0 {
        return None;
    }
    let moment = DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0);
    moment.ok().map(|moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_have_the_digits_they_need() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (1_284_896_843_000_000_000, "2010-09-19T11:47:23Z"),
            (1_284_896_843_500_000_000, "2010-09-19T11:47:23.5Z"),
            (1_284_896_843_000_000_001, "2010-09-19T11:47:23.000000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
        ];
        for (nanoseconds, text) in cases {
            assert_eq!(to_text(nanoseconds), text);
            assert_eq!(from_text(text), Some(nanoseconds), "{text}");
        }
    }

    #[test]
    fn other_tools_may_write_an_offset_but_not_leave_it_out() {
        assert_eq!(from_text("2010-09-19T13:47:23+02:00"), Some(1_284_896_843_000_000_000));
        for bad in ["", "2010-09-19T11:47:23", "yesterday", "2010-13-19T11:47:23Z", "9999-01-01T00:00:00Z", "\0Z"] {
            assert_eq!(from_text(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_camera_without_a_clock_took_no_time() {
        assert_eq!(taken("2010:09:18 16:02:11").unwrap(), "2010-09-18T16:02:11");
        assert_eq!(taken("2010-09-18T16:02:11\0").unwrap(), "2010-09-18T16:02:11");
        let bad =
            ["", "    :  :     :  :  ", "0000:00:00 00:00:00", "2010:02:30 10:00:00", "2010:09:18", "x", "2010:9"];
        for bad in bad {
            assert_eq!(taken(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn moments_come_back(nanoseconds: i64) {
            prop_assert_eq!(from_text(&to_text(nanoseconds)), Some(nanoseconds));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}|[-0-9:TZ +.]{0,30}") {
            let (_, _) = (from_text(&text), taken(&text));
        }
    }
}
