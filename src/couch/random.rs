//! Numbers nobody can guess, for boundaries and jitter.

use std::hash::{BuildHasher, RandomState};

/// 64 random bits: a keyed hash of nothing. The standard library takes the key from the operating system and changes it
/// with every `RandomState`.
pub(super) fn number() -> u64 {
    RandomState::new().hash_one(())
}

/// 128 random bits as 32 hexadecimal digits: no content can be expected to hold them.
pub(super) fn boundary() -> String {
    format!("{:016x}{:016x}", number(), number())
}

#[cfg(test)]
mod tests {
    #[test]
    fn boundaries_differ() {
        let boundaries: std::collections::HashSet<String> = (0..100).map(|_| super::boundary()).collect();
        assert_eq!(boundaries.len(), 100);
        assert!(boundaries.iter().all(|boundary| boundary.len() == 32));
    }
}
