//! Waiting for a condition: the one place where a test looks again.

use std::time::{Duration, Instant};

/// After this a test has waited in vain. A machine may have much else to do, and CouchDB begins and ends replications with
/// seconds of jitter.
pub(crate) const LONGEST: Duration = Duration::from_mins(2);

/// Who looks without a pause takes the processor from what is waited for.
const PAUSE: Duration = Duration::from_millis(2);

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut suits: impl FnMut() -> bool) {
    until_found(what, || suits().then_some(()));
}

/// Waits until there is something.
#[track_caller]
pub(crate) fn until_found<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_found_or(|| what.to_owned(), look)
}

/// The same; what is told when it was in vain is found out then.
#[track_caller]
pub(crate) fn until_found_or<T>(in_vain: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LONGEST, "waited in vain: {}", in_vain());
        std::thread::sleep(PAUSE);
    }
}
