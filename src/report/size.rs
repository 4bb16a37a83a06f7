//! Sizes as people read them.

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `812 B`, `4.1 KiB`, `30.1 MiB`: binary units, one decimal.
pub fn human_size(bytes: u64) -> String {
    let unit = unit_of(bytes);
    format!("{} {}", number(bytes, unit), name(unit))
}

/// `23.4 of 30.1 MiB`: both in the unit of the whole, joined by `between`.
pub(super) fn human_share(part: u64, whole: u64, between: &str) -> String {
    let unit = unit_of(whole.max(part));
    format!("{}{between}{} {}", number(part, unit), number(whole, unit), name(unit))
}

/// How often 1024 goes into it. What rounds up to 1024.0 of a unit is 1.0 of the next.
fn unit_of(bytes: u64) -> usize {
    (1..=UNITS.len()).rev().find(|unit| tenths(bytes, unit - 1) >= 10_240).unwrap_or(usize::from(bytes >= 1024))
}

fn tenths(bytes: u64, unit: usize) -> u128 {
    let scale = 1u128 << (10 * unit);
    (u128::from(bytes) * 10 + scale / 2) / scale
}

fn number(bytes: u64, unit: usize) -> String {
    if unit == 0 {
        return bytes.to_string();
    }
    let tenths = tenths(bytes, unit);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn name(unit: usize) -> &'static str {
    unit.checked_sub(1).map_or("B", |index| UNITS[index])
}

/// A number of things, of either kind that numbers of things have.
pub struct Count(u128);

impl From<u64> for Count {
    fn from(count: u64) -> Self {
        Self(count.into())
    }
}

impl From<usize> for Count {
    fn from(count: usize) -> Self {
        Self(count as u128)
    }
}

/// A count with its digits in groups: `20,000`.
pub fn thousands(count: impl Into<Count>) -> String {
    let digits = count.into().0.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_with_one_decimal() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (4198, "4.1 KiB"),
            (1_048_524, "1023.9 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_843_201, "1.8 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human_size(bytes), text);
        }
        assert_eq!(human_share(24_536_678, 31_562_137, "/"), "23.4/30.1 MiB");
        assert_eq!(human_share(0, 0, " of "), "0 of 0 B");
        assert_eq!(human_share(10, 2048, " of "), "0.0 of 2.0 KiB");
    }
}
