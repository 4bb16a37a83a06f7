//! Jobs on a terminal: a line for each that fits, none longer than the screen is wide.

use super::super::printer::clean;
use super::super::size::thousands;
use super::{JobLine, JobState};

/// So many rows are left to what was there before.
const SPARED: usize = 4;
/// The screen is not filled with jobs.
const MOST: usize = 24;

/// Columns and rows of the terminal.
pub(super) fn size() -> (usize, usize) {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stderr())
        && size.ws_col > 0
    {
        return (size.ws_col.into(), size.ws_row.into());
    }
    (80, 24)
}

/// All lines, or the sum of them and those that something can be said of.
pub(super) fn render(lines: &[JobLine], width: usize, height: usize) -> String {
    let rows = height.saturating_sub(SPARED).clamp(1, MOST);
    let width = width.saturating_sub(1).max(20);
    let (head, shown) = if lines.len() <= rows {
        (None, lines.iter().collect())
    } else {
        let mut shown: Vec<&JobLine> = lines.iter().filter(|line| weight(line) < 4).collect();
        shown.sort_by_key(|line| weight(line));
        shown.truncate(rows.saturating_sub(1));
        (Some(cut(&sum(lines), width)), shown)
    };
    let rest: Vec<String> =
        shown.iter().map(|line| format!("   {:9}  {}", line.state.words(), counts(line, false))).collect();
    let longest = rest.iter().map(|rest| rest.chars().count()).max().unwrap_or(0);
    let room = width.saturating_sub(longest).max(width / 3);
    let routes: Vec<String> = shown.iter().map(|line| route(line, room)).collect();
    let column = routes.iter().map(|route| route.chars().count()).max().unwrap_or(0);
    let row = |(route, rest): (&String, &String)| cut(&format!("{route:column$}{rest}"), width);
    head.into_iter().chain(routes.iter().zip(&rest).map(row)).collect::<Vec<String>>().join("\n")
}

/// `1,000 jobs: 2 running, 998 caught up   12,345 documents written   3 pending`
pub(super) fn sum(lines: &[JobLine]) -> String {
    let states = [
        JobState::Failed,
        JobState::Waiting,
        JobState::Running,
        JobState::Comparing,
        JobState::CaughtUp,
        JobState::Done,
        JobState::Stopped,
        JobState::Queued,
    ];
    let counted = states.into_iter().filter_map(|state| {
        let count = lines.iter().filter(|line| line.state == state).count();
        (count > 0).then(|| format!("{} {}", number(count), state.words()))
    });
    let counted = counted.collect::<Vec<String>>().join(", ");
    let total = JobLine {
        written: lines.iter().map(|line| line.written).sum(),
        refused: lines.iter().map(|line| line.refused).sum(),
        pending: Some(lines.iter().filter_map(|line| line.pending).sum()),
        ..JobLine::default()
    };
    format!("{} jobs: {counted}   {}", number(lines.len()), counts(&total, true))
}

/// `1,204 documents written   12 pending   1 refused`, without the noun where there is little room.
pub(super) fn counts(line: &JobLine, is_long: bool) -> String {
    let noun = match (is_long, line.written) {
        (false, _) => "",
        (true, 1) => " document",
        (true, _) => " documents",
    };
    let mut text = format!("{}{noun} written", thousands(line.written));
    if let Some(pending) = line.pending.filter(|pending| *pending > 0) {
        text.push_str(&format!("   {} pending", thousands(pending)));
    }
    if line.refused > 0 {
        text.push_str(&format!("   {} refused", thousands(line.refused)));
    }
    text
}

/// What people want to see first.
fn weight(line: &JobLine) -> u8 {
    match line.state {
        JobState::Failed => 0,
        JobState::Waiting => 1,
        _ if line.refused > 0 => 2,
        JobState::Running | JobState::Comparing => 3,
        JobState::CaughtUp | JobState::Queued | JobState::Done | JobState::Stopped => 4,
    }
}

/// `a → b`, with as much of both as there is room for: the ends of addresses tell databases apart.
fn route(line: &JobLine, room: usize) -> String {
    let (from, to) = (clean(&line.from), clean(&line.to));
    let whole = format!("{from} → {to}");
    if whole.chars().count() <= room {
        return whole;
    }
    let bare = |text: &str| text.split_once("://").map_or(text, |(_, rest)| rest).to_owned();
    let (from, to) = (bare(&from), bare(&to));
    let (long, other) = (from.chars().count(), to.chars().count());
    let room = room.saturating_sub(3);
    let half = room / 2;
    let given = long.min(room.saturating_sub(other.min(half)).max(half));
    format!("{} → {}", tail(&from, given), tail(&to, room.saturating_sub(given.min(long))))
}

fn tail(text: &str, room: usize) -> String {
    let length = text.chars().count();
    if length <= room {
        return text.to_owned();
    }
    let kept = room.saturating_sub(1);
    format!("…{}", text.chars().skip(length - kept).collect::<String>())
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(width.saturating_sub(1)).collect::<String>())
}

fn number(count: usize) -> String {
    thousands(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: &str, to: &str, state: JobState, written: u64) -> JobLine {
        JobLine { from: from.into(), to: to.into(), state, written, ..JobLine::default() }
    }

    #[test]
    fn lines_stand_in_columns_and_fit() {
        let lines = [
            line("dev", "http://couch.example.com:5984/photographs", JobState::Running, 1204),
            JobLine {
                pending: Some(3),
                ..line("http://couch.example.com:5984/photographs", "dev", JobState::CaughtUp, 1)
            },
        ];
        insta::assert_snapshot!(render(&lines, 120, 24), @r"
        dev → http://couch.example.com:5984/photographs   running    1,204 written
        http://couch.example.com:5984/photographs → dev   caught up  1 written   3 pending
        ");
        insta::assert_snapshot!(render(&lines, 70, 24), @r"
        dev → …xample.com:5984/photographs   running    1,204 written
        …xample.com:5984/photographs → dev   caught up  1 written   3 pending
        ");
        for width in 0..130 {
            for row in render(&lines, width, 24).lines() {
                assert!(row.chars().count() < width.max(21), "{width} {row}");
            }
        }
    }

    #[test]
    fn many_are_summed_up() {
        let mut lines: Vec<JobLine> = (0..1000).map(|n| line("a", &format!("b{n}"), JobState::CaughtUp, 2)).collect();
        lines[500].state = JobState::Waiting;
        lines[7].state = JobState::Running;
        insta::assert_snapshot!(render(&lines, 80, 24), @r"
        1,000 jobs: 1 waiting, 1 running, 998 caught up   2,000 documents written
        a → b500   waiting    2 written
        a → b7     running    2 written
        ");
        for line in &mut lines {
            line.state = JobState::Running;
        }
        assert_eq!(render(&lines, 80, 24).lines().count(), 20);
        assert_eq!(render(&lines, 80, 2).lines().count(), 1);
    }
}
