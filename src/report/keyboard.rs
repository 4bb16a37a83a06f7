//! Keys that are heard one by one, without Enter, while a command runs. The terminal is given back in every case: at the
//! end, before a question, and before the process ends early.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::printer::Printer;

#[cfg(not(unix))]
mod nothing;
#[cfg(unix)]
mod terminal;

#[cfg(not(unix))]
pub(super) use self::nothing::Keyboard;
#[cfg(unix)]
pub(super) use self::terminal::Keyboard;

/// The keys that are pressed. The terminal is as it was before once this is dropped.
pub struct Keys {
    pressed: UnboundedReceiver<char>,
    printer: Printer,
}

impl Keys {
    /// The next key, in lower case. Waits for ever when there is no keyboard any more.
    pub async fn next(&mut self) -> char {
        match self.pressed.recv().await {
            Some(key) => key.to_ascii_lowercase(),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.printer.give_back_keyboard();
    }
}

impl Printer {
    /// Begins to hear the keys, where somebody sits at a terminal and is told what goes on.
    pub fn keys(&self) -> Option<Keys> {
        if !self.can_ask() || !self.talks() {
            return None;
        }
        let (sender, pressed) = unbounded_channel();
        let printer = self.clone();
        self.shared.keyboard.take()?;
        std::thread::spawn(move || printer.shared.keyboard.listen(&sender));
        Some(Keys { pressed, printer: self.clone() })
    }

    /// Makes the terminal as it was before [`keys`](Self::keys).
    pub fn give_back_keyboard(&self) {
        self.shared.keyboard.give_back();
    }
}
