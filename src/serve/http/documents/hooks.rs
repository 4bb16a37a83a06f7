//! What others have to say about documents: `validate_doc_update`, the rules for design documents and for users.

use std::sync::Arc;

use serde_json::{Value, json};

use super::incoming::Incoming;
use super::open::Opened;
use super::options::Options;
use super::show;
use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::functions::{Design, FunctionError, Functions, Validation};
use crate::serve::http::request::Place;
use crate::serve::replication::owner;
use crate::serve::store::{Body, Edit, Previous, Range, Refusal, Upon};
use crate::serve::users::User;
use crate::serve::users::{access, account};

/// What checks the writes of one request. Blocks.
pub(in crate::serve) struct Checks {
    place: Place,
    user: User,
    designs: Vec<Arc<Design>>,
    security: Value,
}

impl Checks {
    /// Gathers what the checks need; call it before the write begins.
    pub(in crate::serve) fn gather(place: &Place, user: &User) -> Result<Self, Failure> {
        let designs = validating(place)?;
        let security = access::security(&place.database)?;
        Ok(Self { place: place.clone(), user: user.clone(), designs, security })
    }

    /// Whether an edit may be stored; asked just before it is.
    pub(in crate::serve) fn check(&self, edit: &Edit, before: Option<&Previous>) -> Result<(), Refusal> {
        if edit.id.starts_with("_design/") {
            return self.check_design(edit);
        }
        if self.place.database.name() == account::DATABASE {
            let (members, before) = (&edit.members, before.map(|before| &before.body.members));
            let update = account::Update { id: &edit.id, members, is_deleted: edit.is_deleted, before };
            account::validate(update, &self.user, &self.security)?;
        }
        if self.designs.is_empty() {
            return Ok(());
        }
        let validation = Validation {
            document: edited(edit, before).to_string(),
            before: before.map(|before| shown(&edit.id, before).to_string()),
            user: user_context(self.place.database.name(), &self.user).to_string(),
            security: self.security.to_string(),
        };
        self.functions().validate(&self.designs, &validation).map_err(refusal)
    }

    /// Design documents are for administrators, pass no `validate_doc_update`, and have to compile.
    fn check_design(&self, edit: &Edit) -> Result<(), Refusal> {
        access::require_admin(&self.user, &self.security).map_err(|failure| Refusal {
            status: failure.status.as_u16(),
            error: failure.error,
            reason: failure.reason.unwrap_or_default(),
        })?;
        if edit.is_deleted {
            return Ok(());
        }
        let mut document = edit.members.clone();
        document.insert("_id".to_owned(), edit.id.as_str().into());
        self.functions().check_views(&document).map_err(refusal)
    }

    fn functions(&self) -> &Functions {
        self.place.server.functions()
    }
}

/// The design documents of a database that have a `validate_doc_update`.
fn validating(place: &Place) -> Result<Vec<Arc<Design>>, Failure> {
    let range = Range { start: Some("_design/".to_owned()), end: Some("_design0".to_owned()), ..Range::default() };
    let rows = place.database.rows(&range)?;
    let designs = rows.iter().map(|row| place.server.design(&place.database, &row.id, &row.revision));
    let designs = designs.collect::<Result<Vec<_>, _>>()?;
    Ok(designs.into_iter().flatten().filter(|known| known.validates).map(|known| known.design).collect())
}

/// Before a document is stored: what the databases of users and of replications make of it. Blocks, and takes its time over a password.
pub(in crate::serve) fn before_write(place: &Place, user: &User, document: &mut Incoming) -> Result<(), Failure> {
    if owner::is_replicator(place.database.name()) {
        let security = access::security(&place.database)?;
        return owner::before_write(user, &security, &document.id, document.is_deleted, &mut document.members);
    }
    if place.database.name() != account::DATABASE {
        return Ok(());
    }
    let (security, iterations) = (access::security(&place.database)?, place.server.configuration().iterations());
    account::before_write(user, &security, &document.id, &mut document.members, iterations)
}

/// Before a document is shown: users see only their own, and nothing that gets into the databases of others.
pub(in crate::serve) fn before_show(place: &Place, user: &User, opened: &mut Opened) -> Result<(), Failure> {
    if owner::is_replicator(place.database.name()) {
        let security = access::security(&place.database)?;
        if owner::is_hidden(user, &security, &opened.id, &opened.body.members) {
            owner::hide(&mut opened.body.members);
            disguise(opened);
        }
        return Ok(());
    }
    if place.database.name() != account::DATABASE {
        return Ok(());
    }
    account::before_show(user, &access::security(&place.database)?, &opened.id)
}

/// What is not shown whole is another revision, as in CouchDB: it is not to be written back, nor taken for the true one.
fn disguise(opened: &mut Opened) {
    let text = Value::Object(opened.body.members.clone()).to_string();
    let hash = crate::hexadecimal::encode(&crate::couch::digest::of(text.as_bytes()).md5());
    if let Some(revision) = opened.history.first_mut()
        && let Ok(other) = Revision::new(format!("{}-{hash}", revision.generation()))
    {
        *revision = other;
    }
}

/// The user as functions see it.
pub(in crate::serve) fn user_context(database: &str, user: &User) -> Value {
    json!({ "db": database, "name": user.name, "roles": user.roles })
}

/// The document as `validate_doc_update` sees it: with the revisions that it is upon.
fn edited(edit: &Edit, before: Option<&Previous>) -> Value {
    let history: Vec<Revision> = match &edit.upon {
        Upon::Leaf(parent) => parent.iter().cloned().collect(),
        Upon::History(history) => history.clone(),
    };
    let options = Options { revs: !history.is_empty(), ..Options::default() };
    let body = Body { members: edit.members.clone(), attachments: edit.attachments.clone() };
    let (id, is_deleted) = (edit.id.clone(), edit.is_deleted);
    let opened = Opened { id, history, is_deleted, body, meta: Object::new() };
    let mut shown = Value::Object(show::stubbed(&opened, &options));
    for stored in &edit.attachments {
        let is_known = before.is_some_and(|before| before.body.attachments.contains(stored));
        let entry =
            shown.get_mut("_attachments").and_then(|all| all.get_mut(&stored.name)).and_then(Value::as_object_mut);
        if let Some(entry) = entry.filter(|_| !is_known) {
            // To CouchDB these bytes are not stored yet.
            entry.shift_remove("digest");
            if matches!(edit.upon, Upon::Leaf(_)) {
                entry.insert("revpos".to_owned(), 0.into());
            }
        }
    }
    shown
}

/// What the edit replaces, as `validate_doc_update` sees it.
fn shown(id: &str, previous: &Previous) -> Value {
    let Previous { history, is_deleted, body } = previous.clone();
    let opened = Opened { id: id.to_owned(), history, is_deleted, body, meta: Object::new() };
    Value::Object(show::stubbed(&opened, &Options { revs: true, ..Options::default() }))
}

fn refusal(error: FunctionError) -> Refusal {
    Refusal { status: error.status, error: error.error, reason: error.reason }
}
