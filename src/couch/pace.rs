//! A limit of bytes per second, shared by everything that goes the same way.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets bytes pass at a steady rate. What was not used is not saved up, so there are no bursts.
#[derive(Debug)]
pub struct Pace {
    /// Bytes per second; never 0.
    rate: u64,
    /// When the next bytes may pass.
    free: Mutex<Instant>,
}

impl Pace {
    /// At most `rate` bytes per second (at least 1).
    pub fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), free: Mutex::new(Instant::now()) }
    }

    /// The largest piece that does not take more than a second, in bytes.
    pub(super) fn piece(&self) -> usize {
        usize::try_from(self.rate).unwrap_or(usize::MAX)
    }

    /// Comes back when `bytes` more may have passed.
    pub(super) async fn pass(&self, bytes: usize) {
        let until = self.book(bytes, Instant::now());
        sleep_until(until).await;
    }

    /// When `bytes` will have passed, if they begin as soon as possible.
    fn book(&self, bytes: usize, now: Instant) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let nanoseconds = u128::from(bytes as u64) * 1_000_000_000 / u128::from(self.rate);
        *free = (*free).max(now) + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        *free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_queue_up_and_idle_time_is_not_saved() {
        let pace = Pace::new(1000);
        let start = Instant::now() + Duration::from_mins(1);
        assert_eq!(pace.book(500, start), start + Duration::from_millis(500));
        assert_eq!(pace.book(500, start), start + Duration::from_secs(1));
        let later = start + Duration::from_secs(10);
        assert_eq!(pace.book(1000, later), later + Duration::from_secs(1));
        assert_eq!(Pace::new(0).piece(), 1);
    }
}
