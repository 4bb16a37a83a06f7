//! Progress by bytes: a bar on a terminal, a line every ten seconds elsewhere, events with `--json`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use serde_json::json;

use super::printer::{Printer, lock};
use super::size::{human_share, human_size};
use crate::settings::ProgressStyle;

/// What is over sooner gets no bar.
const PATIENCE: Duration = Duration::from_millis(100);
/// Between two lines.
const LINES: Duration = Duration::from_secs(10);
/// Between two events.
const EVENTS: Duration = Duration::from_secs(1);

/// The progress of one transfer. Clones share it; it leaves the screen when it is [finished](Progress::finish) or the
/// last clone is dropped.
#[derive(Clone)]
pub struct Progress {
    shared: Arc<Shared>,
}

struct Shared {
    printer: Printer,
    total_bytes: u64,
    total_items: u64,
    done_bytes: AtomicU64,
    done_items: AtomicU64,
    started: Instant,
    screen: Mutex<Screen>,
}

struct Screen {
    bar: Option<ProgressBar>,
    /// When something was shown last; at first, when the transfer began.
    last: Instant,
    finished: bool,
}

impl Progress {
    /// So many more bytes have moved.
    pub fn add(&self, bytes: u64) {
        self.shared.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.shared.show(Instant::now());
    }

    /// Bytes counted before have to be sent again.
    pub fn take_back(&self, bytes: u64) {
        let less = |done: u64| Some(done.saturating_sub(bytes));
        let _ = self.shared.done_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.shared.show(Instant::now());
    }

    /// One more item is done.
    pub fn item_done(&self) {
        self.shared.done_items.fetch_add(1, Ordering::Relaxed);
        self.shared.show(Instant::now());
    }

    /// The transfer is over, well or not: the bar goes away.
    pub fn finish(&self) {
        self.shared.finish();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    fn show(&self, now: Instant) {
        let mut screen = lock(&self.screen);
        let due = |wait: Duration| now.saturating_duration_since(screen.last) >= wait;
        match self.printer.settings().progress {
            _ if screen.finished => {}
            ProgressStyle::Bar => {
                if screen.bar.is_none() && due(PATIENCE) {
                    screen.bar = Some(self.raise_bar());
                }
                if let Some(bar) = screen.bar.clone() {
                    drop(screen);
                    self.update(&bar);
                }
            }
            ProgressStyle::Lines if due(LINES) => {
                screen.last = now;
                drop(screen);
                self.printer.note(&self.line());
            }
            ProgressStyle::Json if due(EVENTS) => {
                screen.last = now;
                drop(screen);
                self.printer.event("progress", self.fields(now));
            }
            ProgressStyle::Lines | ProgressStyle::Json | ProgressStyle::None => {}
        }
    }

    fn done(&self) -> (u64, u64) {
        (self.done_bytes.load(Ordering::Relaxed), self.done_items.load(Ordering::Relaxed))
    }

    /// `23.4 of 30.1 MiB, 97 of 121 files`
    fn line(&self) -> String {
        let (bytes, items) = self.done();
        let bytes = human_share(bytes, self.total_bytes, " of ");
        if self.total_items > 1 { format!("{bytes}, {items} of {} files", self.total_items) } else { bytes }
    }

    fn fields(&self, now: Instant) -> serde_json::Value {
        let (bytes, items) = self.done();
        let elapsed = now.saturating_duration_since(self.started).as_millis();
        json!({
            "done_bytes": bytes, "total_bytes": self.total_bytes,
            "done_items": items, "total_items": self.total_items,
            "elapsed_ms": u64::try_from(elapsed).unwrap_or(u64::MAX),
        })
    }

    fn raise_bar(&self) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(self.total_bytes), ProgressDrawTarget::stderr_with_hz(10));
        let colored = self.printer.settings().color_err;
        let (shape, characters) = if colored { ("{bar:30.cyan/dim}", "━╸━") } else { ("{bar:30}", "━╸ ") };
        let template = format!("  {shape} {{percent:>3}}%  {{prefix}}  {{binary_bytes_per_sec}}  ETA {{eta}}  {{msg}}");
        if let Ok(style) = BarStyle::with_template(&template) {
            bar.set_style(style.progress_chars(characters));
        }
        bar.set_elapsed(self.started.elapsed());
        *lock(&self.printer.shared.bar) = Some(bar.clone());
        bar
    }

    fn update(&self, bar: &ProgressBar) {
        let (bytes, items) = self.done();
        bar.set_position(bytes);
        bar.set_prefix(human_share(bytes, self.total_bytes, "/"));
        if self.total_items > 1 {
            bar.set_message(format!("{items}/{} files", self.total_items));
        }
    }

    fn finish(&self) {
        let mut screen = lock(&self.screen);
        screen.finished = true;
        if let Some(bar) = screen.bar.take() {
            drop(screen);
            *lock(&self.printer.shared.bar) = None;
            bar.finish_and_clear();
        }
    }
}

