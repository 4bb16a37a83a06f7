//! The keyboard of a Unix terminal.

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::mpsc::UnboundedSender;

use crate::report::printer::lock;

/// How often it is looked whether the terminal was given back.
const GLANCE: Duration = Duration::from_millis(100);

/// The terminal's mode before it was taken, while it is.
#[derive(Default)]
pub(in crate::report) struct Keyboard {
    before: Mutex<Option<Termios>>,
}

/// While it lives, the terminal is as it was before, and nobody else reads from it.
pub(in crate::report) struct Lent<'a> {
    before: MutexGuard<'a, Option<Termios>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(before) = &*self.before {
            set(&single_keys(before));
        }
    }
}

impl Keyboard {
    /// Takes the terminal. `None` when there is none.
    pub(in crate::report) fn take(&self) -> Option<()> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        set(&single_keys(&before));
        *lock(&self.before) = Some(before);
        Some(())
    }

    /// Makes it as it was before.
    pub(in crate::report) fn give_back(&self) {
        let taken = match self.before.try_lock() {
            Ok(mut before) => before.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            // It is lent, or a key is being read.
            Err(TryLockError::WouldBlock) => return self.give_back_later(),
        };
        if let Some(before) = taken {
            set(&before);
        }
    }

    /// Somebody has it for a moment, or a question holds it, which has made it as it was.
    fn give_back_later(&self) {
        for _ in 0..20 {
            std::thread::sleep(GLANCE / 20);
            if let Ok(mut before) = self.before.try_lock() {
                if let Some(before) = before.take() {
                    set(&before);
                }
                return;
            }
        }
    }

    /// Makes it as it was before until what is given back is dropped.
    pub(in crate::report) fn lend(&self) -> Lent<'_> {
        let before = lock(&self.before);
        if let Some(before) = &*before {
            set(before);
        }
        Lent { before }
    }

    /// Sends the keys until the terminal is given back.
    pub(in crate::report) fn listen(&self, keys: &UnboundedSender<char>) {
        loop {
            let ready = is_ready(GLANCE);
            let before = lock(&self.before);
            let Some(mode) = &*before else { return };
            if !is_ours() {
                // In the background every touch of the terminal would stop the process.
                drop(before);
                std::thread::sleep(GLANCE);
                continue;
            }
            if tcgetattr(std::io::stdin()).is_ok_and(|now| now.local_modes.contains(LocalModes::ICANON)) {
                // It was stopped and goes on: the shell has set the mode that it likes.
                set(&single_keys(mode));
            }
            // Whoever had borrowed it may have read what was there.
            if !ready || !is_ready(Duration::ZERO) {
                continue;
            }
            let mut bytes = [0; 16];
            let count = rustix::io::read(std::io::stdin(), &mut bytes).unwrap_or(0);
            drop(before);
            let is_over = count == 0 || keys.is_closed();
            bytes[..count].iter().filter(|byte| byte.is_ascii()).for_each(|byte| {
                // Nobody listens any more at the end.
                let _ = keys.send(char::from(*byte));
            });
            if is_over {
                return;
            }
        }
    }
}

/// Each key by itself and not shown; Ctrl-C and its like keep their meaning.
fn single_keys(before: &Termios) -> Termios {
    let mut mode = before.clone();
    mode.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    mode.special_codes[SpecialCodeIndex::VMIN] = 1;
    mode.special_codes[SpecialCodeIndex::VTIME] = 0;
    mode
}

fn set(mode: &Termios) {
    if is_ours() {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, mode);
    }
}

/// Whether this process is in the foreground.
fn is_ours() -> bool {
    tcgetpgrp(std::io::stdin()).is_ok_and(|group| group == getpgrp())
}

fn is_ready(patience: Duration) -> bool {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let patience = Timespec::try_from(patience).ok();
    poll(&mut fds, patience.as_ref()).is_ok_and(|count| count > 0)
}
