//! Flags that several commands have, gathered from whichever was typed.

use super::values::{MaxDelete, Period};
use crate::cli::{self, Cli, PushingArgs};

/// What the flags say; `false` and `None` where the command does not have one.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) force: bool,
    pub(super) delete: bool,
    pub(super) allow_empty: bool,
    pub(super) create_database: bool,
    pub(super) escape_names: bool,
    pub(super) exit_code: bool,
    pub(super) fsync: bool,
    pub(super) checksum: bool,
    /// Of `sync-dir` and `dump`; that of `push` is a setting of its own.
    pub(super) max_delete: Option<MaxDelete>,
    pub(super) delay: Option<Period>,
}

impl Typed {
    pub(super) fn of(cli: &Cli) -> Self {
        let nothing = Self::default();
        match &cli.command {
            Some(cli::Command::Clone(clone)) => {
                Self { force: clone.force, escape_names: clone.escape_names, ..nothing }
            }
            Some(cli::Command::Push(push)) => Self::of_push(&push.what),
            Some(cli::Command::Watch(watch)) => Self { delay: watch.delay, ..Self::of_push(&watch.what) },
            Some(cli::Command::SyncDir(sync)) => Self {
                force: sync.force,
                delete: sync.delete,
                allow_empty: sync.allow_empty,
                create_database: sync.create_db,
                escape_names: sync.escape_names,
                fsync: sync.fsync,
                checksum: sync.checksum,
                max_delete: sync.max_delete,
                ..nothing
            },
            Some(cli::Command::Dump(dump)) => Self {
                force: dump.force,
                delete: dump.delete,
                escape_names: dump.escape_names,
                fsync: dump.fsync,
                checksum: dump.checksum,
                max_delete: dump.max_delete,
                ..nothing
            },
            Some(cli::Command::Status(status)) => Self { exit_code: status.exit_code, ..nothing },
            Some(cli::Command::Diff(diff)) => Self { exit_code: diff.exit_code, ..nothing },
            _ => nothing,
        }
    }

    fn of_push(push: &PushingArgs) -> Self {
        Self {
            force: push.force,
            delete: push.delete,
            allow_empty: push.allow_empty,
            create_database: push.create_db,
            ..Self::default()
        }
    }
}
