//! The safety valves: plans that are refused although nothing is wrong with them.

use super::{Change, Key, Plan};
use crate::mark::Mark;

/// How much a push may remove: `--max-delete`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// The built-in valve: not more than half of what is there, once it is more than [`Limit::FEW`].
    #[default]
    Half,
    /// At most so many.
    Count(u64),
    /// At most so many percent of what is there.
    Percent(u8),
    /// No limit.
    All,
}

impl Limit {
    /// Up to so many removals never trip the built-in valve.
    pub const FEW: u64 = 10;

    fn allows(self, removed: u64, total: u64) -> bool {
        match self {
            Self::Half => removed <= Self::FEW || removed * 2 <= total,
            Self::Count(most) => removed <= most,
            Self::Percent(most) => removed * 100 <= total * u64::from(most),
            Self::All => true,
        }
    }
}

/// What the valves look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// How many things the source has.
    pub source: u64,
    /// How many things would go from the target.
    pub removed: u64,
    /// How many things the target has.
    pub total: u64,
    /// What they are, as in "attachments".
    pub what: &'static str,
}

/// Why a plan is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing on the source's side.
    #[error("the source is empty; refusing to remove all {total} {what}")]
    EmptySource {
        /// Things that are there.
        total: u64,
        /// What they are.
        what: &'static str,
    },
    /// More would be removed than allowed.
    #[error("this would remove {removed} of {total} {what}; refusing to remove {limit}")]
    TooMany {
        /// Things that would go.
        removed: u64,
        /// Things that are there.
        total: u64,
        /// What they are.
        what: &'static str,
        /// The valve, in words.
        limit: String,
    },
}

impl Removal {
    /// Checks it against the valves.
    pub fn check(&self, limit: Limit, allow_empty: bool) -> Result<(), Refusal> {
        let Self { source, removed, total, what } = *self;
        if source == 0 && removed > 0 && !allow_empty {
            return Err(Refusal::EmptySource { total, what });
        }
        if limit.allows(removed, total) {
            return Ok(());
        }
        let limit = match limit {
            Limit::Half | Limit::All => "more than half".to_owned(),
            Limit::Count(most) => format!("more than {most}"),
            Limit::Percent(most) => format!("more than {most} %"),
        };
        Err(Refusal::TooMany { removed, total, what, limit })
    }
}

/// Checks a push against the valves. One that sends nothing but removals of members is stopped as well.
pub fn guard(plan: &Plan, limit: Limit, allow_empty: bool) -> Result<(), Refusal> {
    let is_source = |change: &&Change| matches!(change.mark, Mark::New | Mark::Changed | Mark::Same);
    let source = plan.changes.iter().filter(is_source).count() as u64;
    let attachments = plan.changes.iter().filter(|change| matches!(change.key, Key::Attachment(_)));
    let (mut removed, mut total) = (0, 0);
    for change in attachments {
        removed += u64::from(change.mark == Mark::Removed);
        total += u64::from(change.mark != Mark::New);
    }
    if source == 0 && !plan.is_empty() && !allow_empty {
        return Err(Refusal::EmptySource { total, what: "attachments" });
    }
    Removal { source, removed, total, what: "attachments" }.check(limit, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AttName;

    fn plan(removed: u64, same: u64) -> Plan {
        let change = |index: u64, mark| Change {
            key: Key::Attachment(AttName::new(format!("{mark:?}{index}")).unwrap()),
            mark,
            path: String::new(),
            bytes: 0,
            overwrites: false,
        };
        let gone = (0..removed).map(|index| change(index, Mark::Removed));
        let stay = (0..same).map(|index| change(index, Mark::Same));
        Plan { changes: gone.chain(stay).collect(), metadata: false }
    }

    #[test]
    fn the_valve_closes_above_half_and_above_ten() {
        let cases = [
            (10, 0, Limit::Half, true),
            (11, 10, Limit::Half, false),
            (11, 11, Limit::Half, true),
            (41, 16, Limit::Half, false),
            (41, 16, Limit::Count(41), true),
            (41, 16, Limit::Count(40), false),
            (2, 8, Limit::Percent(20), true),
            (3, 7, Limit::Percent(20), false),
            (1, 0, Limit::Count(0), false),
            (999, 1, Limit::All, true),
        ];
        for (removed, same, limit, allowed) in cases {
            assert_eq!(guard(&plan(removed, same), limit, true).is_ok(), allowed, "{removed}, {same}, {limit:?}");
        }
    }

    #[test]
    fn an_empty_folder_never_empties_a_document_by_itself() {
        assert_eq!(guard(&plan(1, 0), Limit::All, false), Err(Refusal::EmptySource { total: 1, what: "attachments" }));
        let removal = Removal { source: 0, removed: 1, total: 3, what: "documents" };
        assert_eq!(removal.check(Limit::All, false), Err(Refusal::EmptySource { total: 3, what: "documents" }));
        assert_eq!(Removal { removed: 0, ..removal }.check(Limit::Half, false), Ok(()));
        assert_eq!(guard(&plan(1, 0), Limit::All, true), Ok(()));
        assert_eq!(guard(&Plan::default(), Limit::Half, false), Ok(()));
    }
}
