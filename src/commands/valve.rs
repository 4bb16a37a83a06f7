//! `--max-delete`, and what is said when a safety valve closes.

use crate::exit::{Exit, Failure};
use crate::plan::{Limit, Refusal};
use crate::settings::values::MaxDelete;

/// The limit that `--max-delete` sets; without it, the built-in one.
pub(super) fn limit(max_delete: Option<MaxDelete>) -> Limit {
    match max_delete {
        None => Limit::default(),
        Some(MaxDelete::Count(count)) => Limit::Count(count),
        Some(MaxDelete::Percent(percent)) => Limit::Percent(percent),
        Some(MaxDelete::All) => Limit::All,
    }
}

/// The failure for a plan that a safety valve stopped.
pub(super) fn refused(refusal: &Refusal) -> anyhow::Error {
    let failure = Failure::new(Exit::Refused, refusal.to_string()).because(refusal.clone());
    match refusal {
        Refusal::EmptySource { .. } => failure.hint("check the path; `--allow-empty` if you mean it"),
        Refusal::TooMany { removed, .. } => {
            failure.hint(format!("check the folder; `--max-delete {removed}` if you mean it"))
        }
    }
    .into()
}
