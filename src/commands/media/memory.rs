//! What earlier runs between one folder and one database have left: sums of files, what the server held, and the point in
//! its history at which that was so. Losing it costs time, never data.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::commands::Context;
use crate::couch::{Info, Kind};
use crate::local::{Ledger, LedgerFile, LedgerKey, Loaded, Lock, canonical};

/// The time between two saves during a long transfer.
const BETWEEN_SAVES: Duration = Duration::from_secs(15);

/// The ledger of one folder and one place, held for this run.
pub(in crate::commands) struct Memory {
    pub ledger: Ledger,
    /// Whether the changes since the ledger's sequence tell all that changed.
    pub trusted: bool,
    /// Whether there is something to remember that the kept ledger does not have.
    pub news: bool,
    /// `None` where nothing can be kept, and in a dry run.
    file: Option<LedgerFile>,
    saved: Instant,
    _lock: Option<Lock>,
}

impl Memory {
    /// What is remembered of `folder`, which exists, and the place `address`; another `selection` is another place.
    pub(in crate::commands) fn open(
        context: &Context,
        folder: &Path,
        (address, selection): (&str, &str),
        (info, kind): (Option<&Info>, Kind),
    ) -> Result<Self> {
        let saved = Instant::now();
        let start = info.and_then(|info| info.instance_start_time.as_deref()).unwrap_or_default();
        let trusted = matches!(kind, Kind::CouchDb | Kind::Couchapp | Kind::Other) && !matches!(start, "" | "0");
        let Some(home) = &context.settings.state_folder else {
            context.printer.detail("there is no place to remember this run");
            return Ok(Self { ledger: Ledger::default(), trusted, news: false, file: None, saved, _lock: None });
        };
        let folder = canonical(folder)?;
        let lock = if context.settings.dry_run { None } else { hold(context, home, &folder)? };
        let key = LedgerKey { folder: &folder, address, instance_start_time: start, selection };
        let file = LedgerFile::of(home, &key);
        let ledger = match file.load() {
            Loaded::Found(ledger) => ledger,
            Loaded::Absent => Ledger::default(),
            Loaded::Unusable(why) => {
                context.printer.warning("state", &format!("{why}; everything is compared anew"));
                Ledger::default()
            }
        };
        let file = (!context.settings.dry_run).then_some(file);
        Ok(Self { ledger, trusted, news: false, file, saved, _lock: lock })
    }

    /// Nothing is remembered of a folder that does not exist.
    pub(in crate::commands) fn none() -> Self {
        let saved = Instant::now();
        Self { ledger: Ledger::default(), trusted: false, news: false, file: None, saved, _lock: None }
    }

    /// Keeps the ledger. A ledger that cannot be kept is a warning: everything is done, and the next run takes longer.
    pub(in crate::commands) fn save(&mut self, context: &Context) {
        self.saved = Instant::now();
        let Some(file) = &self.file else { return };
        if let Err(error) = file.save(&self.ledger) {
            let error = anyhow::Error::new(error);
            context.printer.warning("state", &format!("this run cannot be remembered: {error:#}"));
            self.file = None;
        }
    }

    /// Keeps the ledger if it has changed.
    pub(in crate::commands) fn save_news(&mut self, context: &Context) {
        if self.news {
            self.save(context);
        }
    }

    /// Whether a long transfer should save what it has done.
    pub(in crate::commands) fn is_due(&self) -> bool {
        self.saved.elapsed() >= BETWEEN_SAVES
    }
}

/// Keeps a second run out of the folder. Where nothing can be written, nothing is raced for.
fn hold(context: &Context, home: &Path, folder: &Path) -> Result<Option<Lock>> {
    use crate::local::LocalError;
    match LedgerFile::lock_folder(home, folder) {
        Ok(lock) => Ok(Some(lock)),
        Err(LocalError::Locked { .. }) => Err(LocalError::Locked { path: folder.to_owned() }.into()),
        Err(error) => {
            context.printer.detail(&format!("this folder cannot be locked: {error}"));
            Ok(None)
        }
    }
}
