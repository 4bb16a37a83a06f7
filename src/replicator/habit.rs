//! What the documents of a source were like so far: where they all were small, the next ones are asked for together with
//! their attachments, which saves a request for their stubs first.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::group::LARGEST;

/// Documents that are larger than this on the average are looked at first.
const SMALL: usize = 64 << 10;
/// Nothing is expected.
const UNKNOWN: usize = usize::MAX;

/// The size that documents are expected to have together with their attachments.
pub(super) struct Habit(AtomicUsize);

impl Habit {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(UNKNOWN))
    }

    /// How many documents of the expected size go into one answer; `None` when they have to be looked at first.
    pub(super) fn at_once(&self) -> Option<usize> {
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => None,
            size => Some((LARGEST / size.max(1)).max(1)),
        }
    }

    /// Some documents came to so many bytes in all.
    pub(super) fn learn(&self, documents: usize, bytes: usize) {
        if let Some(average) = bytes.checked_div(documents) {
            self.0.store(if average <= SMALL { average } else { UNKNOWN }, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_documents_are_expected_after_small_ones() {
        let habit = Habit::new();
        assert_eq!(habit.at_once(), None, "nothing was seen");
        for (documents, bytes, expected) in [
            (500, 500 * 4096, Some(LARGEST / 4096)),
            (0, 0, Some(LARGEST / 4096)),
            (10, 0, Some(LARGEST)),
            (2, 2 * SMALL, Some(LARGEST / SMALL)),
            (2, 2 * SMALL + 2, None),
            (3, 30, Some(LARGEST / 10)),
        ] {
            habit.learn(documents, bytes);
            assert_eq!(habit.at_once(), expected, "{documents} documents, {bytes} bytes");
        }
    }
}
