//! The file's side of one large download: hashes and writes on a thread of its own.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

use super::Arrived;
use super::check::{self, Checker, Expected};
use crate::couch::digest::Damage;
use crate::local::{LocalError, Writer};
use crate::name::AttName;
use crate::transfer::TransferError;

/// What the network's side says.
#[derive(Debug)]
pub(super) enum Order {
    /// The bytes come from the beginning, perhaps as gzip; what came before means nothing.
    Begin {
        /// Whether they are gzip.
        gzip: bool,
    },
    Bytes(Bytes),
    /// That was all.
    Finish,
}

/// A file and what its content must be.
pub(super) struct Target {
    pub(super) writer: Writer,
    /// How many of the bytes in it count.
    pub(super) existing: u64,
    pub(super) expected: Expected,
    pub(super) name: AttName,
    /// Bytes of content that are in it.
    pub(super) written: Arc<AtomicU64>,
}

/// How much of an unfinished file is read at once, in bytes.
const BUFFER: usize = 256 << 10;

/// Writes what arrives. `None` when the network's side ended before the content did: an unfinished large file is left for
/// another try then, while one that is damaged goes.
pub(super) fn pour(target: Target, mut orders: Receiver<Order>) -> Result<Option<Arrived>, TransferError> {
    let Target { mut writer, existing, expected, name, written } = target;
    let outcome = match take_all(&mut writer, &mut orders, (&expected, existing), &written) {
        Ok(Some(checker)) => match checker.finish() {
            Ok(sums) if !sums.is_proven => {
                let why = "the server inflated it on the way, which leaves nothing to check it by";
                Err(Trouble::Damage(Damage::Gzip(why.to_owned())))
            }
            finished => finished.map_err(Trouble::Damage),
        },
        Ok(None) => return Ok(None),
        Err(trouble) => Err(trouble),
    };
    match outcome {
        Ok(sums) => Ok(Some(check::finish(writer, expected, sums)?)),
        Err(Trouble::Damage(source)) => {
            writer.discard();
            Err(TransferError::Damaged { name, source })
        }
        Err(Trouble::Local(error)) => Err(error.into()),
    }
}

enum Trouble {
    Damage(Damage),
    Local(LocalError),
}

impl From<Damage> for Trouble {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<LocalError> for Trouble {
    fn from(error: LocalError) -> Self {
        Self::Local(error)
    }
}

fn take_all(
    writer: &mut Writer,
    orders: &mut Receiver<Order>,
    (expected, existing): (&Expected, u64),
    written: &AtomicU64,
) -> Result<Option<Checker>, Trouble> {
    let mut checker = Checker::new(expected.clone(), false);
    if existing > 0 {
        // A kill can have left anything in there; only the sum of all tells.
        sum_existing(writer, existing, &mut checker)?;
        written.store(existing, Ordering::Relaxed);
    } else {
        writer.restart()?;
    }
    let mut inflated = Vec::new();
    loop {
        match orders.blocking_recv() {
            None => return Ok(None),
            Some(Order::Finish) => return Ok(Some(checker)),
            Some(Order::Begin { gzip }) => {
                if !checker.is_empty() {
                    writer.restart()?;
                    written.store(0, Ordering::Relaxed);
                }
                checker = Checker::new(expected.clone(), gzip);
            }
            Some(Order::Bytes(bytes)) => {
                let content = checker.take(&bytes, &mut inflated)?;
                writer.write(content)?;
                written.fetch_add(content.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

fn sum_existing(writer: &mut Writer, existing: u64, checker: &mut Checker) -> Result<(), Trouble> {
    let mut buffer = vec![0; BUFFER];
    let (mut left, mut unused) = (existing, Vec::new());
    let mut reader = writer.existing()?;
    while left > 0 {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                checker.take(&buffer[..count], &mut unused)?;
                left = left.saturating_sub(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if left == 0 {
        return Ok(());
    }
    // It cannot be read, or somebody has cut it: it is no beginning of anything.
    Err(Damage::Length { expected: existing, got: existing - left }.into())
}
