//! Tokens for what this endpoint asks of itself in somebody's name: a replication between local databases may do what the
//! user may who asked for it, for as long as it goes on. No password is kept for that.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{User, new_secret, password};
use crate::hexadecimal;
use crate::secret::Secret;

/// Who may use which token.
#[derive(Clone, Default)]
pub(in crate::serve) struct Loans(Arc<Mutex<HashMap<[u8; 32], User>>>);

/// The right to ask in somebody's name. Dropped, it ends.
pub(in crate::serve) struct Loan {
    token: Secret,
    loans: Loans,
}

impl Loans {
    /// Lends the rights of a user.
    pub(in crate::serve) fn lend(&self, user: &User) -> Loan {
        let token = Secret::new(hexadecimal::encode(&new_secret()));
        self.lock().insert(sealed(&token), user.clone());
        Loan { token, loans: self.clone() }
    }

    /// In whose name a token asks.
    pub(in crate::serve) fn user_of(&self, token: &str) -> Option<User> {
        // What is looked up is a hash, so that the time it takes tells nothing of the token.
        self.lock().get(&sealed(&Secret::new(token))).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], User>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loan {
    /// What goes into `Authorization: Bearer`.
    pub(in crate::serve) fn token(&self) -> Secret {
        self.token.clone()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.loans.lock().remove(&sealed(&self.token));
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").finish_non_exhaustive()
    }
}

fn sealed(token: &Secret) -> [u8; 32] {
    password::seal(b"loan", token.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_as_long_as_its_loan() {
        let loans = Loans::default();
        let jan = User { name: Some("jan".to_owned()), roles: vec!["x".to_owned()] };
        let (loan, other) = (loans.lend(&jan), loans.lend(&User::default()));
        assert_eq!(loans.user_of(loan.token().expose()), Some(jan));
        assert_eq!(loans.user_of(other.token().expose()), Some(User::default()));
        assert_eq!(loans.user_of("guessed"), None);
        let token = loan.token();
        assert!(!format!("{loan:?}").contains(token.expose()));
        drop(loan);
        assert_eq!(loans.user_of(token.expose()), None);
    }
}
