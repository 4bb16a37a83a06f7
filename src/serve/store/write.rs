//! Writing: a batch of edits in one transaction.

use rusqlite::{Connection, OptionalExtension as _};

use super::blobs::{Blobs, Content};
use super::connection::{State, signed};
use super::database::{self, Database};
use super::edit::{self, Joint};
use super::error::StoreError;
use super::files::Address;
use super::model::{Check, Document, Edit, Outcome, Previous, Refusal, Stored, Upon};
use super::read;
use crate::name::Revision;
use crate::serve::tree::{Place, Tree};

/// CouchDB's `_revs_limit` where none is set.
const REVS_LIMIT: u64 = 1000;

impl Database {
    /// Writes edits, in one transaction and in order; later edits see earlier ones. `check` is asked just before an edit is
    /// stored, with what it replaces (CouchDB's `validate_doc_update`). It may read the database, but not write to it.
    pub fn write(&self, edits: Vec<Edit>, check: &Check<'_>) -> Result<Vec<Outcome>, StoreError> {
        let (outcomes, claimed, rings) = self.change(|transaction| {
            let mut batch = Batch::begin(transaction, &self.blobs)?;
            let outcomes = edits.into_iter().map(|edit| batch.apply(&edit, check)).collect::<Result<Vec<_>, _>>()?;
            let rings = (batch.state.sequence > batch.first).then_some(batch.state.sequence);
            if rings.is_some() {
                batch.state.save(transaction)?;
            }
            Ok((outcomes, batch.claimed, rings))
        })?;
        self.blobs.release(&claimed);
        if let Some(sequence) = rings {
            self.ring(sequence);
        }
        Ok(outcomes)
    }
}

struct Batch<'a> {
    connection: &'a Connection,
    blobs: &'a Blobs,
    state: State,
    /// The last sequence before this batch.
    first: u64,
    revs_limit: u64,
    claimed: Vec<Address>,
}

impl<'a> Batch<'a> {
    fn begin(connection: &'a Connection, blobs: &'a Blobs) -> Result<Self, StoreError> {
        let state = State::load(connection)?;
        let revs_limit = database::setting(connection, "revs_limit")?.and_then(|limit| limit.as_u64());
        Ok(Self {
            connection,
            blobs,
            first: state.sequence,
            state,
            revs_limit: revs_limit.unwrap_or(REVS_LIMIT),
            claimed: Vec::new(),
        })
    }

    fn apply(&mut self, edit: &Edit, check: &Check<'_>) -> Result<Outcome, StoreError> {
        let before = read::document(self.connection, &edit.id)?;
        let (previous, ancestors, is_late_conflict) = match edit::join(before.as_ref(), edit) {
            Joint::Known(revision) => return Ok(Outcome::Stored(revision)),
            Joint::Conflict => return Ok(Outcome::Conflict),
            Joint::New { previous, ancestors, is_late_conflict } => (previous, ancestors, is_late_conflict),
        };
        let given = match &edit.upon {
            Upon::Leaf(_) => None,
            Upon::History(history) => history.first(),
        };
        let previous = self.previous(before.as_ref(), previous.as_ref())?;
        if let Err(refusal) = check(edit, previous.as_ref()) {
            return Ok(Outcome::Refused(refusal));
        }
        if is_late_conflict {
            return Ok(Outcome::Conflict);
        }
        let made = given.cloned().or_else(|| edit::revision(edit, ancestors.first()));
        let revision = made.ok_or_else(|| StoreError::failed("the revision has too many ancestors"))?;
        if let Some(name) = self.missing_attachment(&edit.attachments)? {
            let reason = format!("Invalid attachment stub in {} for {name}", edit.id);
            return Ok(Outcome::Refused(Refusal { status: 412, error: "missing_stub".to_owned(), reason }));
        }
        let mut history = vec![revision];
        history.extend(ancestors);
        self.store(before, edit, &history)
    }

    fn previous(&self, before: Option<&Document>, revision: Option<&Revision>) -> Result<Option<Previous>, StoreError> {
        let (Some(before), Some(revision)) = (before, revision) else { return Ok(None) };
        let Some((place, is_deleted)) = before.tree.place(revision) else { return Ok(None) };
        let Some(body) = read::body(self.connection, place)? else { return Ok(None) };
        Ok(Some(Previous { history: before.tree.history(revision).unwrap_or_default(), is_deleted, body }))
    }

