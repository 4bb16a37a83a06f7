//! The one table of what is worth another try, and the waits between tries.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::{Effect, Fault};
use super::{CouchError, Network, Notice};
use crate::random;

/// What to do after a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send it again.
    Again,
    /// Look whether it was carried out, and send it again if not.
    Recognise,
    /// Report it.
    Stop,
}

/// Whether doing a request twice is the same as doing it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It is: reading, setting a value.
    Harmless,
    /// It is not: writing a document.
    Recognise,
}

/// The table: rows are what a try may have done, columns whether it may be done twice.
pub(super) fn next(effect: Effect, repeat: Repeat) -> Next {
    match (effect, repeat) {
        (Effect::Final, _) => Next::Stop,
        (Effect::None, _) | (Effect::Unknown | Effect::Failed, Repeat::Harmless) => Next::Again,
        (Effect::Unknown | Effect::Failed, Repeat::Recognise) => Next::Recognise,
    }
}

/// A 500 is rarely gone at the third try: often it is a broken `validate_doc_update`.
const RETRIES_AFTER_500: u32 = 2;
/// What a server may ask for by `Retry-After`.
const LONGEST_REQUESTED: Duration = Duration::from_mins(1);

/// The tries of one request.
pub(super) struct Attempts<'a> {
    network: &'a Network,
    request: String,
    begun: Instant,
    retries: u32,
    failures: u32,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(network: &'a Network, request: String) -> Self {
        Self { network, request, begun: Instant::now(), retries: 0, failures: 0 }
    }

    /// Waits before the next try, or gives the error back when there has been enough of it.
    pub(super) async fn again(&mut self, fault: Fault) -> Result<(), CouchError> {
        self.failures += u32::from(fault.effect == Effect::Failed);
        let wait = self.wait(fault.retry_after);
        let over = self.begun.elapsed() + wait > self.network.backoff.total;
        if self.retries >= self.network.retries || self.failures > RETRIES_AFTER_500 || over {
            return Err(fault.error);
        }
        self.retries += 1;
        self.tell(Notice::Retrying {
            wait,
            attempt: self.retries,
            of: self.network.retries,
            cause: fault.error.cause(),
            request: self.request.clone(),
        });
        match &self.network.pause {
            Some(pause) => pause(wait).await,
            None => tokio::time::sleep(wait).await,
        }
        Ok(())
    }

    /// Says that a document is read to see what became of a write.
    pub(super) fn recognising(&self, fault: &Fault) {
        self.tell(Notice::Recognising { cause: fault.error.cause(), request: self.request.clone() });
    }

    fn tell(&self, notice: Notice) {
        tracing::debug!(?notice, "try failed");
        if let Some(observer) = &self.network.observer {
            observer(notice);
        }
    }

    /// Full jitter: anything up to the exponential bound, so that many clients do not come back at once.
    /// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
    fn wait(&self, requested: Option<Duration>) -> Duration {
        let backoff = self.network.backoff;
        let bound = backoff.first.saturating_mul(1 << self.retries.min(20)).min(backoff.longest);
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        let jittered = Duration::from_micros(random::number() % micros.saturating_add(1).max(1));
        requested.map_or(jittered, |requested| jittered.max(requested.min(LONGEST_REQUESTED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        use Effect::{Failed, Final, None, Unknown};
        let rows = [
            (None, Next::Again, Next::Again),
            (Unknown, Next::Again, Next::Recognise),
            (Failed, Next::Again, Next::Recognise),
            (Final, Next::Stop, Next::Stop),
        ];
        for (effect, read, write) in rows {
            assert_eq!((next(effect, Repeat::Harmless), next(effect, Repeat::Recognise)), (read, write), "{effect:?}");
        }
    }

    #[test]
    fn waits_grow_and_have_an_end() {
        let network = Network::default();
        let mut attempts = Attempts::new(&network, String::new());
        for retry in 0..40 {
            attempts.retries = retry;
            let bound = Duration::from_millis(250).saturating_mul(1 << retry.min(20)).min(Duration::from_secs(30));
            assert!(attempts.wait(None) <= bound);
            assert!(attempts.wait(Some(Duration::from_secs(31))) >= Duration::from_secs(31));
            assert_eq!(attempts.wait(Some(Duration::from_hours(24))), LONGEST_REQUESTED);
        }
    }
}
