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

/// An error with its causes, in one line. A failure says the same as the error that it explains: that is said once.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        texts.push(inner.to_string());
        cause = inner.source();
    }
    texts.dedup();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{Exit, Failure};

    #[test]
    fn what_is_said_twice_is_said_once() {
        let error = Failure::new(Exit::Missing, "no database").because(std::io::Error::other("404"));
        let failure = Failure::new(Exit::Missing, "no database").because(error);
        assert_eq!(chain(&failure), "no database: 404");
    }
}
