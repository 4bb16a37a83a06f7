//! What is told of a transfer while it goes on: how much of a write was sent, and why a single file failed.

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

/// An error with its causes, in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
