//! A plan's lines as the reporter shows them.

use crate::mark::Mark;
use crate::plan::{Counts, Line};
use crate::report::{Listing, PlanLine};

/// The listing of `lines`.
pub(super) fn listing(lines: &[Line], counts: &Counts) -> Listing {
    let shown = lines.iter().map(|line| {
        let reason = match line.mark {
            Mark::Kept => Some("only on the server, kept"),
            _ => line.overwrites.then_some("overwrites"),
        };
        let sized = line.is_attachment && matches!(line.mark, Mark::New | Mark::Changed);
        PlanLine {
            mark: line.mark,
            path: line.path.clone(),
            bytes: sized.then_some(line.bytes),
            reason: reason.map(str::to_owned),
        }
    });
    Listing { lines: shown.collect(), same: counts.same, bytes: counts.bytes, whole: false }
}
