//! When somebody wants it to end: Ctrl-C, and the polite signal of the system.

use std::io;

/// Hears of the signals from its making on.
pub(super) struct Ending {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    /// The terminal went away.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

/// Which one came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Somebody pressed Ctrl-C, and may be asked.
    Interrupt,
    /// Nobody is there.
    Other,
}

impl Ending {
    /// Begins to listen, so that the signals no longer end the process by themselves.
    pub(super) fn new() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self { signals: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?], hangup: None })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Hears of a terminal that goes away as well. Not without one: `nohup` has this signal ignored.
    pub(super) fn and_of_hangup(mut self, on_terminal: bool) -> io::Result<Self> {
        #[cfg(unix)]
        if on_terminal {
            use tokio::signal::unix::{SignalKind, signal};
            self.hangup = Some(signal(SignalKind::hangup())?);
        }
        #[cfg(not(unix))]
        let _ = (&mut self, on_terminal);
        Ok(self)
    }

    /// Waits for one of them.
    pub(super) async fn wanted(&mut self) {
        self.sign().await;
    }

    /// Waits for one of them, and says which.
    pub(super) async fn sign(&mut self) -> Sign {
        #[cfg(unix)]
        {
            let Self { signals: [interrupt, terminate], hangup } = self;
            let hangup = async {
                match hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = interrupt.recv() => Sign::Interrupt,
                _ = terminate.recv() => Sign::Other,
                _ = hangup => Sign::Other,
            }
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Sign::Interrupt
        }
    }
}
