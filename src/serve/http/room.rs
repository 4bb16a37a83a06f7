//! How much memory the bodies of requests may take, all of them together.
//!
//! JSON takes many times the room of its text once it is parsed, so both are counted before they are held. Who finds no room
//! waits for a while. What was taken is given back when the request ends.

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::body::too_large;
use crate::serve::failure::Failure;

/// One permit, in bytes.
const UNIT: usize = 16 << 10;
/// All there is, in permits: 256 MiB.
const ALL: usize = (256 << 20) / UNIT;
/// How long is waited for room.
const PATIENCE: Duration = Duration::from_secs(20);

/// For the whole process, as its memory is.
static ROOM: Semaphore = Semaphore::const_new(ALL);

tokio::task_local! {
    static TAKEN: RefCell<Vec<SemaphorePermit<'static>>>;
}

/// Carries out a request; what is kept meanwhile is given back at its end.
pub(super) async fn during<F: Future>(request: F) -> F::Output {
    TAKEN.scope(RefCell::default(), request).await
}

/// Room that was taken.
#[derive(Default)]
pub(super) struct Room {
    permit: Option<SemaphorePermit<'static>>,
    used: usize,
}

impl Room {
    /// Takes room for more bytes.
    pub(super) async fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        self.used += bytes;
        let has = self.permit.as_ref().map_or(0, SemaphorePermit::num_permits);
        let wanted = self.used.div_ceil(UNIT);
        if wanted > ALL {
            return Err(too_large());
        }
        let Ok(missing) = u32::try_from(wanted.saturating_sub(has)) else { return Err(too_large()) };
        if missing == 0 {
            return Ok(());
        }
        let more = timeout(PATIENCE, ROOM.acquire_many(missing)).await;
        let more = more.ok().and_then(Result::ok).ok_or_else(busy)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Gives back what is more than so many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        self.used = bytes;
        let wanted = bytes.div_ceil(UNIT);
        if let Some(permit) = &mut self.permit {
            drop(permit.split(permit.num_permits().saturating_sub(wanted)));
        }
    }

    /// Keeps it until the request ends.
    pub(super) fn keep(self) {
        // Outside of a request there is nothing to wait for.
        let _ = TAKEN.try_with(|taken| taken.borrow_mut().extend(self.permit));
    }
}

fn busy() -> Failure {
    Failure::new(503, "service_unavailable", "other requests take up all the room")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_no_room_at_all_is_too_large() {
        let mut room = Room::default();
        room.grow(1 << 20).await.unwrap();
        room.grow(1).await.unwrap();
        assert_eq!(room.permit.as_ref().map(SemaphorePermit::num_permits), Some((1 << 20) / UNIT + 1));
        room.shrink(UNIT + 1);
        assert_eq!(room.permit.as_ref().map(SemaphorePermit::num_permits), Some(2));
        assert_eq!(room.grow(ALL * UNIT).await.unwrap_err().status, 413);
    }
}
