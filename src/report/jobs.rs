//! Jobs that go on side by side: a line for each, redrawn on a terminal; elsewhere a line when something is to be told.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use serde_json::{Map, Value, json};

use super::printer::{Printer, clean, lock};
use crate::secret::redact;
use crate::settings::ProgressStyle;

mod screen;

/// Between two lines of one job whose state is the same.
const LINES: Duration = Duration::from_secs(10);
/// More jobs than this have no lines of their own where nothing can be redrawn.
const MANY: usize = 20;
/// Between two events of one job whose state is the same.
const EVENTS: Duration = Duration::from_secs(1);

/// What a job does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobState {
    /// Its turn has not come.
    #[default]
    Queued,
    /// Documents are carried.
    Running,
    /// Both ends are compared.
    Comparing,
    /// There is nothing more at the moment.
    CaughtUp,
    /// After an error that may pass.
    Waiting,
    /// It is done.
    Done,
    /// It was stopped.
    Stopped,
    /// It ended with an error.
    Failed,
}

impl JobState {
    fn words(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Comparing => "comparing",
            Self::CaughtUp => "caught up",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// What is told of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobLine {
    /// What is read.
    pub from: String,
    /// What is written.
    pub to: String,
    /// What it does.
    pub state: JobState,
    /// Documents that were written.
    pub written: u64,
    /// Changes that are left, where that is known.
    pub pending: Option<u64>,
    /// Documents that were refused.
    pub refused: u64,
}

/// The lines of all jobs. They leave the screen when this is dropped.
pub struct Jobs {
    printer: Printer,
    shown: Mutex<Shown>,
}

struct Shown {
    lines: Vec<JobLine>,
    /// What was told last of each, and when.
    told: Vec<Option<(JobLine, Instant)>>,
    /// When all of them were told of in one line.
    summed: Option<(String, Instant)>,
    bar: Option<ProgressBar>,
    traffic: Option<Value>,
}

impl Jobs {
    /// Begins to show jobs.
    pub fn new(printer: &Printer, lines: Vec<JobLine>) -> Self {
        let bar = (printer.settings().progress == ProgressStyle::Bar).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            if let Ok(style) = BarStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            *lock(&printer.shared.bar) = Some(bar.clone());
            bar
        });
        let told = vec![None; lines.len()];
        Self { printer: printer.clone(), shown: Mutex::new(Shown { lines, told, summed: None, bar, traffic: None }) }
    }

    /// Changes the line of a job.
    pub fn update(&self, job: usize, change: impl FnOnce(&mut JobLine)) {
        self.update_at(job, Instant::now(), change);
    }

    /// Tells of a document that was not taken.
    pub fn refused(&self, job: usize, id: &str, revision: Option<&str>, reason: &str) {
        let mut fields = Map::new();
        fields.insert("job".to_owned(), job.into());
        fields.insert("id".to_owned(), id.into());
        if let Some(revision) = revision {
            fields.insert("rev".to_owned(), revision.into());
        }
        fields.insert("reason".to_owned(), redact(reason).into());
        self.printer.event("refused", Value::Object(fields));
        self.printer.note(&format!("refused: {id} ({reason})"));
    }

    /// Tells what went over the wire, if it is more than at the last time: requests by what they were for, and bytes.
    pub fn traffic(&self, requests: &[(&str, u64)], sent: u64, received: u64) {
        let requests: Map<String, Value> =
            requests.iter().map(|(name, count)| ((*name).to_owned(), Value::from(*count))).collect();
        let fields = json!({ "requests": requests, "sent": sent, "received": received });
        let before = lock(&self.shown).traffic.replace(fields.clone());
        if before.as_ref() != Some(&fields) {
            self.printer.event("traffic", fields);
        }
    }

    /// Takes the lines off the screen.
    pub fn finish(&self) {
        if let Some(bar) = lock(&self.shown).bar.take() {
            *lock(&self.printer.shared.bar) = None;
            bar.finish_and_clear();
        }
    }

    /// The line of a job.
    pub fn line(&self, job: usize) -> Option<JobLine> {
        lock(&self.shown).lines.get(job).cloned()
    }

    /// The lines as they are.
    pub fn lines(&self) -> Vec<JobLine> {
        lock(&self.shown).lines.clone()
    }

    fn update_at(&self, job: usize, now: Instant, change: impl FnOnce(&mut JobLine)) {
        let mut shown = lock(&self.shown);
        let Some(line) = shown.lines.get_mut(job) else { return };
        change(line);
        let line = line.clone();
        if let Some(bar) = &shown.bar {
            let (width, height) = screen::size();
            let text = screen::render(&shown.lines, width, height);
            // Servers are asked again and again, and mostly nothing is new.
            if bar.message() != text {
                bar.set_message(text);
            }
            return;
        }
        match self.printer.settings().progress {
            ProgressStyle::Lines if shown.lines.len() > MANY => self.sum_up(shown, now),
            ProgressStyle::Lines if shown.is_news(job, &line, now) => {
                shown.told[job] = Some((line.clone(), now));
                drop(shown);
                self.printer.note(&text(&line));
            }
            ProgressStyle::Json if shown.is_event(job, &line, now) => {
                shown.told[job] = Some((line.clone(), now));
                drop(shown);
                self.printer.event("job", Value::Object(fields(job, &line)));
            }
            _ => {}
        }
    }

    /// Many jobs are told of in one line, now and then.
    fn sum_up(&self, mut shown: std::sync::MutexGuard<'_, Shown>, now: Instant) {
        let recent = |(_, last): &(String, Instant)| now.saturating_duration_since(*last) < LINES;
        if shown.summed.as_ref().is_some_and(recent) {
            return;
        }
        let text = screen::sum(&shown.lines);
        let same = shown.summed.as_ref().is_some_and(|(told, _)| *told == text);
        shown.summed = Some((text.clone(), now));
        drop(shown);
        if !same {
            self.printer.note(&text);
        }
    }
}

