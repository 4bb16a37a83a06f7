//! Words, bars, JSON: the only module that prints.
//!
//! stdout carries the answer (a URL, a diff, a document, with `--json` the event stream), stderr everything else. Text
//! on stderr, and on stdout when that is a terminal, has its control characters escaped; every line passes
//! [`redact`](crate::secret::redact) as the last line of defence. Only [`Printer::data`], [`Printer::difference`] and
//! [`Printer::document`] are exempt from masking: they carry the user's own content, which must stay as it is.

mod difference;
mod error;
mod event;
mod jobs;
mod keyboard;
mod listing;
pub mod logging;
mod part;
mod printer;
mod progress;
mod question;
mod size;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use difference::{Difference, Side};
pub use error::exit_of;
pub use jobs::{JobLine, JobState, Jobs};
pub use keyboard::Keys;
pub use listing::{Listing, PlanLine};
pub use printer::{Printer, Start};
pub use progress::Progress;
pub use size::{human_size, thousands};
pub use table::table;
