//! A plan for people: one line per file, and the counts.

use std::collections::BTreeMap;

use super::{Change, Key, Plan};
use crate::mark::Mark;

/// One line of the list that people and JSON see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The sign in front.
    pub mark: Mark,
    /// The file.
    pub path: String,
    /// Bytes, summed over the members that come from this file.
    pub bytes: u64,
    /// Whether it is an attachment: only those have a size worth showing.
    pub is_attachment: bool,
    /// It replaces or removes something no base of ours knows.
    pub overwrites: bool,
}

/// How many files a plan adds, changes, removes and leaves alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `+`
    pub new: usize,
    /// `~`
    pub changed: usize,
    /// `-`
    pub removed: usize,
    /// `=`
    pub same: usize,
    /// `?`: on the server only, and left there.
    pub kept: usize,
    /// Bytes of what is new or changed.
    pub bytes: u64,
    /// Bytes of attachments that stay.
    pub unchanged_bytes: u64,
}

/// One line per path, sorted by path: a `.json` file may hold many leaves.
pub fn lines(plan: &Plan) -> Vec<Line> {
    let mut by_path: BTreeMap<&str, Line> = BTreeMap::new();
    for change in &plan.changes {
        let line = line(change);
        by_path
            .entry(&change.path)
            .and_modify(|known| {
                known.mark = known.mark.and(line.mark);
                known.bytes += line.bytes;
                known.overwrites |= line.overwrites;
            })
            .or_insert(line);
    }
    by_path.into_values().collect()
}

fn line(change: &Change) -> Line {
    Line {
        mark: change.mark,
        path: change.path.clone(),
        bytes: change.bytes,
        is_attachment: matches!(change.key, Key::Attachment(_)),
        overwrites: change.overwrites,
    }
}

impl Counts {
    /// Counts `lines`.
    pub fn of(lines: &[Line]) -> Self {
        let mut counts = Self::default();
        for line in lines {
            match line.mark {
                Mark::New => counts.new += 1,
                Mark::Changed | Mark::Conflict => counts.changed += 1,
                Mark::Removed => counts.removed += 1,
                Mark::Same => counts.same += 1,
                Mark::Kept | Mark::Ignored => counts.kept += 1,
            }
            match line.mark {
                Mark::New | Mark::Changed => counts.bytes += line.bytes,
                Mark::Same | Mark::Kept if line.is_attachment => counts.unchanged_bytes += line.bytes,
                _ => {}
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_of_one_file_are_one_line() {
        let change = |path: &str, mark, bytes: u64| Change {
            key: Key::Member(vec![path.into(), bytes.to_string()]),
            mark,
            path: path.into(),
            bytes,
            overwrites: false,
        };
        let plan = Plan {
            changes: vec![
                change("couchapp.json", Mark::New, 3),
                change("couchapp.json", Mark::Same, 4),
                change("a", Mark::New, 1),
            ],
            metadata: false,
        };
        let lines: Vec<Line> = lines(&plan);
        let seen: Vec<(char, &str, u64)> =
            lines.iter().map(|line| (line.mark.letter(), line.path.as_str(), line.bytes)).collect();
        assert_eq!(seen, [('+', "a", 1), ('~', "couchapp.json", 7)]);
        let counts = Counts::of(&lines);
        assert_eq!((counts.new, counts.changed, counts.bytes), (1, 1, 8));
    }
}