impl Shown {
    /// Whether people are told. A job that has caught up once goes back and forth with every edit: that is told now and
    /// then.
    fn is_news(&self, job: usize, line: &JobLine, now: Instant) -> bool {
        let Some((told, last)) = &self.told[job] else { return true };
        let goes_on = told.state == JobState::CaughtUp && line.state == JobState::Running;
        told.state != line.state && !goes_on || told != line && now.saturating_duration_since(*last) >= LINES
    }

    fn is_event(&self, job: usize, line: &JobLine, now: Instant) -> bool {
        let Some((told, last)) = &self.told[job] else { return true };
        told.state != line.state || told != line && now.saturating_duration_since(*last) >= EVENTS
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.finish();
    }
}

/// `dev → prod   running   1,204 documents written   12 pending`
fn text(line: &JobLine) -> String {
    clean(&format!("{} → {}   {}   {}", line.from, line.to, line.state.words(), screen::counts(line, true)))
}

fn fields(job: usize, line: &JobLine) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("job".to_owned(), job.into());
    fields.insert("from".to_owned(), redact(&line.from).into());
    fields.insert("to".to_owned(), redact(&line.to).into());
    fields.insert("state".to_owned(), line.state.words().replace(' ', "_").into());
    fields.insert("written".to_owned(), line.written.into());
    if let Some(pending) = line.pending {
        fields.insert("pending".to_owned(), pending.into());
    }
    fields.insert("refused".to_owned(), line.refused.into());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::captured;

    fn told(style: ProgressStyle) -> (String, String) {
        let (printer, captured) = captured(|output| {
            output.progress = style;
            output.json = style == ProgressStyle::Json;
        });
        let line = |from: &str, to: &str| JobLine { from: from.into(), to: to.into(), ..JobLine::default() };
        let jobs = Jobs::new(&printer, vec![line("a", "http://bob:c4n4ry@h/b"), line("b", "a")]);
        let begin = Instant::now();
        let at = |second, job, state, written| {
            jobs.update_at(job, begin + Duration::from_secs(second), |line| {
                (line.state, line.written, line.pending) = (state, written, Some(1234 - written));
            });
        };
        at(0, 0, JobState::Running, 0);
        at(0, 1, JobState::Running, 1);
        at(0, 0, JobState::Running, 5);
        at(11, 0, JobState::Running, 1000);
        at(11, 0, JobState::CaughtUp, 1234);
        jobs.refused(0, "x\u{1b}[2J", Some("1-a"), "forbidden: no");
        jobs.update_at(0, begin, |line| line.refused = 1);
        (captured.out(), captured.err())
    }

    #[test]
    fn a_line_comes_when_there_is_something_to_tell() {
        let (out, err) = told(ProgressStyle::Lines);
        assert_eq!(out, "");
        insta::assert_snapshot!(err, @r"
        a → http://bob:****@h/b   running   0 documents written   1,234 pending
        b → a   running   1 document written   1,233 pending
        a → http://bob:****@h/b   running   1,000 documents written   234 pending
        a → http://bob:****@h/b   caught up   1,234 documents written
        refused: x\u{1b}[2J (forbidden: no)
        ");
        assert_eq!(told(ProgressStyle::None).1, "refused: x\\u{1b}[2J (forbidden: no)\n");
    }

    #[test]
    fn many_jobs_are_told_of_in_one_line() {
        let (printer, captured) = captured(|output| output.progress = ProgressStyle::Lines);
        let jobs = Jobs::new(&printer, vec![JobLine::default(); 1000]);
        let begin = Instant::now();
        for job in 0..1000 {
            jobs.update_at(job, begin, |line| line.state = JobState::Running);
        }
        for second in 0..100 {
            jobs.update_at(7, begin + Duration::from_secs(second), |line| {
                (line.state, line.written) = (JobState::CaughtUp, 5);
            });
        }
        insta::assert_snapshot!(captured.err(), @r"
        1,000 jobs: 1 running, 999 queued   0 documents written
        1,000 jobs: 999 running, 1 caught up   5 documents written
        ");
    }

    #[test]
    fn a_job_that_goes_back_and_forth_is_told_now_and_then() {
        let (printer, captured) = captured(|output| output.progress = ProgressStyle::Lines);
        let jobs = Jobs::new(&printer, vec![JobLine { from: "a".into(), to: "b".into(), ..JobLine::default() }]);
        let begin = Instant::now();
        for second in 0..25 {
            for state in [JobState::Running, JobState::CaughtUp] {
                jobs.update_at(0, begin + Duration::from_secs(second), |line| {
                    (line.state, line.written) = (state, second);
                });
            }
        }
        // An hour in which nothing happens.
        for second in 40..3600 {
            jobs.update_at(0, begin + Duration::from_secs(second), |_| {});
        }
        insta::assert_snapshot!(captured.err(), @r"
        a → b   running   0 documents written
        a → b   caught up   0 documents written
        a → b   running   10 documents written
        a → b   caught up   10 documents written
        a → b   running   20 documents written
        a → b   caught up   20 documents written
        a → b   caught up   24 documents written
        ");
    }

    #[test]
    fn traffic_is_told_when_there_was_some() {
        let (printer, captured) = captured(|output| (output.progress, output.json) = (ProgressStyle::Json, true));
        let jobs = Jobs::new(&printer, Vec::new());
        for received in [7, 7, 8] {
            jobs.traffic(&[("reads", 1), ("writes", 2)], 5, received);
        }
        insta::assert_snapshot!(captured.out(), @r#"
        {"v":1,"type":"traffic","requests":{"reads":1,"writes":2},"sent":5,"received":7}
        {"v":1,"type":"traffic","requests":{"reads":1,"writes":2},"sent":5,"received":8}
        "#);
    }

    #[test]
    fn events_are_numbers() {
        let (out, err) = told(ProgressStyle::Json);
        assert_eq!(err, "");
        insta::assert_snapshot!(out, @r#"
        {"v":1,"type":"job","job":0,"from":"a","to":"http://bob:****@h/b","state":"running","written":0,"pending":1234,"refused":0}
        {"v":1,"type":"job","job":1,"from":"b","to":"a","state":"running","written":1,"pending":1233,"refused":0}
        {"v":1,"type":"job","job":0,"from":"a","to":"http://bob:****@h/b","state":"running","written":1000,"pending":234,"refused":0}
        {"v":1,"type":"job","job":0,"from":"a","to":"http://bob:****@h/b","state":"caught_up","written":1234,"pending":0,"refused":0}
        {"v":1,"type":"refused","job":0,"id":"x\u001b[2J","rev":"1-a","reason":"forbidden: no"}
        "#);
    }
}
