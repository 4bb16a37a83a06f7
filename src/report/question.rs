//! Questions at the terminal. They are only asked where somebody can answer.

use super::printer::{Printer, clean};
use crate::secret::Secret;
use crate::settings::Verbosity;

/// How often a new password is asked for, when it was typed in two ways.
const TRIES: u32 = 3;

impl Printer {
    /// Whether a question can be asked at all.
    pub fn can_ask(&self) -> bool {
        self.settings().interactive && !self.part.is_within() && self.settings().verbosity > Verbosity::Silent
    }

    /// Asks `question [y/N]`. Enter, the end of input and anything but yes mean no. `None` when nobody can be asked.
    ///
    /// Blocks: call it outside of asynchronous code. A Ctrl-C meanwhile should end the process
    /// ([`is_asking`](Printer::is_asking)).
    pub fn confirm(&self, question: &str) -> Option<bool> {
        let answer = self.ask(&format!("{} [y/N] ", clean(question)))?;
        Some(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
    }

    /// Asks for the name of a user on `host`. `None` when nobody can be asked or the answer is empty.
    pub fn prompt_user(&self, host: &str) -> Option<String> {
        self.ask(&format!("User on {}: ", clean(host))).filter(|user| !user.is_empty())
    }

    /// Asks for a name to be typed. `None` when nobody can be asked.
    pub fn prompt_name(&self, question: &str) -> Option<String> {
        self.ask(&clean(question))
    }

    /// Asks for the password of `user` on `host`, not echoed. `None` when nobody can be asked or the answer is empty.
    pub fn prompt_password(&self, user: &str, host: &str) -> Option<Secret> {
        self.ask_hidden(&format!("Password of {} on {}: ", clean(user), clean(host)))
    }

    /// Asks twice for a new password of `user` on `host`, not echoed, until both are the same. `None` when nobody can be
    /// asked, when an answer is empty, and when it is no use.
    pub fn prompt_new_password(&self, user: &str, host: &str) -> Option<Secret> {
        for _ in 0..TRIES {
            let first = self.ask_hidden(&format!("New password of {} on {}: ", clean(user), clean(host)))?;
            let second = self.ask_hidden("The same once more: ")?;
            if first == second {
                return Some(first);
            }
            self.note("the two are not the same");
        }
        None
    }

    fn ask_hidden(&self, prompt: &str) -> Option<Secret> {
        if !self.can_ask() {
            return None;
        }
        self.clear();
        self.set_asking(true);
        let _lent = self.shared.keyboard.lend();
        let answer = rpassword::prompt_password(prompt);
        self.set_asking(false);
        answer.ok().filter(|password| !password.is_empty()).map(Secret::new)
    }

    fn ask(&self, prompt: &str) -> Option<String> {
        if !self.can_ask() {
            return None;
        }
        self.clear();
        self.set_asking(true);
        let _lent = self.shared.keyboard.lend();
        self.err_text(prompt);
        let answer = (self.shared.read_line)();
        self.set_asking(false);
        let answer = answer.unwrap_or_default();
        if !answer.ends_with('\n') {
            self.err_text("\n");
        }
        Some(answer.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use crate::report::testing::{captured, captured_with};

    type Answer = fn() -> io::Result<String>;

    #[test]
    fn only_a_clear_yes_is_yes() {
        let cases: &[(Answer, bool)] = &[
            (|| Ok("y\n".into()), true),
            (|| Ok(" YES \r\n".into()), true),
            (|| Ok("\n".into()), false),
            (|| Ok("n\n".into()), false),
            (|| Ok("yup\n".into()), false),
            (|| Ok(String::new()), false),
            (|| Err(io::ErrorKind::UnexpectedEof.into()), false),
        ];
        for &(answer, expected) in cases {
            let (printer, captured) = captured_with(|output| output.interactive = true, answer);
            assert_eq!(printer.confirm("Go on?"), Some(expected));
            assert!(captured.err().starts_with("Go on? [y/N] "), "{}", captured.err());
            assert!(!printer.is_asking());
        }
    }

    #[test]
    fn nobody_is_asked_where_nobody_can_answer() {
        let (printer, captured) = captured(|output| output.interactive = false);
        assert_eq!(printer.confirm("Go on?"), None);
        assert_eq!(printer.prompt_password("bob", "h"), None);
        assert_eq!(printer.prompt_new_password("bob", "h"), None);
        assert_eq!(printer.prompt_name("Which? "), None);
        assert_eq!(printer.prompt_user("h"), None);
        assert_eq!(captured.err(), "");
    }
}
