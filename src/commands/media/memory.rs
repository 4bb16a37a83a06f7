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
        let (start, trusted) = (started(info), is_trusted(info, kind));
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

    /// The database that was not there has been made: from now on it is this one that is remembered.
    pub(in crate::commands) fn turn_to(
        &mut self,
        context: &Context,
        folder: &Path,
        (address, selection): (&str, &str),
        (info, kind): (&Info, Kind),
    ) -> Result<()> {
        let (Some(home), Some(_)) = (&context.settings.state_folder, &self.file) else { return Ok(()) };
        let folder = canonical(folder)?;
        let key = LedgerKey { folder: &folder, address, instance_start_time: started(Some(info)), selection };
        self.file = Some(LedgerFile::of(home, &key));
        self.trusted = is_trusted(Some(info), kind);
        Ok(())
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

fn started(info: Option<&Info>) -> &str {
    info.and_then(|info| info.instance_start_time.as_deref()).unwrap_or_default()
}

/// Whether the changes since a remembered sequence can be believed: only of a database that says since when it exists.
fn is_trusted(info: Option<&Info>, kind: Kind) -> bool {
    matches!(kind, Kind::CouchDb | Kind::Couchapp | Kind::Other) && !matches!(started(info), "" | "0")
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
