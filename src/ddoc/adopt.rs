//! Keeping what a server already has where the difference does not matter.

use crate::json::Object;

/// Takes the remote text of every string that is equal up to outer white space, so that taking over a deployment made
/// by a tool that strips its fields rebuilds no index. Returns how many were kept. Only for targets without a base.
pub fn adopt(local: &mut Object, remote: &Object) -> usize {
    let _ = (local, remote);
    unimplemented!()
}

/// Wherever a value equals the remote one, takes the remote's own spelling (key order, text of numbers).
pub fn keep_spelling(local: &mut Object, remote: &Object) {
    let _ = (local, remote);
    unimplemented!()
}
