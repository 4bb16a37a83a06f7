//! How much of a write was sent, for the reporter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::couch::Progress;

/// The client tells how much of the current try was sent; a retry begins anew.
pub(super) fn forward(progress: &crate::report::Progress) -> Progress {
    let (progress, shown) = (progress.clone(), AtomicU64::new(0));
    Arc::new(move |sent, _| {
        let before = shown.swap(sent, Ordering::Relaxed);
        match sent.checked_sub(before) {
            Some(more) => progress.add(more),
            None => progress.take_back(before - sent),
        }
    })
}
