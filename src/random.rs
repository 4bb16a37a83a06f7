//! Numbers nobody can guess: for boundaries, jitter, and names that must not meet others.

use std::hash::{BuildHasher, RandomState};

/// 64 random bits: a keyed hash of nothing. The standard library takes the key from the operating system and changes it
/// with every `RandomState`.
pub fn number() -> u64 {
    RandomState::new().hash_one(())
}

/// 64 random bits as 16 hexadecimal digits.
pub fn hexadecimal() -> String {
    format!("{:016x}", number())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn numbers_differ() {
        let numbers: HashSet<String> = (0..100).map(|_| super::hexadecimal()).collect();
        assert_eq!(numbers.len(), 100);
        assert!(numbers.iter().all(|number| number.len() == 16));
    }
}
