//! A plan's lines as the reporter shows them.

use crate::plan::{self, Counts, Line};
use crate::report::{Listing, Mark, PlanLine};

/// The listing of `lines`: what stays is only counted.
pub(super) fn listing(lines: &[Line], counts: &Counts) -> Listing {
    let shown = lines.iter().filter_map(|line| {
        let mark = match line.mark {
            plan::Mark::New => Mark::Add,
            plan::Mark::Changed => Mark::Change,
            plan::Mark::Removed => Mark::Remove,
            plan::Mark::Same => Mark::Same,
            plan::Mark::Kept => return None,
        };
        let reason = line.overwrites.then(|| "overwrites".to_owned());
        let sized = line.is_attachment && line.mark != plan::Mark::Removed;
        Some(PlanLine { mark, path: line.path.clone(), bytes: sized.then_some(line.bytes), reason })
    });
    Listing { lines: shown.collect(), same: counts.same, bytes: counts.bytes, whole: false }
}
