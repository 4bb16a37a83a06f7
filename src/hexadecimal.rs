//! Bytes as lower-case hexadecimal, the way md5 and sha256 sums are written in documents and state files.

/// Two digits a byte.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The opposite of [`encode`] for a sum of `LENGTH` bytes; `None` when `text` is something else.
pub fn decode<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    if text.len() != 2 * LENGTH || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let bytes = [0, 1, 0x7f, 0xff];
        assert_eq!(encode(&bytes), "00017fff");
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
        for bad in ["", "0", "zzzzzzzz", "é0000000", "+1+1+1+1", "0001"] {
            assert_eq!(decode::<4>(bad), None, "{bad:?}");
        }
    }
}
