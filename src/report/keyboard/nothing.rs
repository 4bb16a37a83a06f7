//! Where single keys cannot be heard.

use tokio::sync::mpsc::UnboundedSender;

/// No keyboard.
#[derive(Default)]
pub(in crate::report) struct Keyboard {}

/// Nothing that was lent.
pub(in crate::report) struct Lent {}

impl Keyboard {
    pub(in crate::report) fn take(&self) -> Option<()> {
        None
    }

    pub(in crate::report) fn give_back(&self) {}

    pub(in crate::report) fn lend(&self) -> Lent {
        Lent {}
    }

    pub(in crate::report) fn listen(&self, _keys: &UnboundedSender<char>) {}
}
