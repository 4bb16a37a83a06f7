//! Sizes as people read them.

/// `812 B`, `4.1 KiB`, `30.1 MiB`: binary units, one decimal.
pub fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths of the unit, rounded; a value that rounds up to 1024.0 belongs to the next unit.
    let mut shift = 10;
    for unit in UNITS {
        let tenths = ((u128::from(bytes) * 10) + (1 << (shift - 1))) >> shift;
        if tenths < 10_240 || unit == "EiB" {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        shift += 10;
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::human_size;

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
    }
}
