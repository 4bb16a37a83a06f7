//! A mirror in words and figures.

use serde_json::{Map, Value};

use crate::mark::Mark;
use crate::plan::{FileChange, Mirror};
use crate::report::{Listing, PlanLine, human_size, thousands};

/// The lines of a plan; what is only on the target and stays there is for a note.
pub(in crate::commands) fn listing(plan: &Mirror, whole: bool) -> Listing {
    let lines = plan.changes.iter().filter(|change| change.fate.mark != Mark::Kept).map(line);
    let bytes = plan.transfers().map(|change| change.bytes).sum();
    Listing { lines: lines.collect(), same: plan.same, bytes, whole }
}

fn line(change: &FileChange) -> PlanLine {
    PlanLine {
        mark: change.fate.mark,
        path: change.path.to_string(),
        bytes: Some(change.bytes),
        reason: change.fate.reason.map(str::to_owned),
    }
}

/// The figures for `--json`.
pub(in crate::commands) fn fields(plan: &Mirror) -> Map<String, Value> {
    let marks = [Mark::New, Mark::Changed, Mark::Removed, Mark::Same, Mark::Kept, Mark::Conflict];
    marks.into_iter().map(|mark| (mark.word().to_owned(), Value::from(plan.count(mark)))).collect()
}

/// The end of a dry run.
pub(in crate::commands) fn would(plan: &Mirror) -> String {
    let (bytes, removed) = (plan.transfers().map(|change| change.bytes).sum(), plan.count(Mark::Removed));
    let all = plan.same + plan.changes.len();
    format!(
        "Would send {} ({}), remove {removed} of {all}. Nothing was changed",
        files(plan.transfers().count()),
        human_size(bytes)
    )
}

/// So many files, in words.
pub(in crate::commands) fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{} files", thousands(count)) }
}
