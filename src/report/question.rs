//! Questions at the terminal. They are only asked where somebody can answer.

use super::printer::Printer;
use crate::secret::Secret;

impl Printer {
    /// Asks `question [y/N]`. Enter and end of input mean no. `None` when nobody can be asked.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        let _ = question;
        None
    }

    /// Asks for the name of a user on `host`. `None` when nobody can be asked or the answer is empty.
    pub fn prompt_user(&self, host: &str) -> Option<String> {
        let _ = host;
        None
    }

    /// Asks for the password of `user` on `host`, not echoed. `None` when nobody can be asked or the answer is empty.
    pub fn prompt_password(&self, user: &str, host: &str) -> Option<Secret> {
        let _ = (user, host);
        None
    }
}
