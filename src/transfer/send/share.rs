//! What the progress of a transfer is told of one file: never more than the file was to have, whatever it takes to get it
//! there, and in the end exactly that.

use std::sync::atomic::{AtomicU64, Ordering};

/// One file's part of the progress.
pub(super) struct Share<'a> {
    progress: &'a (dyn Fn(i64) + Send + Sync),
    /// The length that was announced, in bytes.
    length: u64,
    told: AtomicU64,
}

impl<'a> Share<'a> {
    /// Nothing is told yet of a file of this length.
    pub(super) fn new(progress: &'a (dyn Fn(i64) + Send + Sync), length: u64) -> Self {
        Self { progress, length, told: AtomicU64::new(0) }
    }

    /// So many bytes have been sent by the present try: more than before, or fewer where it had to begin anew.
    pub(super) fn set(&self, sent: u64) {
        let sent = sent.min(self.length);
        let told = self.told.swap(sent, Ordering::Relaxed);
        let [sent, told] = [sent, told].map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        if sent != told {
            (self.progress)(sent - told);
        }
    }

    /// The file is settled, well or not.
    pub(super) fn close(&self) {
        self.set(self.length);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;

    #[test]
    fn tries_are_taken_back_and_nothing_counts_twice() {
        let sum = AtomicI64::new(0);
        let progress = |bytes: i64| {
            sum.fetch_add(bytes, Ordering::Relaxed);
        };
        let told = || sum.load(Ordering::Relaxed);
        let share = Share::new(&progress, 100);
        for (sent, expected) in [(0, 0), (60, 60), (0, 0), (40, 40), (2000, 100), (0, 0), (7, 7)] {
            share.set(sent);
            assert_eq!(told(), expected, "{sent}");
        }
        share.close();
        share.close();
        assert_eq!(told(), 100);
    }
}