    fn store(&mut self, before: Option<Document>, edit: &Edit, history: &[Revision]) -> Result<Outcome, StoreError> {
        let place = self.insert_body(edit)?;
        let (last, mut tree) = before.map_or_else(Default::default, |document| (document.sequence, document.tree));
        let (was_there, was_deleted, old_size) = (last > 0, tree.is_deleted(), tree.size());
        tree.merge(history, edit.is_deleted, place);
        for dropped in tree.stem(self.revs_limit) {
            remove_body(self.connection, dropped)?;
        }
        // However often a batch has a document, it is one change.
        let sequence = if last > self.first { last } else { self.state.sequence + 1 };
        self.state.sequence = self.state.sequence.max(sequence);
        self.state.active = (self.state.active + tree.size()).saturating_sub(old_size);
        if was_there {
            self.count(was_deleted, |count| count.saturating_sub(1));
        }
        self.count(tree.is_deleted(), |count| count + 1);
        save_document(self.connection, &edit.id, sequence, &tree)?;
        let stored = tree.history(&history[0]).and_then(|known| known.into_iter().next());
        stored.map(Outcome::Stored).ok_or_else(|| StoreError::failed("a revision did not join its tree"))
    }

    fn count(&mut self, is_deleted: bool, change: impl Fn(u64) -> u64) {
        let count = if is_deleted { &mut self.state.deleted } else { &mut self.state.documents };
        *count = change(*count);
    }

    /// The first attachment whose bytes are nowhere.
    fn missing_attachment<'e>(&self, attachments: &'e [Stored]) -> Result<Option<&'e str>, StoreError> {
        for stored in attachments {
            if self.blobs.waiting(&stored.blob.address).is_none() && !self.has_row(&stored.blob.address)? {
                return Ok(Some(&stored.name));
            }
        }
        Ok(None)
    }

    fn has_row(&self, address: &Address) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT 1 FROM blob WHERE address = ?1")?;
        Ok(statement.query_row([&address[..]], |_| Ok(())).optional()?.is_some())
    }

    fn insert_body(&mut self, edit: &Edit) -> Result<Place, StoreError> {
        let members = serde_json::to_string(&edit.members).map_err(StoreError::failed)?;
        let attachments = read::write_attachments(&edit.attachments)?;
        for stored in &edit.attachments {
            self.claim(stored)?;
        }
        self.state.bodies += 1;
        let mut statement = self.connection.prepare_cached("INSERT INTO body VALUES (?1, ?2, ?3)")?;
        statement.execute((signed(self.state.bodies), &members, attachments))?;
        let bytes: u64 = edit.attachments.iter().map(|stored| stored.blob.stored_length).sum();
        Ok(Place { number: self.state.bodies, size: members.len() as u64 + bytes })
    }

    /// Refers to the bytes of an attachment: makes their row, or counts one more use.
    fn claim(&mut self, stored: &Stored) -> Result<(), StoreError> {
        let (address, length) = (&stored.blob.address[..], signed(stored.blob.stored_length));
        self.claimed.push(stored.blob.address);
        let mut use_again = self.connection.prepare_cached("UPDATE blob SET uses = uses + 1 WHERE address = ?1")?;
        if use_again.execute([address])? > 0 {
            return Ok(());
        }
        let bytes = match self.blobs.waiting(&stored.blob.address) {
            Some(Content::Bytes(bytes)) => Some(bytes),
            Some(Content::File) => None,
            None => return Err(StoreError::failed("the bytes of an attachment are gone")),
        };
        if bytes.is_none() {
            self.state.outside += stored.blob.stored_length;
        }
        let mut insert =
            self.connection.prepare_cached("INSERT INTO blob (address, uses, length, bytes) VALUES (?1, 1, ?2, ?3)")?;
        insert.execute((address, length, bytes.as_deref()))?;
        Ok(())
    }
}

/// Writes the row of a document.
pub(super) fn save_document(connection: &Connection, id: &str, sequence: u64, tree: &Tree) -> Result<(), StoreError> {
    let winner = tree.winner().ok_or_else(|| StoreError::failed("a document without revisions"))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO document VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET
            sequence = excluded.sequence, is_deleted = excluded.is_deleted, winner = excluded.winner, tree = excluded.tree",
    )?;
    statement.execute((id, signed(sequence), winner.is_deleted, winner.revision.as_str(), tree.to_bytes()))?;
    Ok(())
}

/// Removes a body that nothing refers to; its attachments are swept away later if nothing else has them.
pub(super) fn remove_body(connection: &Connection, place: Place) -> Result<(), StoreError> {
    if let Some(body) = read::body(connection, place)? {
        let mut statement = connection.prepare_cached("UPDATE blob SET uses = uses - 1 WHERE address = ?1")?;
        for stored in &body.attachments {
            statement.execute([&stored.blob.address[..]])?;
        }
    }
    connection.prepare_cached("DELETE FROM body WHERE number = ?1")?.execute([signed(place.number)])?;
    Ok(())
}