impl Printer {
    /// Begins to show the progress of a transfer of so many bytes and items.
    pub fn progress(&self, total_bytes: u64, total_items: u64) -> Progress {
        let now = Instant::now();
        self.detail(&format!("{} to transfer", human_size(total_bytes)));
        Progress {
            shared: Arc::new(Shared {
                printer: self.clone(),
                total_bytes,
                total_items,
                done_bytes: AtomicU64::new(0),
                done_items: AtomicU64::new(0),
                started: now,
                screen: Mutex::new(Screen { bar: None, last: now, finished: false }),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::captured;
    use crate::settings::{ProgressStyle, Verbosity};

    /// What is printed when 1 MiB moves every `step` seconds, six times.
    fn moved(style: ProgressStyle, json: bool, step: u64) -> (String, String) {
        let (printer, captured) = captured(|output| {
            output.progress = style;
            output.json = json;
        });
        let progress = printer.progress(6 << 20, 12);
        for second in 1..=6 {
            progress.shared.done_bytes.fetch_add(1 << 20, Ordering::Relaxed);
            progress.shared.done_items.fetch_add(2, Ordering::Relaxed);
            progress.shared.show(progress.shared.started + Duration::from_secs(second * step));
        }
        progress.finish();
        progress.add(7);
        (captured.out(), captured.err())
    }

    #[test]
    fn lines_come_every_ten_seconds() {
        let (out, err) = moved(ProgressStyle::Lines, false, 5);
        assert_eq!(out, "");
        insta::assert_snapshot!(err, @r"
        2.0 of 6.0 MiB, 4 of 12 files
        4.0 of 6.0 MiB, 8 of 12 files
        6.0 of 6.0 MiB, 12 of 12 files
        ");
        assert_eq!(moved(ProgressStyle::Lines, false, 1).1, "");
    }

    #[test]
    fn events_are_numbers() {
        let (out, err) = moved(ProgressStyle::Json, true, 10);
        assert_eq!((out.lines().count(), err.as_str()), (6, ""));
        insta::assert_snapshot!(out.lines().last().unwrap(), @r#"{"v":1,"type":"progress","done_bytes":6291456,"total_bytes":6291456,"done_items":12,"total_items":12,"elapsed_ms":60000}"#);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(moved(ProgressStyle::None, false, 60), (String::new(), String::new()));
    }

    #[test]
    fn bytes_that_are_sent_again_are_not_counted_twice() {
        let (printer, _captured) = captured(|output| output.verbosity = Verbosity::Normal);
        let progress = printer.progress(10, 1);
        progress.add(8);
        progress.take_back(5);
        assert_eq!(progress.shared.line(), "3 of 10 B");
        progress.take_back(5);
        assert_eq!(progress.shared.line(), "0 of 10 B");
    }
}
