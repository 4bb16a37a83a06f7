//! A mirror in words and figures.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::commands::Context;
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

/// The end of a dry run; `verb` is what happens to the files.
pub(in crate::commands) fn would(plan: &Mirror, verb: &str) -> String {
    let (bytes, removed) = (plan.transfers().map(|change| change.bytes).sum(), plan.count(Mark::Removed));
    let all = plan.same + plan.changes.len() - plan.count(Mark::New);
    format!(
        "Would {verb} {} ({}), remove {removed} of {all}. Nothing was changed",
        files(plan.transfers().count()),
        human_size(bytes)
    )
}

/// What a dry run says of the question that the real run will ask.
pub(in crate::commands) fn foretell(context: &Context, question: &str) {
    if !context.settings.yes {
        context.printer.note(&format!("The real run asks (`--yes` confirms it): {question}"));
    }
}

/// What a run did, in words: `Sent 3 files (1.2 MiB), removed 1 in 0.4 s; 8 unchanged`.
pub(in crate::commands) fn outcome(done: &[(usize, String)], same: usize, elapsed: Duration) -> String {
    let done: Vec<&str> = done.iter().filter(|(count, _)| *count > 0).map(|(_, words)| words.as_str()).collect();
    let words = if done.is_empty() { "nothing was done".to_owned() } else { done.join(", ") };
    let mut characters = words.chars();
    let capital = characters.next().map(|first| first.to_ascii_uppercase()).into_iter();
    let words: String = capital.chain(characters).collect();
    let same = if same == 0 { String::new() } else { format!("; {} unchanged", thousands(same)) };
    format!("{words} in {:.1} s{same}", elapsed.as_secs_f64())
}

/// So many files, in words.
pub(in crate::commands) fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{} files", thousands(count)) }
}
