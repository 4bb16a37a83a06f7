//! What the two directions between two databases know of each other.
//!
//! What one direction carries comes back as a change of the database it was written to, and the other direction would ask
//! whether the first database has it. It has: it was read there. So each direction tells the other what it reads, and
//! nothing of that is asked for. This is about the target alone, whatever becomes of the write.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::name::{DocId, Revision};

/// The most revisions that are remembered: what does not come back (it was refused, or its successor came) must not
/// pile up, in thousands of jobs. What is forgotten is asked for.
const MOST: usize = 1024;

/// What stands for a revision of a document.
type Mark = [u8; 16];

/// One end of what two directions share.
#[derive(Clone, Debug)]
pub struct Echo {
    /// What my target has, as the other direction says.
    heard: Arc<Mutex<Known>>,
    /// What my source has, for the other direction.
    told: Arc<Mutex<Known>>,
}

/// Both ends: for the job of one direction and for the job of the other.
pub fn pair() -> (Echo, Echo) {
    let (one, other) = (Arc::<Mutex<Known>>::default(), Arc::<Mutex<Known>>::default());
    (Echo { heard: Arc::clone(&one), told: Arc::clone(&other) }, Echo { heard: other, told: one })
}

#[derive(Debug, Default)]
struct Known {
    all: HashSet<Mark>,
    /// The oldest first; some may have come back already.
    order: VecDeque<Mark>,
}

impl Echo {
    /// The source has this revision, and it is about to be written to the target.
    pub(super) fn tell(&self, id: &DocId, revision: &Revision) {
        let mut told = lock(&self.told);
        let mark = mark(id, revision);
        if told.all.insert(mark) {
            told.order.push_back(mark);
        }
        while told.order.len() > MOST {
            if let Some(oldest) = told.order.pop_front() {
                told.all.remove(&oldest);
            }
        }
    }

    /// Takes out of these revisions what the target has for certain.
    pub(super) fn take_out(&self, id: &DocId, revisions: &mut Vec<Revision>) {
        let mut heard = lock(&self.heard);
        if !heard.all.is_empty() {
            revisions.retain(|revision| !heard.all.remove(&mark(id, revision)));
            if heard.all.is_empty() {
                *heard = Known::default();
            }
        }
    }

    /// Whatever was heard may be of a database that is there no longer.
    pub(super) fn forget(&self) {
        *lock(&self.heard) = Known::default();
    }
}

/// The length says where the id ends.
fn mark(id: &DocId, revision: &Revision) -> Mark {
    let digest = Sha256::new()
        .chain_update((id.as_str().len() as u64).to_be_bytes())
        .chain_update(id.as_str())
        .chain_update(revision.as_str())
        .finalize();
    let mut mark = Mark::default();
    mark.copy_from_slice(&digest[..16]);
    mark
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> DocId {
        DocId::new(text).unwrap()
    }

    fn revisions(texts: &[&str]) -> Vec<Revision> {
        texts.iter().map(|text| Revision::new(*text).unwrap()).collect()
    }

    fn left(echo: &Echo, document: &str, texts: &[&str]) -> Vec<Revision> {
        let mut left = revisions(texts);
        echo.take_out(&id(document), &mut left);
        left
    }

    #[test]
    fn what_one_direction_reads_the_other_does_not_ask_for_once() {
        let (there, back) = pair();
        there.tell(&id("a"), &revisions(&["1-a"])[0]);
        there.tell(&id("a"), &revisions(&["1-a"])[0]);
        assert_eq!(left(&there, "a", &["1-a"]), revisions(&["1-a"]), "it is no news to who told it");
        assert_eq!(left(&back, "b", &["1-a"]), revisions(&["1-a"]));
        assert_eq!(left(&back, "a", &["1-b", "1-a"]), revisions(&["1-b"]));
        assert_eq!(left(&back, "a", &["1-a"]), revisions(&["1-a"]), "the second time it may come from elsewhere");
    }

    #[test]
    fn a_database_made_anew_has_nothing() {
        let (there, back) = pair();
        there.tell(&id("a"), &revisions(&["1-a"])[0]);
        back.tell(&id("b"), &revisions(&["1-b"])[0]);
        back.forget();
        assert_eq!(left(&back, "a", &["1-a"]), revisions(&["1-a"]));
        assert_eq!(left(&there, "b", &["1-b"]), []);
    }

    #[test]
    fn what_does_not_come_back_does_not_pile_up() {
        let (there, back) = pair();
        let revision = &revisions(&["1-a"])[0];
        for number in 0..=MOST {
            there.tell(&id(&number.to_string()), revision);
        }
        let known = lock(&back.heard).all.len();
        assert_eq!((known, lock(&back.heard).order.len()), (MOST, MOST));
        assert_eq!(left(&back, "0", &["1-a"]), revisions(&["1-a"]));
        assert_eq!(left(&back, &MOST.to_string(), &["1-a"]), []);
    }
}
